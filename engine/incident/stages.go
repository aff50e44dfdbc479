package incident

import (
	"errors"
	"fmt"
	"slices"

	"github.com/pullbook/pullbook/engine/runbook"
)

// Stage is the stage that the incident is in.
func (s State) Stage() runbook.Stage {
	switch {
	case s.Finally != nil:
		return runbook.StageFinally
	case s.Undo != nil:
		return runbook.StageUndo
	}
	return runbook.StageMain
}

// Stopped reports whether a person has stopped the stage that the incident is in.
func (s State) Stopped() bool { return s.stopped[s.Stage()] }

// NextUndo is the undo step whose turn it is, last in first out by the ends of the steps that are undone; ok is false when
// none is left. One that failed keeps its turn until a person decides.
func (s State) NextUndo(p runbook.Plan) (next runbook.Step, ok bool) {
	latest := 0
	for step := range p.In(runbook.StageUndo) {
		if at := s.undoes(step); at > latest && !s.settled(step) {
			next, latest, ok = step, at, true
		}
	}
	return next, ok
}

// undoes is the event that an undo step takes back, 0 if there is none, or if it is not for this step to do so. A template
// has the turn of its elements until they are settled, and whenever its gate is asked about.
func (s State) undoes(step runbook.Step) (seq int) {
	switch held := s.Step(step.Of).Phase != PhaseEach; {
	case !step.Each && step.Of != "" && held, step.Each && s.Step(step.Name).Phase == PhaseEach:
		return 0
	case !step.Each:
		if done := s.Step(step.Undoes); done.Happened() {
			return done.Seq
		}
		return 0
	}
	for _, key := range s.Step(step.Undoes).Keys {
		done := s.Step(step.Undoes + "." + key)
		if done.Happened() && !s.Step(step.Name+"."+key).Good() {
			seq = max(seq, done.Seq)
		}
	}
	return seq
}

// Happened reports whether there is something to undo.
func (s StepState) Happened() bool { return s.Good() && s.Phase != PhaseSkipped }

func (s *State) cancelAsked(e Event, d CancelAsked) error {
	if d.During != s.Stage() {
		return fmt.Errorf("stage %q was stopped while the incident is in stage %q", d.During, s.Stage())
	}
	s.hear(e, d.Deed)
	if s.Cancelled == nil {
		s.Cancelled = &d
	}
	s.stopped[d.During] = true
	s.Paused, s.Reopened = nil, nil
	s.closeGates(e.Seq)
	return nil
}

func (s *State) undoBegun(e Event, d UndoBegun) error {
	if s.Stage() != runbook.StageMain {
		return errors.New("it is undone, or finished, already")
	}
	s.Undo, s.stageSince = &d, e.Seq
	s.withdraw(e)
	return nil
}

func (s *State) finallyBegun(e Event, d FinallyBegun) error {
	if s.Finally != nil {
		return errors.New("its finally steps have begun already")
	}
	if err := s.mayEnd(d.End); err != nil {
		return err
	}
	s.Finally, s.stageSince = &d, e.Seq
	s.withdraw(e)
	if d.End == EndResolved && s.MitigatedAt.IsZero() {
		s.MitigatedAt = e.At
	}
	for name, at := range s.Steps {
		if st := *at; st.Phase == PhaseUnknown {
			st.Closed = true
			s.set(name, st)
		}
	}
	return nil
}

// withdraw takes back what people are asked and what time is waited for. Whether an effect happened is still asked.
func (s *State) withdraw(e Event) {
	s.closeGates(e.Seq)
	for name, at := range s.Steps {
		st := *at
		switch {
		case st.Phase == PhaseGate || st.Phase == PhaseCleared:
			st.Phase, st.Gate = PhaseIdle, Gate{}
		case st.Phase == PhaseStarted && (st.Kind.AsksPeople() || st.Kind == runbook.KindWait):
			st.Phase, st.Conclusion, st.Why = PhaseEnded, runbook.Cancelled, "withdrawn: the incident went on without it"
			st.Ended, st.Seq = e.At, e.Seq
			st.Tried++
		default:
			continue
		}
		s.set(name, st)
	}
}

// stop ends what is queued or running, and reports whether nothing was.
func (d *decider) stop() (quiet bool) {
	quiet = d.childless(runbook.StageMain, runbook.StageUndo, runbook.StageFinally)
	quiet = d.runless(true, runbook.StageMain, runbook.StageUndo, runbook.StageFinally) && quiet
	for _, a := range d.view.Attempts {
		if a.State == AttemptQueued || a.State == AttemptRunning {
			d.starts = append(d.starts, Stop{a.Key})
			quiet = false
		}
	}
	return quiet
}

// cancel stops what is queued or running, and goes on to what follows when nothing is left of it.
func (d *decider) cancel() {
	switch {
	case !d.stop():
	case d.undoable():
		d.undoNow(d.calledOff())
	default:
		d.abandon(runbook.StageMain)
		d.over(EndCancelled)
	}
}

// abandon ends what the step queue has lost of a stage that was called off: nobody starts it again, so its locks would keep out for ever what
// is left of the incident.
func (d *decider) abandon(stage runbook.Stage) {
	for step := range d.plan.In(stage) {
		st := d.state.Step(step.Name)
		if a, busy := d.busyWith(step, st); busy && a.Key == "" && st.Phase == PhaseStarted {
			d.abandoned(step, st)
		}
	}
}

func (d *decider) abandoned(step runbook.Step, st StepState) {
	d.recordOutcome(runbook.Outcome{Key: d.key(step, st.Attempt), Step: step.Name, Attempt: st.Attempt, Conclusion: runbook.Cancelled,
		Started: st.Started, Ended: d.now, Error: "the incident was stopped, and the step queue knows nothing of this attempt"})
}

// undoable reports whether a step with an undo has succeeded, or may have.
func (d *decider) undoable() bool {
	mayHave := func(name string) bool {
		done := d.state.Step(name)
		return done.Happened() || done.Phase == PhaseUnknown || done.Phase == PhaseStarted && done.Kind.NeedsRunner()
	}
	for step := range d.plan.In(runbook.StageUndo) {
		if !step.Each && mayHave(step.Undoes) {
			return true
		}
		if step.Each && slices.ContainsFunc(d.state.Step(step.Undoes).Keys, func(key string) bool { return mayHave(step.Undoes + "." + key) }) {
			return true
		}
	}
	return false
}

// undoesOn reports whether the failure of a step makes the incident undo itself. An attempt that was stopped is no failure.
func undoesOn(step runbook.Step, st StepState) bool {
	return step.Stage == runbook.StageMain && step.OnFailure == runbook.FailureUndoes && !st.stoppedShort()
}

func (s StepState) stoppedShort() bool {
	return s.Phase == PhaseEnded && s.Conclusion == runbook.Cancelled
}

func (d *decider) undoNow(begun UndoBegun) {
	if d.record(begun) {
		d.flushFor("what was done is undone")
	}
}

// undo waits until nothing of the main stage is under way or in doubt, and then runs one undo step after the other.
func (d *decider) undo() {
	if d.state.Stopped() {
		if d.stop() {
			d.abandon(runbook.StageMain)
			d.abandon(runbook.StageUndo)
			d.over(EndCancelled)
		}
		return
	}
	if !d.mainQuiet() {
		return
	}
	for step := range d.plan.In(runbook.StageUndo) {
		if st := d.state.Step(step.Name); st.Phase == PhaseEach {
			d.collect(step, st)
		}
	}
	next, left := d.state.NextUndo(d.plan)
	switch {
	case d.stale:
	case left:
		st := d.state.Step(next.Name)
		d.halted = st.Over() && !retriesLeft(next, st)
		d.advanceStep(next, st)
	case d.state.CalledOff():
		d.over(EndCancelled)
	default:
		d.over(EndUndone)
	}
}

// mainQuiet reports whether every step of the main stage has come to an end that is known. What runs is awaited, or stopped
// where a person cancelled; what is in doubt is asked of people.
func (d *decider) mainQuiet() bool {
	cancelled := d.state.CalledOff()
	quiet := d.childless(runbook.StageMain)
	quiet = d.runless(cancelled, runbook.StageMain) && quiet
	for step := range d.plan.In(runbook.StageMain) {
		st := d.state.Step(step.Name)
		a, busy := d.busyWith(step, st)
		switch {
		case st.Phase == PhaseUnknown:
			d.askUnknown(step, st)
		case a.Key != "" && cancelled:
			d.starts = append(d.starts, Stop{a.Key})
		case busy && cancelled && d.undone(step): // the queue has lost it: it may have run
			if d.record(StepUnknown{Step: step.Name, Attempt: st.Attempt}) {
				d.flushFor("people are asked whether " + step.Name + " happened")
			}
		case d.leftBehind(step, st):
			d.abandoned(step, st)
			continue
		case busy && a.Key == "":
			d.running(step, st)
		case busy: // it is awaited
		default:
			continue
		}
		quiet = false
	}
	return quiet
}

// leftBehind reports whether a person cancelled while the queue had lost an attempt that nobody would undo: undoing does not
// wait for it.
func (d *decider) leftBehind(step runbook.Step, st StepState) bool {
	a, busy := d.busyWith(step, st)
	return busy && a.Key == "" && d.state.Cancelled != nil && !d.undone(step)
}

// undone reports whether the plan has an undo of a step.
func (d *decider) undone(step runbook.Step) bool {
	return slices.ContainsFunc(d.base.Steps, func(s runbook.Step) bool {
		return s.Stage == runbook.StageUndo && s.Undoes == baseName(step)
	})
}

// finally runs the finally steps.
func (d *decider) finally() {
	switch {
	case d.state.Stopped():
		if d.stop() {
			d.end(EndCancelled)
		}
	case d.run(runbook.StageFinally):
		if end := d.state.Finally.End; !d.keptOpen(end) {
			d.end(end)
		}
	}
}

// over ends the incident, after its finally steps if the plan has any.
func (d *decider) over(end End) {
	if !d.repeated() || d.keptOpen(end) {
		return
	}
	if slices.ContainsFunc(d.plan.Steps, func(s runbook.Step) bool { return s.Stage == runbook.StageFinally }) {
		d.record(FinallyBegun{End: end})
		return
	}
	d.end(end)
}

func (d *decider) end(end End) {
	if d.owes(end) {
		return
	}
	if d.record(Ended{End: end}) {
		d.commit.Report = true
		d.flushFor("the end")
	}
}

// misplaced says why a command cannot be about a step in the stage that the incident is in; empty if it can.
func (d *decider) misplaced(step runbook.Step) string {
	now, st := d.state.Stage(), d.state.Step(step.Name)
	switch {
	case now == runbook.StageUndo && step.Stage == runbook.StageMain && st.Phase == PhaseUnknown:
		return ""
	case now == runbook.StageUndo && step.Stage == now:
		return d.notItsTurn(step)
	case now == step.Stage:
		return ""
	case now == runbook.StageUndo:
		return "the incident is being undone, and `" + step.Name + "` is no part of that"
	case now == runbook.StageFinally:
		return "only the finally steps are left, and `" + step.Name + "` is none of them"
	case step.Stage == runbook.StageUndo:
		return "nothing is being undone"
	}
	return "the finally steps have not begun"
}

func (d *decider) notItsTurn(step runbook.Step) string {
	for main := range d.plan.In(runbook.StageMain) {
		st := d.state.Step(main.Name)
		if st.Phase == PhaseUnknown || st.Phase == PhaseStarted && !d.leftBehind(main, st) {
			return "undoing begins when `" + main.Name + "` has ended"
		}
	}
	if next, ok := d.state.NextUndo(d.plan); !ok || next.Name != step.Name {
		return "it is not the turn of `" + step.Name + "`"
	}
	return ""
}
