package render

import (
	"fmt"

	"github.com/pullbook/pullbook/engine/approval"
	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/runbook"
)

// lockedOut lists the locks without which a row would start now.
func (b board) lockedOut(r row) []incident.LockedOut {
	if r.step.Now.Status != runbook.StatusReady || !b.live() || r.step.Stage != b.state.Stage() {
		return nil
	}
	out := b.state.LockedOut(r.step, b.view)
	switch {
	case len(out) == 0:
		return nil
	case r.st.Phase == incident.PhaseIdle && r.step.Approval == nil && r.word == nextWord, r.st.Phase == incident.PhaseCleared:
		return out
	case r.st.Phase == incident.PhaseGate:
		answer := b.state.Verdict(b.plan, r.step.Name, b.view)
		if answer.Verdict.Status == approval.StatusApproved {
			return out
		}
	}
	return nil
}

// lockWord is what a row is that waits for locks.
func lockWord(r row) string {
	locks := make([]string, len(r.locked))
	for i, l := range r.locked {
		locks[i] = code(l.Lock)
	}
	word := "waits for a lock: " + bounded(locks, ", ", 300)
	if r.st.Phase != incident.PhaseIdle {
		word = "approved, " + word
	}
	return word
}

// locked says which locks are waited for, and leads to those who hold them.
func (b board) locked() string {
	const shown = 5
	var items []string
	for _, r := range b.pick(func(r row) bool { return len(r.locked) > 0 }) {
		for _, l := range r.locked {
			how := "held by"
			if l.By.Waits {
				how = "for which it comes after"
			}
			items = append(items, fmt.Sprintf("%s needs %s, %s %s", code(r.step.Name), code(l.Lock), how, b.holder(l.By)))
		}
	}
	if len(items) == 0 {
		return ""
	}
	if n := len(items) - shown; n > 0 {
		items = append(items[:shown], plural(n, "more", "more"))
	}
	return "**Waits for a lock:**" + listed(items)
}

// holder names the step that holds a lock, with a link to its pull request where it is another incident's.
func (b board) holder(h incident.Holder) string {
	who := code(h.Step)
	if h.Incident != b.state.Opened.ID {
		id := code(string(h.Incident))
		if plainAddress(h.PullURL) {
			id = "[" + id + "](" + h.PullURL + ")"
		}
		who += " of " + id
	}
	return who + " since " + stamp(h.Since)
}
