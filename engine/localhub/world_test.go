package localhub_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/bradleyfalzon/ghinstallation/v2"
	"github.com/google/go-github/v60/github"

	"github.com/pullbook/pullbook/engine/localhub"
	"github.com/pullbook/pullbook/engine/localhub/openapitest"
)

// world is a hub with the clients that the tests use.
type world struct {
	t       testing.TB
	hub     *localhub.Hub
	server  *httptest.Server
	dir     string
	url     string
	hookURL string
	key     *rsa.PrivateKey
	pem     []byte
	calls   *callLog
	once    sync.Once
}

type callLog struct {
	mu   sync.Mutex
	list []string
}

func (c *callLog) add(method, pattern string, _ int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.list = append(c.list, method+" "+pattern)
}

const (
	appID  = 7
	instID = 700
	secret = "hook secret"
)

// theKey is one key for all tests, since making one takes long.
var theKey = sync.OnceValue(func() *rsa.PrivateKey {
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return k
})

func keyPEM(k *rsa.PrivateKey) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(k)})
}

func seed(hookURL string) localhub.Seed {
	perms := map[string]string{
		"contents": "write", "pull_requests": "write", "checks": "write", "issues": "write", "statuses": "write", "members": "read",
	}
	events := []string{"pull_request", "pull_request_review", "issue_comment", "push", "check_run", "check_suite", "create", "delete", "repository_dispatch", "label", "status"}
	return localhub.Seed{
		Users: []localhub.SeedUser{
			{Login: "alice", ID: 101, Name: "Alice", Token: "alice-token"}, {Login: "bob", ID: 102, Token: "bob-token"},
			{Login: "carol", ID: 103, Token: "carol-token"}, {Login: "mallory", ID: 104, Token: "mallory-token"},
		},
		Organizations: []localhub.SeedOrganization{{Login: "acme", ID: 201, Owners: []string{"carol"}}},
		Teams:         []localhub.SeedTeam{{Org: "acme", Slug: "sre", Name: "SRE", Members: []string{"alice", "bob"}}},
		Apps: []localhub.SeedApp{
			{ID: appID, Slug: "pullbook", Owner: "acme", Key: string(keyPEM(theKey())), Permissions: perms, Events: events,
				Webhook: localhub.SeedWebhook{URL: hookURL, Secret: secret}},
			{ID: 8, Slug: "other", Owner: "acme", Key: string(keyPEM(theKey())), Permissions: map[string]string{"contents": "read", "checks": "read"}},
		},
		Installations: []localhub.SeedInstallation{
			{ID: instID, App: "pullbook", Account: "acme", Repositories: []string{"acme/ops"}}, {ID: 800, App: "other", Account: "acme"},
		},
		Repositories: []localhub.SeedRepository{
			{Name: "acme/ops", Private: true, Teams: map[string]string{"sre": "write"}, RequiredChecks: []string{"pullbook"},
				Files: map[string]string{"README.md": "# Ops\n", "runbooks/a.cue": "a: 1\n"}},
			{Name: "acme/secret", Private: true, Files: map[string]string{"x": "y\n"}},
			{Name: "acme/open", Files: map[string]string{"x": "y\n"}, RestrictIncidentBranches: "pullbook", Collaborators: map[string]string{"bob": "write"}},
		},
	}
}

func newWorld(t *testing.T, hookURL string) *world {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("git is not installed")
	}
	return openWorld(t, t.TempDir(), hookURL)
}

// benchWorld has a branch "head", one commit ahead of main.
func benchWorld(b *testing.B) *world {
	b.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		b.Skip("git is not installed")
	}
	w := openWorld(b, b.TempDir(), "")
	w.commit(w.clone(), "head", "x.txt", "x\n")
	return w
}

// reopen ends the hub and starts another on its directory.
func reopen(t *testing.T, w *world) *world {
	t.Helper()
	w.close()
	return openWorld(t, w.dir, w.hookURL)
}

// close ends the hub, whose memory must be on disk by then. It may be called twice.
func (w *world) close() {
	w.t.Helper()
	w.once.Do(func() {
		w.server.Close()
		if err := w.hub.Verify(); err != nil {
			w.t.Error(err)
		}
		if err := w.hub.Close(); err != nil {
			w.t.Error(err)
		}
	})
}

func openWorld(t testing.TB, dir, hookURL string) *world {
	t.Helper()
	w := openWith(t, localhub.Config{Dir: dir, Seed: seed(hookURL)})
	w.hookURL = hookURL
	return w
}

func openWith(t testing.TB, c localhub.Config) *world {
	t.Helper()
	calls := &callLog{}
	c.OnRequest = calls.add
	hub, err := localhub.Open(c)
	if err != nil {
		t.Fatal(err)
	}
	handler := hub.Handler()
	if _, measures := t.(*testing.B); !measures {
		handler = openapitest.WrapHostile(t, handler)
	}
	srv := httptest.NewServer(handler)
	w := &world{t: t, hub: hub, server: srv, dir: c.Dir, url: srv.URL, key: theKey(), pem: keyPEM(theKey()), calls: calls}
	t.Cleanup(w.close)
	return w
}

func (w *world) client(rt http.RoundTripper) *github.Client {
	w.t.Helper()
	c, err := github.NewClient(&http.Client{Transport: rt}).WithEnterpriseURLs(w.url, w.url)
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

// app is the client of the App's installation, as the engine builds it.
func (w *world) app() *github.Client {
	w.t.Helper()
	rt, err := ghinstallation.New(http.DefaultTransport, appID, instID, w.pem)
	if err != nil {
		w.t.Fatal(err)
	}
	rt.BaseURL = w.url + "/api/v3"
	return w.client(rt)
}

// jwt is the client of an App as itself.
func (w *world) jwt(id int64) *github.Client {
	w.t.Helper()
	rt, err := ghinstallation.NewAppsTransport(http.DefaultTransport, id, w.pem)
	if err != nil {
		w.t.Fatal(err)
	}
	return w.client(rt)
}

func (w *world) user(login string) *github.Client {
	c := w.client(http.DefaultTransport)
	if login == "" {
		return c
	}
	with, err := c.WithAuthToken(login+"-token").WithEnterpriseURLs(w.url, w.url)
	if err != nil {
		w.t.Fatal(err)
	}
	return with
}

// remote is a repository's address with a credential in it.
func (w *world) remote(user, token, repo string) string {
	return strings.Replace(w.url, "http://", "http://"+user+":"+token+"@", 1) + "/" + repo + ".git"
}

// git runs the real git and returns what it printed, with its error.
func (w *world) git(dir string, args ...string) (string, error) {
	cmd := exec.Command("git", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_TERMINAL_PROMPT=0", "LC_ALL=C",
		"GIT_AUTHOR_NAME=T", "GIT_AUTHOR_EMAIL=t@example.org", "GIT_COMMITTER_NAME=T", "GIT_COMMITTER_EMAIL=t@example.org")
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func (w *world) mustGit(dir string, args ...string) string {
	w.t.Helper()
	out, err := w.git(dir, args...)
	if err != nil {
		w.t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(out)
}

// clone makes a clone of acme/ops that pushes as alice.
func (w *world) clone() string {
	w.t.Helper()
	dir := filepath.Join(w.t.TempDir(), "ops")
	w.mustGit("", "clone", "-q", w.remote("alice", "alice-token", "acme/ops"), dir)
	return dir
}

// commit writes one file on a branch and pushes it, to main as an admin; it returns the commit.
func (w *world) commit(dir, branch, file, content string) string {
	w.t.Helper()
	if _, err := w.git(dir, "switch", "-q", branch); err != nil {
		w.mustGit(dir, "switch", "-q", "-c", branch)
	}
	if err := os.WriteFile(filepath.Join(dir, file), []byte(content), 0o644); err != nil {
		w.t.Fatal(err)
	}
	w.mustGit(dir, "add", file)
	w.mustGit(dir, "commit", "-q", "-m", "Change "+file)
	remote := "origin"
	if branch == "main" {
		remote = w.remote("carol", "carol-token", "acme/ops")
	}
	w.mustGit(dir, "push", "-q", remote, branch)
	return w.mustGit(dir, "rev-parse", "HEAD")
}
