package gitstore

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"io"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// at is the time of every commit in these tests, so that ids are reproducible.
var at = time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)

// testSigner is a fixed key: the seed is n repeated.
func testSigner(t testing.TB, n byte) Signer {
	t.Helper()
	s, err := newSigner(ed25519.NewKeyFromSeed(bytes.Repeat([]byte{n}, ed25519.SeedSize)))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func signersOf(t testing.TB, lines ...string) AllowedSigners {
	t.Helper()
	a, err := ParseAllowedSigners([]byte(strings.Join(lines, "")))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// needGit skips where git or its HTTP server is absent.
func needGit(t testing.TB) string {
	t.Helper()
	path, err := exec.LookPath("git")
	if err != nil {
		t.Skip("git is not installed")
	}
	out, err := exec.Command(path, "--exec-path").Output()
	if err != nil {
		t.Skip("git does not run")
	}
	backend := filepath.Join(strings.TrimSpace(string(out)), "git-http-backend")
	if _, err := os.Stat(backend); err != nil {
		t.Skip("git http-backend is not installed")
	}
	return backend
}

// gitEnv keeps the machine's configuration out of the tests.
func gitEnv() []string {
	return append(os.Environ(),
		"GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1", "GIT_TERMINAL_PROMPT=0", "LC_ALL=C",
		"GIT_AUTHOR_NAME=Mallory", "GIT_AUTHOR_EMAIL=mallory@acme.test", "GIT_AUTHOR_DATE=1795341600 +0000",
		"GIT_COMMITTER_NAME=Mallory", "GIT_COMMITTER_EMAIL=mallory@acme.test", "GIT_COMMITTER_DATE=1795341600 +0000")
}

// tryGit runs git and gives what it printed, both streams together.
func tryGit(dir, stdin string, args ...string) (string, error) {
	cmd := exec.Command("git", append([]string{"-C", dir}, args...)...)
	cmd.Env, cmd.Stdin = gitEnv(), strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

func git(t testing.TB, dir string, args ...string) string {
	t.Helper()
	out, err := tryGit(dir, "", args...)
	if err != nil {
		t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

// hub is a bare repository behind git http-backend.
type hub struct {
	dir  string // the bare repository
	url  string
	main Hash
	// gate, if set, may answer a request itself.
	gate atomic.Pointer[func(w http.ResponseWriter, r *http.Request, serve http.Handler)]
}

// newHub serves a repository whose branch main holds the files.
func newHub(t testing.TB, files map[string]string) *hub {
	t.Helper()
	backend := needGit(t)
	root := t.TempDir()
	h := &hub{dir: filepath.Join(root, "ops.git")}
	git(t, root, "init", "-q", "--bare", "-b", "main", h.dir)
	for _, kv := range []string{"uploadpack.allowFilter=true", "uploadpack.allowAnySHA1InWant=true", "http.receivepack=true", "receive.autogc=false", "gc.auto=0"} {
		key, value, _ := strings.Cut(kv, "=")
		git(t, h.dir, "config", key, value)
	}
	h.main = h.commit(t, "main", Hash{}, files)
	serve := &cgi.Handler{
		Path: backend, Root: "/", Stderr: io.Discard,
		Env: []string{"GIT_PROJECT_ROOT=" + root, "GIT_HTTP_EXPORT_ALL=1", "REMOTE_USER=test", "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1"},
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); user != "x" || password != "secret" {
			http.Error(w, "who are you?", http.StatusUnauthorized)
			return
		}
		if gate := h.gate.Load(); gate != nil {
			(*gate)(w, r, serve)
			return
		}
		serve.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	h.url = server.URL + "/ops.git"
	return h
}

func (h *hub) setGate(gate func(http.ResponseWriter, *http.Request, http.Handler)) {
	if gate == nil {
		h.gate.Store(nil)
		return
	}
	h.gate.Store(&gate)
}

// commit writes an unsigned commit with git itself: the parent's tree (if any)
// with the files put in, and points the branch at it.
func (h *hub) commit(t testing.TB, branch string, parent Hash, files map[string]string, extra ...string) Hash {
	t.Helper()
	index := filepath.Join(t.TempDir(), "index")
	run := func(stdin string, args ...string) string {
		cmd := exec.Command("git", append([]string{"--git-dir", h.dir}, args...)...)
		cmd.Env, cmd.Stdin = append(gitEnv(), "GIT_INDEX_FILE="+index), strings.NewReader(stdin)
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("git %v: %v", args, err)
		}
		return strings.TrimSpace(string(out))
	}
	if !parent.IsZero() {
		run("", "read-tree", parent.String())
	}
	for path, content := range files {
		blob := run(content, "hash-object", "-w", "--stdin")
		run("", "update-index", "--add", "--cacheinfo", "100644,"+blob+","+path)
	}
	args := []string{"commit-tree", run("", "write-tree"), "-m", "by hand"}
	if !parent.IsZero() {
		args = append(args, "-p", parent.String())
	}
	id, err := ParseHash(run("", append(args, extra...)...))
	if err != nil {
		t.Fatal(err)
	}
	run("", "update-ref", "refs/heads/"+branch, id.String())
	return id
}

func (h *hub) head(t testing.TB, branch string) Hash {
	t.Helper()
	out, err := tryGit(h.dir, "", "rev-parse", "--verify", "-q", "refs/heads/"+branch)
	if err != nil {
		return Hash{}
	}
	id, err := ParseHash(out)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// open gives a store that writes with testSigner(1).
func (h *hub) open(t testing.TB, change ...func(*Config)) *Store {
	t.Helper()
	c := Config{
		URL: h.url, Signer: testSigner(t, 1), Author: Identity{"Pullbook", "pullbook@acme.test"},
		Credentials: func(context.Context) (string, string, error) { return "x", "secret", nil },
	}
	for _, f := range change {
		f(&c)
	}
	s, err := Open(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// one is a change that writes one file.
func one(path, content string) Change {
	return Change{Files: map[string][]byte{path: []byte(content)}, Message: "write " + path + "\n", When: at}
}

func mustAppend(t testing.TB, s *Store, branch string, parent Hash, c Change) Hash {
	t.Helper()
	id, err := s.Append(t.Context(), branch, parent, c)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func mustCreate(t testing.TB, s *Store, branch string, base Hash, c Change) Hash {
	t.Helper()
	id, err := s.Create(t.Context(), branch, base, c)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func mustFlush(t testing.TB, s *Store, branch string) {
	t.Helper()
	if err := s.Flush(t.Context(), FlushRequest{Branch: branch}); err != nil {
		t.Fatal(err)
	}
}
