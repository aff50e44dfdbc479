package audit

import (
	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/runbook"
)

// expired checks that a gate was refused by nobody but its own time, and that the incident was aborted by it only where
// its rule says so.
func (m moment) expired(d incident.GateExpired, e incident.Event) *Finding {
	gate := m.was.Gate
	abort, escalates := gate.Rule.OnTimeout == runbook.TimeoutAborts, gate.Rule.OnTimeout == runbook.TimeoutEscalates
	switch at := gate.Expires(); {
	case at.IsZero() || e.At.Before(at):
		return m.wrong("", "the gate of step %s expires before its time is over", d.Step)
	case d.Abort != abort || escalates:
		return m.wrong("", "the gate of step %s ends in another way than its rule says", d.Step)
	}
	return nil
}

// reminded checks that people were reminded of a gate when its rule says so.
func (m moment) reminded(e incident.Event) *Finding {
	gate := m.was.Gate
	if gate.Expires().IsZero() || gate.Rule.Remind <= 0 || e.At.Before(gate.Expires().Add(-gate.Rule.Remind)) {
		return m.wrong("", "people are reminded of the gate of step %s before it is time", m.step.Name)
	}
	return nil
}

// escalated checks that more people were asked because the time of those before was over. That nobody was left of them, which
// is the other reason, only the hub could tell; that there is such a list, the fold has checked.
func (m moment) escalated(d incident.GateEscalated, e incident.Event) *Finding {
	at := m.was.Gate.Expires()
	if d.Why == incident.EscalatedInTime && (at.IsZero() || e.At.Before(at)) {
		return m.wrong("", "the gate of step %s is escalated before its time is over", d.Step)
	}
	return nil
}
