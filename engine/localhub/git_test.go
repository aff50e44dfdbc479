package localhub_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-github/v60/github"
)

func TestGitWhoMayDoWhat(t *testing.T) {
	w := newWorld(t, "")
	tmp := t.TempDir()
	fails := func(part string, args ...string) {
		t.Helper()
		out, err := w.git(tmp, args...)
		if err == nil || !strings.Contains(out, part) {
			t.Errorf("git %v: want a failure with %q, got %v\n%s", args, part, err, out)
		}
	}
	w.mustGit(tmp, "ls-remote", w.url+"/acme/open.git") // public: nobody may read
	w.mustGit(tmp, "ls-remote", w.url+"/acme/open")     // as on GitHub, without .git
	fails("could not read Username", "ls-remote", w.url+"/acme/ops.git")
	fails("Repository not found.", "ls-remote", w.remote("mallory", "mallory-token", "acme/ops"))
	fails("Repository not found.", "ls-remote", w.remote("alice", "alice-token", "acme/none"))
	fails("Authentication failed", "ls-remote", w.remote("alice", "wrong", "acme/ops"))
	w.mustGit(tmp, "clone", "-q", w.remote("x-access-token", "alice-token", "acme/open"), "open")
	open := filepath.Join(tmp, "open")
	out, err := w.git(open, "push", "origin", "main:refs/heads/x")
	if err == nil || !strings.Contains(out, "Permission to acme/open.git denied to alice.") {
		t.Errorf("push without the right: %v\n%s", err, out)
	}
	if status, _, _ := w.plain("/acme/ops.git/info/refs"); status != http.StatusForbidden {
		t.Errorf("dumb protocol: %d", status)
	}
}

// plain makes a GET that follows no redirect.
func (w *world) plain(path string) (int, http.Header, error) {
	req, err := http.NewRequestWithContext(w.t.Context(), http.MethodGet, w.url+path, nil)
	if err != nil {
		return 0, nil, err
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	return resp.StatusCode, resp.Header, nil
}

func TestRestrictedBranchesRefuseEachRefAlone(t *testing.T) {
	w := newWorld(t, "")
	dir := filepath.Join(t.TempDir(), "open")
	w.mustGit("", "clone", "-q", w.remote("bob", "bob-token", "acme/open"), dir)
	out, err := w.git(dir, "push", "origin", "main:refs/heads/incident/1", "main:refs/heads/fine")
	if err == nil || !strings.Contains(out, "remote: error: GH013: Repository rule violations found for refs/heads/incident/1.") {
		t.Fatalf("push: %v\n%s", err, out)
	}
	if refs := w.mustGit(dir, "ls-remote", "origin"); strings.Contains(refs, "incident/1") || !strings.Contains(refs, "refs/heads/fine") {
		t.Fatalf("refs: %s", refs)
	}
	tok, _, err := w.jwt(8).Apps.CreateInstallationToken(t.Context(), 800, nil)
	if err != nil {
		t.Fatal(err)
	}
	if out, err := w.git(dir, "push", w.remote("x-access-token", tok.GetToken(), "acme/open"), "main:refs/heads/incident/1"); err == nil || !strings.Contains(out, "denied to other[bot]") {
		t.Fatalf("another App: %v\n%s", err, out)
	}
	_, _, err = w.user("bob").Git.CreateRef(t.Context(), "acme", "open", &github.Reference{
		Ref: github.String("refs/heads/incident/1"), Object: &github.GitObject{SHA: github.String(w.mustGit(dir, "rev-parse", "main"))},
	})
	wantRefusal(t, err, 422, "Repository rule violations found")
}

func TestAppPushesWithItsToken(t *testing.T) {
	w := newWorld(t, "")
	dir := w.clone()
	tok, _, err := w.jwt(appID).Apps.CreateInstallationToken(t.Context(), instID, nil)
	if err != nil {
		t.Fatal(err)
	}
	remote := w.remote("x-access-token", tok.GetToken(), "acme/ops")
	w.mustGit(dir, "push", "-q", remote, "main:refs/heads/incident/2", "main:refs/heads/incident/3")
	if out, err := w.git(dir, "push", remote, "main:refs/pull/1/head"); err == nil || !strings.Contains(out, "deny updating a hidden ref") {
		t.Fatalf("push to a pull ref: %v\n%s", err, out)
	}
	head := w.commit(dir, "incident/2", "x.txt", "x\n")
	// The hub serves filtered, shallow and by-id fetches over protocol 2.
	slim := filepath.Join(t.TempDir(), "slim.git")
	w.mustGit("", "-c", "protocol.version=2", "clone", "-q", "--bare", "--depth=1", "--filter=blob:none", "--branch=incident/2", remote, slim)
	if got := w.mustGit(slim, "rev-list", "--count", "HEAD"); got != "1" {
		t.Fatalf("shallow clone has %s commits", got)
	}
	w.mustGit(slim, "fetch", "-q", "--depth=1", remote, w.mustGit(dir, "rev-parse", head+"~1"))
}

func TestRefsOverREST(t *testing.T) {
	w := newWorld(t, "")
	ctx, app, dir := t.Context(), w.app(), w.clone()
	base := w.mustGit(dir, "rev-parse", "main")
	head := w.commit(dir, "feature", "x.txt", "x\n")
	ref := func(name, sha string) *github.Reference {
		return &github.Reference{Ref: github.String("refs/heads/" + name), Object: &github.GitObject{SHA: &sha}}
	}
	if _, _, err := app.Git.CreateRef(ctx, "acme", "ops", ref("new/one", base)); err != nil {
		t.Fatal(err)
	}
	_, _, err := app.Git.CreateRef(ctx, "acme", "ops", ref("new/one", base))
	wantRefusal(t, err, 422, "Reference already exists")
	for _, bad := range []string{"../../x", "a..b", "a.lock", "a b", "a~1", ""} {
		_, _, err := app.Git.CreateRef(ctx, "acme", "ops", ref(bad, base))
		wantRefusal(t, err, 422, "")
	}
	if _, _, err := app.Git.UpdateRef(ctx, "acme", "ops", ref("new/one", head), false); err != nil {
		t.Fatal(err)
	}
	_, _, err = app.Git.UpdateRef(ctx, "acme", "ops", ref("new/one", base), false)
	wantRefusal(t, err, 422, "Update is not a fast forward")
	if _, _, err := app.Git.UpdateRef(ctx, "acme", "ops", ref("new/one", base), true); err != nil {
		t.Fatal(err)
	}
	got, _, err := app.Git.GetRef(ctx, "acme", "ops", "heads/new/one")
	if err != nil || got.GetObject().GetSHA() != base {
		t.Fatalf("get: %v %v", got, err)
	}
	list, _, err := app.Git.ListMatchingRefs(ctx, "acme", "ops", &github.ReferenceListOptions{Ref: "heads/new"})
	if err != nil || len(list) != 1 {
		t.Fatalf("matching: %v %v", list, err)
	}
	b, _, err := app.Repositories.GetBranch(ctx, "acme", "ops", "new/one", 0)
	if err != nil || b.GetCommit().GetSHA() != base {
		t.Fatalf("branch: %v %v", b, err)
	}
	if _, err := app.Git.DeleteRef(ctx, "acme", "ops", "heads/new/one"); err != nil {
		t.Fatal(err)
	}
	_, _, err = app.Git.GetRef(ctx, "acme", "ops", "heads/new/one")
	wantRefusal(t, err, 404, "")
}

// A push that is cut in the middle changes nothing, and the repository works on.
func TestPushCutInTheMiddle(t *testing.T) {
	w := newWorld(t, "")
	dir := w.clone()
	base := w.mustGit(dir, "rev-parse", "main")
	line := base + " " + strings.Repeat("a", 40) + " refs/heads/main\x00report-status"
	body := "00" + "96" + line + "0000PACK\x00\x00\x00\x02\x00\x00\x00\x03cut"
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.url+"/acme/ops.git/git-receive-pack", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth("alice", "alice-token")
	req.Header.Set("Content-Type", "application/x-git-receive-pack-request")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if got := w.mustGit(dir, "ls-remote", "origin", "refs/heads/main"); !strings.HasPrefix(got, base) {
		t.Fatalf("main is now %s", got)
	}
	w.commit(dir, "main", "y.txt", "y\n")
}

func TestDirectoryOutlivesTheHub(t *testing.T) {
	w := newWorld(t, "")
	dir := w.clone()
	w.commit(dir, "incident/1", "x.txt", "x\n")
	w.openPull("incident/1")
	again := reopen(t, w)
	if p, _, err := again.user("alice").PullRequests.Get(t.Context(), "acme", "ops", 1); err != nil || p.GetState() != "open" {
		t.Fatalf("after a restart: %v, %v", p, err)
	}
	again.commit(again.clone(), "incident/2", "y.txt", "y\n")
	if p := again.openPull("incident/2"); p.GetNumber() != 2 {
		t.Fatalf("number after a restart: %d", p.GetNumber())
	}
	refs := again.mustGit(dir, "ls-remote", again.remote("alice", "alice-token", "acme/ops"))
	if !strings.Contains(refs, "refs/pull/1/head") || !strings.Contains(refs, "refs/pull/2/head") {
		t.Fatalf("refs: %s", refs)
	}
	if _, err := os.Stat(filepath.Join(w.dir, "acme", "ops.git", "HEAD")); err != nil {
		t.Fatal(err)
	}
}
