package localhub_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-github/v60/github"
)

// A rebase merge puts the commits upon the base branch one by one: authors stay, what the base has already is left out.
func TestRebaseMerge(t *testing.T) {
	w := newWorld(t, "")
	ctx, dir := t.Context(), w.clone()
	w.commit(dir, "incident/1", "one.txt", "1\n")
	sha := w.commit(dir, "incident/1", "two.txt", "2\n")
	w.openPull("incident/1")
	w.mustGit(dir, "switch", "-q", "main")
	base := w.commit(dir, "main", "two.txt", "2\n") // the second commit's change
	w.check(sha, "pullbook", "success")
	merge := func() (*github.PullRequestMergeResult, error) {
		done, _, err := w.user("alice").PullRequests.Merge(ctx, "acme", "ops", 1, "", &github.PullRequestOptions{MergeMethod: "rebase"})
		return done, err
	}
	_, err := merge()
	wantRefusal(t, err, http.StatusMethodNotAllowed, "Rebase merges are not allowed on this repository.")
	yes := true
	if _, _, err := w.user("carol").Repositories.Edit(ctx, "acme", "ops", &github.Repository{AllowRebaseMerge: &yes}); err != nil {
		t.Fatal(err)
	}
	done, err := merge()
	if err != nil {
		t.Fatal(err)
	}
	c, _, err := w.user("alice").Git.GetCommit(ctx, "acme", "ops", done.GetSHA())
	if err != nil || len(c.Parents) != 1 || c.Parents[0].GetSHA() != base || c.GetMessage() != "Change one.txt" ||
		c.GetAuthor().GetName() != "T" || c.GetCommitter().GetName() != "Alice" {
		t.Errorf("the rebased commit: %v %v", c, err)
	}
	p, _, err := w.user("alice").PullRequests.Get(ctx, "acme", "ops", 1)
	if err != nil || !p.GetMerged() || p.GetMergeCommitSHA() != done.GetSHA() || p.GetCommits() != 2 {
		t.Errorf("the merged pull request: %v %v", p, err)
	}
	// Both changed the same line.
	w.mustGit(dir, "switch", "-q", "-c", "clash", base)
	w.commit(dir, "clash", "one.txt", "other\n")
	w.openPull("clash")
	_, _, err = w.user("carol").PullRequests.Merge(ctx, "acme", "ops", 2, "", &github.PullRequestOptions{MergeMethod: "rebase"})
	wantRefusal(t, err, http.StatusMethodNotAllowed, "")
}

// A person chooses how to merge, closes a pull request and opens it again.
func TestMergeBox(t *testing.T) {
	w := newWorld(t, "")
	sha := w.commit(w.clone(), "incident/1", "one.txt", "1\n")
	w.openPull("incident/1")
	w.check(sha, "pullbook", "success")
	const page = "/acme/ops/pull/1"
	b := w.browser()
	b.be("alice")
	if _, body := b.get(page); strings.Contains(body, `name="method"`) || !strings.Contains(body, "Close pull request") {
		t.Errorf("a choice of one method, or no way to close:\n%s", body)
	}
	yes := true
	if _, _, err := w.user("carol").Repositories.Edit(t.Context(), "acme", "ops", &github.Repository{AllowSquashMerge: &yes, AllowRebaseMerge: &yes}); err != nil {
		t.Fatal(err)
	}
	if resp, body := b.send(page, page+"/state", map[string]string{"state": "closed"}); resp.StatusCode != 200 || !strings.Contains(body, "Reopen pull request") {
		t.Fatalf("close: %d\n%s", resp.StatusCode, body)
	}
	if resp, _ := b.send(page, page+"/state", map[string]string{"state": "ajar"}); resp.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("a state that is none: %d", resp.StatusCode)
	}
	if resp, body := b.send(page, page+"/state", map[string]string{"state": "open"}); resp.StatusCode != 200 || !strings.Contains(body, `<option value="squash">`) {
		t.Fatalf("reopen: %d\n%s", resp.StatusCode, body)
	}
	if resp, body := b.send(page, page+"/merge", map[string]string{"method": "squash"}); resp.StatusCode != 200 || !strings.Contains(body, "<strong>Merged</strong> by alice") || strings.Contains(body, "Reopen") {
		t.Fatalf("merge: %d\n%s", resp.StatusCode, body)
	}
	p, _, err := w.user("alice").PullRequests.Get(t.Context(), "acme", "ops", 1)
	if err != nil {
		t.Fatal(err)
	}
	c, _, err := w.user("alice").Git.GetCommit(t.Context(), "acme", "ops", p.GetMergeCommitSHA())
	if err != nil || len(c.Parents) != 1 {
		t.Errorf("the squashed commit: %v %v", c, err)
	}
}
