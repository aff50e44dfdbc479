package localhub_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-github/v60/github"
)

// status is the HTTP status of go-github's error, with its message and the errors' messages.
func refusal(t testing.TB, err error) (int, string) {
	t.Helper()
	var r *github.ErrorResponse
	if !errors.As(err, &r) {
		t.Fatalf("want an answer of GitHub's, got %v", err)
	}
	text := r.Message
	for _, e := range r.Errors {
		text += " | " + e.Field + " " + e.Code + " " + e.Message
	}
	return r.Response.StatusCode, text
}

func wantRefusal(t testing.TB, err error, status int, part string) {
	t.Helper()
	got, text := refusal(t, err)
	if got != status || !strings.Contains(text, part) {
		t.Fatalf("want %d with %q, got %d: %s", status, part, got, text)
	}
}

func (w *world) openPull(branch string) *github.PullRequest {
	w.t.Helper()
	p, _, err := w.app().PullRequests.Create(w.t.Context(), "acme", "ops", &github.NewPullRequest{
		Title: github.String("Incident"), Body: github.String("body"), Head: github.String(branch), Base: github.String("main"),
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return p
}

func (w *world) check(sha, name, conclusion string) *github.CheckRun {
	w.t.Helper()
	run, _, err := w.app().Checks.CreateCheckRun(w.t.Context(), "acme", "ops", github.CreateCheckRunOptions{
		Name: name, HeadSHA: sha, Status: github.String("completed"), Conclusion: &conclusion,
		Output: &github.CheckRunOutput{Title: github.String("t"), Summary: github.String("s"), Text: github.String("x")},
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return run
}

func TestIncidentFromPushToMerge(t *testing.T) {
	w := newWorld(t, "")
	ctx, app, dir := t.Context(), w.app(), w.clone()
	sha := w.commit(dir, "incident/1", "one.txt", "one\n")
	p := w.openPull("incident/1")
	if p.GetHead().GetSHA() != sha || p.GetNumber() != 1 || p.GetUser().GetLogin() != "pullbook[bot]" || p.GetMergeableState() != "blocked" {
		t.Fatalf("opened: %v", p)
	}
	v, _, err := w.user("bob").PullRequests.CreateReview(ctx, "acme", "ops", 1, &github.PullRequestReviewRequest{
		Event: github.String("APPROVE"), Body: github.String("/approve rollback"),
	})
	if err != nil {
		t.Fatal(err)
	}
	if v.GetState() != "APPROVED" || v.GetCommitID() != sha || v.GetUser().GetID() != 102 || v.GetAuthorAssociation() != "MEMBER" {
		t.Fatalf("review: %v", v)
	}
	next := w.commit(dir, "incident/1", "two.txt", "two\n")
	p, _, err = app.PullRequests.Get(ctx, "acme", "ops", 1)
	if err != nil {
		t.Fatal(err)
	}
	if p.GetHead().GetSHA() != next || p.GetCommits() != 2 || p.GetChangedFiles() != 2 || p.GetAdditions() != 2 {
		t.Fatalf("after the push: %v", p)
	}
	merge := func(sha string) (*github.PullRequestMergeResult, error) {
		r, _, err := app.PullRequests.Merge(ctx, "acme", "ops", 1, "", &github.PullRequestOptions{SHA: sha, MergeMethod: "merge"})
		return r, err
	}
	_, err = merge(sha)
	wantRefusal(t, err, http.StatusConflict, "Head branch was modified. Review and try the merge again.")
	_, err = merge(next)
	wantRefusal(t, err, http.StatusMethodNotAllowed, `Required status check "pullbook" is expected.`)
	w.check(next, "pullbook", "success")
	r, err := merge(next)
	if err != nil || !r.GetMerged() {
		t.Fatalf("merge: %v %v", r, err)
	}
	w.checkMerged(dir, r.GetSHA(), next)
}

func (w *world) checkMerged(dir, merge, head string) {
	t := w.t
	t.Helper()
	p, _, err := w.app().PullRequests.Get(t.Context(), "acme", "ops", 1)
	if err != nil {
		t.Fatal(err)
	}
	if !p.GetMerged() || p.GetMergeCommitSHA() != merge || p.GetState() != "closed" || p.GetMergedBy().GetLogin() != "pullbook[bot]" {
		t.Fatalf("merged: %v", p)
	}
	w.mustGit(dir, "fetch", "-q", "origin", "main", "refs/pull/1/head:refs/heads/pr")
	if got := w.mustGit(dir, "rev-parse", "pr", "origin/main", "origin/main^2"); got != strings.Join([]string{head, merge, head}, "\n") {
		t.Fatalf("refs after the merge: %s", got)
	}
	if subject := w.mustGit(dir, "log", "-1", "--format=%s|%cn", "origin/main"); subject != "Merge pull request #1 from acme/incident/1|GitHub" {
		t.Fatalf("merge commit: %s", subject)
	}
}
