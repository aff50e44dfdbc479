package render

import (
	"fmt"
	"strings"

	"github.com/pullbook/pullbook/engine/incident"
)

// glass shouts that gates were opened without their approval, as long as nobody has reviewed that.
func (b board) glass() string {
	owed := b.state.Owed()
	if len(owed) == 0 {
		return ""
	}
	names := make([]string, len(owed))
	for i, debt := range owed {
		names[i] = code(debt.Step) + " by " + Safe(debt.Vote.By.Login) + " at " + stamp(debt.At)
	}
	return "**The glass was broken:** " + bounded(names, ", ", 1_000) + ". The incident cannot be merged before that was reviewed."
}

// askDebts says who has to review what, and how.
func (b board) askDebts() string {
	var items []string
	for _, debt := range b.state.Owed() {
		items = append(items, b.askDebt(debt))
	}
	return bounded(items, "\n", askBudget/2)
}

func (b board) askDebt(debt incident.Debt) string {
	var out strings.Builder
	fmt.Fprintf(&out, "#### Review what ran as %s\n\n", code(debt.Step))
	fmt.Fprintf(&out, "%s opened its gate by their word alone (review %d, %s):\n\n%s\n", Safe(debt.Vote.By.Login), debt.Vote.Review, stamp(debt.At), block("text", debt.Why, 1_000))
	fmt.Fprintf(&out, "Look at what was on the page and at what it did, and submit a review: **Approve** with the line %s.\n\n", code("/approve "+debt.Step))
	decision := b.state.DebtVerdict(b.plan, debt, b.view)
	fmt.Fprintf(&out, "Now: **%s**.\n", Safe(decision.Verdict.Sentence))
	if len(decision.Verdict.Children) > 0 {
		out.WriteString("\n" + explain(decision.Verdict.Children))
	}
	return out.String()
}

// glassHint says who may break the glass of a gate, empty if nobody may.
func (b board) glassHint(r row) string {
	g := b.plan.BreakGlass
	if g == nil || r.st.Gate.Rule.NoGlass {
		return ""
	}
	return fmt.Sprintf("If it cannot wait, %s can submit a review with the line %s: then it runs at once, and is reviewed by %s afterwards.\n\n", people(g.By),
		code("/break-glass "+r.step.Name+" <reason>"), ruleWords(g.Review))
}
