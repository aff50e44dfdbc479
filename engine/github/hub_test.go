package github

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

const (
	repo    = "/repos/acme/ops"
	aToken  = "ghs_4711_secret-canary"
	appBody = `{"id": 77, "slug": "pullbook"}`
)

// stage is a hub that answers what a test wrote down, and remembers what it was asked.
type stage struct {
	t       *testing.T
	url     string
	key     []byte
	log     bytes.Buffer
	mu      sync.Mutex
	scripts map[string]http.HandlerFunc // by "METHOD /path"
	teams   map[string]any              // by slug, as GraphQL has them
	asked   []request
}

type request struct {
	line, auth, match string
	query             string
	body              map[string]any
	raw               []byte
}

func newStage(t *testing.T) *stage {
	t.Helper()
	s := &stage{t: t, key: newKey(t), scripts: map[string]http.HandlerFunc{}}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	s.url = server.URL + "/api/v3"
	s.say("GET /app", 200, appBody)
	s.say("GET "+repo+"/installation", 200, `{"id": 99}`)
	s.say("POST /app/installations/99/access_tokens", 201, `{"token": "`+aToken+`", "expires_at": "2999-01-01T00:00:00Z"}`)
	s.say("GET "+repo, 200, `{"full_name": "acme/ops", "default_branch": "main"}`)
	s.history()
	s.say("GET /users/pullbook[bot]", 200, `{"id": 500, "login": "pullbook[bot]", "type": "Bot"}`)
	return s
}

func newKey(t *testing.T) []byte {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})
}

// say fixes the answer to one request line.
func (s *stage) say(line string, status int, body string) {
	s.on(line, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		io.WriteString(w, body)
	})
}

func (s *stage) on(line string, h http.HandlerFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.scripts[line] = h
}

func (s *stage) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	line := r.Method + " " + strings.TrimPrefix(strings.TrimPrefix(r.URL.Path, "/api"), "/v3")
	seen := request{line: line, auth: r.Header.Get("Authorization"), match: r.Header.Get("If-None-Match"), query: r.URL.Query().Encode()}
	seen.raw, _ = io.ReadAll(r.Body)
	json.Unmarshal(seen.raw, &seen.body)
	s.mu.Lock()
	s.asked = append(s.asked, seen)
	h := s.scripts[line]
	s.mu.Unlock()
	if h == nil {
		w.WriteHeader(http.StatusNotFound)
		io.WriteString(w, `{"message": "Not Found"}`)
		return
	}
	h(w, r)
}

func (s *stage) config() Config {
	return Config{BaseURL: s.url, AppID: 77, Key: s.key, Owner: "acme", Repo: "ops",
		Logger: slog.New(slog.NewTextHandler(&s.log, &slog.HandlerOptions{Level: slog.LevelDebug}))}
}

// client signs in and forgets the requests that this took.
func (s *stage) client() *Client {
	s.t.Helper()
	c, err := New(context.Background(), s.config())
	if err != nil {
		s.t.Fatal(err)
	}
	s.forget()
	return c
}

func (s *stage) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = nil
}

// lines are the request lines since the last forget.
func (s *stage) lines() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []string
	for _, r := range s.asked {
		out = append(out, r.line)
	}
	return strings.Join(out, "\n")
}

// last is the last request with a request line.
func (s *stage) last(line string) request {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := len(s.asked) - 1; i >= 0; i-- {
		if s.asked[i].line == line {
			return s.asked[i]
		}
	}
	s.t.Fatalf("no request %q", line)
	return request{}
}

func (s *stage) count(line string) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.asked {
		if r.line == line {
			n++
		}
	}
	return n
}

func user(id int64, login string) string {
	return fmt.Sprintf(`{"id": %d, "login": %q, "type": "User"}`, id, login)
}

// pullJSON is pull request 7 of the branch incident/a.
func pullJSON(more string) string {
	return `{"number": 7, "html_url": "https://hub/acme/ops/pull/7", "state": "open", "body": "b", "base": {"ref": "main"},
		"head": {"ref": "incident/a", "sha": "c0ffee", "repo": {"full_name": "acme/ops"}}` + more + `}`
}
