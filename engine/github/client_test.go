package github

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pullbook/pullbook/engine/incident"
)

func TestNewSignsInAndReadsWhatDoesNotChange(t *testing.T) {
	s := newStage(t)
	c, err := New(context.Background(), s.config())
	if err != nil {
		t.Fatal(err)
	}
	host := strings.TrimSuffix(s.url, "/api/v3")
	got := []any{c.GitURL(), c.DefaultBranch(), c.Bot(), c.InstallationID()}
	if diff := cmp.Diff([]any{host + "/acme/ops.git", "main", "pullbook[bot]", int64(99)}, got); diff != "" {
		t.Error(diff)
	}
	if auth := s.last("GET /app").auth; !strings.HasPrefix(auth, "Bearer ey") {
		t.Errorf("the App signs with %.10q", auth)
	}
	if auth := s.last("GET " + repo).auth; auth != "token "+aToken {
		t.Errorf("the installation signs with %.10q", auth)
	}
	narrow := s.last("POST /app/installations/99/access_tokens").body
	if diff := cmp.Diff(map[string]any{"repositories": []any{"ops"}}, narrow); diff != "" {
		t.Error("the token is not for this repository alone:", diff)
	}
	user, password, err := c.Credentials(context.Background())
	if user != "x-access-token" || password != aToken || err != nil {
		t.Error(user, err)
	}
	if n := s.count("POST /app/installations/99/access_tokens"); n != 1 {
		t.Errorf("made %d tokens", n)
	}
}

func TestNewRefusesWhatIsNotAsConfigured(t *testing.T) {
	for _, test := range []struct {
		name  string
		stage func(*stage)
		cfg   func(*Config)
		want  string
	}{
		{"another App's key", func(s *stage) { s.say("GET /app", 200, `{"id": 78, "slug": "x"}`) }, nil, "the key belongs to App 78, not to App 77"},
		{"not installed", func(s *stage) { s.say("GET "+repo+"/installation", 404, `{"message": "Not Found"}`) }, nil, "find the App's installation on acme/ops: the hub answered 404: Not Found"},
		{"renamed", func(s *stage) { s.say("GET "+repo, 200, `{"full_name": "acme/runbooks", "default_branch": "main"}`) }, nil, `the hub knows acme/ops as "acme/runbooks": configure that name`},
		{"empty repository", func(s *stage) { s.say("GET "+repo, 200, `{"full_name": "acme/ops"}`) }, nil, "the repository acme/ops has no default branch"},
		{"suspended", func(s *stage) {
			s.say("POST /app/installations/99/access_tokens", 403, `{"message": "This installation has been suspended"}`)
		}, nil, "read the repository acme/ops: the hub answered 403: This installation has been suspended"},
		{"no bot", func(s *stage) { s.say("GET /users/pullbook[bot]", 404, `{"message": "Not Found"}`) }, nil, "find the App's bot pullbook[bot]: the hub answered 404: Not Found"},
		{"bad key", nil, func(c *Config) { c.Key = []byte("-----BEGIN canary") }, "read the App's private key: it is not an RSA key in PEM"},
		{"odd repository", nil, func(c *Config) { c.Repo = "../x" }, `repository "acme"/"../x" is not a name on the hub`},
		{"not JSON", func(s *stage) { s.say("GET "+repo, 200, `<html>`) }, nil, "read the repository acme/ops: no readable answer: invalid character '<' looking for beginning of value"},
	} {
		s := newStage(t)
		cfg := s.config()
		if test.stage != nil {
			test.stage(s)
		}
		if test.cfg != nil {
			test.cfg(&cfg)
		}
		if _, err := New(context.Background(), cfg); err == nil || err.Error() != test.want {
			t.Errorf("%s: got %v, want %s", test.name, err, test.want)
		}
	}
}

func TestAddresses(t *testing.T) {
	for base, want := range map[string]string{
		"":                                "https://api.github.com/ https://github.com",
		"https://api.acme.ghe.com/":       "https://api.acme.ghe.com/ https://acme.ghe.com",
		"https://ghe.example.com/api/v3":  "https://ghe.example.com/api/v3/ https://ghe.example.com",
		"https://ghe.example.com/api/v3/": "https://ghe.example.com/api/v3/ https://ghe.example.com",
		"http://127.0.0.1:8080/api/v3":    "http://127.0.0.1:8080/api/v3/ http://127.0.0.1:8080",
		"http://[::1]:8080/api/v3":        "http://[::1]:8080/api/v3/ http://[::1]:8080",
		"http://ghe.example.com/api/v3":   "the hub at ghe.example.com is not asked without TLS",
		"https://ghe.example.com":         "the hub's address ghe.example.com is neither https://api.host nor https://host/api/v3",
		"https://u:canary@ghe.com/api/v3": "the hub's address is not of the form https://host/api/v3",
		"ftp://127.0.0.1/api/v3":          "the hub at 127.0.0.1 is not asked without TLS",
		"127.0.0.1:80":                    "the hub's address is not of the form https://host/api/v3",
	} {
		at, err := parseAddress(base)
		got := fmt.Sprint(at.api, " ", at.git)
		if err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%q: got %s, want %s", base, got, want)
		}
	}
}

func TestARevokedTokenIsDropped(t *testing.T) {
	s := newStage(t)
	c := s.client()
	s.say("GET "+repo+"/pulls/7", 401, `{"message": "Bad credentials"}`)
	q := incident.HubQuery{Pull: 7}
	if _, err := c.Look(context.Background(), q); status(err) != 401 {
		t.Fatal(err)
	}
	if n := len(s.asked); n != 1 {
		t.Errorf("%d requests: the inbox tries again, not the client", n)
	}
	s.say("POST /app/installations/99/access_tokens", 201, `{"token": "ghs_new", "expires_at": "2999-01-01T00:00:00Z"}`)
	s.people()
	if _, err := c.Look(context.Background(), q); err != nil {
		t.Fatal(err)
	}
	if got := s.last("GET " + repo + "/pulls/7").auth; got != "token ghs_new" {
		t.Error("still signs with the revoked token")
	}
}

func TestATokenThatGitRefusesIsDropped(t *testing.T) {
	s := newStage(t)
	c := s.client()
	credential := func() string {
		t.Helper()
		_, password, err := c.Credentials(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		return password
	}
	first := credential()
	s.say("POST /app/installations/99/access_tokens", 201, `{"token": "ghs_new", "expires_at": "2999-01-01T00:00:00Z"}`)
	if c.Reject("another"); credential() != first {
		t.Error("a token that is good was dropped")
	}
	if c.Reject(first); credential() != "ghs_new" {
		t.Error("git is still given the revoked token")
	}
	made := s.count("POST /app/installations/99/access_tokens")
	if c.Reject(first); credential() != "ghs_new" || s.count("POST /app/installations/99/access_tokens") != made {
		t.Error("the second refusal of one token dropped the next one")
	}
}

func TestCredentialsStayWithTheHub(t *testing.T) {
	var strangers []http.Header
	elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		strangers = append(strangers, r.Header)
	}))
	defer elsewhere.Close()
	s := newStage(t)
	c := s.client()
	away := func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, elsewhere.URL+"/x?access_token=canary", http.StatusTemporaryRedirect)
	}
	s.on("GET "+repo+"/pulls/7", away)
	s.on("POST "+repo+"/pulls", away)
	_, readErr := c.Look(context.Background(), incident.HubQuery{Pull: 7})
	_, writeErr := c.OpenPull(context.Background(), incident.NewPull{Branch: "incident/a"})
	s.on("POST /app/installations/99/access_tokens", away)
	_, tokenErr := New(context.Background(), s.config())
	for _, err := range []error{readErr, writeErr, tokenErr} {
		if err == nil || strings.Contains(fmt.Sprintf("%v %+v", err, err), "canary") {
			t.Errorf("got %v", err)
		}
	}
	if len(strangers) > 0 {
		t.Errorf("another host was asked, with %v", strangers)
	}
}

func TestAWriteIsNotRedirectedAReadIs(t *testing.T) {
	s := newStage(t)
	c := s.client()
	s.say("GET /repositories/1/pulls/7", 200, pullJSON(""))
	s.say("GET "+repo+"/pulls/7/reviews", 200, `[]`)
	s.say("GET "+repo+"/issues/7/comments", 200, `[]`)
	moved := func(to string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/api/v3"+to, http.StatusPermanentRedirect)
		}
	}
	s.on("GET "+repo+"/pulls/7", moved("/repositories/1/pulls/7"))
	s.on("PUT "+repo+"/pulls/7/merge", moved("/repositories/1/pulls/7/merge"))
	if view, err := c.Look(context.Background(), incident.HubQuery{Pull: 7}); err != nil || view.Pull == nil {
		t.Error("a read was not redirected on the same host:", err)
	}
	if err := c.Merge(context.Background(), incident.MergeRequest{Pull: 7, Head: "c0ffee"}); err == nil {
		t.Error("a write was redirected")
	}
	if s.count("PUT /repositories/1/pulls/7/merge") != 0 {
		t.Error("the write went where nobody had sent it")
	}
	s.on("GET "+repo+"/pulls/7", moved(repo+"/pulls/7"))
	if _, err := c.Look(context.Background(), incident.HubQuery{Pull: 7}); err == nil {
		t.Error("a redirect in a circle ended well")
	}
	if n := s.count("GET " + repo + "/pulls/7"); n != 6 { // the two reads before, and four in the circle
		t.Errorf("asked %d times", n)
	}
}

// breaks fails every request, in the way that a proxy library might: with the request in its words.
type breaks struct{}

func (breaks) RoundTrip(r *http.Request) (*http.Response, error) {
	return nil, fmt.Errorf("cannot send %s %v with %v", r.Method, r.URL, r.Header)
}

func TestErrorsHoldNoCredentials(t *testing.T) {
	s := newStage(t)
	cfg := s.config()
	c := s.client()
	c.wire.base = breaks{}
	_, read := c.Look(context.Background(), incident.HubQuery{Branch: "b"})
	cfg.HTTP = breaks{}
	_, sign := New(context.Background(), cfg)
	c2 := s.client()
	s.say("GET "+repo+"/pulls", 500, "")
	_, answered := c2.Look(context.Background(), incident.HubQuery{Branch: "b"})
	s.say("POST /app/installations/99/access_tokens", 500, "")
	_, token := New(context.Background(), s.config())
	for _, err := range []error{read, sign, answered, token} {
		for e := err; e != nil; e = errors.Unwrap(e) {
			text := fmt.Sprintf("%v %+v %#v", e, e, e)
			for _, secret := range []string{"ghs_", "Bearer", "eyJ", "state=all", "Authorization"} {
				if strings.Contains(text, secret) {
					t.Errorf("%q is in %s", secret, text)
				}
			}
		}
		if e, ok := errors.AsType[*Error](err); !ok || e.Op == "" {
			t.Errorf("untyped: %v", err)
		}
	}
	if strings.Contains(s.log.String(), "ghs_") {
		t.Error("the log holds a token")
	}
}

func TestASlowHubIsGivenUp(t *testing.T) {
	s := newStage(t)
	c := s.client()
	s.on("GET "+repo+"/pulls/7", func(w http.ResponseWriter, r *http.Request) {
		w.(http.Flusher).Flush() // the headers come, the body never does
		<-r.Context().Done()
	})
	c.wire.time = 50 * time.Millisecond
	_, err := c.Look(context.Background(), incident.HubQuery{Pull: 7})
	if err == nil || err.Error() != "read pull request 7: the hub did not answer within 15 s" || errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	c.wire.time = requestTime
	ctx, cancel := context.WithCancel(context.Background())
	s.on("GET "+repo+"/pulls/7", func(_ http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
	})
	if _, err := c.Look(ctx, incident.HubQuery{Pull: 7}); !errors.Is(err, context.Canceled) {
		t.Error("the caller's own end is not told:", err)
	}
}

func TestAnEndlessAnswerIsGivenUp(t *testing.T) {
	s := newStage(t)
	c := s.client()
	s.on("GET "+repo+"/pulls/7", func(w http.ResponseWriter, _ *http.Request) {
		block := make([]byte, 1<<20)
		for range maxAnswer>>20 + 1 {
			if _, err := w.Write(block); err != nil {
				return
			}
		}
	})
	if _, err := c.Look(context.Background(), incident.HubQuery{Pull: 7}); err == nil || !strings.Contains(err.Error(), "larger than 32 MiB") {
		t.Error(err)
	}
}
