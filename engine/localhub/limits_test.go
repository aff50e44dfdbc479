package localhub_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-github/v60/github"

	"github.com/pullbook/pullbook/engine/localhub"
	"github.com/pullbook/pullbook/engine/localhub/faults"
	"github.com/pullbook/pullbook/engine/localhub/limits"
)

// limitedWorld has a pull request made before any limit, which alice's comments then meet.
func limitedWorld(t *testing.T, l limits.Limits) *world {
	t.Helper()
	w := newWorld(t, "")
	w.commit(w.clone(), "incident/1", "one.txt", "1\n")
	w.openPull("incident/1")
	w.close()
	return openWith(t, localhub.Config{Dir: w.dir, Seed: seed(""), Limits: l})
}

func comment(t *testing.T, c *github.Client) (*github.Response, error) {
	t.Helper()
	_, resp, err := c.Issues.CreateComment(t.Context(), "acme", "ops", 1, &github.IssueComment{Body: github.String("x")})
	return resp, err
}

func TestSecondaryLimitIsToldAsByGitHub(t *testing.T) {
	w := limitedWorld(t, limits.Limits{Content: 1})
	alice := w.user("alice")
	if _, err := comment(t, alice); err != nil {
		t.Fatal(err)
	}
	_, err := comment(t, alice)
	var limit *github.AbuseRateLimitError
	if !errors.As(err, &limit) || limit.GetRetryAfter() < 50*time.Second || limit.GetRetryAfter() > time.Minute || !strings.Contains(limit.Message, "secondary rate limit") {
		t.Fatalf("the second comment: %v", err)
	}
	if _, err := comment(t, w.user("bob")); err != nil {
		t.Fatalf("somebody else's: %v", err)
	}
}

func TestPrimaryLimitCountsDown(t *testing.T) {
	w := limitedWorld(t, limits.Limits{Primary: 2})
	get := func(etag string) *http.Response {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.url+"/api/v3/repos/acme/ops/pulls/1", nil)
		noError(t, err)
		req.Header.Set("Authorization", "Bearer alice-token")
		req.Header.Set("If-None-Match", etag)
		resp, err := http.DefaultClient.Do(req)
		noError(t, err)
		resp.Body.Close()
		return resp
	}
	first := get("")
	if first.Header.Get("X-RateLimit-Limit") != "2" || first.Header.Get("X-RateLimit-Remaining") != "1" {
		t.Fatalf("headers: %v", first.Header)
	}
	if again := get(first.Header.Get("ETag")); again.StatusCode != 304 || again.Header.Get("X-RateLimit-Remaining") != "1" {
		t.Fatalf("a 304 costs: %d %v", again.StatusCode, again.Header)
	}
	if last := get(""); last.StatusCode != 200 || last.Header.Get("X-RateLimit-Remaining") != "0" {
		t.Fatalf("the last: %d %v", last.StatusCode, last.Header)
	}
	_, err := comment(t, w.user("alice"))
	var limit *github.RateLimitError
	if !errors.As(err, &limit) || !strings.Contains(limit.Message, "API rate limit exceeded for user ID 101") {
		t.Fatalf("beyond it: %v", err)
	}
}

func TestPushesAreLimited(t *testing.T) {
	w := limitedWorld(t, limits.Limits{Pushes: 1})
	dir := w.clone()
	w.commit(dir, "b1", "b.txt", "1\n")
	if out, err := w.git(dir, "push", "origin", "HEAD:refs/heads/b2"); err == nil || !strings.Contains(out, "429") {
		t.Fatalf("the second push: %v\n%s", err, out)
	}
}

func TestMutationsAreCountedByAlias(t *testing.T) {
	w := limitedWorld(t, limits.Limits{Content: 2})
	send := func(query string) (int, string) {
		body := strings.NewReader(`{"query":` + quoted(query) + `}`)
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.url+"/api/graphql", body)
		noError(t, err)
		req.Header.Set("Authorization", "Bearer alice-token")
		resp, err := http.DefaultClient.Do(req)
		noError(t, err)
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		noError(t, err)
		return resp.StatusCode, string(text)
	}
	id := `addComment(input:{subjectId:"x",body:"b"}){clientMutationId}`
	if status, text := send("mutation { a: " + id + " b: " + id + " c: " + id + " }"); status != 403 || !strings.Contains(text, "secondary rate limit") {
		t.Fatalf("three at once: %d %s", status, text)
	}
	if status, text := send("mutation { a: " + id + " b: " + id + " }"); status != 200 {
		t.Fatalf("two at once: %d %s", status, text)
	}
	if status, _ := send("query { viewer { login } }"); status != 200 {
		t.Fatalf("a query: %d", status)
	}
}

func quoted(s string) string { return `"` + strings.ReplaceAll(s, `"`, `\"`) + `"` }

func TestFaultsThroughTheAPI(t *testing.T) {
	w := limitedWorld(t, limits.Limits{})
	add := func(rule string, header ...string) int {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.url+"/_hub/faults", bytes.NewReader([]byte(rule)))
		noError(t, err)
		req.Header.Set("Content-Type", "application/json")
		for i := 0; i < len(header); i += 2 {
			req.Header.Set(header[i], header[i+1])
		}
		resp, err := http.DefaultClient.Do(req)
		noError(t, err)
		resp.Body.Close()
		return resp.StatusCode
	}
	rule := `{"fault":"reply_lost","method":"POST","path":"/repos/{owner}/{repo}/issues/{number}/comments"}`
	if s := add(rule, "Origin", "http://evil.example"); s != 415 {
		t.Fatalf("from a page: %d", s)
	}
	if s := add(rule, "Content-Type", "text/plain"); s != 415 {
		t.Fatalf("as a page could send it: %d", s)
	}
	if s := add(rule); s != 201 {
		t.Fatalf("a rule: %d", s)
	}
	alice := w.user("alice")
	if resp, err := comment(t, alice); err == nil || resp != nil {
		t.Fatalf("the answer was not lost: %v", resp)
	}
	list, _, err := alice.Issues.ListComments(t.Context(), "acme", "ops", 1, nil)
	if err != nil || len(list) != 1 {
		t.Fatalf("the work was done %d times: %v", len(list), err)
	}
}

func TestFaultsInGoTests(t *testing.T) {
	w := limitedWorld(t, limits.Limits{})
	for _, r := range []faults.Rule{
		{Fault: faults.NotFound, Method: "GET", Path: "/repos/{owner}/{repo}/pulls/{number}"},
		{Fault: faults.Forbidden, Method: "GET", Path: "/repos/{owner}/{repo}/pulls/{number}", RetryAfter: 7},
		{Fault: faults.TokenExpired, Path: "/{owner}/{repo}.git/info/refs"},
	} {
		if _, err := w.hub.Faults().Add(r); err != nil {
			t.Fatal(err)
		}
	}
	get := func() (*github.Response, error) {
		_, resp, err := w.user("alice").PullRequests.Get(t.Context(), "acme", "ops", 1)
		return resp, err
	}
	if resp, err := get(); err == nil || resp.StatusCode != 404 {
		t.Fatalf("first: %v", err)
	}
	var limit *github.AbuseRateLimitError
	if _, err := get(); !errors.As(err, &limit) || limit.GetRetryAfter() != 7*time.Second {
		t.Fatalf("second: %v", err)
	}
	if _, err := get(); err != nil {
		t.Fatalf("third: %v", err)
	}
	if out, err := w.git("", "ls-remote", w.remote("alice", "alice-token", "acme/ops")); err == nil {
		t.Fatalf("git with an expired token: %s", out)
	}
}

func TestWebhookFaults(t *testing.T) {
	url, got := receiver(t)
	w := newWorld(t, url)
	w.commit(w.clone(), "incident/1", "one.txt", "1\n")
	w.openPull("incident/1")
	next(t, got, 4)
	for _, r := range []faults.Rule{
		{Fault: faults.HookLost, Path: "issue_comment.created"},
		{Fault: faults.HookDoubled, Path: "issue_comment.created"},
		{Fault: faults.HookReordered, Path: "issue_comment.created"},
	} {
		if _, err := w.hub.Faults().Add(r); err != nil {
			t.Fatal(err)
		}
	}
	alice := w.user("alice")
	for _, body := range []string{"lost", "doubled", "late", "early"} {
		if _, _, err := alice.Issues.CreateComment(t.Context(), "acme", "ops", 1, &github.IssueComment{Body: &body}); err != nil {
			t.Fatal(err)
		}
	}
	var bodies, guids []string
	for _, r := range next(t, got, 4) {
		bodies = append(bodies, r.event.(*github.IssueCommentEvent).GetComment().GetBody())
		guids = append(guids, r.guid)
	}
	if s := strings.Join(bodies, " "); s != "doubled doubled early late" || guids[0] != guids[1] || guids[2] == guids[3] {
		t.Fatalf("deliveries: %s, %v", s, guids)
	}
}

// Sizes are limits, too: smaller ones let a client meet them early, none lets it past GitHub's.
func TestSizesAsSwitches(t *testing.T) {
	w := limitedWorld(t, limits.Limits{Text: 10, Commits: 1})
	dir := w.clone()
	w.mustGit(dir, "switch", "-q", "incident/1")
	w.commit(dir, "incident/1", "two.txt", "2\n")
	alice := w.user("alice")
	say := func(body string) error {
		_, _, err := alice.Issues.CreateComment(t.Context(), "acme", "ops", 1, &github.IssueComment{Body: &body})
		return err
	}
	noError(t, say("ten letter"))
	wantRefusal(t, say("eleven lett"), 422, "Validation Failed")
	list, _, err := alice.PullRequests.ListCommits(t.Context(), "acme", "ops", 1, nil)
	if err != nil || len(list) != 1 {
		t.Errorf("%d commits, %v", len(list), err)
	}
	w.close()
	w = openWith(t, localhub.Config{Dir: w.dir, Limits: limits.Limits{Text: -1, Commits: -1}})
	alice = w.user("alice")
	noError(t, say(strings.Repeat("x", 70_000)))
	list, _, err = alice.PullRequests.ListCommits(t.Context(), "acme", "ops", 1, nil)
	if err != nil || len(list) != 2 {
		t.Errorf("%d commits, %v", len(list), err)
	}
}
