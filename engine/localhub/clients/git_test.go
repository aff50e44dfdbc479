package clients

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestGitClonesWhole(t *testing.T) {
	w := newWorld(t)
	dir := w.clone()
	if got, err := os.ReadFile(filepath.Join(dir, "runbooks", "a.cue")); err != nil || string(got) != "a: 1\n" {
		t.Fatalf("runbooks/a.cue: %q %v", got, err)
	}
	if got := w.mustGit(dir, "symbolic-ref", "refs/remotes/origin/HEAD"); got != "refs/remotes/origin/main" {
		t.Errorf("default branch: %s", got)
	}
	w.mustGit(dir, "fsck", "--strict")
	out, err := w.git("", "clone", "-q", w.url+"/acme/ops.git", filepath.Join(t.TempDir(), "x"))
	if err == nil || !strings.Contains(out, "could not read Username") {
		t.Errorf("a private repository without a credential: %v\n%s", err, out)
	}
}

// A partial clone fetches a file's content when it is asked for; a shallow one has as many commits as were asked for.
func TestGitFetchesInPart(t *testing.T) {
	w := newWorld(t)
	dir := w.clone()
	for _, file := range []string{"one.txt", "two.txt", "three.txt"} {
		w.commit(dir, "main", file)
	}
	w.mustGit(dir, "push", "-q", "origin", "main")
	partial := filepath.Join(t.TempDir(), "partial")
	w.mustGit("", "clone", "-q", "--filter=blob:none", "--no-checkout", w.remote("alice-token", "acme/ops"), partial)
	missing := w.mustGit(partial, "rev-list", "--objects", "--missing=print", "main")
	if got := strings.Count(missing, "?"); got != 5 { // README.md, runbooks/a.cue and three files
		t.Errorf("a partial clone lacks %d blobs:\n%s", got, missing)
	}
	if got := w.mustGit(partial, "show", "main:two.txt"); got != "two.txt" {
		t.Errorf("two.txt: %q", got)
	}
	shallow := filepath.Join(t.TempDir(), "shallow")
	w.mustGit("", "clone", "-q", "--depth=2", w.remote("alice-token", "acme/ops"), shallow)
	if got := w.mustGit(shallow, "rev-list", "--count", "HEAD"); got != "2" {
		t.Errorf("a shallow clone has %s commits", got)
	}
	w.mustGit(shallow, "fetch", "-q", "--deepen=1")
	if got := w.mustGit(shallow, "rev-list", "--count", "HEAD"); got != "3" {
		t.Errorf("deepened by one, it has %s commits", got)
	}
	w.mustGit(shallow, "fetch", "-q", "--unshallow")
	w.mustGit(shallow, "fetch", "-q", "origin", w.mustGit(dir, "rev-parse", "main~2")) // by id
	if got := w.mustGit(shallow, "rev-list", "--count", "HEAD"); got != "4" {
		t.Errorf("unshallowed, it has %s commits", got)
	}
}

// status is what git push says of each ref in its machine's form: flag, from:to, summary.
func status(out string) map[string]string {
	refs := map[string]string{}
	for line := range strings.Lines(out) {
		if f := strings.Split(strings.TrimSuffix(line, "\n"), "\t"); len(f) == 3 {
			_, to, _ := strings.Cut(f[1], ":")
			refs[to] = f[0] + " " + f[2]
		}
	}
	return refs
}

// One push of several refs: each has a status of its own, and what may be done is done.
func TestGitPushesSeveralRefs(t *testing.T) {
	w := newWorld(t)
	dir := w.branches("one", "two")
	w.mustGit(dir, "branch", "gone", "main")
	w.mustGit(dir, "push", "-q", "origin", "gone")
	w.commit(dir, "one", "more.txt")
	w.mustGit(dir, "switch", "-q", "two")
	w.mustGit(dir, "commit", "-q", "--amend", "-m", "Another two") // no longer a descendant of what was pushed
	w.mustGit(dir, "tag", "v1")
	out, err := w.git(dir, "push", "--porcelain", "origin", "one", "two", "v1", "main:incident/1", "main:refs/pull/9/head", ":gone")
	if err == nil {
		t.Errorf("git reports success:\n%s", out)
	}
	got := status(out)
	for ref, want := range map[string]string{
		"refs/heads/two":        "! [rejected] (non-fast-forward)",
		"refs/tags/v1":          "* [new tag]",
		"refs/heads/incident/1": "! [remote rejected] (push declined due to repository rule violations)",
		"refs/pull/9/head":      "! [remote rejected] (deny updating a hidden ref)",
		"refs/heads/gone":       "- [deleted]",
	} {
		if got[ref] != want {
			t.Errorf("%s: %q, want %q", ref, got[ref], want)
		}
	}
	if !strings.Contains(got["refs/heads/one"], "..") {
		t.Errorf("refs/heads/one: %q", got["refs/heads/one"])
	}
	for _, line := range []string{
		"remote: error: GH013: Repository rule violations found for refs/heads/incident/1.",
		"remote: - Cannot create ref due to creations being restricted.",
	} {
		if !strings.Contains(out, line) {
			t.Errorf("the push does not say %q:\n%s", line, out)
		}
	}
	refs := w.mustGit(dir, "ls-remote", "origin")
	if strings.Contains(refs, "incident/1") || strings.Contains(refs, "refs/heads/gone") || !strings.Contains(refs, "refs/tags/v1") {
		t.Errorf("refs:\n%s", refs)
	}
}

// With --atomic, one refusal is everybody's.
func TestGitPushesAllOrNothing(t *testing.T) {
	w := newWorld(t)
	dir := w.clone()
	out, err := w.git(dir, "push", "--atomic", "--porcelain", "origin", "main:fine", "main:incident/1")
	if err == nil || !strings.Contains(out, "GH013") {
		t.Fatalf("push: %v\n%s", err, out)
	}
	if refs := w.mustGit(dir, "ls-remote", "origin"); strings.Contains(refs, "fine") || strings.Contains(refs, "incident") {
		t.Errorf("refs:\n%s", refs)
	}
}

// Who has which token may push where; the refusals are GitHub's.
func TestGitPushesWithTokens(t *testing.T) {
	w := newWorld(t)
	dir := w.clone()
	var token struct{ Token string }
	w.asApp(appID, "POST", "/app/installations/700/access_tokens", map[string]any{"repositories": []string{"ops"}}, &token)
	w.mustGit(dir, "push", "-q", w.remote(token.Token, "acme/ops"), "main:incident/1", "main:other")
	for _, c := range []struct{ token, repo, want string }{
		{token.Token, "acme/open", "remote: Permission to acme/open.git denied to pullbook[bot]."},
		{"alice-token", "acme/open", "remote: Permission to acme/open.git denied to alice."},
		{"wrong", "acme/ops", "remote: Invalid username or token. Password authentication is not supported for Git operations."},
		{"alice-token", "acme/none", "remote: Repository not found."},
	} {
		if out, err := w.git(dir, "push", w.remote(c.token, c.repo), "main:x"); err == nil || !strings.Contains(out, c.want) {
			t.Errorf("%s: %v\n%s\nwant %q", c.repo, err, out, c.want)
		}
	}
	if refs := w.mustGit(dir, "ls-remote", "origin", "refs/heads/incident/*"); !strings.HasSuffix(refs, "refs/heads/incident/1") {
		t.Errorf("incident branches: %s", refs)
	}
}

// A branch that is protected in the older way is refused in the older words.
func TestGitPushesToAProtectedBranch(t *testing.T) {
	w := newWorld(t)
	dir := w.clone()
	w.call("carol", "PUT", "/repos/acme/ops/branches/main/protection", map[string]any{
		"required_status_checks": nil, "enforce_admins": true, "restrictions": nil,
		"required_pull_request_reviews": map[string]any{"required_approving_review_count": 1},
	}, nil)
	w.commit(dir, "main", "one.txt")
	out, err := w.git(dir, "push", "--porcelain", "origin", "main", "main:one")
	if got := status(out); err == nil || got["refs/heads/main"] != "! [remote rejected] (protected branch hook declined)" || got["refs/heads/one"] != "* [new branch]" {
		t.Errorf("push: %v\n%s", err, out)
	}
	for _, line := range []string{"remote: error: GH006: Protected branch update failed for refs/heads/main.", "remote: - Changes must be made through a pull request."} {
		if !strings.Contains(out, line) {
			t.Errorf("the push does not say %q:\n%s", line, out)
		}
	}
	if strings.Contains(out, "hook declined to update") {
		t.Errorf("the push speaks of hooks:\n%s", out)
	}
	w.openPull("alice", "one")
}
