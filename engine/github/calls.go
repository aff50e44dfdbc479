package github

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
)

// Call is how often one endpoint was asked.
type Call struct {
	Method    string
	Pattern   string // of GitHub's description, such as /repos/{owner}/{repo}/pulls; /graphql; "other" for none that is known here
	Count     int    // requests that were sent, those without an answer included
	Unchanged int    // those that the hub answered with 304
}

// endpoints returns everything that the client asks for.
func endpoints() []string {
	const repo = "/repos/{owner}/{repo}"
	return []string{
		"POST /graphql",
		"GET /app",
		"GET /app/hook/deliveries",
		"POST /app/hook/deliveries/{delivery_id}/attempts",
		"POST /app/installations/{installation_id}/access_tokens",
		"GET /users/{username}",
		"GET /orgs/{org}/teams/{team_slug}/members",
		"GET " + repo,
		"GET " + repo + "/installation",
		"GET " + repo + "/collaborators",
		"GET " + repo + "/collaborators/{username}/permission",
		"GET " + repo + "/pulls",
		"POST " + repo + "/pulls",
		"PATCH " + repo + "/issues/{issue_number}",
		"GET " + repo + "/pulls/{pull_number}",
		"PATCH " + repo + "/pulls/{pull_number}",
		"PUT " + repo + "/pulls/{pull_number}/merge",
		"GET " + repo + "/pulls/{pull_number}/reviews",
		"GET " + repo + "/pulls/{pull_number}/files",
		"POST " + repo + "/pulls/{pull_number}/requested_reviewers",
		"DELETE " + repo + "/pulls/{pull_number}/requested_reviewers",
		"GET " + repo + "/issues",
		"POST " + repo + "/issues",
		"GET " + repo + "/issues/{issue_number}/comments",
		"POST " + repo + "/issues/{issue_number}/comments",
		"POST " + repo + "/issues/comments/{comment_id}/reactions",
		"GET " + repo + "/contents/{path...}",
		"GET " + repo + "/actions/workflows/{workflow_id}",
		"POST " + repo + "/actions/workflows/{workflow_id}/dispatches",
		"GET " + repo + "/actions/workflows/{workflow_id}/runs",
		"GET " + repo + "/actions/runs/{run_id}",
		"GET " + repo + "/actions/runs/{run_id}/jobs",
		"GET " + repo + "/actions/runs/{run_id}/logs",
		"GET " + repo + "/actions/runs/{run_id}/artifacts",
		"POST " + repo + "/actions/runs/{run_id}/cancel",
		"GET " + repo + "/actions/artifacts/{artifact_id}/zip",
		"POST " + repo + "/check-runs",
		"PATCH " + repo + "/check-runs/{check_run_id}",
		"GET " + repo + "/commits/{ref}/check-runs",
		"GET " + repo + "/git/ref/{ref...}",
		"DELETE " + repo + "/git/refs/{ref...}",
	}
}

// calls counts requests by method and pattern.
type calls struct {
	base     string         // path of REST's root
	graphql  string         // address of GraphQL
	patterns *http.ServeMux // used to match only; it serves nothing

	mu sync.Mutex
	by map[string]*Call
}

func newCalls(at address) *calls {
	c := &calls{base: strings.TrimSuffix(at.api.Path, "/"), graphql: at.graphql, patterns: http.NewServeMux(), by: map[string]*Call{}}
	for _, e := range endpoints() {
		c.patterns.Handle(e, http.NotFoundHandler())
	}
	return c
}

func (c *calls) count(req *http.Request) { c.at(req, func(n *Call) { n.Count++ }) }

func (c *calls) countUnchanged(req *http.Request) { c.at(req, func(n *Call) { n.Unchanged++ }) }

func (c *calls) at(req *http.Request, change func(*Call)) {
	path := strings.TrimPrefix(req.URL.Path, c.base)
	if req.URL.String() == c.graphql {
		path = "/graphql"
	}
	_, pattern := c.patterns.Handler(&http.Request{Method: req.Method, URL: &url.URL{Path: path}})
	_, pattern, found := strings.Cut(pattern, " ")
	if !found {
		pattern = "other"
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	key := pattern + " " + req.Method
	if c.by[key] == nil {
		c.by[key] = &Call{Method: req.Method, Pattern: pattern}
	}
	change(c.by[key])
}

// list returns the counts ordered by pattern and method.
func (c *calls) list() []Call {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []Call
	for _, key := range slices.Sorted(maps.Keys(c.by)) {
		out = append(out, *c.by[key])
	}
	return out
}
