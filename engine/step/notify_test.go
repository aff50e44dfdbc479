package step

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/pullbook/pullbook/engine/runbook"
)

// hook is a webhook that remembers what it was sent.
type hook struct {
	mu   sync.Mutex
	sent []posted
	url  string
}

type posted struct {
	key, authorization, path         string
	Title, Text, Incident, Step, Key string
	method, kind                     string
}

func newHook(t *testing.T) *hook {
	h := &hook{}
	h.url = serve(t, func(w http.ResponseWriter, q *http.Request) {
		body, err := io.ReadAll(q.Body)
		p := posted{key: q.Header.Get("Idempotency-Key"), authorization: q.Header.Get("Authorization"), path: q.URL.Path,
			method: q.Method, kind: q.Header.Get("Content-Type")}
		if err != nil || json.Unmarshal(body, &p) != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		switch q.URL.Path {
		case "/refuses":
			w.WriteHeader(http.StatusForbidden)
			_, _ = io.WriteString(w, "channel\nis archived")
			return
		case "/moved":
			http.Redirect(w, q, "/", http.StatusFound)
			return
		case "/dies":
			panic(http.ErrAbortHandler)
		}
		h.mu.Lock()
		defer h.mu.Unlock()
		h.sent = append(h.sent, p)
	})
	return h
}

func TestNotifyWebhook(t *testing.T) {
	h := newHook(t)
	r := newRunner(t, map[string]string{"HOOK_PATH": "T0123/B4567/s3cr3t", "HOOK_TOKEN": "token-of-the-hook"})
	j := job("notify", map[string]any{"channel": map[string]any{"name": "oncall", "webhook": map[string]any{"url": h.url + "/$HOOK_PATH",
		"headers": map[string]string{"Authorization": "Bearer $HOOK_TOKEN"}, "secrets": []string{"HOOK_PATH", "HOOK_TOKEN"}}},
		"text": "The <checkout> fails\r\n\x1b[2Jand fails"})
	j.HasOutput = true
	got := r.Run(t.Context(), j, nil)
	expect(t, got, runbook.Succeeded, "")
	if len(h.sent) != 1 {
		t.Fatalf("sent %+v", h.sent)
	}
	p := h.sent[0]
	if p.method != "POST" || p.kind != "application/json" || p.path != "/T0123/B4567/s3cr3t" || p.authorization != "Bearer token-of-the-hook" ||
		p.key != j.Key || p.Key != j.Key || p.Incident != j.Incident || p.Step != "deploy" {
		t.Errorf("sent %+v", p)
	}
	if p.Title != "Incident 20261122-k3jq5zabcd: deploy" || p.Text != "The ‹checkout› fails\nand fails" {
		t.Errorf("title %q, text %q", p.Title, p.Text)
	}
	if string(got.Output) != `{"sent":[{"channel":"oncall","answer":"200 OK"}]}` || got.Log != "oncall: 200 OK\n" || got.Facts["url"] != h.url+"/[redacted HOOK_PATH]" {
		t.Errorf("output %s, log %q, facts %v", got.Output, got.Log, got.Facts)
	}
}

// TestNoticesMentionNobody sends what chats would read as mentions, and as links that hide where they lead.
func TestNoticesMentionNobody(t *testing.T) {
	h := newHook(t)
	r := newRunner(t, nil)
	foreign := "<!channel> <@U012AB> <!subteam^S1> <https://evil.example|status page> @here a@b [x](https://evil.example) [x][1]\n[1]: https://evil.example <at>all</at> &lt;!here&gt;"
	expect(t, r.Run(t.Context(), job("notify", map[string]any{"webhook": map[string]any{"url": h.url}, "title": "<!here> @all", "text": foreign}), nil), runbook.Succeeded, "")
	if len(h.sent) != 1 {
		t.Fatalf("sent %+v", h.sent)
	}
	got := h.sent[0].Title + "\n" + h.sent[0].Text
	for _, part := range []string{"<", ">", "@h", "@a", "@b", "@U", "](", "][", "]:"} {
		if strings.Contains(got, part) {
			t.Errorf("%q is sent in %q", part, got)
		}
	}
	if !strings.Contains(got, "‹!channel› ‹@\u200bU012AB›") || !strings.Contains(got, "https://evil.example|status page") {
		t.Errorf("sent %q", got)
	}
}

// TestNoticesEmphasiseNothing sends what chats would read as emphasis, and what only looks like it.
func TestNoticesEmphasiseNothing(t *testing.T) {
	for text, want := range map[string]string{
		"*bold* **bold** a*b":            "∗bold∗ ∗∗bold∗∗ a∗b",
		"_italic_ __under__ (_x_)":       "ˍitalicˍ ˍˍunderˍˍ (ˍxˍ)",
		"db_main_1 of web_2":             "db_main_1 of web_2",
		"~struck~ ~~struck~~ a~b":        "∼struck∼ ∼∼struck∼∼ a~b",
		"`code` ```\nblock\n```":         "ˋcodeˋ ˋˋˋ\nblock\nˋˋˋ",
		"||hidden|| a|b |||":             "|\u200b|\u200bhidden|\u200b|\u200b a|b |\u200b|\u200b|",
		"# big\n  ## less\nissue #7":     "\u200b# big\n  \u200b## less\nissue #7",
		"Resolved\n===\nalso\n--- \n- x": "Resolved\n\u200b===\nalso\n\u200b--- \n- x",
		"https://host/a_b?x=1&y=-2":      "https://host/a_b?x=1&y=-2",
		"_":                              "ˍ",
		"é_é _é":                         "é_é ˍé",
		"\xff_":                          "\ufffdˍ",
	} {
		if got := defused(text); got != want {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
	}
}

func TestNotifyRefused(t *testing.T) {
	h := newHook(t)
	r := newRunner(t, nil)
	to := func(url string) Job {
		return job("notify", map[string]any{"text": "x", "webhook": map[string]any{"url": url}})
	}
	expect(t, r.Run(t.Context(), to(h.url+"/refuses"), nil), runbook.Failed, "tell the webhook: "+h.url+"/refuses answered 403 Forbidden: channel is archived")
	expect(t, r.Run(t.Context(), to(h.url+"/moved"), nil), runbook.Failed, "302")
	expect(t, r.Run(t.Context(), to(h.url+"/dies"), nil), runbook.Unknown, "whether it took effect is unknown")
	expect(t, r.Run(t.Context(), to("http://127.0.0.1:1/"), nil), runbook.Failed, "connection refused")
	expect(t, r.Run(t.Context(), to("$NOT_LISTED"), nil), runbook.Failed, "not among the step's secrets")
	expect(t, r.Run(t.Context(), job("notify", map[string]any{"text": "x"}), nil), runbook.Failed, "neither a webhook nor an e-mail")
	r.cfg.PrivateNetworks = false
	expect(t, r.Run(t.Context(), to(h.url), nil), runbook.Failed, "private and loopback addresses")
}

func TestUpdateTellsItsAudience(t *testing.T) {
	h := newHook(t)
	m := mailServer(t, "plain")
	r := newRunner(t, nil)
	web := map[string]any{"name": "status", "webhook": map[string]any{"url": h.url}}
	mail := map[string]any{"name": "board", "email": map[string]any{"smtp": "localhost:" + m.port, "tls": "none", "from": "a@example.org", "to": []string{"b@example.org"}}}
	j := job("update", map[string]any{"audience": []any{web, mail}, "title": "Checkout", "text": "We are on it.", "every": "30m"})
	expect(t, r.Run(t.Context(), j, nil), runbook.Succeeded, "")
	_, headers, _ := m.next(t)
	if len(h.sent) != 1 || h.sent[0].key != j.Key+"/status" || h.sent[0].Text != "We are on it." || headers.Get("X-Pullbook-Key") != j.Key+"/board" {
		t.Errorf("sent %+v and %v", h.sent, headers)
	}
	// One channel that fails keeps nobody else from being told.
	broken := map[string]any{"name": "old", "webhook": map[string]any{"url": h.url + "/refuses"}}
	set(&j, "audience", []any{broken, web})
	got := r.Run(t.Context(), j, nil)
	expect(t, got, runbook.Failed, "tell old: ")
	if len(h.sent) != 2 || !strings.Contains(got.Log, "status: 200 OK") {
		t.Errorf("sent %+v, log %q", h.sent, got.Log)
	}
	set(&j, "audience", web)
	expect(t, r.Run(t.Context(), j, nil), runbook.Succeeded, "")
	if len(h.sent) != 3 || h.sent[2].key != j.Key {
		t.Errorf("sent %+v", h.sent)
	}
	set(&j, "audience", "status")
	expect(t, r.Run(t.Context(), j, nil), runbook.Failed, "read the work of kind update")
}
