package localhub_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-github/v60/github"
)

// What GitHub prints as diff and patch is what git prints of the same commits; git am takes the patch.
func TestDiffsAndPatchesAsText(t *testing.T) {
	w := newWorld(t, "")
	ctx, dir, alice := t.Context(), w.clone(), w.user("alice")
	first := w.commit(dir, "incident/1", "one.txt", "1\n")
	head := w.commit(dir, "incident/1", "two.txt", "2\n")
	w.openPull("incident/1")
	diff, patch := github.RawOptions{Type: github.Diff}, github.RawOptions{Type: github.Patch}
	pull, _, err := alice.PullRequests.GetRaw(ctx, "acme", "ops", 1, diff)
	if want := w.mustGit(dir, "diff", "main", "incident/1"); err != nil || strings.TrimSpace(pull) != want {
		t.Errorf("pull request: %v\n%s\nwant\n%s", err, pull, want)
	}
	one, _, err := alice.Repositories.GetCommitRaw(ctx, "acme", "ops", head, diff)
	if want := w.mustGit(dir, "diff", first, head); err != nil || strings.TrimSpace(one) != want {
		t.Errorf("commit: %v\n%s\nwant\n%s", err, one, want)
	}
	between, _, err := alice.Repositories.CompareCommitsRaw(ctx, "acme", "ops", "main", first, diff)
	if want := w.mustGit(dir, "diff", "main", first); err != nil || strings.TrimSpace(between) != want {
		t.Errorf("comparison: %v\n%s\nwant\n%s", err, between, want)
	}
	mail, _, err := alice.PullRequests.GetRaw(ctx, "acme", "ops", 1, patch)
	if err != nil {
		t.Fatal(err)
	}
	w.mustGit(dir, "switch", "-q", "-c", "again", "main")
	file := filepath.Join(t.TempDir(), "1.patch")
	if err := os.WriteFile(file, []byte(mail), 0o600); err != nil {
		t.Fatal(err)
	}
	w.mustGit(dir, "am", "-q", file)
	if got := w.mustGit(dir, "diff", "incident/1"); got != "" {
		t.Errorf("after git am:\n%s", got)
	}
	root, _, err := alice.Repositories.GetCommitRaw(ctx, "acme", "ops", w.mustGit(dir, "rev-list", "--max-parents=0", "main"), patch)
	if err != nil || !strings.Contains(root, "+# Ops\n") {
		t.Errorf("first commit: %v\n%s", err, root)
	}
}

func TestLargeDiffsAreNotPrinted(t *testing.T) {
	w := newWorld(t, "")
	w.commit(w.clone(), "incident/1", "long.txt", strings.Repeat("line\n", 20_001))
	w.openPull("incident/1")
	_, _, err := w.user("alice").PullRequests.GetRaw(t.Context(), "acme", "ops", 1, github.RawOptions{Type: github.Diff})
	wantRefusal(t, err, 406, "exceeded the maximum number of lines (20000)")
}

func TestReadme(t *testing.T) {
	w := newWorld(t, "")
	file, _, err := w.user("alice").Repositories.GetReadme(t.Context(), "acme", "ops", nil)
	if err != nil || file.GetPath() != "README.md" {
		t.Fatalf("readme: %v %v", file, err)
	}
	for _, c := range []struct{ repo, ref string }{{"open", ""}, {"ops", "none"}} {
		_, _, err := w.user("alice").Repositories.GetReadme(t.Context(), "acme", c.repo, &github.RepositoryContentGetOptions{Ref: c.ref})
		wantRefusal(t, err, 404, "")
	}
}
