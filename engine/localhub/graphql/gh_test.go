package graphql

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/pullbook/pullbook/engine/localhub/state"
)

// gh is GitHub's own command line, which takes any host below localhost for a GitHub on plain HTTP and asks the proxy of
// its environment for it.
type gh struct {
	w     *world
	dir   string
	proxy string
	asked []string
}

func newGH(t *testing.T, w *world) *gh {
	t.Helper()
	if _, err := exec.LookPath("gh"); err != nil {
		t.Skip("gh is not installed")
	}
	g := &gh{w: w, dir: t.TempDir()}
	srv := httptest.NewServer(g)
	t.Cleanup(srv.Close)
	g.proxy = srv.URL
	return g
}

// ServeHTTP is the proxy: it hands GraphQL to the server under test, after GitHub's schema has taken the document.
func (g *gh) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	if r.Host != "api.github.localhost" || r.URL.Path != "/graphql" {
		http.Error(rw, `{"message":"Not Found"}`, http.StatusNotFound)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		g.w.t.Error(err)
	}
	var in struct{ Query string }
	if err := json.Unmarshal(body, &in); err != nil {
		g.w.t.Error(err)
	}
	g.asked = append(g.asked, in.Query)
	if problem := refusedByGitHub(in.Query); problem != "" {
		g.w.t.Errorf("gh asks what GitHub's schema refuses: %s\n%s", problem, in.Query)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	g.w.server.ServeHTTP(rw, r)
}

// run is gh as somebody; it returns what gh printed.
func (g *gh) run(who string, args ...string) (string, error) {
	g.w.t.Helper()
	cmd := exec.Command("gh", args...)
	cmd.Dir = g.dir
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + g.dir, "GH_CONFIG_DIR=" + g.dir, "GH_HOST=github.localhost", "GH_TOKEN=" + who,
		"HTTP_PROXY=" + g.proxy, "GH_NO_UPDATE_NOTIFIER=1", "NO_COLOR=1", "GH_PROMPT_DISABLED=1", "GH_PAGER=cat",
	}
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func (g *gh) must(who string, args ...string) string {
	g.w.t.Helper()
	out, err := g.run(who, args...)
	if err != nil {
		g.w.t.Fatalf("gh %s: %v\n%s\nlog: %s", strings.Join(args, " "), err, out, g.w.log.String())
	}
	return out
}

// contain checks the words of an output.
func contain(t *testing.T, out string, words ...string) {
	t.Helper()
	for _, w := range words {
		if !strings.Contains(out, w) {
			t.Errorf("%q is not in:\n%s", w, out)
		}
	}
}

// incident is a pull request of the App with a comment and a check that passed.
func (w *world) incident() *state.Pull {
	w.t.Helper()
	p := w.pull("app", "acme/ops", "incident/one")
	if _, err := w.store.AddComment(w.actor("bob"), "acme/ops", p.Number, "I am on it"); err != nil {
		w.t.Fatal(err)
	}
	name, conclusion := "pullbook", "success"
	if _, err := w.store.CreateRun(w.actor("app"), "acme/ops", state.RunInput{Name: &name, HeadSHA: &p.Head.SHA, Conclusion: &conclusion}); err != nil {
		w.t.Fatal(err)
	}
	if _, err := w.store.RequestReviewers(w.actor("app"), "acme/ops", p.Number, state.Reviewers{Users: []string{"alice"}, Teams: []string{"sre"}}); err != nil {
		w.t.Fatal(err)
	}
	return p
}

func TestGHReadsPullRequests(t *testing.T) {
	w := newWorld(t)
	g := newGH(t, w)
	w.incident()
	in := []string{"-R", "github.localhost/acme/ops"}
	contain(t, g.must("alice", append(in, "pr", "list")...), "Title of incident/one", "OPEN")
	contain(t, g.must("alice", append(in, "pr", "list", "--search", "author:app/pullbook is:open")...), "Title of incident/one")
	contain(t, g.must("alice", append(in, "pr", "view", "1", "--comments")...), "I am on it")
	contain(t, g.must("alice", append(in, "pr", "view", "1")...), "state:\tOPEN", "author:\tpullbook", "reviewers:\tacme/sre (Requested), alice (Requested)")
	contain(t, g.must("alice", append(in, "pr", "checks", "1")...), "pullbook\tpass")
	contain(t, g.must("alice", append(in, "pr", "checks", "1", "--required")...), "pullbook\tpass")
	contain(t, g.must("alice", append(in, "pr", "status")...), "Title of incident/one")
	all := g.must("alice", append(in, "pr", "view", "1", "--json", ghFields)...)
	var out map[string]any
	if err := json.Unmarshal([]byte(all), &out); err != nil {
		t.Fatalf("%v: %s", err, all)
	}
	if out["headRefName"] != "incident/one" || out["mergeStateStatus"] != "CLEAN" {
		t.Errorf("pr view --json: %s", all)
	}
	contain(t, g.must("alice", "repo", "view", "github.localhost/acme/ops", "--json", "name,owner,defaultBranchRef,viewerPermission,mergeCommitAllowed,pullRequests,isPrivate"),
		`"viewerPermission":"WRITE"`, `"totalCount":1`)
	contain(t, g.must("alice", "repo", "list", "acme"), "acme/ops\t")
	if out := g.must("mallory", "repo", "list", "acme"); strings.Contains(out, "acme/ops") {
		t.Errorf("a stranger's list of repositories: %s", out)
	}
	title := "Follow up"
	if _, err := w.store.CreateIssue(w.actor("alice"), "acme/ops", state.IssueInput{Title: &title}); err != nil {
		t.Fatal(err)
	}
	contain(t, g.must("alice", append(in, "issue", "list", "--author", "alice")...), "2\tOPEN\tFollow up")
	if out, err := g.run("mallory", append(in, "pr", "view", "1")...); err == nil || !strings.Contains(out, "Could not resolve to a Repository with the name 'acme/ops'.") {
		t.Errorf("a stranger: %v %s", err, out)
	}
}

const ghFields = "additions,assignees,author,baseRefName,body,changedFiles,closed,closedAt,comments,commits,createdAt,deletions,files," +
	"headRefName,headRefOid,headRepository,headRepositoryOwner,id,isCrossRepository,isDraft,labels,latestReviews,maintainerCanModify," +
	"mergeCommit,mergeStateStatus,mergeable,mergedAt,mergedBy,milestone,number,potentialMergeCommit,projectCards,reactionGroups," +
	"reviewDecision,reviewRequests,reviews,state,statusCheckRollup,title,updatedAt,url"

func TestGHWritesPullRequests(t *testing.T) {
	w := newWorld(t)
	g := newGH(t, w)
	p := w.incident()
	in := []string{"-R", "github.localhost/acme/ops"}
	contain(t, g.must("alice", append(in, "pr", "comment", "1", "--body", "hello")...), "#issuecomment-")
	g.must("alice", append(in, "pr", "comment", "1", "--edit-last", "--body", "hello again")...)
	g.must("alice", append(in, "pr", "review", "1", "--approve", "--body", "/approve rollback")...)
	g.must("bob", append(in, "pr", "review", "1", "--request-changes", "--body", "not yet")...)
	g.must("bob", append(in, "pr", "close", "1")...)
	g.must("bob", append(in, "pr", "reopen", "1")...)
	g.must("bob", append(in, "pr", "review", "1", "--approve")...)
	reviews, err := w.store.Reviews("acme/ops", 1)
	if err != nil || len(reviews) != 3 || reviews[0].CommitID != p.Head.SHA || reviews[2].State != state.ReviewApproved {
		t.Fatalf("%v %+v", err, reviews)
	}
	if out, err := g.run("bob", append(in, "pr", "merge", "1", "--squash")...); err == nil || !strings.Contains(out, "Squash merges are not allowed") {
		t.Errorf("squash: %v %s", err, out)
	}
	g.must("bob", append(in, "pr", "merge", "1", "--merge", "--subject", "Done")...)
	merged, err := w.store.Pull("acme/ops", 1)
	if err != nil || !merged.Merged || merged.MergedBy.Login != "bob" {
		t.Fatalf("%v %+v", err, merged)
	}
}
