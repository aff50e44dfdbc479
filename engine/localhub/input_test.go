package localhub_test

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pullbook/pullbook/engine/localhub"
)

func TestBadInput(t *testing.T) {
	w := newWorld(t, "")
	w.commit(w.clone(), "incident/1", "one.txt", "1\n")
	w.openPull("incident/1")
	const repo = "/api/v3/repos/acme/ops"
	for _, c := range []struct {
		method, path, body string
		status             int
		part               string
	}{
		{"POST", repo + "/issues/1/comments", `{"body":`, 400, "Problems parsing JSON"},
		{"POST", repo + "/issues/1/comments", `["x"]`, 400, "Body should be a JSON object"},
		{"POST", repo + "/issues/1/comments", `{"body":"x"} trailing`, 400, "Problems parsing JSON"},
		{"POST", repo + "/issues/1/comments", `{"body":7}`, 422, "For 'properties/body'"},
		{"POST", repo + "/issues/1/comments", `{"body":"` + strings.Repeat("x", 9<<20) + `"}`, 413, "too large"},
		{"POST", repo + "/issues/99/comments", `{"body":"x"}`, 404, "Not Found"},
		{"POST", repo + "/issues/-1/comments", `{"body":"x"}`, 404, "Not Found"},
		{"POST", repo + "/pulls", `{"title":"x","head":"--upload-pack=x","base":"main"}`, 422, "Validation Failed"},
		{"PUT", repo + "/pulls/1/merge", `{"merge_method":"octopus"}`, 422, "Validation Failed"},
		{"PATCH", repo + "/pulls/1", `{"state":"ajar"}`, 422, "Validation Failed"},
		{"DELETE", repo + "/issues/1/labels/none", ``, 404, "Label does not exist"},
		{"GET", repo + "/contents/..%2f..%2fetc%2fpasswd", ``, 404, "Not Found"},
		{"GET", repo + "/contents/a/../README.md", ``, 404, "Not Found"},
		{"GET", repo + "/contents/README.md?ref=main:README.md", ``, 404, "No commit found"},
		{"GET", repo + "/contents/README.md?ref=--help", ``, 404, "No commit found"},
		{"GET", repo + "/commits/--all", ``, 422, "No commit found"},
		{"GET", repo + "/compare/main", ``, 404, "Not Found"},
		{"GET", "/api/v3/repos/acme/ops%2f..%2fsecret", ``, 404, "Not Found"},
		{"GET", "/api/v3/repos/acme/%00", ``, 404, "Not Found"},
		{"GET", "/api/v3/nowhere", ``, 404, "Not Found"},
		{"POST", repo + "/dispatches", `{"event_type":""}`, 422, "event_type"},
		{"POST", repo + "/dispatches", `{"event_type":"x","client_payload":{"a":"` + strings.Repeat("x", 65536) + `"}}`, 422, "Validation Failed"},
		{"GET", "/api/v3/app", ``, 401, "could not be decoded"},
	} {
		status, h, message := w.call(c.method, c.path, "carol-token", c.body)
		if status != c.status || !strings.Contains(message, c.part) || h.Get("X-GitHub-Request-Id") == "" {
			t.Errorf("%s %s: want %d with %q, got %d %q", c.method, c.path, c.status, c.part, status, message)
		}
	}
	if status, _, _ := w.call("GET", repo+"/issues/1/comments", "carol-token", ""); status != http.StatusOK {
		t.Errorf("afterwards: %d", status)
	}
}

func TestHostHeader(t *testing.T) {
	w := newWorld(t, "")
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.url+"/api/v3/meta", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Host = `x">y`
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusBadRequest {
		t.Fatalf("status %d", resp.StatusCode)
	}
}

func TestRequestsAreCounted(t *testing.T) {
	w := newWorld(t, "")
	w.commit(w.clone(), "incident/1", "one.txt", "1\n")
	w.openPull("incident/1")
	w.calls.mu.Lock()
	defer w.calls.mu.Unlock()
	for _, want := range []string{
		"POST /repos/{owner}/{repo}/pulls", "POST /app/installations/{id}/access_tokens", "POST /{owner}/{repo}.git/git-receive-pack",
		"GET /{owner}/{repo}.git/info/refs",
	} {
		if !slices.Contains(w.calls.list, want) {
			t.Errorf("%q is not among %v", want, w.calls.list)
		}
	}
}

func TestReadSeed(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	write("app.pem", string(keyPEM(theKey())))
	want := localhub.Seed{
		Users: []localhub.SeedUser{{Login: "alice", Token: "t"}}, Organizations: []localhub.SeedOrganization{{Login: "acme"}},
		Apps:         []localhub.SeedApp{{Slug: "pullbook", Owner: "acme", KeyFile: "app.pem"}},
		Repositories: []localhub.SeedRepository{{Name: "acme/ops", Directory: "files"}},
	}
	raw, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	got, err := localhub.ReadSeed(write("seed.json", string(raw)))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(got.Apps[0].Key, "RSA PRIVATE KEY") || got.Repositories[0].Directory != filepath.Join(dir, "files") {
		t.Fatalf("paths: %+v", got)
	}
	for text, part := range map[string]string{
		`{"user":[]}`: `unknown field "user"`, `{} {}`: "more after", `{"users":[{"login":1}]}`: "near byte",
		`{"apps":[{"slug":"x","key_file":"none.pem"}]}`: `the key of app "x"`,
	} {
		if _, err := localhub.ReadSeed(write("bad.json", text)); err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestSeedRefusals(t *testing.T) {
	for part, change := range map[string]func(*localhub.Seed){
		`account "ALICE": the login is taken`: func(s *localhub.Seed) { s.Users = append(s.Users, localhub.SeedUser{Login: "ALICE"}) },
		`user "../x": not a login`:            func(s *localhub.Seed) { s.Users[0].Login = "../x" },
		`the token is somebody else's`:        func(s *localhub.Seed) { s.Users[1].Token = s.Users[0].Token },
		`id 101 is alice's`:                   func(s *localhub.Seed) { s.Users[1].ID = 101 },
		`no user "dave"`:                      func(s *localhub.Seed) { s.Teams[0].Members = []string{"dave"} },
		`app "pullbook": the key is not PEM`:  func(s *localhub.Seed) { s.Apps[0].Key = "x" },
		`is not an http address`:              func(s *localhub.Seed) { s.Apps[0].Webhook.URL = "file:///etc/passwd" },
		`"all" is none of read, write, admin`: func(s *localhub.Seed) { s.Apps[0].Permissions = map[string]string{"contents": "all"} },
		`the name is not owner/name`:          func(s *localhub.Seed) { s.Repositories[0].Name = "acme/.." },
		`"boss" is not a role`:                func(s *localhub.Seed) { s.Repositories[0].Teams["sre"] = "boss" },
		`no app "none"`:                       func(s *localhub.Seed) { s.Repositories[0].RestrictIncidentBranches = "none" },
		`is more than the app's`: func(s *localhub.Seed) {
			s.Installations[0].Permissions = map[string]string{"administration": "write"}
		},
		`no repository "acme/none" of the account`: func(s *localhub.Seed) { s.Installations[0].Repositories = []string{"acme/none"} },
	} {
		s := seed("")
		change(&s)
		hub, err := localhub.Open(localhub.Config{Dir: t.TempDir(), Seed: s})
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("want an error with %q, got %v", part, err)
		}
		if hub != nil {
			hub.Close()
		}
	}
}
