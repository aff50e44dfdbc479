package github

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pullbook/pullbook/engine/approval"
	"github.com/pullbook/pullbook/engine/door"
	"github.com/pullbook/pullbook/engine/incident"
)

const secret = "It's a Secret to Everybody"

// receiver is a webhook with a memory for deliveries.
type receiver struct {
	handler http.Handler
	hints   []Hint
	seen    map[string]bool
	err     error
	log     bytes.Buffer
}

func newReceiver(change func(*WebhookConfig)) *receiver {
	d := &receiver{seen: map[string]bool{}}
	cfg := WebhookConfig{Secret: []byte(secret), Repository: "acme/ops", InstallationID: 99, AppID: 77, OwnSender: "pullbook[bot]",
		Logger: slog.New(slog.NewTextHandler(&d.log, nil)),
		Once: func(_ context.Context, id string, hint Hint) (bool, error) {
			if d.err != nil || d.seen[id] {
				return false, d.err
			}
			d.seen[id] = true
			d.hints = append(d.hints, hint)
			return true, nil
		}}
	if change != nil {
		change(&cfg)
	}
	d.handler = NewWebhook(cfg)
	return d
}

func sign(body string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(body))
	return "sha256=" + hex.EncodeToString(mac.Sum(nil))
}

func delivery(event, id, body string) *http.Request {
	r := httptest.NewRequest("POST", "/hub", strings.NewReader(body))
	r.Header.Set("X-GitHub-Event", event)
	r.Header.Set("X-GitHub-Delivery", id)
	r.Header.Set("X-Hub-Signature-256", sign(body))
	r.Header.Set("Content-Type", "application/json")
	return r
}

func (d *receiver) answer(r *http.Request) (int, string) {
	w := httptest.NewRecorder()
	d.handler.ServeHTTP(w, r)
	return w.Code, strings.TrimSpace(w.Body.String())
}

const from = `"repository": {"full_name": "Acme/ops"}, "installation": {"id": 99}, "sender": {"login": "alice"}`

func TestHintsOfEvents(t *testing.T) {
	const pull = `{"number": 7, "head": {"ref": "incident/a", "repo": {"full_name": "acme/ops"}}}`
	for _, test := range []struct {
		event, body string
		want        Hint
	}{
		{"pull_request", `{"pull_request": ` + pull + `, ` + from + `}`, Hint{Kind: "pull_request", Branch: "incident/a", Pull: 7, Again: ""}},
		{"pull_request", `{"pull_request": {"number": 8, "head": {"ref": "incident/a", "repo": {"full_name": "evil/ops"}}}, ` + from + `}`, Hint{Kind: "pull_request", Branch: "", Pull: 8, Again: ""}},
		{"pull_request", `{"pull_request": {"number": 8, "head": {"ref": "incident/a", "repo": null}}, ` + from + `}`, Hint{Kind: "pull_request", Branch: "", Pull: 8, Again: ""}},
		{"pull_request_review", `{"review": {"state": "approved"}, "pull_request": ` + pull + `, ` + from + `}`, Hint{Kind: "pull_request_review", Branch: "incident/a", Pull: 7, Again: ""}},
		{"issue_comment", `{"issue": {"number": 7, "pull_request": {"url": "x"}}, ` + from + `}`, Hint{Kind: "issue_comment", Branch: "", Pull: 7, Again: ""}},
		{"check_run", `{"check_run": {"check_suite": {"head_branch": "incident/a"}, "pull_requests": [` + pull + `]}, ` + from + `}`, Hint{Kind: "check_run", Branch: "incident/a", Pull: 7, Again: ""}},
		{"check_suite", `{"check_suite": {"head_branch": "incident/a", "pull_requests": []}, ` + from + `}`, Hint{Kind: "check_suite", Branch: "incident/a", Pull: 0, Again: ""}},
		{"push", `{"ref": "refs/heads/incident/a", ` + from + `}`, Hint{Kind: "push", Branch: "incident/a", Pull: 0, Again: ""}},
		{"check_run", `{"action": "rerequested", "check_run": {"check_suite": {"head_branch": "fix", "head_sha": "1a2b"}, "pull_requests": [` + pull + `]}, ` + from + `}`, Hint{Kind: "check_run", Branch: "fix", Pull: 7, Again: "1a2b"}},
		{"check_suite", `{"action": "rerequested", "check_suite": {"head_branch": null, "head_sha": "1a2b", "pull_requests": []}, ` + from + `}`, Hint{Kind: "check_suite", Branch: "", Pull: 0, Again: "1a2b"}},
		{"check_run", `{"action": "completed", "check_run": {"check_suite": {"head_branch": "fix", "head_sha": "1a2b"}}, ` + from + `}`, Hint{Kind: "check_run", Branch: "fix", Pull: 0, Again: ""}},
		{"check_run", `{"action": "rerequested", "check_run": {"check_suite": {"head_branch": "fix", "head_sha": "../x"}}, ` + from + `}`, Hint{Kind: "check_run", Branch: "fix", Pull: 0, Again: ""}},
		{"workflow_run", `{"workflow_run": {"id": 4711}, ` + from + `}`, Hint{Kind: "workflow_run", Run: 4711}},
		{"workflow_run", strings.Replace(`{"workflow_run": {"id": 4711}, `+from+`}`, "alice", "Pullbook[bot]", 1), Hint{Kind: "workflow_run", Run: 4711}},
		{"workflow_run", strings.Replace(`{"workflow_run": {"id": 4711}, `+from+`}`, "Acme/ops", "acme/shop", 1), Hint{Kind: "workflow_run", Run: 4711}},
	} {
		d := newReceiver(nil)
		if code, text := d.answer(delivery(test.event, "id-1", test.body)); code != 202 || text != "noted" {
			t.Errorf("%s: %d %s", test.event, code, text)
		}
		if diff := cmp.Diff([]Hint{test.want}, d.hints); diff != "" {
			t.Errorf("%s: %s", test.body, diff)
		}
	}
}

// TestPressesOfButtons: a press is the one fact that a delivery carries, with the delivery's id; whatever is not wholly one is a
// hint at most.
func TestPressesOfButtons(t *testing.T) {
	body := func(run, sender, more string) string {
		return `{"action": "requested_action", "requested_action": {"identifier": "retry:17"}, "check_run": {` + run +
			`"check_suite": {"head_branch": null}, "pull_requests": []}, "repository": {"full_name": "acme/ops"}, "installation": {"id": 99}, "sender": {` + sender + `}` + more + `}`
	}
	const run, alice = `"id": 5, "external_id": "20261122-aaaaaaaaaa/deploy/1/17", "app": {"id": 77}, `, `"id": 10, "login": "alice", "type": "User"`
	press := func(bot bool) *incident.Press {
		return &incident.Press{Delivery: "id-1", By: approval.Person{ID: 10, Login: "alice", Bot: bot}, Check: 5,
			Run: "20261122-aaaaaaaaaa/deploy/1/17", Button: "retry:17"}
	}
	cases := []struct {
		name, body string
		want       *incident.Press
	}{
		{"a press", body(run, alice, ""), press(false)},
		{"of a bot", body(run, strings.Replace(alice, "User", "Bot", 1), ""), press(true)},
		{"of nobody knows what", body(run, `"id": 10, "login": "alice"`, ""), press(true)},
		{"of another App's check run", body(strings.Replace(run, "77", "78", 1), alice, ""), nil},
		{"by nobody", body(run, `"login": "alice", "type": "User"`, ""), nil},
		{"by a login that is none", body(run, strings.Replace(alice, "alice", "al ice", 1), ""), nil},
		{"of no run", body(strings.Replace(run, `"id": 5`, `"id": 0`, 1), alice, ""), nil},
		{"of a run with a long name", body(strings.Replace(run, "deploy", strings.Repeat("x", 1001), 1), alice, ""), nil},
		{"another action", strings.Replace(body(run, alice, ""), "requested_action", "rerequested", 1), nil},
	}
	for _, c := range cases {
		d := newReceiver(nil)
		code, text := d.answer(delivery("check_run", "id-1", c.body))
		if c.want == nil {
			if code != 202 || text != "dropped: nothing to look at" {
				t.Errorf("%s: %d %s", c.name, code, text)
			}
			continue
		}
		if len(d.hints) != 1 || d.hints[0].Press == nil || d.hints[0].Press.At.IsZero() {
			t.Fatalf("%s: %d %s %+v", c.name, code, text, d.hints)
		}
		d.hints[0].Press.At = time.Time{}
		if diff := cmp.Diff(Hint{Kind: "check_run", Press: c.want}, d.hints[0]); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
	}
}

func TestDeliveriesThatAreNoneOfOurs(t *testing.T) {
	for _, test := range []struct{ event, body, want string }{
		{"ping", `{"zen": "x"}`, "pong"},
		{"push", `{"ref": "refs/heads/a", "repository": {"full_name": "acme/other"}, "installation": {"id": 99}}`, "dropped: another repository"},
		{"push", `{"ref": "refs/heads/a"}`, "dropped: another repository"},
		{"push", `{"ref": "refs/heads/a", "repository": {"full_name": "acme/ops"}, "installation": {"id": 98}}`, "dropped: another installation"},
		{"push", `{"ref": "refs/heads/a", "repository": {"full_name": "acme/ops"}}`, "dropped: another installation"},
		{"push", strings.Replace(`{"ref": "refs/heads/a", `+from+`}`, "alice", "Pullbook[bot]", 1), "dropped: our own doing"},
		{"push", `{"ref": "refs/tags/v1", ` + from + `}`, "dropped: nothing to look at"},
		{"push", `{"ref": "refs/heads/a..b", ` + from + `}`, "dropped: nothing to look at"},
		{"push", `{"ref": "refs/heads/a\u0000b", ` + from + `}`, "dropped: nothing to look at"},
		{"push", `{"ref": "refs/heads/-x", ` + from + `}`, "dropped: nothing to look at"},
		{"issue_comment", `{"issue": {"number": 3}, ` + from + `}`, "dropped: nothing to look at"},
		{"issue_comment", `{"issue": {"number": -3, "pull_request": {}}, ` + from + `}`, "dropped: nothing to look at"},
		{"workflow_run", `{"workflow_run": {"id": 4711}, "repository": {"full_name": "acme/ops"}, "installation": {"id": 98}}`, "dropped: another installation"},
		{"workflow_run", `{"workflow_run": {"id": -1}, ` + from + `}`, "dropped: nothing to look at"},
		{"star", `{` + from + `}`, "dropped: nothing to look at"},
		{"", `{` + from + `}`, "dropped: nothing to look at"},
	} {
		d := newReceiver(nil)
		if code, text := d.answer(delivery(test.event, "id-1", test.body)); code != 202 || text != test.want || d.hints != nil {
			t.Errorf("%s %s: %d %s", test.event, test.body, code, text)
		}
	}
}

func TestADeliveryCountsOnce(t *testing.T) {
	d := newReceiver(nil)
	body := `{"ref": "refs/heads/incident/a", ` + from + `}`
	d.err = errors.New("disk full")
	if code, text := d.answer(delivery("push", "id-1", body)); code != 503 || strings.Contains(text, "disk") {
		t.Error(code, text)
	}
	d.err = nil
	for _, want := range []string{"noted", "was here before"} {
		if code, text := d.answer(delivery("push", "id-1", body)); code != 202 || text != want {
			t.Error(code, text)
		}
	}
	if len(d.hints) != 1 {
		t.Errorf("%d hints", len(d.hints))
	}
}

func TestRefusedDeliveries(t *testing.T) {
	body := `{"ref": "refs/heads/incident/a", ` + from + `}`
	for _, test := range []struct {
		name   string
		change func(*http.Request)
		want   int
	}{
		{"another method", func(r *http.Request) { r.Method = "GET" }, 405},
		{"no signature", func(r *http.Request) { r.Header.Del("X-Hub-Signature-256") }, 401},
		{"two signatures", func(r *http.Request) { r.Header.Add("X-Hub-Signature-256", sign(body)) }, 401},
		{"signature of another body", func(r *http.Request) { r.Header.Set("X-Hub-Signature-256", sign("{}")) }, 401},
		{"half a signature", func(r *http.Request) { r.Header.Set("X-Hub-Signature-256", sign(body)[:39]) }, 401},
		{"SHA-1", func(r *http.Request) { r.Header.Set("X-Hub-Signature-256", "sha1="+sign(body)[7:]) }, 401},
		{"no name of the algorithm", func(r *http.Request) { r.Header.Set("X-Hub-Signature-256", sign(body)[7:]) }, 401},
		{"bytes changed", func(r *http.Request) { r.Body = io.NopCloser(strings.NewReader(body + " ")) }, 401},
		{"too long, as it says", func(r *http.Request) { r.ContentLength = maxDelivery + 1; r.Body = unread{} }, 413},
		{"too long, as it shows", func(r *http.Request) {
			r.ContentLength = -1
			r.Body = io.NopCloser(io.LimitReader(zeros{}, maxDelivery+1))
		}, 413},
		{"breaks off", func(r *http.Request) { r.Body = unread{} }, 400},
		{"no id", func(r *http.Request) { r.Header.Del("X-GitHub-Delivery") }, 400},
		{"odd id", func(r *http.Request) { r.Header.Set("X-GitHub-Delivery", "a'; --") }, 400},
	} {
		d := newReceiver(nil)
		r := delivery("push", "id-1", body)
		test.change(r)
		if code, _ := d.answer(r); code != test.want || d.hints != nil {
			t.Errorf("%s: %d, want %d", test.name, code, test.want)
		}
		if strings.Contains(d.log.String(), secret) {
			t.Errorf("%s: the log holds the secret", test.name)
		}
	}
	for _, bad := range []string{"", "[]", `{"ref": 7}`, "ref=refs", strings.Repeat("[", 100_000), `{"a":1}{}`} {
		d := newReceiver(nil)
		if code, _ := d.answer(delivery("push", "id-1", bad)); code != 400 || d.hints != nil {
			t.Errorf("%.20q: %d", bad, code)
		}
	}
}

// unread fails the test's request when it is read.
type unread struct{}

func (unread) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }
func (unread) Close() error             { return nil }

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

func TestWithoutASecretNothingIsAccepted(t *testing.T) {
	d := newReceiver(func(c *WebhookConfig) { c.Secret = nil })
	r := delivery("push", "id-1", "{}")
	mac := hmac.New(sha256.New, nil)
	mac.Write([]byte("{}"))
	r.Header.Set("X-Hub-Signature-256", "sha256="+hex.EncodeToString(mac.Sum(nil)))
	if code, _ := d.answer(r); code != 401 {
		t.Error(code)
	}
}

// The vector is from "Validating webhook deliveries" in GitHub's documentation.
func TestGitHubsOwnVector(t *testing.T) {
	const signature = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
	h := &webhook{WebhookConfig: WebhookConfig{Secret: []byte(secret)}}
	if !h.signed([]string{signature}, []byte("Hello, World!")) {
		t.Error("GitHub's own signature is refused")
	}
	if h.signed([]string{signature}, []byte("Hello, World.")) {
		t.Error("a signature of other bytes is accepted")
	}
}

func TestABugMeetsOneDeliveryOnly(t *testing.T) {
	d := newReceiver(func(c *WebhookConfig) {
		c.Once = func(context.Context, string, Hint) (bool, error) { panic("canary " + secret) }
	})
	code, text := d.answer(delivery("push", "id-1", `{"ref": "refs/heads/a", `+from+`}`))
	if code != 500 || strings.Contains(text+d.log.String(), "canary") {
		t.Error(code, text)
	}
}

func FuzzWebhook(f *testing.F) {
	f.Add("push", []byte(`{"ref": "refs/heads/incident/a", `+from+`}`))
	f.Add("issue_comment", []byte(`{"issue": {"number": 7, "pull_request": {}}, `+from+`}`))
	f.Add("check_run", []byte(`{"check_run": {"check_suite": {"head_branch": null}, "pull_requests": [null]}, `+from+`}`))
	f.Fuzz(func(t *testing.T, event string, body []byte) {
		d := newReceiver(nil)
		r := delivery("x", "id-1", string(body))
		r.Header["X-Github-Event"] = []string{event}
		code, _ := d.answer(r)
		if code != 202 && code != 400 {
			t.Fatalf("answered %d", code)
		}
		for _, hint := range d.hints {
			if hint.Branch != "" && !branchName(hint.Branch) || hint.Pull < 0 || hint.Again != "" && !plain(hint.Again) || hint.Branch == "" && hint.Pull == 0 && hint.Again == "" {
				t.Fatalf("let %+v in", hint)
			}
			if !strings.Contains(strings.ToLower(string(body)), "full_name") {
				t.Fatalf("let a delivery in that names no repository")
			}
		}
	})
}

// Senders that nobody knows, and that send nothing, take the places of nobody.
func TestSlowStrangersDoNotBlockADelivery(t *testing.T) {
	d := newReceiver(nil)
	d.handler.(*webhook).door = door.New(2, time.Hour, 0)
	server := httptest.NewServer(d.handler)
	t.Cleanup(server.Close)
	const body = `{"ref": "refs/heads/incident/a", ` + from + `}`
	turnedAway := make(chan struct{}, 4)
	for range 4 {
		conn, err := net.Dial("tcp", server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		fmt.Fprintf(conn, "POST /hub HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n{")
		go func() {
			if _, err := conn.Read(make([]byte, 1)); err == nil {
				turnedAway <- struct{}{}
			}
		}()
	}
	for range 2 { // all four have come, since two of them have lost their places to the others
		<-turnedAway
	}
	r := delivery("push", "id-1", body)
	r.URL, r.RequestURI, r.Host = &url.URL{Scheme: "http", Host: server.Listener.Addr().String(), Path: "/hub"}, "", ""
	answer, err := server.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusAccepted || len(d.hints) != 1 {
		t.Errorf("the hub's delivery was answered %d", answer.StatusCode)
	}
}
