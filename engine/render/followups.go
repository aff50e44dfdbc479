package render

import (
	"fmt"
	"slices"

	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/runbook"
)

// followUps lists what somebody should look at after the incident: what failed, was skipped, was done by hand, had to be tried
// again, or never began. It says so when there is nothing.
func (b board) followUps(events []incident.Event) string {
	var items []string
	for _, r := range b.rows {
		if text := followUp(r); text != "" {
			items = append(items, "- "+text+"\n")
		}
		if b.state.Undo != nil && b.stays(r.step) {
			items = append(items, "- "+code(r.step.Name)+" was done, and the runbook says nothing of how to undo it\n")
		}
	}
	items = append(items, eventFollowUps(events)...)
	for _, problem := range b.state.Opened.Problems {
		items = append(items, "- Repair a runbook that could not be used: "+Safe(problem)+"\n")
	}
	if len(items) == 0 {
		return "Nothing failed, was skipped or was done by hand.\n"
	}
	return bounded(items, "", tableBudget)
}

// stays reports whether a step changed something that nothing undoes.
func (b board) stays(step runbook.Step) bool {
	undoes := func(s runbook.Step) bool { return s.Undoes == step.Name || step.Of != "" && s.Undoes == step.Of }
	return !step.Each && step.Stage == runbook.StageMain && step.Risk != runbook.RiskRead && b.state.Step(step.Name).Happened() && !slices.ContainsFunc(b.plan.Steps, undoes)
}

func followUp(r row) string {
	name := code(r.step.Name)
	if r.step.Title != "" && r.step.Title != r.step.Name {
		name += " (" + inline(r.step.Title, 120) + ")"
	}
	why := ""
	if r.st.Why != "" {
		why = ": " + Safe(r.st.Why)
	}
	switch r.st.Phase {
	case incident.PhaseByHand:
		return name + " was done by hand" + why
	case incident.PhaseSkipped:
		return name + " was skipped" + why
	case incident.PhaseBroken:
		return name + " could not be worked out" + why
	case incident.PhaseRefused:
		return name + " was refused" + why
	case incident.PhaseUnknown:
		return name + ": nobody has said whether it happened"
	case incident.PhaseStarted:
		return name + " had begun, and its end is not recorded"
	case incident.PhaseEnded:
		switch {
		case r.st.Conclusion != runbook.Succeeded:
			return name + ": " + r.word + why
		case r.st.Attempt > 1:
			return fmt.Sprintf("%s succeeded only at attempt %d", name, r.st.Attempt)
		}
		return ""
	}
	return name + " never began"
}

// eventFollowUps finds what the final state does not show any more: gates that ran out before a later round was approved.
func eventFollowUps(events []incident.Event) []string {
	var items []string
	for _, e := range events {
		switch d := e.Data.(type) {
		case incident.GateExpired:
			items = append(items, fmt.Sprintf("- Nobody answered the gate of %s in time (%s)\n", code(d.Step), stamp(e.At)))
		case incident.StepUnknown:
			items = append(items, fmt.Sprintf("- The outcome of attempt %d of %s was lost (%s)\n", d.Attempt, code(d.Step), stamp(e.At)))
		}
	}
	return items
}
