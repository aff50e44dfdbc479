package cueval

import (
	"fmt"
	"strings"
	"testing"

	"github.com/pullbook/pullbook/engine/runbook"
)

func TestLinesOfSteps(t *testing.T) {
	const text = `title: "Lines"
alert: _
_tool: ["sh", "-c"]
_deep: _deeper
_deeper: "x"
_unused: 1
steps: {
	let word = "hello"
	one: {
		risk: "read"
		exec: command: ["echo", word]
		undo: {
			risk: "read"
			exec: command: ["echo", _deep]
		}
	}
	two: {
		risk: "read"
		exec: command: _tool
		output: n: int
	}
	three: {
		risk: "read"
		exec: command: ["echo", "\(two.output.n)"]
	}
	[_]: timeout: "1m"
}
steps: one: doc: "\(alert.name)"
finally: last: {
	risk: "read"
	exec: command: ["echo"]
}
`
	plan, ps := staticPlan(t, text)
	if len(ps) > 0 {
		t.Fatal(ps)
	}
	want := map[string]string{
		"one":      "8-8 10-11 26-26 28-28",
		"one_undo": "4-5 12-15 26-26",
		"two":      "3-3 18-20 26-26",
		"three":    "23-24 26-26",
		"last":     "30-31",
	}
	for _, step := range plan.Steps {
		var got []string
		for _, l := range step.Lines {
			if l.File != "r.cue" {
				t.Errorf("%s: a line of %s", step.Name, l.File)
			}
			got = append(got, fmt.Sprintf("%d-%d", l.From, l.To))
		}
		if strings.Join(got, " ") != want[step.Name] {
			t.Errorf("%s is made by lines %v, want %s", step.Name, got, want[step.Name])
		}
	}
	if len(plan.Steps) != len(want) {
		t.Errorf("%d steps", len(plan.Steps))
	}
}

func TestLinesWhereStepsAreComputed(t *testing.T) {
	plan, ps := staticPlan(t, `title: "Computed"
_step: {
	risk: "read"
	exec: command: ["true"]
}
steps: {
	for x in ["a", "b"] {
		"run_\(x)": _step
	}
	other: {
		_step
	}
}
`)
	if len(ps) > 0 {
		t.Fatal(ps)
	}
	for _, step := range plan.Steps {
		want := "[{r.cue 2 5} {r.cue 7 9}]"
		if step.Name == "other" {
			want = "[{r.cue 2 5} {r.cue 7 9} {r.cue 11 11}]"
		}
		if got := fmt.Sprint(step.Lines); got != want {
			t.Errorf("%s: %s, want %s", step.Name, got, want)
		}
	}
}

func staticPlan(t *testing.T, text string) (runbook.Plan, []runbook.Problem) {
	t.Helper()
	_, plan, ps := load(runbook.Source{Runbook: "r.cue", Files: map[string][]byte{"r.cue": []byte(text)}})
	return plan, ps
}

func TestSelfApprovalIsNamed(t *testing.T) {
	for org, want := range map[string]string{
		`name: "acme"`:                          "[] []",
		`selfApproval: ["alice", "acme/leads"]`: "[alice acme/leads] []",
		"people: al: login: \"alice\"\nteams: leads: hub: \"acme/leads\"\nselfApproval: [\"al\", \"leads\"]": "[alice acme/leads] []",
		"people: al: login: \"alice\"\nselfApproval: [\"all\"]":                                              `[] [pullbook.cue:2:16: selfApproval.0: "all" is neither a person nor a team of pullbook.cue; did you mean al?]`,
	} {
		_, plan, ps := load(runbook.Source{Runbook: "r.cue", Files: map[string][]byte{"pullbook.cue": []byte(org),
			"r.cue": []byte("title: \"t\"\nsteps: a: exec: command: [\"true\"]\n")}})
		if got := fmt.Sprint(plan.SelfApproval, ps); got != want {
			t.Errorf("%s\ngives %s\nwant  %s", org, got, want)
		}
	}
}

// TestThawIsNamed: those who give branches back to the engine are named like everybody else.
func TestThawIsNamed(t *testing.T) {
	for org, want := range map[string]string{
		`name: "acme"`: "[] []",
		"people: al: login: \"alice\"\nteams: leads: hub: \"acme/leads\"\nthaw: [\"al\", \"leads\"]": "[alice acme/leads] []",
		"people: al: login: \"alice\"\nthaw: [\"all\"]":                                              `[] [pullbook.cue:2:8: thaw.0: "all" is neither a person nor a team of pullbook.cue; did you mean al?]`,
	} {
		_, plan, ps := load(runbook.Source{Runbook: "r.cue", Files: map[string][]byte{"pullbook.cue": []byte(org),
			"r.cue": []byte("title: \"t\"\nsteps: a: exec: command: [\"true\"]\n")}})
		if got := fmt.Sprint(plan.Thaw, ps); got != want {
			t.Errorf("%s\ngives %s\nwant  %s", org, got, want)
		}
	}
}

// TestLinesOfPackages: a step rests on the files of its own runbook that speak of it, and on the packages that it names.
func TestLinesOfPackages(t *testing.T) {
	_, plan, ps := load(runbook.Source{Runbook: "runbooks/r", Files: map[string][]byte{
		"cue.mod/module.cue": []byte("module: \"ops.example.org\"\nlanguage: version: \"v0.17.0\"\n"),
		"runbooks/r/a.cue":   []byte("package r\n\nimport \"ops.example.org/lib\"\n\ntitle: \"t\"\nsteps: one: lib.one\n"),
		"runbooks/r/b.cue":   []byte("package r\n\nsteps: two: {\n\trisk: \"read\"\n\texec: command: [\"true\"]\n}\nsteps: one: doc: \"d\"\n"),
		"lib/lib.cue":        []byte("package lib\n\nimport \"ops.example.org/deep\"\n\none: {\n\trisk: \"read\"\n\texec: command: [deep.word]\n}\n"),
		"deep/deep.cue":      []byte("package deep\n\nword: \"true\"\n"),
	}})
	if len(ps) > 0 {
		t.Fatal(ps)
	}
	want := map[string]string{
		"one": "[{deep/deep.cue 1 3} {lib/lib.cue 1 8} {runbooks/r/a.cue 6 6} {runbooks/r/b.cue 7 7}]",
		"two": "[{runbooks/r/b.cue 4 5}]",
	}
	for _, step := range plan.Steps {
		if got := fmt.Sprint(step.Lines); got != want[step.Name] {
			t.Errorf("%s: %s, want %s", step.Name, got, want[step.Name])
		}
	}
}
