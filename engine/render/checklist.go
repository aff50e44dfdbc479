package render

import (
	"strings"

	"github.com/pullbook/pullbook/engine/incident"
)

const (
	wholeList = 20 // steps that a list shows one below the other; a longer one is folded
	nextShown = 5  // steps of a folded list that are next and not begun
)

// checklist lists the steps. A long list is folded: what is over, what matters now, what is still to come.
func (b board) checklist(d detail) string {
	rows := b.top()
	if len(rows) == 0 {
		return ""
	}
	if len(rows) <= wholeList && d < overCollapsed {
		return "### Steps\n\n" + b.items(rows, d, textLimit)
	}
	budget := textLimit
	if d == noTitles {
		budget = stepBudget / 2
	}
	over, now, later := parts(rows)
	out := []string{"### Steps\n"}
	switch {
	case len(over) == 0:
	case d >= overCollapsed:
		out = append(out, "- [x] "+plural(len(over), "step is over", "steps are over")+": "+names(over)+"\n")
	default:
		out = append(out, details(plural(len(over), "step is over", "steps are over"), b.items(over, d, budget)))
	}
	if len(now) > 0 {
		out = append(out, b.items(now, d, budget))
	}
	if len(later) > 0 {
		out = append(out, details(plural(len(later), "step is still to come", "steps are still to come"), b.items(later, d, budget)))
	}
	return strings.Join(out, "\n")
}

// parts splits the rows of a long list: those that ended well, those that people have to see, and those that have not begun.
func parts(rows []row) (over, now, later []row) {
	next := 0
	for _, r := range rows {
		waits := r.drawn() == classWaiting && r.st.Phase == incident.PhaseIdle && len(r.locked) == 0
		switch {
		case r.settled && r.drawn() != classFailed:
			over = append(over, r)
		case waits && (r.word != nextWord || next >= nextShown):
			later = append(later, r)
		default:
			if waits {
				next++
			}
			now = append(now, r)
		}
	}
	return over, now, later
}

// items are some rows, each with its elements, as a list.
func (b board) items(rows []row, d detail, budget int) string {
	items := make([]string, len(rows))
	for i, r := range rows {
		items[i] = b.item(r, d)
		if r.step.Each {
			items[i] += b.elements(r, d)
		}
	}
	return strings.TrimRight(bounded(items, "", budget), "\n") + "\n"
}
