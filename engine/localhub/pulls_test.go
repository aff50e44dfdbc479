package localhub_test

import (
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/google/go-github/v60/github"
)

func TestCreatePullRefusals(t *testing.T) {
	w := newWorld(t, "")
	ctx, app, dir := t.Context(), w.app(), w.clone()
	w.commit(dir, "incident/1", "one.txt", "1\n")
	w.mustGit(dir, "push", "-q", "origin", "main:refs/heads/same")
	create := func(title, head, base, body string) error {
		_, _, err := app.PullRequests.Create(ctx, "acme", "ops", &github.NewPullRequest{Title: &title, Head: &head, Base: &base, Body: &body})
		return err
	}
	wantRefusal(t, create("t", "missing", "main", ""), 422, "head invalid")
	wantRefusal(t, create("t", "acme:incident/1", "missing", ""), 422, "base invalid")
	wantRefusal(t, create("t", "mallory:incident/1", "main", ""), 422, "head invalid")
	wantRefusal(t, create("", "incident/1", "main", ""), 422, "title missing_field")
	wantRefusal(t, create("t", "same", "main", ""), 422, "No commits between main and same")
	wantRefusal(t, create("t", "incident/1", "main", strings.Repeat("é", 65537)), 422, "body is too long (maximum is 65536 characters)")
	if err := create("t", "acme:incident/1", "main", strings.Repeat("é", 65536)); err != nil {
		t.Fatal(err)
	}
	wantRefusal(t, create("t", "incident/1", "main", ""), 422, "A pull request already exists for acme:incident/1.")
	found, _, err := app.PullRequests.List(ctx, "acme", "ops", &github.PullRequestListOptions{Head: "acme:incident/1", State: "open"})
	if err != nil || len(found) != 1 {
		t.Fatalf("by head: %v %v", found, err)
	}
	_, _, err = w.user("mallory").PullRequests.Get(ctx, "acme", "ops", 1)
	wantRefusal(t, err, 404, "Not Found")
}

func TestReviews(t *testing.T) {
	w := newWorld(t, "")
	ctx, dir := t.Context(), w.clone()
	first := w.commit(dir, "incident/1", "one.txt", "1\n")
	head := "incident/1"
	if _, _, err := w.user("alice").PullRequests.Create(ctx, "acme", "ops", &github.NewPullRequest{Title: github.String("t"), Head: &head, Base: github.String("main")}); err != nil {
		t.Fatal(err)
	}
	review := func(who, event, body, commit string) (*github.PullRequestReview, error) {
		in := &github.PullRequestReviewRequest{Event: &event, Body: &body}
		if commit != "" {
			in.CommitID = &commit
		}
		v, _, err := w.user(who).PullRequests.CreateReview(ctx, "acme", "ops", 1, in)
		return v, err
	}
	_, err := review("alice", "APPROVE", "", "")
	wantRefusal(t, err, 422, "Can not approve your own pull request")
	_, err = review("bob", "SHRUG", "", "")
	wantRefusal(t, err, 422, "Variable $event of type PullRequestReviewEvent")
	_, err = review("bob", "APPROVE", "", strings.Repeat("a", 40))
	wantRefusal(t, err, 422, "commit_id")
	w.commit(dir, "incident/1", "two.txt", "2\n")
	v, err := review("bob", "APPROVE", "old", first)
	if err != nil || v.GetCommitID() != first || v.GetState() != "APPROVED" {
		t.Fatalf("on an older commit: %v %v", v, err)
	}
	_, _, err = w.user("carol").PullRequests.UpdateReview(ctx, "acme", "ops", 1, v.GetID(), "mine now")
	wantRefusal(t, err, 403, "author")
	if v, _, err = w.user("bob").PullRequests.UpdateReview(ctx, "acme", "ops", 1, v.GetID(), "edited"); err != nil || v.GetBody() != "edited" {
		t.Fatalf("edit: %v %v", v, err)
	}
	v, _, err = w.user("carol").PullRequests.DismissReview(ctx, "acme", "ops", 1, v.GetID(), &github.PullRequestReviewDismissalRequest{Message: github.String("no")})
	if err != nil || v.GetState() != "DISMISSED" {
		t.Fatalf("dismiss: %v %v", v, err)
	}
	list, _, err := w.app().PullRequests.ListReviews(ctx, "acme", "ops", 1, nil)
	if err != nil || len(list) != 1 || list[0].GetState() != "DISMISSED" || list[0].GetBody() != "edited" {
		t.Fatalf("list: %v %v", list, err)
	}
}

func TestRequestedReviewers(t *testing.T) {
	w := newWorld(t, "")
	ctx, app := t.Context(), w.app()
	w.commit(w.clone(), "incident/1", "one.txt", "1\n")
	w.openPull("incident/1")
	_, _, err := app.PullRequests.RequestReviewers(ctx, "acme", "ops", 1, github.ReviewersRequest{Reviewers: []string{"mallory"}})
	wantRefusal(t, err, 422, "not a collaborator")
	p, _, err := app.PullRequests.RequestReviewers(ctx, "acme", "ops", 1, github.ReviewersRequest{Reviewers: []string{"alice", "bob"}, TeamReviewers: []string{"sre"}})
	if err != nil || len(p.RequestedReviewers) != 2 || len(p.RequestedTeams) != 1 {
		t.Fatalf("request: %v %v", p, err)
	}
	if _, err := app.PullRequests.RemoveReviewers(ctx, "acme", "ops", 1, github.ReviewersRequest{Reviewers: []string{"bob"}}); err != nil {
		t.Fatal(err)
	}
	r, _, err := app.PullRequests.ListReviewers(ctx, "acme", "ops", 1, nil)
	if err != nil || len(r.Users) != 1 || r.Users[0].GetLogin() != "alice" || r.Teams[0].GetSlug() != "sre" {
		t.Fatalf("left: %v %v", r, err)
	}
	// A review answers the request of its author, and those of the asked teams that they belong to.
	body := "reading"
	if _, _, err := w.user("alice").PullRequests.CreateReview(ctx, "acme", "ops", 1, &github.PullRequestReviewRequest{Event: github.String("COMMENT"), Body: &body}); err != nil {
		t.Fatal(err)
	}
	if r, _, err = app.PullRequests.ListReviewers(ctx, "acme", "ops", 1, nil); err != nil || len(r.Users)+len(r.Teams) != 0 {
		t.Errorf("after a review of a member: %v %v", r, err)
	}
}

func TestHeadFollowsTheBranch(t *testing.T) {
	w := newWorld(t, "")
	ctx, app, dir := t.Context(), w.app(), w.clone()
	w.commit(dir, "incident/1", "one.txt", "1\n")
	w.openPull("incident/1")
	w.mustGit(dir, "push", "-q", "origin", ":incident/1")
	p, _, err := app.PullRequests.Get(ctx, "acme", "ops", 1)
	if err != nil || p.GetState() != "closed" || p.GetMerged() {
		t.Fatalf("branch deleted: %v %v", p, err)
	}
	reopen := func() error {
		_, _, err := app.PullRequests.Edit(ctx, "acme", "ops", 1, &github.PullRequest{State: github.String("open")})
		return err
	}
	wantRefusal(t, reopen(), 422, "branch has been deleted")
	w.mustGit(dir, "push", "-q", "origin", "incident/1")
	if err := reopen(); err != nil {
		t.Fatal(err)
	}
	// What was pushed while it was closed counts once it is open again.
	if _, _, err := app.PullRequests.Edit(ctx, "acme", "ops", 1, &github.PullRequest{State: github.String("closed")}); err != nil {
		t.Fatal(err)
	}
	late := w.commit(dir, "incident/1", "late.txt", "late\n")
	if p, _, err = app.PullRequests.Edit(ctx, "acme", "ops", 1, &github.PullRequest{State: github.String("open")}); err != nil || p.GetHead().GetSHA() != late || p.GetCommits() != 2 {
		t.Fatalf("open again: %v %v", p, err)
	}
	// A person merges by hand and pushes the base branch.
	w.mustGit(dir, "switch", "-q", "main")
	w.mustGit(dir, "merge", "-q", "--no-ff", "-m", "by hand", "incident/1")
	w.mustGit(dir, "push", "-q", w.remote("carol", "carol-token", "acme/ops"), "main")
	p, _, err = app.PullRequests.Get(ctx, "acme", "ops", 1)
	if err != nil || !p.GetMerged() || p.GetMergedBy().GetLogin() != "carol" || p.GetMergeCommitSHA() != w.mustGit(dir, "rev-parse", "HEAD") {
		t.Fatalf("merged by hand: %v %v", p, err)
	}
	if commits, _, err := app.PullRequests.ListCommits(ctx, "acme", "ops", 1, nil); err != nil || len(commits) != 2 {
		t.Fatalf("commits after the merge: %v %v", commits, err)
	}
}

func TestMergeConflict(t *testing.T) {
	w := newWorld(t, "")
	ctx, app, dir := t.Context(), w.app(), w.clone()
	head := w.commit(dir, "incident/1", "README.md", "mine\n")
	w.openPull("incident/1")
	w.commit(dir, "main", "README.md", "theirs\n")
	w.check(head, "pullbook", "success")
	p, _, err := app.PullRequests.Get(ctx, "acme", "ops", 1)
	if err != nil || p.GetMergeable() || p.GetMergeableState() != "dirty" {
		t.Fatalf("conflict: %v %v", p, err)
	}
	_, _, err = app.PullRequests.Merge(ctx, "acme", "ops", 1, "", nil)
	wantRefusal(t, err, http.StatusMethodNotAllowed, "Pull Request is not mergeable")
	_, _, err = app.PullRequests.Merge(ctx, "acme", "ops", 1, "", &github.PullRequestOptions{MergeMethod: "squash"})
	wantRefusal(t, err, http.StatusMethodNotAllowed, "Squash merges are not allowed on this repository.")
	_, _, err = w.user("mallory").PullRequests.Merge(ctx, "acme", "ops", 1, "", nil)
	wantRefusal(t, err, 404, "Not Found")
}

func TestFilesAndCommits(t *testing.T) {
	w := newWorld(t, "")
	ctx, app, dir := t.Context(), w.app(), w.clone()
	w.mustGit(dir, "switch", "-q", "-c", "incident/1")
	w.mustGit(dir, "mv", "runbooks/a.cue", "runbooks/b.cue")
	w.mustGit(dir, "commit", "-q", "-m", "Rename")
	if err := os.WriteFile(dir+"/data.bin", []byte{0, 1, 2}, 0o644); err != nil {
		t.Fatal(err)
	}
	w.mustGit(dir, "add", ".")
	w.mustGit(dir, "commit", "-q", "-m", "Add a binary file")
	head := w.commit(dir, "incident/1", "README.md", "# Ops\nmore\n")
	w.openPull("incident/1")
	files, _, err := app.PullRequests.ListFiles(ctx, "acme", "ops", 1, nil)
	if err != nil || len(files) != 3 {
		t.Fatalf("files: %v %v", files, err)
	}
	got := map[string]string{}
	for _, f := range files {
		got[f.GetFilename()] = f.GetStatus() + " " + f.GetPreviousFilename() + " " + f.GetPatch()
	}
	if got["README.md"] != "modified  @@ -1 +1,2 @@\n # Ops\n+more" || got["data.bin"] != "added  " || got["runbooks/b.cue"] != "renamed runbooks/a.cue " {
		t.Fatalf("files: %q", got)
	}
	c, _, err := app.Repositories.GetCommit(ctx, "acme", "ops", head, nil)
	if err != nil || c.GetCommit().GetVerification().GetReason() != "unsigned" || c.GetStats().GetAdditions() != 1 || c.GetCommit().GetMessage() != "Change README.md" {
		t.Fatalf("commit: %v %v", c, err)
	}
	cmp, _, err := app.Repositories.CompareCommits(ctx, "acme", "ops", "main", "incident/1", nil)
	if err != nil || cmp.GetStatus() != "ahead" || cmp.GetAheadBy() != 3 || len(cmp.Commits) != 3 || cmp.Commits[2].GetSHA() != head {
		t.Fatalf("compare: %v %v", cmp, err)
	}
	file, _, _, err := app.Repositories.GetContents(ctx, "acme", "ops", "README.md", &github.RepositoryContentGetOptions{Ref: "incident/1"})
	if err != nil {
		t.Fatal(err)
	}
	if text, err := file.GetContent(); err != nil || text != "# Ops\nmore\n" {
		t.Fatalf("content: %q %v", text, err)
	}
	_, entries, _, err := app.Repositories.GetContents(ctx, "acme", "ops", "runbooks", nil)
	if err != nil || len(entries) != 1 || entries[0].GetPath() != "runbooks/a.cue" {
		t.Fatalf("directory: %v %v", entries, err)
	}
}
