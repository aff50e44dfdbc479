package audit

import (
	"reflect"
	"slices"

	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/journal"
	"github.com/pullbook/pullbook/engine/runbook"
)

// placed checks that something new about a step may begin, or be decided, in the stage that the incident is in: nothing
// starts in a stage that a person has stopped, and of undo steps only the one whose turn it is.
func (t *trail) placed(m moment) *Finding {
	now := t.state.Stage()
	switch {
	case m.step.Stage != now:
		return m.wrong("", "step %s is moved in stage %q of the incident, and belongs to %q", m.step.Name, named(now), named(m.step.Stage))
	case t.state.Stopped():
		return m.wrong("", "step %s is moved after a person has stopped its stage", m.step.Name)
	case now == runbook.StageUndo:
		return t.itsTurn(m)
	}
	return nil
}

// itsTurn checks that what happened last is undone first, and nothing while a step is in doubt.
func (t *trail) itsTurn(m moment) *Finding {
	for main := range t.all().In(runbook.StageMain) {
		if t.state.Step(main.Name).Phase == incident.PhaseUnknown {
			return m.wrong("", "step %s is moved while nobody has said whether step %s happened", m.step.Name, main.Name)
		}
	}
	if next, ok := t.state.NextUndo(t.all()); !ok || !turnOf(next, m.step) {
		return m.wrong("", "step %s is moved out of turn: what happened last is undone first", m.step.Name)
	}
	return nil
}

// answered checks a person's word about a step: by hand, or to be tried again. While the incident is undone, it may also be
// about a step of the main stage that is in doubt.
func (t *trail) answered(m moment) *Finding {
	if t.state.Stage() == runbook.StageUndo && m.step.Stage == runbook.StageMain && m.was.Phase == incident.PhaseUnknown {
		return nil
	}
	if m.step.Stage != t.state.Stage() {
		return t.placed(m)
	}
	if m.step.Stage == runbook.StageUndo {
		return t.itsTurn(m)
	}
	return nil
}

func named(s runbook.Stage) string {
	if s == runbook.StageMain {
		return "main"
	}
	return string(s)
}

// timely checks the end of what needs no runner: a wait is over when its time has come; what people are asked, when somebody
// has answered in time, or when nobody has until its time was over.
func (m moment) timely(e incident.Event, d incident.StepEnded) *Finding {
	due, asks := m.was.Deadline, m.step.Kind.AsksPeople() && m.was.Phase == incident.PhaseStarted
	switch early := d.Ended.Before(due) || e.At.Before(due); {
	case asks && d.Conclusion == runbook.TimedOut && (early || d.Deed != nil):
		return m.wrong("", "the time of step %s is said to be over before %s", d.Step, due.Format("2006-01-02T15:04:05.000Z07:00"))
	case asks && d.Conclusion != runbook.TimedOut && d.Conclusion != runbook.Succeeded:
		return m.wrong("", "step %s is asked of people, and ended as %q", d.Step, d.Conclusion)
	case d.Conclusion != runbook.Succeeded:
		return nil
	case asks && d.Deed != nil && !e.At.Before(due) && !d.Deed.At.Before(due):
		return m.wrong("", "step %s was answered by %s after its time was over", d.Step, d.Deed.By.Login)
	}
	switch {
	case m.step.Kind == runbook.KindWait && !d.WouldRun && (d.Ended.Before(due) || e.At.Before(due)):
		return m.wrong("", "step %s waits until %s, and was over before", d.Step, due.Format("2006-01-02T15:04:05.000Z07:00"))
	case m.step.Kind.AsksPeople() && d.Deed == nil:
		return m.wrong("", "step %s was done or chosen by nobody", d.Step)
	}
	return nil
}

// undoBegun checks that there was a reason: a person cancelled, or a step failed of which the plan says so.
func (t *trail) undoBegun(b *batch, d incident.UndoBegun) *Finding {
	cancelled := t.state.Cancelled
	if d.Deed != nil {
		if cancelled == nil || !reflect.DeepEqual(*d.Deed, cancelled.Deed) {
			return wrong(b.commit.Hash, "", "the incident is undone on the word of somebody who did not cancel it")
		}
		return nil
	}
	if (t.state.Recalled != nil || t.state.Aborted != nil) && cancelled == nil {
		return nil
	}
	for step := range t.all().In(runbook.StageMain) {
		st := t.state.Step(step.Name)
		left := st.Phase == incident.PhaseEnded && st.Tried < step.Retry.Attempts
		if step.OnFailure == runbook.FailureUndoes && st.Over() && !st.Good() && !left {
			return nil
		}
	}
	return wrong(b.commit.Hash, "", "the incident is undone, and no step has failed that makes it so")
}

// finallyBegun checks that the stages before are over, and that the end which it announces is theirs.
func (t *trail) finallyBegun(b *batch, d incident.FinallyBegun) *Finding {
	if !t.hasFinally() {
		return wrong(b.commit.Hash, "", "the plan has no finally steps")
	}
	return t.due(b, d.End)
}

// end checks that the last event comes after everything that had to come before it.
func (t *trail) end(b *batch, d incident.Ended) *Finding {
	switch {
	case t.claim(b, journal.ReportPath(t.dir)) == nil:
		return wrong(b.commit.Hash, journal.ReportPath(t.dir), "the report of the end is not there")
	case !t.hasFinally():
		return t.due(b, d.End)
	case t.state.Finally == nil:
		return wrong(b.commit.Hash, "", "the incident ends before its finally steps")
	case t.state.Stopped() && d.End == incident.EndCancelled:
		return nil
	}
	if step, over := t.over(runbook.StageFinally); !over {
		return wrong(b.commit.Hash, "", "the incident ends before its finally step %s", step)
	}
	return nil // that the end is the one that was announced, the fold has checked
}

// due checks that the incident comes to the given end after its main stage, or after undoing it.
func (t *trail) due(b *batch, end incident.End) *Finding {
	s := t.state
	step, over := t.over(runbook.StageMain)
	next, owed := s.NextUndo(t.all())
	switch {
	case end == incident.EndCancelled && !s.CalledOff():
		return wrong(b.commit.Hash, "", "the incident is cancelled by nobody")
	case end == incident.EndCancelled && s.Undo == nil && owed:
		return wrong(b.commit.Hash, "", "the incident ends, and step %s was not undone", next.Undoes)
	case s.Undo != nil && owed && !s.Stopped():
		return wrong(b.commit.Hash, "", "the incident ends, and step %s was not undone", next.Undoes)
	case end == incident.EndUndone && (s.Undo == nil || s.CalledOff()):
		return wrong(b.commit.Hash, "", "the incident ends as undone, and that is not what happened")
	case end == incident.EndResolved && (s.Undo != nil || s.CalledOff()):
		return wrong(b.commit.Hash, "", "the incident ends as resolved, and that is not what happened")
	case end == incident.EndResolved && !over:
		return wrong(b.commit.Hash, "", "the incident ends as resolved before step %s has ended", step)
	}
	return nil
}

// over reports whether all steps of a stage have ended so that the plan goes on, and names the first that has not.
func (t *trail) over(stage runbook.Stage) (step string, over bool) {
	ended := t.state.Ended(t.plan)
	for s := range t.plan.In(stage) {
		if _, ok := ended[s.Name]; !ok {
			return s.Name, false
		}
	}
	return "", true
}

func (t *trail) hasFinally() bool {
	return slices.ContainsFunc(t.plan.Steps, func(s runbook.Step) bool { return s.Stage == runbook.StageFinally })
}
