package scenario

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/pullbook/pullbook/engine/cueval"
	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/runbook"
)

var update = flag.Bool("update", false, "rewrite the tests in testdata/*.txtar")

// TestMain lets the test binary be the evaluator's child: it is started once more with this argument.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "eval-child" {
		os.Exit(cueval.Child(os.Stdin, os.Stdout))
	}
	os.Exit(m.Run())
}

func eval(t testing.TB) Eval {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return Remember(cueval.New(cueval.Config{Child: []string{exe, "eval-child"}, Wall: time.Minute}))
}

// TestStories plays the ledgers of testdata: each archive holds runbooks, a pullbook.cue and one file of tests, and what is
// wrong with cases that cannot be played in the file wrong.
func TestStories(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no stories: %v", err)
	}
	e := eval(t)
	for _, name := range files {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			got := txtar.Format(playArchive(t, e, txtar.Parse(text)))
			if *update {
				if err := os.WriteFile(name, got, 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if d := cmp.Diff(string(text), string(got)); d != "" {
				t.Errorf("-want +got:\n%s", d)
			}
		})
	}
}

func playArchive(t *testing.T, e Eval, a *txtar.Archive) *txtar.Archive {
	t.Helper()
	ledger, tests := map[string][]byte{}, txtar.File{}
	out := &txtar.Archive{Comment: a.Comment}
	for _, f := range a.Files {
		switch {
		case strings.HasSuffix(f.Name, ".cue"):
			ledger[f.Name] = f.Data
		case strings.HasSuffix(f.Name, ".test"):
			tests = f
			continue
		default:
			continue
		}
		out.Files = append(out.Files, f)
	}
	file, err := Parse(tests.Name, tests.Data)
	if err != nil {
		t.Fatal(err)
	}
	c := Config{Eval: e, Source: runbook.SourceOf(ledger, strings.TrimSuffix(tests.Name, ".test")+".cue"), Alert: alertOf}
	var problems []runbook.Problem
	if c.Plan, problems, err = e.Load(t.Context(), c.Source); err != nil || len(problems) > 0 {
		t.Fatalf("%v, %v", problems, err)
	}
	var went []Case
	var wrong strings.Builder
	for _, of := range file.Cases {
		once, err := file.Run(t.Context(), c, of)
		again, _ := file.Run(t.Context(), c, once)
		if err == nil && again.Text() != once.Text() {
			t.Errorf("%s: what it was rewritten to does not pass:\n%s", of.Name, cmp.Diff(once.Text(), again.Text()))
		}
		if err != nil {
			fmt.Fprintln(&wrong, err)
		}
		went = append(went, once)
	}
	out.Files = append(out.Files, txtar.File{Name: tests.Name, Data: file.With(went)})
	if wrong.Len() > 0 {
		out.Files = append(out.Files, txtar.File{Name: "wrong", Data: []byte(wrong.String())})
	}
	return out
}

func alertOf(text []byte) (incident.Alert, error) {
	if len(text) == 0 {
		return incident.Alert{}, fmt.Errorf("an alert holds something")
	}
	a := incident.Alert{Source: "generic", Status: incident.Firing, Group: "g", Labels: map[string]string{}, Annotations: map[string]string{}}
	return a, json.Unmarshal(text, &a)
}

// TestParse shows what is refused, with its line, and that what is read can be written back.
func TestParse(t *testing.T) {
	for text, want := range map[string]string{
		"alert {}\n":                      "x.test: holds no case",
		"> engine: x\ncase a\n":           "x.test:1: something is expected before the first case",
		"case a\nalert\ncase a\n":         "x.test:3: there is a case of this name on line 1",
		"case a\n\n  {\"x\": 1}\nalert\n": "x.test:3: begins with a space and continues no statement",
	} {
		if _, err := Parse("x.test", []byte(text)); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
	text := []byte("# why\nalert {\n\t\"name\": \"a\"}\n\ncase one\n# more\nalert\nx succeeds\n> engine: y\n>\n\n# end\ncase two\nalert\n")
	f, err := Parse("x.test", text)
	if err != nil {
		t.Fatal(err)
	}
	if got := f.With(f.Cases); !bytes.Equal(got, text) {
		t.Errorf("written back: %s", cmp.Diff(string(text), string(got)))
	}
}
