package sim

import (
	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/runbook"
)

// skipped holds that a step is skipped by those who may, or by the plan. An open gate is no promise that its step runs if it is
// approved: what it follows can be tried again, and end so that the plan does not want the step any more. Nothing runs then, so
// nobody is asked; but only the plan may say so.
func (c *chronicle) skipped(r *record, before incident.State, d incident.StepSkipped) {
	switch st := before.Step(d.Step); {
	case d.Deed != nil:
		c.released(r, st, d.Step)
		c.overridden(r, before, d.Step, d.Votes)
	case st.Phase == incident.PhaseGate && c.w.rehearsal == nil && !c.unwanted(r, before, d.Step):
		c.w.fail("I5", "%s: %s is skipped at its open gate, and neither people nor the plan say so", r.id, d.Step)
	}
}

// unwanted reports whether the plan does without a step: all that it follows was skipped, or its condition does not hold.
func (c *chronicle) unwanted(r *record, before incident.State, name string) bool {
	b := c.w.books[r.plan.Name]
	if b == nil || b.step(template(name)) == nil {
		return false
	}
	s := b.step(template(name))
	if s.When != nil {
		if holds, known := b.holds(*s.When, before.Ended(r.plan)); known && !holds {
			return true
		}
	}
	for _, need := range s.needs() {
		if before.Step(need).Phase != incident.PhaseSkipped {
			return false
		}
	}
	return !s.JoinAny && len(s.needs()) > 0
}

// released holds that nobody takes back what the failure of a step has let go on, such as gates at which others are asked.
func (c *chronicle) released(r *record, st incident.StepState, name string) {
	step := r.written(name)
	again := st.Phase == incident.PhaseEnded && st.Conclusion != runbook.Cancelled && st.Tried < step.Retry.Attempts
	if step.OnFailure == runbook.FailureContinues && st.Over() && !st.Good() && !again {
		c.w.fail("I5", "%s: %s is skipped, and the plan has gone on since it failed", r.id, name)
	}
}
