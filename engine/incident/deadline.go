package incident

import (
	"fmt"
	"time"

	"github.com/pullbook/pullbook/engine/runbook"
)

// asksUntil waits for the word of a person on a manual step or a choice, until its time is over. Then the attempt has timed
// out, whatever follows from that. A clock that was ahead, and has dated an event, does not bring that moment nearer.
func (d *decider) asksUntil(step runbook.Step, st StepState) {
	if d.clock.Before(st.Deadline) {
		d.asking = true
		d.wakeAt(st.Deadline, "the time of "+step.Name+" is over")
		return
	}
	why := fmt.Sprintf("nobody had answered by %s UTC", moment(st.Deadline))
	if d.record(StepEnded{Step: step.Name, Attempt: st.Attempt, Conclusion: runbook.TimedOut, Started: st.Started, Ended: d.now, Error: why}) {
		d.stale = true
		d.flushFor("the time of " + step.Name + " is over")
	}
}

// ranOut says on the pull request what nobody has done or chosen in time, where that halts the incident: those who were
// asked are told by nothing else that their answer does not count any more.
func (d *decider) ranOut() {
	if d.state.End != "" || d.state.Stopped() {
		return
	}
	for step := range d.plan.In(d.state.Stage()) {
		st := d.state.Step(step.Name)
		if st.timedOut() && !d.state.settled(step) && !retriesLeft(step, st) {
			d.announce(fmt.Sprintf("timed-out-%s-%d", step.Name, st.Attempt), fmt.Sprintf("**Timed out:** %s. Nothing more starts until somebody decides: "+
				"`/retry %s` asks again, `/skip %s <reason>` goes on without it.", overdue(step.Name, st), step.Name, step.Name))
		}
	}
}

// timedOut reports whether what was asked of people has ended without an answer.
func (s StepState) timedOut() bool {
	return s.Phase == PhaseEnded && s.Conclusion == runbook.TimedOut && s.Kind.AsksPeople()
}

// tooLate says why a person's answer to a step does not count any more, or nothing. What was written before the time was
// over, or heard before, counts.
func (d *decider) tooLate(step runbook.Step, st StepState, deed Deed) (problem string) {
	asked := st.Phase == PhaseStarted && !d.now.Before(st.Deadline) && !deed.At.Before(st.Deadline)
	if !asked && !st.timedOut() {
		return ""
	}
	return overdue(step.Name, st) + fmt.Sprintf(": `/retry %s` asks again", step.Name)
}

func overdue(step string, st StepState) string {
	return fmt.Sprintf("the time of `%s` was over at %s UTC, and nobody had answered", step, moment(st.Deadline))
}

// moment is a time as the answers to people have it, in UTC.
func moment(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05") }

// OutOfTime reports whether the time of something that people are asked is over. What they have said until then counts, so
// the hub is asked for it once more before that time is said to be over.
func (s State) OutOfTime(now time.Time) bool {
	for _, st := range s.Steps {
		due := st.Deadline
		switch {
		case st.Phase == PhaseGate:
			due = st.Gate.Expires()
		case st.Phase != PhaseStarted || !st.Kind.AsksPeople():
			continue
		}
		if !due.IsZero() && !now.Before(due) {
			return true
		}
	}
	return false
}
