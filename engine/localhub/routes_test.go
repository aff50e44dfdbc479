package localhub_test

import (
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pullbook/pullbook/engine/localhub"
	"github.com/pullbook/pullbook/engine/localhub/openapitest"
	"github.com/pullbook/pullbook/engine/localhub/rest"
)

// step is one request of the walk. Names that begin with $ in path and body stand for what earlier answers held; save
// keeps a field of this one's ("name=path.to.field", where a number is an index).
type step struct {
	as, method, path, body string
	status                 int
	save                   string
}

// walk makes requests in order and remembers what they answered.
type walk struct {
	*world
	tokens map[string]string
	saved  map[string]string
}

func (k *walk) expand(text string) string {
	for _, name := range slices.SortedFunc(maps.Keys(k.saved), func(a, b string) int { return len(b) - len(a) }) {
		text = strings.ReplaceAll(text, "$"+name, k.saved[name])
	}
	return text
}

func (k *walk) do(s step) {
	t := k.t
	t.Helper()
	path := k.expand(strings.Replace(s.path, "~", "/repos/acme/ops", 1))
	req, err := http.NewRequestWithContext(t.Context(), s.method, k.url+"/api/v3"+path, strings.NewReader(k.expand(s.body)))
	if err != nil {
		t.Fatal(err)
	}
	if token := k.tokens[s.as]; token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	if s.body == "" {
		req.Body = nil
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != s.status {
		t.Errorf("%s %s as %s: want %d, got %d %.300s %v", s.method, path, s.as, s.status, resp.StatusCode, raw, err)
		return
	}
	k.keep(s.save, raw)
}

func (k *walk) keep(save string, raw []byte) {
	for _, one := range strings.Fields(save) {
		name, path, _ := strings.Cut(one, "=")
		var v any
		if err := json.Unmarshal(raw, &v); err != nil {
			k.t.Errorf("%s: %v", save, err)
			return
		}
		for part := range strings.SplitSeq(path, ".") {
			switch x := v.(type) {
			case map[string]any:
				v = x[part]
			case []any:
				v = x[int(part[0]-'0')]
			}
		}
		text, err := json.Marshal(v)
		if err != nil {
			k.t.Fatal(err)
		}
		k.saved[name] = strings.Trim(string(text), `"`)
	}
}

func newWalk(t *testing.T) *walk {
	w, now := hearingWorld(t), time.Now().Unix()
	k := &walk{world: w, saved: map[string]string{}, tokens: map[string]string{
		"alice": "alice-token", "bob": "bob-token", "carol": "carol-token", "jwt": signed(t, theKey(), "RS256", map[string]any{"iat": now - 30, "exp": now + 300, "iss": appID}),
	}}
	k.do(step{"jwt", "POST", "/app/installations/700/access_tokens", `{}`, 201, "app=token"})
	k.tokens["app"] = k.saved["app"]
	k.saved["head"] = w.commit(w.clone(), "incident/1", "one.txt", "1\n2\n")
	k.seedWork()
	return k
}

// hearingWorld sends all that happens to a receiver that holds it against GitHub's description.
func hearingWorld(t *testing.T) *world {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("git is not installed")
	}
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		openapitest.Webhook(t, r.Header, body)
	}))
	t.Cleanup(srv.Close)
	s := seed(srv.URL)
	s.Apps[0].Events = append(s.Apps[0].Events, "issues", "pull_request_review_comment", "deployment", "deployment_status", "workflow_run",
		"code_scanning_alert", "secret_scanning_alert")
	w := openWith(t, localhub.Config{Dir: t.TempDir(), Seed: s})
	t.Cleanup(func() { // before the hub is closed: see that all was sent
		for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) {
			if left, err := w.hub.Store().Unsent(); err != nil || len(left) == 0 || time.Now().After(deadline) {
				if err != nil || len(left) > 0 {
					t.Errorf("%d events were not sent: %v", len(left), err)
				}
				return
			}
		}
	})
	return w
}

// seedWork plays what the hub cannot do: workflows, their runs' outcomes, alerts, a manifest.
func (k *walk) seedWork() {
	by := localhub.By{Login: "alice", Base: k.url}
	must := func(err error) {
		k.t.Helper()
		if err != nil {
			k.t.Fatal(err)
		}
	}
	_, err := k.hub.AddWorkflow("acme/ops", localhub.Workflow{Name: "Deploy", Path: ".github/workflows/deploy.yml"})
	must(err)
	_, err = k.hub.AddCodeAlert("acme/ops", by, localhub.CodeAlert{
		Rule: "go/sql-injection", Severity: "error", Security: "high", Description: "SQL", Tool: "CodeQL", Ref: "refs/heads/main", SHA: k.saved["head"], Path: "a.go", Line: 3,
	})
	must(err)
	_, err = k.hub.AddSecretAlert("acme/ops", by, localhub.SecretAlert{Type: "some_token", TypeName: "Some token", Secret: "made-up"})
	must(err)
	k.saved["code"], err = k.hub.OfferManifest("acme", "helper", localhub.Manifest{Name: "Helper", URL: "http://example.org", Permissions: map[string]string{"checks": "write"}})
	must(err)
}

// TestEveryRoute walks through all endpoints in one world; whatever it meets is held against GitHub's description.
func TestEveryRoute(t *testing.T) {
	k := newWalk(t)
	for _, part := range [][]step{hubSteps(), gitSteps(), issueSteps(), pullSteps(), checkSteps(), ruleSteps(), deploySteps(), appSteps()} {
		for _, s := range part {
			k.do(s)
		}
	}
	k.finishRun()
	for _, s := range endSteps() {
		k.do(s)
	}
	k.calls.mu.Lock()
	defer k.calls.mu.Unlock()
	for _, r := range rest.Routes() {
		if !slices.Contains(k.calls.list, r.Method+" "+r.Path) {
			t.Errorf("no step calls %s %s", r.Method, r.Path)
		}
	}
}
