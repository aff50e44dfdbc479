package incident

import (
	"time"

	"github.com/pullbook/pullbook/engine/runbook"
)

// GateLifted takes back what people were asked: only the calendar had asked for it, and its time is over.
type GateLifted struct {
	Step string `json:"step"`
}

// Kind implements Data.
func (GateLifted) Kind() string { return "gate-lifted" }

func (s *State) gateLifted(e Event, d GateLifted) error {
	st := s.Step(d.Step)
	if st.Phase != PhaseGate {
		return errNoGate(d.Step)
	}
	s.closeGate(d.Step, e.Seq)
	st.Phase, st.Gate = PhaseIdle, Gate{}
	if st.settledList() {
		st.Phase = PhaseEach // its elements go on
	}
	s.set(d.Step, st)
	return nil
}

// ruled puts what the calendar demands at this moment into the rules of the plan. A demand counts by the clock and by the
// journal, whose time may be ahead after a clock that was wrong: so no jump of a clock makes a rule weaker.
func (d *decider) ruled(plan runbook.Plan) runbook.Plan {
	d.demands = plan.Calendar.InForce(d.now, d.clock)
	d.until = plan.Calendar.Changes(d.now)
	if t := plan.Calendar.Changes(d.clock); !t.IsZero() && (d.until.IsZero() || t.Before(d.until)) {
		d.until = t
	}
	return plan.Under(d.demands)
}

// demanded are the demands that hold for a step.
func (d *decider) demanded(step runbook.Step) []runbook.Demand {
	if step.Risk == runbook.RiskRead {
		return nil
	}
	return d.demands
}

// lift closes a gate that nobody asks for any more.
func (d *decider) lift(step runbook.Step) {
	if d.record(GateLifted{Step: step.Name}) {
		d.stale = true
		d.flushFor("a gate is not needed any more")
	}
}

// wakeForCalendar asks for a look when the rule of an open gate may be another one.
func (d *decider) wakeForCalendar(step runbook.Step) {
	if step.Risk != runbook.RiskRead && !d.until.IsZero() {
		d.wakeAt(d.until, "what the calendar demands changes")
	}
}

// departs bounds the time in which the intent of a step may leave: until something else is demanded of it.
func (d *decider) departs(step runbook.Step) {
	if step.Risk != runbook.RiskRead {
		d.before = d.until
	}
}

// demandText says why people are asked beyond what steps themselves ask; empty if none of the gates that are open does.
func (d *decider) demandText() string {
	text := ""
	for _, st := range d.astir() {
		if st.Phase != PhaseGate {
			continue
		}
		for _, demand := range st.Gate.Because {
			text += demand.String() + "\n"
		}
		if text != "" {
			return "\n\n" + runbook.Fence("text", text)
		}
	}
	return ""
}

// Departs reports whether a push may leave at a moment.
func (f Flush) Departs(now time.Time) bool { return f.Before.IsZero() || now.Before(f.Before) }
