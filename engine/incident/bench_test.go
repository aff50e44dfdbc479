package incident

import (
	"fmt"
	"testing"
	"time"

	"github.com/pullbook/pullbook/engine/runbook"
)

// bench is a plan of 1,000 steps that a look finds in some state.
type bench struct {
	name  string
	shape func(i int, s *runbook.Step)
	ended int  // of the first steps
	many  bool // the rest is ready at once
}

func benches() []bench {
	chain := func(i int, s *runbook.Step) {
		s.Risk = runbook.RiskChange
		if i > 0 {
			s.Needs = []string{fmt.Sprintf("s%d", i-1)}
		}
	}
	return []bench{
		{"chain, half done", chain, 500, false},
		{"chain, last step", chain, 999, false},
		{"flat, all reads start", func(int, *runbook.Step) {}, 0, true},
		{"flat, all changes start", func(_ int, s *runbook.Step) { s.Risk = runbook.RiskChange }, 0, true},
		{"flat, all gates open", func(_ int, s *runbook.Step) {
			s.Risk, s.Approval = runbook.RiskChange, &runbook.Approval{From: []string{"acme/sre"}, Count: 1}
		}, 0, true},
		{"flat, all outcomes arrive", func(int, *runbook.Step) {}, 0, false},
		{"half is undone", func(i int, s *runbook.Step) {
			if s.Risk = runbook.RiskChange; i >= 500 {
				s.Stage, s.Undoes = runbook.StageUndo, fmt.Sprintf("s%d", i-500)
				s.Needs = []string{s.Undoes}
			}
		}, 500, true},
	}
}

// stageOf brings a stage to the point at which the look that is measured begins.
func (b bench) stageOf(tb testing.TB) *stage {
	tb.Helper()
	const n = 1000
	s := newStage()
	s.plan = runbook.Plan{Name: "bench", Title: "Bench"}
	for i := range n {
		step := runbook.Step{Name: fmt.Sprintf("s%d", i), Kind: runbook.KindExec, Risk: runbook.RiskRead, Title: "Step", Timeout: time.Minute,
			OnFailure: runbook.FailureHalts}
		b.shape(i, &step)
		s.plan.Steps = append(s.plan.Steps, step)
	}
	events := []Data{Opened{ID: "20261122-aaaaaaaaaa"}, PullOpened{Number: 1}}
	for i := range b.ended {
		name := fmt.Sprintf("s%d", i)
		events = append(events, StepStarted{Step: name, Attempt: 1, Work: runbook.KindExec, Risk: runbook.RiskChange},
			StepEnded{Step: name, Attempt: 1, Conclusion: runbook.Succeeded, Output: []byte(`{"n":1}`)})
	}
	if s.plan.Steps[n-1].Stage == runbook.StageUndo {
		events = append(events, UndoBegun{Why: "step x failed"})
	}
	var err error
	if s.state, err = Fold(State{}.Next(events, s.now)); err != nil {
		tb.Fatal(err)
	}
	s.pushed = s.state
	s.view.Pull = &Pull{Number: 1, Open: true}
	s.view.Branch = Branch{Head: "c", Commits: map[string]int{"c": s.state.Seq}, Pushed: s.state.Seq}
	for i := range n {
		if !b.many {
			name := fmt.Sprintf("s%d", i)
			s.view.Attempts = append(s.view.Attempts, Attempt{Key: runbook.AttemptKey("20261122-aaaaaaaaaa", name, 1), Step: name, Number: 1, State: AttemptRunning})
		}
	}
	if !b.many && b.ended == 0 {
		for i := range n {
			s.end(i, runbook.Succeeded, `{"n":1}`)
		}
	}
	return s
}

// BenchmarkDecide measures one look at 1,000 steps. The bound is 5 ms.
func BenchmarkDecide(b *testing.B) {
	for _, shape := range benches() {
		b.Run(shape.name, func(b *testing.B) {
			s := shape.stageOf(b)
			plan := s.resolve()
			b.ReportAllocs()
			for b.Loop() {
				if len(Decide(plan, s.state, s.view, s.now)) == 0 {
					b.Fatal("nothing is due")
				}
			}
		})
	}
}

// BenchmarkFold measures the fold of a journal of 10,000 events.
func BenchmarkFold(b *testing.B) {
	events := []Data{Opened{ID: "20261122-aaaaaaaaaa"}}
	for i := range 5000 {
		name := fmt.Sprintf("s%d", i%1000)
		attempt := i/1000 + 1
		conclusion := runbook.Failed
		events = append(events, StepStarted{Step: name, Attempt: attempt}, StepEnded{Step: name, Attempt: attempt, Conclusion: conclusion})
	}
	journal := State{}.Next(events, time.Unix(0, 0))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Fold(journal); err != nil {
			b.Fatal(err)
		}
	}
}
