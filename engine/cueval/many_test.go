package cueval

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/pullbook/pullbook/engine/runbook"
)

// many is a runbook of n steps like those of long, as a directory of files, since one would be too large; with the plan that
// loading makes of such steps.
func many(t testing.TB, n int) (runbook.Query, runbook.Plan) {
	t.Helper()
	three, _ := long(3)
	_, plan, ps := load(three.Source)
	if len(ps) > 0 {
		t.Fatal(ps)
	}
	kinds := plan.Steps
	plan.Name, plan.Steps = "long", nil
	q, text := long(n)
	head, body, _ := strings.Cut(text, "steps: {\n")
	head = strings.Replace(head, "title: \"t \\(alert.name)\"\nalert: _\n", "package long\n\nalert: _\n", 1)
	q.Source = runbook.Source{Runbook: "runbooks/long", Files: map[string][]byte{"runbooks/long/title.cue": []byte("package long\n\ntitle: \"t \\(alert.name)\"\nalert: _\n")}}
	steps := strings.SplitAfter(strings.TrimSuffix(body, "}\n"), "\n\t}\n")
	for i := 0; i < n; i += 900 {
		q.Source.Files[fmt.Sprintf("runbooks/long/part%03d.cue", i/900)] = []byte(head + "steps: {\n" + strings.Join(steps[i:min(n, i+900)], "") + "}\n")
	}
	named := func(names []string, from int) (out []string) {
		for _, name := range names {
			var k int
			if _, err := fmt.Sscanf(name, "s%d", &k); err != nil {
				t.Fatal(err)
			}
			out = append(out, fmt.Sprintf("s%d", from+k))
		}
		return out
	}
	for i := range n {
		s := kinds[i%3]
		s.Name, s.Needs, s.Refers = fmt.Sprintf("s%d", i), named(s.Needs, i-i%3), named(s.Refers, i-i%3)
		plan.Steps = append(plan.Steps, s)
	}
	return q, plan
}

// TestPlanOfMany holds the plan that many makes against the one that loading makes.
func TestPlanOfMany(t *testing.T) {
	q, plan := many(t, 12)
	_, loaded, ps := load(q.Source)
	if len(ps) > 0 {
		t.Fatal(ps)
	}
	for _, want := range loaded.Steps {
		got, _ := plan.Step(want.Name)
		want.Lines, got.Lines, want.Title, got.Title = nil, nil, "", ""
		if fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", want) {
			t.Errorf("%+v\nwant %+v", got, want)
		}
	}
}

// TestTenThousandSteps resolves a plan of 10,000 steps in a child with the usual memory: with a third of the steps ended, a
// third that can run and a third that waits, and with the end near.
func TestTenThousandSteps(t *testing.T) {
	n := 10_000
	if instrumented {
		n = 1_000 // every access costs ten times as much
	}
	q, plan := many(t, n) // 1,000 and 10,000 are 3k+1: the last step needs nothing
	q.Frozen = &plan
	e := inChild(t, Config{Wall: 5 * time.Minute})
	some, all := q.Ended, map[string]runbook.Ended{}
	for _, s := range plan.Steps[:n-3] {
		all[s.Name] = runbook.Ended{Conclusion: runbook.Succeeded, Output: some[s.Name].Output}
	}
	for name, c := range map[string]struct {
		ended       map[string]runbook.Ended
		ready, over int
	}{
		"some": {some, n / 3, (n + 2) / 3},
		"all":  {all, 2, n - 3},
	} {
		q.Ended = c.ended
		now, err := e.Resolve(t.Context(), q)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		seen := map[runbook.Status]int{}
		for _, s := range now.Steps {
			seen[s.Now.Status]++
		}
		if want := (map[runbook.Status]int{runbook.StatusReady: c.ready, runbook.StatusOver: c.over, runbook.StatusWaiting: n - c.ready - c.over}); fmt.Sprint(drop(seen)) != fmt.Sprint(drop(want)) {
			t.Errorf("%s: %v, want %v", name, seen, want)
		}
		if s, _ := now.Step("s1"); s.Title != "roll back to v1" {
			t.Errorf("%s: s1 is called %q", name, s.Title)
		}
	}
}

// drop leaves out what is counted as zero.
func drop(m map[runbook.Status]int) map[runbook.Status]int {
	for k, n := range m {
		if n == 0 {
			delete(m, k)
		}
	}
	return m
}

// TestMostSteps: a runbook of as many steps as there can be is loaded in a child with the usual memory, and with more it is
// refused with a sentence, however many they are.
func TestMostSteps(t *testing.T) {
	e := inChild(t, Config{Wall: 5 * time.Minute})
	q, _ := many(t, runbook.MostSteps)
	if plan, ps, err := e.Load(t.Context(), q.Source); err != nil || len(ps) > 0 || len(plan.Steps) != runbook.MostSteps {
		t.Errorf("%d steps, %v, %v", len(plan.Steps), ps, err)
	}
	for _, n := range []int{runbook.MostSteps + 1, 10_000} {
		q, _ := many(t, n)
		_, ps, err := e.Load(t.Context(), q.Source)
		want := fmt.Sprintf("a runbook has at most 1000 steps, undo and finally steps included; this one has %d", n)
		if err != nil || len(ps) != 1 || ps[0].Text != want || ps[0].Path != "steps" {
			t.Errorf("%d steps: %v, %v", n, ps, err)
		}
	}
	undone := "title: \"t\"\nsteps: {\n\tfor i in list.Range(0, 501, 1) {\"s\\(i)\": {exec: command: [\"x\"], undo: exec: command: [\"y\"]}}\n}\n"
	_, ps, err := e.Load(t.Context(), runbook.Source{Runbook: "runbooks/x.cue", Files: map[string][]byte{"runbooks/x.cue": []byte("import \"list\"\n\n" + undone)}})
	if err != nil || len(ps) != 1 || !strings.HasSuffix(ps[0].Text, "this one has 1002") {
		t.Errorf("undo steps and computed names: %v, %v", ps, err)
	}
}
