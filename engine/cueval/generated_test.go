package cueval

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/pullbook/pullbook/engine/runbook"
)

// writer writes runbooks in which steps refer to each other in every way that comes to mind.
type writer struct {
	*rand.Rand
	b       strings.Builder
	records []string // steps so far that put out {n, text, list}
}

func (w *writer) oneOf(from ...string) string { return from[w.IntN(len(from))] }

func (w *writer) line(format string, args ...any) { fmt.Fprintf(&w.b, format+"\n", args...) }

// text is an expression that is a text.
func (w *writer) text() string {
	if len(w.records) == 0 || w.IntN(4) == 0 {
		return w.oneOf(`"plain"`, `alert.labels.service`, `_base`, `_helped.word`, `"on \(alert.name)"`)
	}
	from := w.oneOf(w.records...)
	return w.oneOf(from+".output.text", fmt.Sprintf(`"v-\(%s.output.n)"`, from), fmt.Sprintf(`"\(steps.%s.output.text)-\(_base)"`, from),
		from+".title", from+".timeout", fmt.Sprintf(`"\(len([for x in %s.output.list {x.name}]))"`, from), "_late")
}

func (w *writer) step(i int) {
	name := fmt.Sprintf("s%d", i)
	w.line("\t%s: {", name)
	defer w.line("\t}")
	w.line("\t\ttitle: %s", w.oneOf(`"A title"`, w.text(), w.text()))
	w.line("\t\ttimeout: %q", w.oneOf("1m", "3m"))
	if w.IntN(4) == 0 {
		w.line("\t\tdoc: %s", w.text())
	}
	if w.IntN(4) == 0 {
		w.line("\t\tlet word = %s", w.text())
		w.line("\t\twhy: word")
	}
	if len(w.records) > 0 && w.IntN(3) == 0 {
		w.line("\t\twhen: %s.output.n %s %d", w.oneOf(w.records...), w.oneOf("<", ">"), w.IntN(20))
	}
	if len(w.records) > 0 && w.IntN(6) == 0 {
		w.line("\t\tneeds: [%q]\n\t\tjoin: \"any\"", w.oneOf(w.records...))
	}
	if w.IntN(3) == 0 {
		w.line("\t\treversible: true\n\t\tundo: {title: %s, reversible: true, exec: {command: [\"./undo\"], env: A: %s.output.text}}", w.oneOf(`"Undo it"`, w.text()), name)
	}
	if w.IntN(6) == 0 {
		w.line("\t\t_templated")
	} else if w.IntN(5) == 0 && len(w.records) > 0 {
		w.line("\t\teach: %s.output.list\n\t\tkey: item.name", w.oneOf(w.records...))
		w.line("\t\texec: {command: [\"./each\", item.name], env: {A: item.name, B: %s}}", w.text())
		w.line("\t\toutput: [string]: {text: string}")
		return
	} else {
		w.line("\t\texec: {command: [\"./x\"], env: {A: %s, B: %s}}", w.text(), w.text())
	}
	w.line("\t\toutput: {n: int, text: string, list: [...{name: string}]%s}", w.oneOf("", ", called: title"))
	w.records = append(w.records, name)
}

// runbook writes one of n steps, under rules or not.
func (w *writer) runbook(n int, rules bool) runbook.Source {
	w.line("title: \"t \\(alert.name)\"\nalert: _\n_base: \"http://x\"\n_helped: word: _base\n_templated: {idempotent: true, exec: {command: [\"./t\"], env: A: \"t\"}}")
	w.line("let late = steps.s0.output.text\n_late: late\nsteps: {")
	for i := range n {
		w.step(i)
	}
	w.line("}\nfinally: end: {title: %s, manual: task: %s}", strings.ReplaceAll(w.oneOf(`"End"`, `"End of \(steps.s0.output.n)"`), "\n", ""), `"look at \(steps.s0.status)"`)
	src := runbook.Source{Runbook: "runbooks/x.cue", Files: map[string][]byte{"runbooks/x.cue": []byte(w.b.String())}}
	if rules {
		src.Files[organisationFile] = []byte("defaults: timeout: \"7m\"\npolicy: steps: [_]: {\n\trisk: string\n\treversible: bool\n\tidempotent?: bool\n\texec?: _\n\tundo?: _\n" +
			"\tif risk == \"change\" if exec != _|_ if undo == _|_ if !reversible {timeout?: =~\"m$\"}\n\tif idempotent != _|_ {timeout?: !=\"9m\"}\n\t...\n}\n")
	}
	return src
}

// ended lets some steps have ended in some way, as far as the plan's order allows.
func (w *writer) ended(plan runbook.Plan) map[string]runbook.Ended {
	out := map[string]runbook.Ended{}
	for _, s := range plan.Steps {
		free := true
		for _, need := range s.Needs {
			_, ok := out[need]
			free = free && ok
		}
		if !free || w.IntN(5) == 0 {
			continue
		}
		e := runbook.Ended{Conclusion: runbook.Conclusion(w.oneOf(string(runbook.Succeeded), string(runbook.Succeeded), string(runbook.Succeeded), string(runbook.Failed), string(runbook.Cancelled)))}
		if w.IntN(8) == 0 {
			e = runbook.Ended{Skipped: true}
		}
		if e.Conclusion == runbook.Succeeded && s.HasOutput {
			e.Output = fmt.Appendf(nil, `{"n": %d, "text": "v%d", "list": [{"name": "a"}, {"name": "b%d"}]}`, w.IntN(20), w.IntN(3), w.IntN(3))
			if s.Each {
				e.Output = []byte(`{"a": {"text": "x"}}`)
			}
		}
		out[s.Name] = e
	}
	return out
}

// TestPartsAreTheWhole resolves generated runbooks step by step, some steps at a time, and as a whole: what a step is must
// not depend on that.
func TestPartsAreTheWhole(t *testing.T) {
	right, divided := 0, 0
	seen := map[runbook.Status]int{}
	for seed := range uint64(max(4, 16/fewer)) {
		w := &writer{Rand: rand.New(rand.NewPCG(seed, 1))}
		src := w.runbook(3+w.IntN(7), seed%2 == 1)
		_, known, ps := load(src)
		if len(ps) > 0 {
			t.Logf("seed %d: %v", seed, ps)
			continue
		}
		right++
		for range 2 {
			q := runbook.Query{Source: src, Alert: []byte(checkoutAlert), Ended: w.ended(known)}
			plan, err := everyWay(q)
			if err != nil {
				t.Fatalf("seed %d, ended %v: %v\n%s", seed, q.Ended, err, w.b.String())
			}
			for _, s := range plan.Steps {
				seen[s.Now.Status]++
			}
		}
		if d, _, err := planned(src, &known); err == nil && !d.parts.whole {
			divided++
		}
	}
	t.Logf("%d runbooks, %d of them divided: %v", right, divided, seen)
	if instrumented {
		return // its few runbooks need not be of every kind
	}
	if right < 10 || divided < 10 || seen[runbook.StatusReady] < 20 || seen[runbook.StatusBroken] < 5 || seen[runbook.StatusSkip] < 5 {
		t.Error("the runbooks test hardly anything")
	}
}
