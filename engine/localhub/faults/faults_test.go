package faults_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/pullbook/pullbook/engine/localhub/faults"
)

// site counts what reaches the hub behind a table of faults.
type site struct {
	table  faults.Table
	worked atomic.Int32
	url    string
}

func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{}
	work := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		s.worked.Add(1)
		fmt.Fprint(w, "done")
	})
	wrapped := s.table.Wrap(work, func(r *http.Request) string { return r.URL.Path }, func(w http.ResponseWriter, a faults.Answer) {
		w.Header().Set("Retry-After", fmt.Sprint(a.RetryAfter))
		w.WriteHeader(a.Status)
	})
	srv := httptest.NewServer(wrapped)
	t.Cleanup(srv.Close)
	s.url = srv.URL
	return s
}

// get is the status of an answer, or 0 when the connection was cut.
func (s *site) get(t *testing.T, path string) int {
	t.Helper()
	resp, err := http.Get(s.url + path)
	if err != nil {
		return 0
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return 0
	}
	return resp.StatusCode
}

func TestRequestFaults(t *testing.T) {
	for _, tt := range []struct {
		rule   faults.Rule
		status int
		worked int32
	}{
		{faults.Rule{Fault: faults.NotFound}, 404, 0},
		{faults.Rule{Fault: faults.Forbidden, RetryAfter: 3}, 403, 0},
		{faults.Rule{Fault: faults.TooMany}, 429, 0},
		{faults.Rule{Fault: faults.TokenExpired}, 401, 0},
		{faults.Rule{Fault: faults.Unavailable}, 503, 0},
		{faults.Rule{Fault: faults.BadGateway}, 502, 1},
		{faults.Rule{Fault: faults.GatewayTimeout}, 504, 1},
		{faults.Rule{Fault: faults.ReplyLost}, 0, 1},
		{faults.Rule{Fault: faults.Slow, DelayMS: 1}, 200, 1},
	} {
		t.Run(string(tt.rule.Fault), func(t *testing.T) {
			s := newSite(t)
			tt.rule.Method, tt.rule.Path = "GET", "/a/{b}"
			if _, err := s.table.Add(tt.rule); err != nil {
				t.Fatal(err)
			}
			if got := s.get(t, "/a/1"); got != tt.status || s.worked.Load() != tt.worked {
				t.Fatalf("status %d, worked %d; want %d, %d", got, s.worked.Load(), tt.status, tt.worked)
			}
			if got := s.get(t, "/a/1"); got != 200 {
				t.Fatalf("after the rule is used up: %d", got)
			}
		})
	}
}

func TestWhichRequestsMeetARule(t *testing.T) {
	s := newSite(t)
	for _, r := range []faults.Rule{
		{Fault: faults.NotFound, Path: "/a", Skip: 1, Count: 2},
		{Fault: faults.NotFound, Method: "POST", Path: "/b", Count: 9},
		{Fault: faults.NotFound, Path: "/c/{rest...}", Count: 9},
		{Fault: faults.NotFound, Path: "/{owner}/{repo}.git/push", Count: 9},
	} {
		if _, err := s.table.Add(r); err != nil {
			t.Fatal(err)
		}
	}
	for i, want := range []int{200, 404, 404, 200} {
		if got := s.get(t, "/a"); got != want {
			t.Errorf("call %d of /a: %d, want %d", i+1, got, want)
		}
	}
	for path, want := range map[string]int{
		"/b": 200, "/c": 200, "/c/": 200, "/c/x": 404, "/c/x/y": 404, "/o/r.git/push": 404, "/o/r/push": 200, "/o/.git/push": 200, "/a/b": 200,
	} {
		if got := s.get(t, path); got != want {
			t.Errorf("%s: %d, want %d", path, got, want)
		}
	}
	if hits := s.table.Rules()[0].Hits; hits != 2 {
		t.Errorf("hits: %d", hits)
	}
	s.table.Clear()
	if got := s.get(t, "/c/x"); got != 200 {
		t.Errorf("after Clear: %d", got)
	}
}

func TestWebhookRules(t *testing.T) {
	var table faults.Table
	for _, r := range []faults.Rule{
		{Fault: faults.HookLost, Path: "pull_request.opened"}, {Fault: faults.HookDoubled, Path: "push"}, {Fault: faults.HookDelayed, Path: "*", DelayMS: 5, Skip: 1},
	} {
		if _, err := table.Add(r); err != nil {
			t.Fatal(err)
		}
	}
	for i, tt := range []struct {
		event, action string
		want          faults.Fault
	}{
		{"pull_request", "closed", ""}, {"pull_request", "opened", faults.HookLost}, {"push", "", faults.HookDoubled},
		{"push", "", faults.HookDelayed}, {"push", "", ""},
	} {
		if rule, _ := table.Webhook(tt.event, tt.action); rule.Fault != tt.want {
			t.Errorf("%d: %s.%s meets %q, want %q", i, tt.event, tt.action, rule.Fault, tt.want)
		}
	}
}

func TestTheAPIRefusesWhatIsNoRule(t *testing.T) {
	var table faults.Table
	send := func(method, body string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		table.ServeHTTP(w, httptest.NewRequest(method, "/", strings.NewReader(body)))
		return w
	}
	for _, body := range []string{
		``, `[]`, `{"fault":"x","path":"/a"}`, `{"fault":"not_found","path":"a"}`, `{"fault":"not_found","path":"/a","often":1}`,
		`{"fault":"hook_lost","path":"/a"}`, `{"fault":"hook_lost","path":"push","method":"GET"}`, `{"fault":"slow","path":"/a"}`, `{"fault":"not_found","path":"/a","count":-1}`,
	} {
		if w := send("POST", body); w.Code != 422 || !strings.Contains(w.Body.String(), "message") {
			t.Errorf("%s: %d %s", body, w.Code, w.Body)
		}
	}
	if w := send("POST", `{"fault":"not_found","path":"/a"}`); w.Code != 201 || !strings.Contains(w.Body.String(), `"count":1`) {
		t.Errorf("a rule: %d %s", w.Code, w.Body)
	}
	if w := send("GET", ""); !strings.Contains(w.Body.String(), `"faults":[{"id":1,`) {
		t.Errorf("list: %s", w.Body)
	}
	if w := send("PUT", ""); w.Code != 405 {
		t.Errorf("PUT: %d", w.Code)
	}
	if w := send("DELETE", ""); w.Code != 204 || len(table.Rules()) != 0 {
		t.Errorf("DELETE: %d, %v", w.Code, table.Rules())
	}
}
