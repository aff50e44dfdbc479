package render

import (
	"strings"

	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/runbook"
)

// Bounds of what authors wrote for people, in bytes.
const (
	aboutBudget  = 2_000
	byHandBudget = 2_000 // of one step, or of the runbook
	handsBudget  = 4_000 // of all steps together
)

// about says what the runbook is for, whom it belongs to and what depends on its service.
func (b board) about() string {
	var items []string
	if p := b.plan; p.Service != "" {
		item := "- Service: " + inline(p.Service, 100)
		if len(p.Affected) > 0 {
			item += "; affected with it: " + people(p.Affected)
		}
		items = append(items, item+"\n")
	}
	if len(b.plan.Owners) > 0 {
		items = append(items, "- Owners: "+people(b.plan.Owners)+"\n")
	}
	if b.plan.Why != "" {
		items = append(items, "- Why: "+inline(b.plan.Why, 1_000)+"\n")
	}
	if b.plan.Doc != "" {
		items = append(items, "- The runbook says of itself: "+inline(b.plan.Doc, 1_000)+"\n")
	}
	text := bounded(items, "", aboutBudget)
	if b.plan.ByHand != "" {
		text += "\n" + details("How to do all of it by hand", prose(b.plan.ByHand))
	}
	return text
}

// byHand lists, folded away, how a person does the steps that are not over. Of those that failed it stands with the question.
func (b board) byHand() string {
	var items []string
	for _, r := range b.top() {
		if r.step.ByHand == "" || r.settled || r.halts || r.st.Phase == incident.PhaseUnknown {
			continue
		}
		items = append(items, "By hand, "+code(r.step.Name)+":\n\n"+prose(r.step.ByHand)+"\n")
	}
	if len(items) == 0 {
		return ""
	}
	return details("How to do the steps by hand", bounded(items, "", handsBudget))
}

// unfolded is how a person does a step, where that is needed now.
func unfolded(s runbook.Step) string {
	if s.ByHand == "" {
		return ""
	}
	return "How to do it by hand:\n\n" + prose(s.ByHand) + "\n"
}

// prose is an author's text of many lines. It can hold text of the alert, so it stands in a fence and mentions nobody.
// What is too long loses its end: the first things to do are needed first.
func prose(text string) string {
	kept := beginning(text, byHandBudget)
	lines := strings.Split(kept, "\n")
	for i, line := range lines {
		lines[i] = neutral(line, inBlock)
	}
	shown := beginning(strings.Join(lines, "\n"), byHandBudget)
	if len(kept) < len(text) || len(shown) == byHandBudget {
		shown += "\n[the rest is in the runbook]"
	}
	return runbook.Fence("text", shown)
}

// beginning is at most n bytes of a text, as valid UTF-8.
func beginning(text string, n int) string { return strings.ToValidUTF8(text[:min(len(text), n)], "") }
