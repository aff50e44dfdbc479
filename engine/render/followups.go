package render

import (
	"fmt"

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

func followUp(r row) string {
	name, title := code(r.step.Name), inline(r.step.Title, 120)
	switch r.st.Phase {
	case incident.PhaseByHand:
		return fmt.Sprintf("%s (%s) was done by hand: %s", name, title, Safe(r.st.Why))
	case incident.PhaseSkipped:
		return fmt.Sprintf("%s (%s) was skipped: %s", name, title, Safe(r.st.Why))
	case incident.PhaseBroken, incident.PhaseRefused, incident.PhaseUnknown:
		return fmt.Sprintf("%s (%s) is %s: %s", name, title, map[bool]string{true: "of unknown outcome", false: r.word}[r.st.Phase == incident.PhaseUnknown], Safe(r.st.Why))
	case incident.PhaseEnded:
		if r.st.Conclusion != runbook.Succeeded {
			return fmt.Sprintf("%s (%s) %s: %s", name, title, r.word, Safe(r.st.Why))
		}
		if r.st.Attempt > 1 {
			return fmt.Sprintf("%s (%s) succeeded only at attempt %d", name, title, r.st.Attempt)
		}
		return ""
	case incident.PhaseStarted:
		return fmt.Sprintf("%s (%s) had begun and its end is not recorded", name, title)
	}
	return fmt.Sprintf("%s (%s) never began", name, title)
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
