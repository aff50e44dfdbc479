package cueval

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/format"
	"cuelang.org/go/cue/parser"
	"cuelang.org/go/tools/flow"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/pullbook/pullbook/engine/runbook"
	"github.com/pullbook/pullbook/runbooks"
)

// TestFlow compares the graph with the one of CUE's own tools/flow: every edge that flow finds must be in ours. Ours has
// more, since flow does not look behind conditions that are not decided yet.
func TestFlow(t *testing.T) {
	for name, src := range goodRunbooks(t) {
		t.Run(name, func(t *testing.T) {
			d, plan, ps := load(src)
			if len(ps) > 0 {
				t.Fatal(ps)
			}
			edges := 0
			for _, task := range flowTasks(t, d.value) {
				step, ok := plan.Step(stepOf(task))
				if !ok {
					t.Fatalf("flow has a step %s", task.Path())
				}
				for _, dep := range task.Dependencies() {
					edges++
					if !slices.Contains(step.Needs, stepOf(dep)) {
						t.Errorf("flow knows that %s needs %s", step.Name, stepOf(dep))
					}
				}
			}
			t.Logf("%d edges of flow", edges)
		})
	}
}

// stepOf is the step of a task. The list of a template is a task beside it.
func stepOf(t *flow.Task) string {
	label := t.Path().Selectors()[1]
	if list, isList := strings.CutPrefix(label.String(), listPrefix); isList {
		return list
	}
	return label.Unquoted()
}

func flowTasks(t *testing.T, v cue.Value) []*flow.Task {
	t.Helper()
	steps := cue.ParsePath("steps")
	c := flow.New(&flow.Config{Root: steps, FindHiddenTasks: true}, v, func(v cue.Value) (flow.Runner, error) {
		if len(v.Path().Selectors()) != 2 {
			return nil, nil
		}
		return flow.RunnerFunc(func(*flow.Task) error { return nil }), nil
	})
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if err := c.Run(gone); err != nil && len(c.Tasks()) == 0 { // only so does flow say what is wrong with the graph
		t.Fatal(err)
	}
	return c.Tasks()
}

// goodRunbooks are the runbooks that come along and those of the scenarios that have no problems.
func goodRunbooks(t *testing.T) map[string]runbook.Source {
	t.Helper()
	out := map[string]runbook.Source{}
	for name, text := range runbooks.Files() {
		out[name] = runbook.Source{Runbook: name, Files: map[string][]byte{name: text}}
	}
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		a := txtar.Parse(text)
		if !slices.ContainsFunc(a.Files, func(f txtar.File) bool { return f.Name == "problems" }) {
			out[name] = newScenario(a).src
		}
	}
	if len(out) < 5 {
		t.Fatalf("only %d good runbooks", len(out))
	}
	return out
}

// TestShippedRunbooks vets what people copy.
func TestShippedRunbooks(t *testing.T) {
	for name, text := range runbooks.Files() {
		if ps := Vet(runbook.Source{Runbook: name, Files: map[string][]byte{name: text}}); len(ps) > 0 {
			t.Errorf("%s: %v", name, ps)
		}
		pretty, err := format.Source(text)
		if err != nil || string(pretty) != string(text) {
			t.Errorf("%s is not formatted: %v\n%s", name, err, pretty)
		}
	}
}

// mutable is a runbook with every field of the schema, whose own names (outputs, answers, match, env) are all used.
const mutable = `title: "t"
doc: "d"
severity: "sev1"
service: "checkout"
concurrency: 2
alert: _
match: {name: "n", source: "s", labels: x: "y"}
steps: {
	logs: {
		title: "Logs", doc: "d", risk: "read", timeout: "1m", idempotent: true, reversible: true, onFailure: "halt"
		retry: {attempts: 3, backoff: "1s", factor: 2, max: "1m", jitter: 0.5}
		exec: {command: ["./logs", alert.name], env: LEVEL: "x", stdin: "in", files: ["a.txt"], secrets: ["TOKEN"]}
		output: {errors: int, deep: {name: string}}
	}
	change: {
		when: logs.output.errors > 10
		needs: ["logs"]
		approval: {from: ["acme/sre"], count: 1, within: "15m"}
		http: {url: "http://a.example/\(logs.output.deep.name)", method: "POST", headers: {Accept: "x"}, body: "b", secrets: ["TOKEN"]}
	}
	look: {
		needs: ["change"]
		probe: {http: {url: "x"}, answer: {status: int}, until: answer.status == 200, every: "5s"}
	}
	tell: {needs: ["look"], join: "any", when: logs.status == "succeeded", manual: {task: "t", owner: "alice"}}
	pause: {needs: ["tell"], wait: for: "1m"}
	night: {needs: ["pause"], wait: window: {days: ["sat"], from: "22:00", to: "04:00"}}
	later: {needs: ["night"], wait: until: "2026-11-22T10:00:00Z"}
	pick: {choose: {question: "q", options: {fast: "f", slow: "s"}, owner: "alice"}, output: {choice: string}}
	scale: {
		needs: ["later"], join: "any"
		onFailure: "undo"
		exec: {command: ["x", pick.output.choice]}
		undo: {
			title: "u", doc: "d", risk: "change", timeout: "1m", idempotent: true, reversible: true
			retry: {attempts: 2}
			approval: {from: ["acme/sre"]}
			exec: {command: ["y", logs.output.deep.name]}
			output: {left: int}
		}
	}
}
finally: {
	report: {when: steps.scale.status == "failed", exec: {command: ["z", "\(steps.scale.undo.output.left)"]}}
	after: {needs: ["report"], http: {url: "x"}}
}
`

// freeNames are the author's own, which nothing refers to: renaming them is no mistake.
func freeNames() []string { return []string{"x", "LEVEL", "Accept", "fast", "slow", "after"} }

// referred are names that several places refer to: each of these places is a problem.
func referred() []string {
	return []string{"logs", "alert", "answer", "scale", "steps", "deep", "name", "choice", "undo"}
}

// TestMutations misspells every field of a good runbook, one at a time. All must be refused.
func TestMutations(t *testing.T) {
	src := func(text []byte) runbook.Source {
		return runbook.Source{Runbook: "runbooks/x.cue", Files: map[string][]byte{"runbooks/x.cue": text}}
	}
	if ps := Vet(src([]byte(mutable))); len(ps) > 0 {
		t.Fatal(ps)
	}
	renamed := 0
	for k := 0; ; k++ {
		text, name := misspelled(t, k)
		if name == "" {
			break
		}
		renamed++
		ps := Vet(src(text))
		if len(ps) == 0 && !slices.Contains(freeNames(), name) {
			t.Errorf("%s for %s is accepted", name+"x", name)
		}
		if len(ps) > 1 && !slices.Contains(referred(), name) {
			t.Errorf("%s gives more than one problem: %v", name, ps)
		}
	}
	if renamed < 120 {
		t.Errorf("only %d fields were renamed", renamed)
	}
}

// misspelled returns the runbook with its k-th field renamed, and the name that it had.
func misspelled(t *testing.T, k int) (text []byte, name string) {
	t.Helper()
	f, err := parser.ParseFile("x.cue", mutable)
	if err != nil {
		t.Fatal(err)
	}
	i := 0
	ast.Walk(f, func(n ast.Node) bool {
		x, ok := n.(*ast.Field)
		if !ok {
			return true
		}
		if i == k {
			name, _ = labelName(x.Label)
			x.Label = ast.NewIdent(name + "x")
		}
		i++
		return true
	}, nil)
	text, err = format.Node(f)
	if err != nil {
		t.Fatal(err)
	}
	return text, name
}
