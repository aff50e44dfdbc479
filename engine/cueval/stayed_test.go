package cueval

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pullbook/pullbook/engine/runbook"
)

// TestStayed asks children that stay more often than one of them answers: all answers are those of a child of their own.
func TestStayed(t *testing.T) {
	e, q := inChild(t, Config{Stay: true}), checkoutQuery() // forecasts are not remembered
	defer e.Close()
	want, err := inChild(t, Config{}).Forecast(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	used := map[int]bool{}
	for range mostUses + 2 {
		got, err := e.Forecast(t.Context(), q)
		if d := cmp.Diff(want, got); err != nil || d != "" {
			t.Fatalf("%v\n%s", err, d)
		}
		for _, s := range e.waiting.all {
			used[s.cmd.Process.Pid] = true
		}
	}
	if len(used) != 2 {
		t.Errorf("%d children answered one request after the other; each answers %d", len(used), mostUses)
	}
}

// TestStayedIsStopped shows that the bounds hold for children that stay, and that the next question finds another one.
func TestStayedIsStopped(t *testing.T) {
	e := inChild(t, Config{Stay: true, Wall: 3 * time.Second})
	defer e.Close()
	for _, name := range []string{"doubling", "laughs"} {
		src := runbook.Source{Runbook: "runbooks/b.cue", Files: map[string][]byte{"runbooks/b.cue": []byte(bombs(t)[name])}}
		if _, _, err := e.Load(t.Context(), src); !stopped(err) {
			t.Errorf("%s: %v", name, err)
		}
		if len(e.waiting.all) > 0 {
			t.Errorf("%s: the child that was stopped is kept", name)
		}
	}
	patient := inChild(t, Config{Stay: true})
	defer patient.Close()
	if _, _, err := patient.Load(t.Context(), runbook.Source{Runbook: "runbooks/b.cue", Files: map[string][]byte{"runbooks/b.cue": []byte("title: 1")}}); err != nil {
		t.Error(err)
	}
	if _, ps, err := patient.Load(t.Context(), checkoutQuery().Source); err != nil || len(ps) > 0 {
		t.Errorf("after a wrong runbook: %v, %v", err, ps)
	}
}

// TestStayedHasWhatItWasTold asks a child that stays about more runbooks than it keeps, each twice in a row and all of them once more:
// what it has is not brought again, and what it has no more is.
func TestStayedHasWhatItWasTold(t *testing.T) {
	e := inChild(t, Config{Stay: true, Children: 1})
	defer e.Close()
	var queries []runbook.Query
	for i := range mostBooks + 2 {
		q := runbook.Query{Source: chain(i+2, true), Alert: []byte(checkoutAlert)}
		plan, ps, err := e.Load(t.Context(), q.Source)
		if err != nil || len(ps) > 0 {
			t.Fatal(err, ps)
		}
		q.Source, q.Frozen = q.Source.Of(plan), &plan
		queries = append(queries, q, q)
	}
	for i, q := range append(queries, queries...) {
		plan, err := e.Forecast(t.Context(), q)
		if err != nil || len(plan.Steps) != len(q.Frozen.Steps) {
			t.Fatalf("question %d: %d steps, %v", i, len(plan.Steps), err)
		}
	}
	s := e.waiting.all[0]
	ask := e.question(opForecast, queries[0], "", nil)
	whole, err := ask.text()
	short, wrong := ask.textFor(s)
	if err != nil || wrong != nil || len(short) >= len(whole)/2 {
		t.Errorf("of %d bytes %d are asked again, %v, %v", len(whole), len(short), err, wrong)
	}
	if r, err := s.ask(short); err != nil || !r.Lost {
		t.Errorf("a runbook that was not asked for lately is kept: %v", err)
	}
}
