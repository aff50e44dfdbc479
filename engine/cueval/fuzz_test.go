package cueval

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pullbook/pullbook/engine/runbook"
)

// FuzzSyntax gives any text to what walks the syntax tree: nothing may panic, and every problem has the file's name.
// Nothing is evaluated here, since CUE may take for ever: that is the child's matter.
func FuzzSyntax(f *testing.F) {
	files, err := filepath.Glob("testdata/mistakes/*.txt")
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			if !strings.HasPrefix(line, "\t") {
				f.Add(fmt.Sprintf(around, line))
			}
		}
	}
	kinds := schemaKinds()
	f.Fuzz(func(t *testing.T, text string) {
		lib := newLibrary(runbook.Source{Files: map[string][]byte{"x.cue": []byte(text)}})
		p, ps := lib.runbook("x.cue")
		for _, p := range ps {
			if p.File != "x.cue" || p.Text == "" {
				t.Errorf("problem %+v", p)
			}
		}
		if p == nil {
			if len(ps) == 0 {
				t.Error("there is neither a tree nor a problem")
			}
			return
		}
		file := p.view
		g := readGraph(file)
		for _, e := range append(g.edges, g.alert...) {
			if e.from == "" || e.to == "" || !e.pos.IsValid() {
				t.Errorf("edge %+v", e)
			}
			pathAt(file, e.pos)
		}
		shape(p, lib, kinds)
		closeTypes(file, kinds)
	})
}

// TestReadLimit refuses a file without bounds before anything looks at it.
func TestReadLimit(t *testing.T) {
	big := []byte("title: \"" + strings.Repeat("x", maxFile) + "\"\nsteps: a: manual: task: \"x\"\n")
	ps := Vet(runbook.Source{Runbook: "r.cue", Files: map[string][]byte{"r.cue": big}})
	if len(ps) != 1 || !strings.Contains(ps[0].Text, "bytes") {
		t.Error(ps)
	}
	if ps := Vet(runbook.Source{Runbook: "r.cue"}); len(ps) != 1 {
		t.Error(ps)
	}
}

// TestAlertStrict refuses an alert that the schema does not know: the engine and the schema are out of step.
func TestAlertStrict(t *testing.T) {
	q := checkoutQuery()
	q.Ended = nil
	for _, alert := range []string{`{"name": "n", "new": 1}`, `{"name": 3}`, `[]`, `{`} {
		q.Alert = []byte(alert)
		if _, err := resolve(q, nil); err == nil {
			t.Errorf("the alert %s is taken", alert)
		}
	}
	q.Alert = []byte("null")
	plan, err := resolve(q, nil)
	if err != nil {
		t.Fatal(err)
	}
	if s, _ := plan.Step("errors"); s.Now.Status != runbook.StatusBroken {
		t.Errorf("without an alert the address is known: %+v", s.Now)
	}
}

// TestLargeAlert resolves and routes with the largest alert that intake lets through.
func TestLargeAlert(t *testing.T) {
	member := fmt.Sprintf(`{"status": "firing", "fingerprint": "f", "labels": {"x": %q}, "annotations": {}}`, strings.Repeat("x", 4096))
	members := strings.TrimSuffix(strings.Repeat(member+",", 250), ",")
	q := checkoutQuery()
	q.Ended = nil
	q.Alert = []byte(strings.TrimSuffix(checkoutAlert, "}") + `, "alerts": [` + members + `], "cut": 3}`)
	plan, err := resolve(q, nil)
	if err != nil {
		t.Fatal(err)
	}
	if s, _ := plan.Step("errors"); s.Now.Status != runbook.StatusReady {
		t.Errorf("%+v", s.Now)
	}
	if r, err := route(q.Source.Files, q.Alert); err != nil || r.Runbook != "runbooks/checkout.cue" {
		t.Errorf("%+v, %v", r, err)
	}
}
