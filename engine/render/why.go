package render

import (
	"fmt"
	"strings"

	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/runbook"
)

// Why explains what one step waits for: who has approved, who still can, why a review does not count, what happens by itself and when.
// Of a gate it says what the body and the check say. It is Markdown that reads as plain text.
func Why(p runbook.Plan, s incident.State, v incident.View, step string) (text string, known bool) {
	b := newBoard(p, s, v)
	for _, r := range b.rows {
		if r.step.Name != step {
			continue
		}
		text = code(step) + ": " + r.word + ".\n"
		if r.st.Phase == incident.PhaseGate {
			text += "\n" + b.verdict(r)
		} else if r.st.Why != "" {
			text += "\n" + inline(r.st.Why, 500) + "\n"
		}
		if line := b.edits(); line != "" {
			text += "\n" + line + "\n"
		}
		for _, debt := range s.Owed() {
			if debt.Step == step {
				text += "\n" + b.askDebt(debt)
			}
		}
		return text, true
	}
	return "", false
}

// Verdicts explains every open gate, for the check of the whole incident.
func Verdicts(p runbook.Plan, s incident.State, v incident.View) string {
	b := newBoard(p, s, v)
	var items []string
	for _, r := range b.pick(func(r row) bool { return r.st.Phase == incident.PhaseGate }) {
		items = append(items, "#### "+code(r.step.Name)+"\n\n"+b.verdict(r)+"\n")
		if len(items) == mostVerdicts {
			break
		}
	}
	return bounded(items, "", textLimit/2)
}

// mostVerdicts bounds how many gates a check explains: each verdict looks at all reviews.
const mostVerdicts = 20

// verdict is the tree of one open gate.
func (b board) verdict(r row) string {
	var out strings.Builder
	decision := b.state.Verdict(b.plan, r.step.Name, b.view)
	fmt.Fprintf(&out, "Now: **%s**", Safe(decision.Verdict.Sentence))
	if ends := r.st.Gate.Ends(); ends != "" {
		out.WriteString("; it " + ends)
	}
	out.WriteString(".\n")
	if r.st.Gate.Level > 0 {
		out.WriteString("\nMore people are asked than at first: " + inline(r.st.Gate.Why, 300) + ".\n")
	}
	for _, demand := range r.st.Gate.Because {
		out.WriteString("\nThe calendar demands a part of the rule: " + inline(demand.String(), 400) + ".\n")
	}
	if len(decision.Verdict.Children) > 0 {
		out.WriteString("\n" + explain(decision.Verdict.Children))
	}
	can := people(decision.Helpers)
	if can == "" {
		can = "nobody more"
	}
	out.WriteString("\nCan still help: " + can + ".\n")
	return out.String()
}
