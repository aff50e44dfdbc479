package graphql

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pullbook/pullbook/engine/localhub/git"
	"github.com/pullbook/pullbook/engine/localhub/state"
)

// world is a server over one organisation: acme/ops is private to the team sre, acme/open is public, acme/secret is
// nobody's but the owner's.
type world struct {
	t      testing.TB
	store  *state.Store
	repos  *git.Repos
	server *Server
	now    time.Time
	log    bytes.Buffer
	tokens map[string]string
}

// theKey is one key for all tests, since making one takes long.
var theKey = sync.OnceValue(func() string {
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(k)}))
})

func seed() state.Seed {
	all := map[string]string{
		"contents": "write", "pull_requests": "write", "checks": "write", "issues": "write", "statuses": "write", "members": "read",
	}
	return state.Seed{
		Users: []state.SeedUser{
			{Login: "alice", ID: 101, Name: "Alice", Email: "alice@example.org", Token: "alice"}, {Login: "bob", ID: 102, Token: "bob"},
			{Login: "carol", ID: 103, Token: "carol"}, {Login: "mallory", ID: 104, Token: "mallory"},
		},
		Organizations: []state.SeedOrganization{{Login: "acme", ID: 201, Owners: []string{"carol"}, DefaultPermission: "none"}},
		Teams:         []state.SeedTeam{{Org: "acme", ID: 301, Slug: "sre", Name: "SRE", Members: []string{"alice", "bob"}}},
		Apps: []state.SeedApp{
			{ID: 7, Slug: "pullbook", Owner: "acme", Key: theKey(), Permissions: all},
			{ID: 8, Slug: "reader", Owner: "acme", Key: theKey(), Permissions: map[string]string{"metadata": "read"}},
		},
		Installations: []state.SeedInstallation{
			{ID: 700, App: "pullbook", Account: "acme"}, {ID: 800, App: "reader", Account: "acme"},
		},
		Repositories: []state.SeedRepository{
			{Name: "acme/ops", ID: 401, Private: true, Teams: map[string]string{"sre": "write"}, RequiredChecks: []string{"pullbook"},
				RestrictIncidentBranches: "pullbook", Author: state.SeedAuthor{Name: "Alice", Email: "alice@example.org"},
				Files: map[string]string{"README.md": "# Ops\n\nRead me.\n", "runbooks/a.cue": "a: 1\n", "run.sh": "#!/bin/sh\n"}},
			{Name: "acme/secret", ID: 402, Private: true, Files: map[string]string{"x": "y\n"}},
			{Name: "acme/open", ID: 403, Files: map[string]string{"x": "y\n"}, Collaborators: map[string]string{"bob": "write"}},
		},
	}
}

func newWorld(t testing.TB) *world {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("git is not installed")
	}
	w := &world{t: t, now: time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC), tokens: map[string]string{}}
	var err error
	if w.store, err = state.New(seed(), func() time.Time { return w.now }); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.store.Close(); err != nil {
			t.Error(err)
		}
	})
	logger := slog.New(slog.NewTextHandler(&w.log, nil))
	w.repos = git.New(t.TempDir(), w.store, logger)
	for _, r := range seed().Repositories {
		first := git.First{Branch: "main", Name: r.Author.Name, Email: r.Author.Email, Files: r.Files, Message: "Begin"}
		if first.Name == "" {
			first.Name, first.Email = "GitHub", "noreply@github.localhost"
		}
		if err := w.repos.Create(t.Context(), r.Name, first); err != nil {
			t.Fatal(err)
		}
	}
	w.server = New(Config{Store: w.store, Repos: w.repos, Logger: logger})
	for _, in := range []struct {
		app, installation int64
		name              string
	}{{7, 700, "app"}, {8, 800, "reader"}} {
		app, err := w.store.App(in.app)
		if err != nil {
			t.Fatal(err)
		}
		g, err := w.store.GrantToken(state.Actor{User: app.Bot, App: app}, in.installation, state.Narrowing{})
		if err != nil {
			t.Fatal(err)
		}
		w.tokens[in.name] = g.Token
	}
	return w
}

// post sends a body as somebody and returns the answer with its status.
func (w *world) post(who, body string) *httptest.ResponseRecorder {
	w.t.Helper()
	r := httptest.NewRequest(http.MethodPost, "http://hub.test/api/graphql", strings.NewReader(body))
	if who != "" {
		token := who
		if t, ok := w.tokens[who]; ok {
			token = t
		}
		r.Header.Set("Authorization", "bearer "+token)
	}
	out := httptest.NewRecorder()
	w.server.ServeHTTP(out, r)
	return out
}

type vars = map[string]any

// reply is a decoded answer.
type reply struct {
	Data   map[string]any
	Errors []struct {
		Type      string
		Path      []any
		Locations []struct{ Line, Column int }
		Message   string
	}
}

// ask runs a document that GitHub's schema must accept, and returns what came.
func (w *world) ask(who, query string, v vars) reply {
	w.t.Helper()
	valid(w.t, query)
	return w.askUnchecked(who, query, v)
}

func (w *world) askUnchecked(who, query string, v vars) reply {
	w.t.Helper()
	body, err := json.Marshal(map[string]any{"query": query, "variables": v})
	if err != nil {
		w.t.Fatal(err)
	}
	out := w.post(who, string(body))
	if out.Code != http.StatusOK {
		w.t.Fatalf("status %d: %s", out.Code, out.Body)
	}
	var r reply
	text, err := io.ReadAll(out.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	if err := json.Unmarshal(text, &r); err != nil {
		w.t.Fatalf("%v: %s", err, text)
	}
	return r
}

// must runs a document that has no errors and returns its data.
func (w *world) must(who, query string, v vars) map[string]any {
	w.t.Helper()
	r := w.ask(who, query, v)
	if len(r.Errors) > 0 {
		w.t.Fatalf("errors: %+v\nlog: %s", r.Errors, w.log.String())
	}
	return r.Data
}

// refused runs a document that must fail with one error of a type.
func (w *world) refused(who, query string, v vars, kind string) string {
	w.t.Helper()
	r := w.ask(who, query, v)
	if len(r.Errors) != 1 || r.Errors[0].Type != kind {
		w.t.Fatalf("errors: %+v, want one %s\nlog: %s", r.Errors, kind, w.log.String())
	}
	return r.Errors[0].Message
}

// get follows keys and indexes into an answer.
func get(t *testing.T, v any, path ...any) any {
	t.Helper()
	for _, step := range path {
		switch step := step.(type) {
		case string:
			m, ok := v.(map[string]any)
			if !ok {
				t.Fatalf("no object at %q of %v: %v", step, path, v)
			}
			v = m[step]
		case int:
			l, ok := v.([]any)
			if !ok || step >= len(l) {
				t.Fatalf("no item %d of %v: %v", step, path, v)
			}
			v = l[step]
		}
	}
	return v
}

// actor is somebody as the state knows them.
func (w *world) actor(who string) state.Actor {
	w.t.Helper()
	token := who
	if t, ok := w.tokens[who]; ok {
		token = t
	}
	a, ok := w.store.Authenticate(token)
	if !ok {
		w.t.Fatalf("%s has no token", who)
	}
	return a
}

// tip is a branch's commit.
func (w *world) tip(repo, branch string) string {
	w.t.Helper()
	sha, err := w.repos.Branch(w.t.Context(), repo, branch)
	if err != nil {
		w.t.Fatal(err)
	}
	return sha
}

// branch makes a branch with one more commit on top of main.
func (w *world) branch(repo, name string, files map[string]string) string {
	w.t.Helper()
	main := w.tip(repo, "main")
	who := w.actor("carol")
	if strings.HasPrefix(name, "incident/") {
		who = w.actor("app")
	}
	if err := w.repos.SetRef(w.t.Context(), who, repo, git.RefChange{Ref: "refs/heads/" + name, After: main, Create: true}); err != nil {
		w.t.Fatal(err)
	}
	added := map[string][]byte{}
	for path, text := range files {
		added[path] = []byte(text)
	}
	sha, err := w.repos.CommitOn(w.t.Context(), who, repo, git.Change{Branch: name, Expected: main, Message: "Change\n\nWith a body.\n", Added: added})
	if err != nil {
		w.t.Fatal(err)
	}
	return sha
}

// pull opens a pull request of a new branch.
func (w *world) pull(who, repo, branch string) *state.Pull {
	w.t.Helper()
	w.branch(repo, branch, map[string]string{branch + ".txt": "one\ntwo\n"})
	p, err := w.repos.OpenPull(w.t.Context(), w.actor(who), repo, git.Opening{Title: "Title of " + branch, Body: "Body", Head: branch, Base: "main"})
	if err != nil {
		w.t.Fatal(err)
	}
	return p
}
