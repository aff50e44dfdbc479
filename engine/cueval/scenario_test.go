package cueval

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/pullbook/pullbook/engine/runbook"
)

var update = flag.Bool("update", false, "rewrite what testdata/*.txtar expect")

// TestMain lets the test binary be the child, and the process that loads a hostile file: it is started once more with these
// arguments.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "eval-child" {
		os.Exit(Child(os.Stdin, os.Stdout))
	}
	if len(os.Args) > 1 && os.Args[1] == "load-bomb" {
		os.Exit(loadBomb())
	}
	os.Exit(m.Run())
}

// TestScenarios runs testdata/*.txtar. Each file holds runbooks, and what is expected of them:
//
//	runbooks/x.cue, pullbook.cue, alert.json   the source, and inputs.json
//	problems                                   what vet says, one a line; absent when it says nothing
//	plan                                       the skeleton, one step a line
//	NAME.ended + NAME.now                      what has ended, as JSON, and what each step is then
//	NAME.query + NAME.answer                   until or output, a step and a value; and the answer
func TestScenarios(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scenarios: %v", err)
	}
	for _, name := range files {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			a := txtar.Parse(text)
			s := newScenario(a)
			s.run()
			got := txtar.Format(s.out)
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

// scenario computes the expected parts of an archive from the given ones.
type scenario struct {
	in    *txtar.Archive
	out   *txtar.Archive
	src   runbook.Source
	alert json.RawMessage
}

func newScenario(a *txtar.Archive) *scenario {
	s := &scenario{in: a, out: &txtar.Archive{Comment: a.Comment}, src: runbook.Source{Files: map[string][]byte{}}}
	for _, f := range a.Files {
		switch {
		case strings.HasSuffix(f.Name, ".cue"):
			if s.src.Runbook == "" && f.Name != organisationFile {
				s.src.Runbook = runbook.PathOf(f.Name)
			}
			if runbook.IsRunbook(f.Name) && runbook.PathOf(f.Name) != s.src.Runbook {
				if s.src.Others == nil {
					s.src.Others = map[string][]byte{}
				}
				s.src.Others[f.Name] = f.Data
				continue
			}
			s.src.Files[f.Name] = f.Data
		case f.Name == "alert.json":
			s.alert = f.Data
		case f.Name == "inputs.json":
			s.src.Inputs = f.Data
		}
	}
	return s
}

func (s *scenario) run() {
	_, plan, ps := load(s.src)
	for _, f := range s.in.Files {
		switch {
		case f.Name == "problems" || f.Name == "plan" || strings.HasSuffix(f.Name, ".now") || strings.HasSuffix(f.Name, ".answer"):
			continue // computed
		}
		s.out.Files = append(s.out.Files, f)
		name := strings.TrimSuffix(f.Name, filepath.Ext(f.Name))
		switch filepath.Ext(f.Name) {
		case ".ended":
			s.add(name+".now", s.now(f.Data))
		case ".query":
			s.add(name+".answer", s.ask(f.Data))
		}
	}
	if len(ps) > 0 {
		var b strings.Builder
		for _, p := range ps {
			fmt.Fprintln(&b, p)
		}
		s.add("problems", b.String())
	} else if slices.ContainsFunc(s.in.Files, func(f txtar.File) bool { return f.Name == "plan" }) {
		s.add("plan", planText(plan))
	}
}

func (s *scenario) add(name, text string) {
	s.out.Files = append(s.out.Files, txtar.File{Name: name, Data: []byte(text)})
}

func (s *scenario) query(ended []byte) (runbook.Query, error) {
	q := runbook.Query{Source: s.src, Alert: s.alert}
	if len(bytes.TrimSpace(ended)) == 0 {
		return q, nil
	}
	err := json.Unmarshal(ended, &q.Ended)
	return q, err
}

func (s *scenario) now(ended []byte) string {
	q, err := s.query(ended)
	if err != nil {
		return "error: " + err.Error() + "\n"
	}
	plan, err := everyWay(q)
	if err != nil {
		return "error: " + err.Error() + "\n"
	}
	var b strings.Builder
	for _, step := range plan.Steps {
		b.WriteString(line(step))
		for _, e := range step.Now.Elements {
			one := step.Element(e.Key)
			one.Title, one.Now = e.Title, e.Now
			b.WriteString("  " + line(one))
		}
	}
	return b.String()
}

// line is what a step is now.
func line(step runbook.Step) string {
	b := fmt.Sprintf("%s: %s", step.Name, step.Now.Status)
	switch {
	case step.Now.Status == runbook.StatusReady && step.Each:
		b += fmt.Sprintf(" %q for each of %d", step.Title, len(step.Now.Elements))
	case step.Now.Status == runbook.StatusReady:
		work, err := json.Marshal(byKind(step))
		if err != nil {
			return "error: " + err.Error() + "\n"
		}
		b += fmt.Sprintf(" %q %s", step.Title, work)
		if len(step.Now.Locks) > 0 {
			b += fmt.Sprintf(" locks=%v", step.Now.Locks)
		}
	}
	if step.Now.Problem != "" {
		b += ": " + step.Now.Problem
	}
	return b + "\n"
}

// ask answers lines such as "until recovered {...}" and "output logs {...}", with nothing ended.
func (s *scenario) ask(text []byte) string {
	var b strings.Builder
	q, err := s.query(nil)
	if err != nil {
		return "error: " + err.Error() + "\n"
	}
	for line := range strings.Lines(string(text)) {
		parts := strings.SplitN(strings.TrimSpace(line), " ", 3)
		if len(parts) != 3 {
			fmt.Fprintf(&b, "error: %q is no question\n", line)
			continue
		}
		out, err := s.answer(q, nil, parts)
		if _, known, ps := load(q.Source); len(ps) == 0 {
			if again, otherwise := s.answer(q, &known, parts); fmt.Sprint(again, otherwise) != fmt.Sprint(out, err) {
				fmt.Fprintln(&b, "with a known plan:", again, otherwise)
			}
		}
		var wrong *OutputError
		switch {
		case errors.As(err, &wrong):
			fmt.Fprintln(&b, "wrong:", wrong.Problem)
			if wrong.Wanted != "" {
				fmt.Fprintln(&b, "  wanted:", strings.Join(strings.Fields(wrong.Wanted), " "))
			}
		case err != nil:
			fmt.Fprintln(&b, "error:", err)
		default:
			fmt.Fprintln(&b, out)
		}
	}
	return b.String()
}

func (s *scenario) answer(q runbook.Query, known *runbook.Plan, parts []string) (any, error) {
	if parts[0] == "until" {
		return until(q, known, parts[1], json.RawMessage(parts[2]))
	}
	q.Words = parts[0] == "words"
	kept, err := output(q, known, parts[1], json.RawMessage(parts[2]))
	return string(kept), err
}

func planText(p runbook.Plan) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %q %s command=%v\n", p.Name, p.Title, p.Severity, p.Command)
	if len(p.Inputs) > 0 {
		fmt.Fprintf(&b, "inputs %s\n", p.Inputs)
	}
	for _, d := range p.Calendar.All() {
		fmt.Fprintf(&b, "%s: %s\n", d, d.Rule.String())
	}
	for _, w := range p.Calendar.Windows {
		fmt.Fprintf(&b, "window %v %s to %s\n", w.Days, w.From, w.To)
	}
	for _, s := range p.Steps {
		s.Lines = nil // TestLines holds them
		text, err := json.Marshal(s)
		if err != nil {
			return "error: " + err.Error() + "\n"
		}
		fmt.Fprintln(&b, string(text))
	}
	return b.String()
}

// byKind shows work as a gate page does: under the name of its kind.
func byKind(s runbook.Step) any {
	if s.Now.Work.Run == nil {
		return s.Now.Work
	}
	return map[runbook.Kind]json.RawMessage{s.Kind: s.Now.Work.Run}
}
