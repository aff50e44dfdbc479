package clients

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pullbook/pullbook/engine/localhub"
	"github.com/pullbook/pullbook/engine/localhub/openapitest"
)

const (
	appID     = 7
	greeterID = 8
	appInst   = 700
	secret    = "hook secret"
)

// world is a hub with two Apps, three people and a repository with branches one, two and three.
type world struct {
	t       *testing.T
	hub     *localhub.Hub
	url     string
	address string // host:port
	answers chan string
}

// theKey is one key for all tests, since making one takes long.
var theKey = sync.OnceValue(func() string {
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(k)}))
})

func seed() localhub.Seed {
	all := map[string]string{"contents": "write", "pull_requests": "write", "checks": "write", "issues": "write", "statuses": "write", "members": "read"}
	return localhub.Seed{
		Users: []localhub.SeedUser{
			{Login: "alice", ID: 101, Name: "Alice", Token: "alice-token"}, {Login: "bob", ID: 102, Token: "bob-token"},
			{Login: "carol", ID: 103, Token: "carol-token"},
		},
		Organizations: []localhub.SeedOrganization{{Login: "acme", ID: 201, Owners: []string{"carol"}}},
		Teams:         []localhub.SeedTeam{{Org: "acme", Slug: "sre", Name: "SRE", Members: []string{"alice", "bob"}}},
		Apps: []localhub.SeedApp{
			{ID: appID, Slug: "pullbook", Owner: "acme", Key: theKey(), Permissions: all, Webhook: localhub.SeedWebhook{Secret: secret},
				Events: []string{"pull_request", "pull_request_review", "issue_comment", "push", "check_run"}},
			{ID: greeterID, Slug: "greeter", Owner: "acme", Key: theKey(), Webhook: localhub.SeedWebhook{Secret: secret},
				Permissions: map[string]string{"pull_requests": "write", "issues": "write"}, Events: []string{"pull_request"}},
		},
		Installations: []localhub.SeedInstallation{{ID: appInst, App: "pullbook", Account: "acme"}, {ID: 800, App: "greeter", Account: "acme"}},
		Repositories: []localhub.SeedRepository{
			{Name: "acme/ops", Description: "Runbooks", Private: true, Teams: map[string]string{"sre": "write"},
				RestrictIncidentBranches: "pullbook", Files: map[string]string{"README.md": "# Ops\n", "runbooks/a.cue": "a: 1\n"}},
			{Name: "acme/open", Files: map[string]string{"x": "y\n"}},
		},
	}
}

// newWorld opens a hub. REST is held against GitHub's own description where that is installed.
func newWorld(t *testing.T) *world {
	t.Helper()
	need(t, "git")
	w := &world{t: t, answers: make(chan string, 4096)}
	hub, err := localhub.Open(localhub.Config{Dir: t.TempDir(), Seed: seed(), OnRequest: func(method, pattern string, status int) {
		w.answers <- method + " " + pattern + " " + http.StatusText(status)
	}})
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(openapitest.WrapHostile(t, hub.Handler()))
	t.Cleanup(func() {
		srv.Close()
		if err := hub.Close(); err != nil {
			t.Error(err)
		}
	})
	w.hub, w.url, w.address = hub, srv.URL, srv.Listener.Addr().String()
	return w
}

func need(t *testing.T, program string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		t.Skipf("%s is not installed", program)
	}
	return path
}

// answered waits until the hub has given an answer such as "POST /repos/{owner}/{repo}/pulls Created".
func (w *world) answered(want string) {
	w.t.Helper()
	deadline := time.After(time.Minute)
	for {
		select {
		case got := <-w.answers:
			if got == want {
				return
			}
		case <-deadline:
			w.t.Fatalf("the hub was never asked for %s", want)
		}
	}
}

// call makes a REST call as a person, for what a test only prepares or looks at.
func (w *world) call(login, method, path string, in, out any) {
	w.t.Helper()
	w.send(login+"-token", method, path, in, out)
}

// asApp makes a REST call as an App.
func (w *world) asApp(id int, method, path string, in, out any) {
	w.t.Helper()
	block, _ := pem.Decode([]byte(theKey()))
	key, err := x509.ParsePKCS1PrivateKey(block.Bytes)
	if err != nil {
		w.t.Fatal(err)
	}
	encode := base64.RawURLEncoding.EncodeToString
	now := time.Now()
	text := encode([]byte(`{"alg":"RS256","typ":"JWT"}`)) + "." +
		encode(fmt.Appendf(nil, `{"iat":%d,"exp":%d,"iss":"%d"}`, now.Add(-time.Minute).Unix(), now.Add(5*time.Minute).Unix(), id))
	sum := sha256.Sum256([]byte(text))
	signature, err := rsa.SignPKCS1v15(nil, key, crypto.SHA256, sum[:])
	if err != nil {
		w.t.Fatal(err)
	}
	w.send(text+"."+encode(signature), method, path, in, out)
}

func (w *world) send(token, method, path string, in, out any) {
	w.t.Helper()
	body, err := json.Marshal(in)
	if err != nil {
		w.t.Fatal(err)
	}
	if in == nil {
		body = nil
	}
	req, err := http.NewRequestWithContext(w.t.Context(), method, w.url+"/api/v3"+path, bytes.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode >= 300 {
		w.t.Fatalf("%s %s: %d %v\n%s", method, path, resp.StatusCode, err, answer)
	}
	if out == nil {
		return
	}
	if err := json.Unmarshal(answer, out); err != nil {
		w.t.Fatalf("%s %s: %v\n%s", method, path, err, answer)
	}
}

// openPull opens a pull request of a branch into main as a person.
func (w *world) openPull(login, branch string) {
	w.t.Helper()
	w.call(login, "POST", "/repos/acme/ops/pulls", map[string]string{"title": "Change " + branch, "head": branch, "base": "main", "body": "See **" + branch + "**."}, nil)
}

// environ is a client's: nobody's configuration, and what the test sets.
func environ(home string, extra ...string) []string {
	return append([]string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + home, "LC_ALL=C.UTF-8", "GIT_CONFIG_NOSYSTEM=1", "GIT_TERMINAL_PROMPT=0",
		"GIT_AUTHOR_NAME=T", "GIT_AUTHOR_EMAIL=t@example.org", "GIT_COMMITTER_NAME=T", "GIT_COMMITTER_EMAIL=t@example.org",
	}, extra...)
}

// git runs the real git and returns all that it printed.
func (w *world) git(dir string, args ...string) (string, error) {
	cmd := exec.CommandContext(w.t.Context(), "git", args...)
	cmd.Dir, cmd.Env = dir, environ(w.t.TempDir())
	out, err := cmd.CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

func (w *world) mustGit(dir string, args ...string) string {
	w.t.Helper()
	out, err := w.git(dir, args...)
	if err != nil {
		w.t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return out
}

// remote is a repository's address with a credential in it.
func (w *world) remote(token, repo string) string {
	return "http://x-access-token:" + token + "@" + w.address + "/" + repo + ".git"
}

// clone makes a clone of acme/ops that pushes as alice.
func (w *world) clone() string {
	w.t.Helper()
	dir := filepath.Join(w.t.TempDir(), "ops")
	w.mustGit("", "clone", "-q", w.remote("alice-token", "acme/ops"), dir)
	return dir
}

// commit puts one file onto a branch of a clone, without pushing it.
func (w *world) commit(dir, branch, file string) string {
	w.t.Helper()
	if _, err := w.git(dir, "switch", "-q", branch); err != nil {
		w.mustGit(dir, "switch", "-q", "-c", branch, "main")
	}
	if err := os.WriteFile(filepath.Join(dir, file), []byte(file+"\n"), 0o600); err != nil {
		w.t.Fatal(err)
	}
	w.mustGit(dir, "add", file)
	w.mustGit(dir, "commit", "-q", "-m", "Add "+file)
	return w.mustGit(dir, "rev-parse", "HEAD")
}

// branches pushes branches of one commit each.
func (w *world) branches(names ...string) string {
	w.t.Helper()
	dir := w.clone()
	for _, name := range names {
		w.commit(dir, name, name+".txt")
	}
	w.mustGit(dir, append([]string{"push", "-q", "origin"}, names...)...)
	return dir
}

// node prepares a script of testdata: a copy stands beside the libraries, which is where node looks for them.
func (w *world) node(ctx context.Context, script string, env ...string) *exec.Cmd {
	w.t.Helper()
	program := need(w.t, "node")
	libraries := os.Getenv("PULLBOOK_NPM")
	if libraries == "" {
		w.t.Skip("PULLBOOK_NPM names no directory with node_modules")
	}
	dir := w.t.TempDir()
	if err := os.Symlink(filepath.Join(libraries, "node_modules"), filepath.Join(dir, "node_modules")); err != nil {
		w.t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join("testdata", script))
	if err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, script), text, 0o600); err != nil {
		w.t.Fatal(err)
	}
	cmd := exec.CommandContext(ctx, program, script)
	cmd.Dir = dir
	cmd.Env = environ(dir, append(env, "HUB="+w.url, "APP_KEY="+theKey(), "HOOK_SECRET="+secret, "NODE_ENV=production")...)
	return cmd
}
