package cueval

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pullbook/pullbook/engine/runbook"
	"github.com/pullbook/pullbook/runbooks"
)

// inChild makes an evaluator whose child is this test binary.
func inChild(t testing.TB, c Config) *Evaluator {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c.Child = []string{exe, "eval-child"}
	if c.Wall == 0 {
		c.Wall = 30 * time.Second // the machine may be busy; tests of the deadline set their own
	}
	return New(c)
}

const checkoutAlert = `{"name": "CheckoutErrors", "source": "alertmanager", "status": "firing", "fingerprint": "f", "group": "g",
	"labels": {"service": "checkout"}, "annotations": {"base_url": "http://127.0.0.1:1"}}`

func checkoutQuery() runbook.Query {
	src := runbook.Source{Runbook: "runbooks/checkout.cue", Files: runbooks.Files()}
	return runbook.Query{Source: src, Alert: json.RawMessage(checkoutAlert), Ended: map[string]runbook.Ended{
		"errors":  {Conclusion: runbook.Succeeded, Output: json.RawMessage(`{"error_rate": 0.5, "requests": 3}`)},
		"version": {Conclusion: runbook.Succeeded, Output: json.RawMessage(`{"current": "v2", "previous": "v1"}`)},
	}}
}

// TestChild asks every question through a child.
func TestChild(t *testing.T) {
	e, ctx := inChild(t, Config{}), t.Context()
	q := checkoutQuery()
	plan, ps, err := e.Load(ctx, q.Source)
	if err != nil || len(ps) > 0 || len(plan.Steps) != 5 {
		t.Fatalf("load: %v, %v, %d steps", err, ps, len(plan.Steps))
	}
	plan, err = e.Resolve(ctx, q)
	if err != nil {
		t.Fatal(err)
	}
	s, _ := plan.Step("rollback")
	if s.Now.Status != runbook.StatusReady || !strings.Contains(string(s.Now.Work.Run), `"body":{"to":"v1"}`) {
		t.Errorf("rollback is %+v", s.Now)
	}
	ok, err := e.Until(ctx, q, "recovered", json.RawMessage(`{"status": 200, "headers": {}, "body": {"error_rate": 0}}`))
	if err != nil || !ok {
		t.Errorf("until: %v, %v", ok, err)
	}
	out, err := e.Output(ctx, q, "errors", json.RawMessage(`{"error_rate": 1, "requests": 3, "more": 1}`))
	if err != nil || string(out) != `{"error_rate":1,"requests":3}` {
		t.Errorf("output: %s, %v", out, err)
	}
	r, err := e.Route(ctx, q.Source.Files, q.Alert)
	if err != nil || r.Runbook != "runbooks/checkout.cue" || len(r.Problems) > 0 {
		t.Errorf("route: %+v, %v", r, err)
	}
}

// TestChildEnvironment shows that nothing of our environment reaches the child: this variable would make CUE panic.
func TestChildEnvironment(t *testing.T) {
	t.Setenv("CUE_EXPERIMENT", "nosuchexperiment")
	if _, ps, err := inChild(t, Config{}).Load(t.Context(), checkoutQuery().Source); err != nil || len(ps) > 0 {
		t.Errorf("load: %v, %v", ps, err)
	}
}

// TestChildRequest gives the child what is no request.
func TestChildRequest(t *testing.T) {
	for _, in := range []string{"", "{", `{"op": 1}`} {
		if code := Child(strings.NewReader(in), io.Discard); code != exitRequest {
			t.Errorf("%q ends with %d", in, code)
		}
	}
	var out strings.Builder
	if code := Child(strings.NewReader(`{"op": "dance"}`), &out); code != exitDone || !strings.Contains(out.String(), "dance") {
		t.Errorf("an unknown operation ends with %d: %s", code, out.String())
	}
}

// TestChildErrors shows that the types of errors survive the way from the child.
func TestChildErrors(t *testing.T) {
	e, ctx := inChild(t, Config{}), t.Context()
	q := checkoutQuery()
	var wrong *OutputError
	if _, err := e.Output(ctx, q, "errors", json.RawMessage(`{"error_rate": "x"}`)); !errors.As(err, &wrong) || wrong.Step != "errors" {
		t.Errorf("a wrong output gives %v", err)
	}
	if _, err := e.Until(ctx, q, "recovered", json.RawMessage(`{"status": "x"}`)); !errors.As(err, &wrong) {
		t.Errorf("a wrong answer gives %v", err)
	}
	q.Source.Files["runbooks/checkout.cue"] = []byte("title: 1\n")
	var source *SourceError
	if _, err := e.Resolve(ctx, q); !errors.As(err, &source) || len(source.Problems) == 0 {
		t.Errorf("a wrong runbook gives %v", err)
	}
	if _, _, err := New(Config{}).Load(ctx, q.Source); err == nil {
		t.Error("an evaluator without a command loads")
	}
	if _, _, err := New(Config{Child: []string{"/nowhere"}}).Load(ctx, q.Source); err == nil {
		t.Error("an evaluator without a program loads")
	}
	gone, cancel := context.WithCancel(ctx)
	cancel()
	if _, _, err := e.Load(gone, q.Source); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled load gives %v", err)
	}
	big := runbook.Source{Runbook: "runbooks/a.cue", Files: map[string][]byte{"runbooks/a.cue": make([]byte, maxRequest)}}
	if _, _, err := e.Load(ctx, big); err == nil {
		t.Error("a request without bounds is sent")
	}
}

// bombs are small files that take CUE for ever, or all memory, by name. Those that CUE refuses by itself are wrong runbooks.
func bombs(t *testing.T) map[string]string {
	t.Helper()
	files, err := filepath.Glob("testdata/hostile/*.cue")
	if err != nil || len(files) < 20 {
		t.Fatalf("%d hostile files: %v", len(files), err)
	}
	out := map[string]string{}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		out[strings.TrimSuffix(filepath.Base(name), ".cue")] = string(text)
	}
	return out
}

// TestRouteWithBomb routes although one of the runbooks cannot be evaluated.
func TestRouteWithBomb(t *testing.T) {
	files := runbooks.Files()
	files["runbooks/bomb.cue"] = []byte(bombs(t)["doubling"] + "match: name: \"CheckoutErrors\"\n")
	r, err := inChild(t, Config{}).Route(t.Context(), files, json.RawMessage(checkoutAlert))
	if err != nil || r.Runbook != "runbooks/checkout.cue" {
		t.Fatalf("route: %+v, %v", r, err)
	}
	if len(r.Problems) != 1 || r.Problems[0].File != "runbooks/bomb.cue" {
		t.Errorf("problems: %v", r.Problems)
	}
}
