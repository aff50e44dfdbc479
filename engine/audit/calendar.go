package audit

import (
	"reflect"
	"slices"

	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/runbook"
)

// demands are what the calendar of the plan demands of a step at the time of an event.
func (t *trail) demands(m moment, e incident.Event) []runbook.Demand {
	if m.step.Risk == runbook.RiskRead {
		return nil
	}
	return t.plan.Calendar.InForce(e.At)
}

// ruled checks the rule of a gate: that of the step, with what the calendar demands at that time. It may hold a demand of
// the calendar that is not in force by the time of the journal, for a clock that was wrong; it never lacks one that is.
func (t *trail) ruled(m moment, d incident.GateOpened, e incident.Event) *Finding {
	possible := t.plan.Calendar.All()
	for _, demand := range d.Because {
		if m.step.Risk == runbook.RiskRead || !containsDemand(possible, demand) {
			return m.wrong("", "the gate of step %s rests on a demand that the calendar of the plan does not have", d.Step)
		}
	}
	for _, demand := range t.demands(m, e) {
		if !containsDemand(d.Because, demand) {
			return m.wrong("", "the gate of step %s leaves out what the calendar demands: %s", d.Step, demand)
		}
	}
	switch rule := runbook.Under(m.step.Approval, d.Because); {
	case rule == nil:
		return m.wrong("", "the plan asks for no approval of step %s", d.Step)
	case d.Authors == nil && len(m.step.Lines) > 0:
		return m.wrong("", "the gate of step %s does not say who wrote it", d.Step)
	case !reflect.DeepEqual(d.Rule, d.Authors.Rule(*rule, m.step.CodeOwners)):
		return m.wrong("", "the rule of the gate is not that of the plan for step %s", d.Step)
	}
	return nil
}

// gated reports whether an intent needs a gate.
func (t *trail) gated(m moment, e incident.Event) bool {
	return m.step.Approval != nil || len(t.demands(m, e)) > 0
}

// demanded checks that the gate of an intent has everything which the calendar demands at its time.
func (t *trail) demanded(m moment, e incident.Event) *Finding {
	gate := t.gateOf(m)
	for _, demand := range t.demands(m, e) {
		if !containsDemand(gate.Because, demand) {
			return m.wrong("", "step %s starts without what the calendar demands: %s", m.step.Name, demand)
		}
	}
	return nil
}

// lifted checks that nobody needs to be asked for a step any more.
func (t *trail) lifted(m moment, e incident.Event) *Finding {
	if m.step.Approval != nil || len(t.demands(m, e)) > 0 {
		return m.wrong("", "the gate of step %s is lifted although an approval is needed", m.step.Name)
	}
	return nil
}

func containsDemand(all []runbook.Demand, one runbook.Demand) bool {
	return slices.ContainsFunc(all, func(d runbook.Demand) bool { return reflect.DeepEqual(d, one) })
}
