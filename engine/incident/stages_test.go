package incident

import (
	"strings"
	"testing"
	"time"

	"github.com/pullbook/pullbook/engine/runbook"
)

// checkStage holds a start against what its stage demands. It reads the journal alone, and no code that is tested.
func (w *walk) checkStage(t *testing.T, step runbook.Step, a Start) {
	t.Helper()
	order, undoing, finishing := done(w.journal), begun[UndoBegun](w.journal), begun[FinallyBegun](w.journal)
	running := 0
	for _, other := range w.view.Attempts {
		if other.State == AttemptRunning && other.Key != a.Key {
			running++
		}
	}
	intended := w.pushed.Step(a.Step).Phase == PhaseStarted && intentBefore(w.journal, a, undoing)
	switch {
	case w.plan.Concurrency > 0 && running >= w.plan.Concurrency:
		t.Fatalf("%s starts beside %d others, and %d is the bound", a.Key, running, w.plan.Concurrency)
	case step.Stage == runbook.StageFinally && finishing == 0:
		t.Fatalf("%s starts before the finally steps have begun", a.Key)
	case step.Stage != runbook.StageFinally && finishing > 0:
		t.Fatalf("%s starts after the finally steps have begun", a.Key)
	case step.Stage == runbook.StageMain && undoing > 0 && !intended:
		t.Fatalf("%s starts while the incident is undone", a.Key)
	case step.Stage == runbook.StageUndo && undoing == 0:
		t.Fatalf("%s starts while nothing is undone", a.Key)
	case step.Stage == runbook.StageUndo && running > 0:
		t.Fatalf("%s starts beside %d others", a.Key, running)
	case step.Stage == runbook.StageUndo && order[step.Undoes] == 0:
		t.Fatalf("%s undoes what did not happen", a.Key)
	}
	for _, other := range w.whole().Steps {
		if other.Each {
			continue
		}
		if step.Stage == runbook.StageUndo && other.Stage == step.Stage && order[other.Undoes] > order[step.Undoes] && order[other.Name] == 0 {
			t.Fatalf("%s starts before %s, which undoes something later", a.Key, other.Name)
		}
	}
}

// done gives the event at which each step came to a good end, or was skipped as an undo step.
func done(journal []Event) map[string]int {
	out := map[string]int{}
	for _, e := range journal {
		switch d := e.Data.(type) {
		case StepEnded:
			if d.Conclusion == runbook.Succeeded {
				out[d.Step] = e.Seq
			}
		case StepByHand:
			out[d.Step] = e.Seq
		case StepSkipped:
			if name, _, _ := strings.Cut(d.Step, "."); strings.HasSuffix(name, "_undo") {
				out[d.Step] = e.Seq
			}
		}
	}
	return out
}

// begun is the sequence number of the first event of a kind, 0 if there is none.
func begun[T Data](journal []Event) int {
	for _, e := range journal {
		if _, ok := e.Data.(T); ok {
			return e.Seq
		}
	}
	return 0
}

// intentBefore reports whether the intent of a start was written before the given event.
func intentBefore(journal []Event, a Start, seq int) bool {
	for _, e := range journal {
		if d, ok := e.Data.(StepStarted); ok && d.Key == a.Key {
			return e.Seq < seq
		}
	}
	return false
}

// checkTimes: a wait has not ended before its time, neither by the journal nor by the clock on the wall.
func (w *walk) checkTimes(t *testing.T, events []Event) {
	t.Helper()
	due := map[string]time.Time{}
	for _, e := range w.journal {
		if d, ok := e.Data.(StepStarted); ok && (d.Work == runbook.KindWait || d.Work.AsksPeople()) {
			due[d.Step] = d.Deadline
		}
	}
	for _, e := range events {
		d, ok := e.Data.(StepEnded)
		if at, waits := due[d.Step]; ok && waits && d.Deed == nil && (d.Ended.Before(at) || e.At.Before(at) || w.latest.Before(at)) {
			t.Fatalf("%s was to be over at %s, and ended at %s", d.Step, at, d.Ended)
		}
	}
}

// checkEnd: finally steps have come to their end before the incident has, unless a person stopped them; what was undone
// was undone wholly, unless a person stopped that.
func (w *walk) checkEnd(t *testing.T) {
	t.Helper()
	order, stopped := done(w.journal), map[runbook.Stage]bool{}
	for _, e := range w.journal {
		if d, ok := e.Data.(CancelAsked); ok {
			stopped[d.During] = true
		}
		if _, ok := e.Data.(Recalled); ok {
			stopped[runbook.StageMain] = true
		}
	}
	undoing := begun[UndoBegun](w.journal) > 0
	for _, step := range w.whole().Steps {
		st := w.state.Step(step.Name)
		if step.Each && step.Stage == runbook.StageUndo {
			continue // its elements are looked at
		}
		if step.Stage == runbook.StageFinally && !stopped[step.Stage] && !st.Over() {
			t.Fatalf("the incident ended before %s", step.Name)
		}
		owed := step.Stage == runbook.StageUndo && undoing && order[step.Undoes] > 0
		if owed && !stopped[step.Stage] && !st.Good() {
			t.Fatalf("%s was owed, and is %q", step.Name, st.Phase)
		}
	}
	want := EndResolved
	switch {
	case stopped[runbook.StageMain] || stopped[runbook.StageUndo] || stopped[runbook.StageFinally]:
		want = EndCancelled
	case undoing:
		want = EndUndone
	}
	if w.state.End != want {
		t.Fatalf("it ended as %q, want %q", w.state.End, want)
	}
}

// TestWaitIsNotOverByADateThatWasAhead: an event that was dated by a clock ahead does not end a wait early.
func TestWaitIsNotOverByADateThatWasAhead(t *testing.T) {
	s := newStage()
	if said := s.makePlan(t, "a wait read for=10m\n"); said != "ok\n" {
		t.Fatal(said)
	}
	s.open(t)
	s.look(t)
	due := s.state.Step("a").Deadline
	ahead := s.state.Next([]Data{AlertUpdated{Alert{Fingerprint: "2"}}}, due.Add(time.Hour))
	state, err := s.state.With(ahead...)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		now  time.Time
		ends bool
	}{{due.Add(-time.Millisecond), false}, {due.Add(-time.Nanosecond), false}, {due, true}} {
		ended := false
		for _, action := range Decide(s.resolve(), state, s.view, c.now) {
			commit, ok := action.(Commit)
			ended = ended || ok && len(commit.Events) > 0
		}
		if ended != c.ends {
			t.Errorf("at %s: ended %t, want %t", c.now, ended, c.ends)
		}
	}
}

// TestWhatFinallyStepsSee: for them every other step has ended, one way or another.
func TestWhatFinallyStepsSee(t *testing.T) {
	s := newStage()
	text := "ok exec change\nbad exec change\nhand manual read\nskip exec read\ngate exec change approve=1\nwait wait read for=1h\nlost exec change\nnever exec read\nz exec read finally\n"
	if said := s.makePlan(t, text); said != "ok\n" {
		t.Fatal(said)
	}
	wait := start("wait", 1)
	wait.Work = runbook.KindWait
	state, err := Fold(State{}.Next([]Data{Opened{ID: "20261122-aaaaaaaaaa"}, start("ok", 1), StepEnded{Step: "ok", Attempt: 1, Conclusion: runbook.Succeeded, Output: []byte("{}")},
		start("bad", 1), ending("bad", 1, runbook.TimedOut), StepByHand{Step: "hand", Deed: deed(1)}, StepSkipped{Step: "skip"},
		gateEvent("gate", "p", 1), wait, start("lost", 1), StepUnknown{"lost", 1}, CancelAsked{}, FinallyBegun{EndCancelled}}, s.now))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"ok": "succeeded", "bad": "timed_out", "hand": "succeeded", "skip": "", "gate": "cancelled", "wait": "cancelled", "lost": "cancelled", "never": "cancelled"}
	got := state.Ended(s.plan)
	for name, how := range want {
		if e, ok := got[name]; !ok || string(e.Conclusion) != how || e.Skipped != (name == "skip") {
			t.Errorf("%s: %+v, want %q", name, e, how)
		}
	}
	if len(got) != len(want) || string(got["ok"].Output) != "{}" {
		t.Errorf("got %v", got)
	}
	if state.Step("wait").Ended.IsZero() || state.Step("gate").Phase != PhaseIdle || !state.Step("lost").Closed || state.asking != 0 {
		t.Errorf("something is still asked: %+v", state.Steps)
	}
}

// TestUndoClosesGates: an approval of a gate that was open before counts for nothing afterwards.
func TestUndoClosesGates(t *testing.T) {
	for _, then := range []Data{UndoBegun{}, FinallyBegun{}} {
		state, err := Fold(State{}.Next([]Data{Opened{ID: "20261122-aaaaaaaaaa"}, gateEvent("a", "p", 1), then}, time.Unix(0, 0)))
		if err != nil {
			t.Fatal(err)
		}
		if shown := state.Shown(map[string]int{"before": 2, "after": 3}); len(shown["before"]) != 1 || len(shown["after"]) != 0 {
			t.Errorf("%s: shown %v", then.Kind(), shown)
		}
	}
}
