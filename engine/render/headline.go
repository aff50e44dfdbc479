package render

import (
	"fmt"
	"strings"

	"github.com/pullbook/pullbook/engine/incident"
)

// headline says first what matters most: each line begins with the bold word that a person on a phone looks for.
func (b board) headline() string {
	var lines []string
	for _, line := range []string{b.frozen(), b.end(), b.halted(), b.waiting(), b.running(), b.mitigated()} {
		if line != "" {
			lines = append(lines, line)
		}
	}
	if len(lines) == 0 {
		lines = append(lines, "**Open.** The engine looks for what comes next.")
	}
	over := len(b.pick(func(r row) bool { return r.settled }))
	progress := fmt.Sprintf("%d of %s over.", over, plural(len(b.rows), "step is", "steps are"))
	if title := b.plan.Title; title != "" {
		progress = inline(title, 120) + ": " + progress
	}
	if !b.state.OpenedAt.IsZero() {
		progress += " Opened " + stamp(b.state.OpenedAt) + "."
	}
	return strings.Join(lines, "\n\n") + "\n\n" + progress + "\n"
}

func (b board) frozen() string {
	const rest = " Nothing runs until a person has looked into it."
	switch {
	case b.view.Branch.Foreign != nil:
		f := b.view.Branch.Foreign
		return "**Frozen.** Commit " + code(f.Commit) + " is not the engine's: " + Safe(f.Why) + "." + rest
	case b.view.Branch.Gone:
		return "**Frozen.** The branch was deleted or moved by somebody else." + rest
	}
	return ""
}

func (b board) end() string {
	s := b.state
	switch {
	case s.End != "":
		return fmt.Sprintf("**Ended: %s** at %s, %s after it was opened.", inline(string(s.End), 40), stamp(s.EndedAt), lasted(s.EndedAt.Sub(s.OpenedAt)))
	case s.Cancelled != nil:
		return fmt.Sprintf("**Cancelled** by %s: %s. What still runs is being stopped.", Safe(s.Cancelled.Deed.By.Login), Safe(s.Cancelled.Why))
	}
	return ""
}

// live reports whether anything is still asked of people.
func (b board) live() bool {
	return b.state.End == "" && b.state.Cancelled == nil && b.view.Branch.Foreign == nil && !b.view.Branch.Gone
}

func (b board) halted() string {
	failed := b.pick(func(r row) bool { return r.halts })
	if len(failed) == 0 || !b.live() {
		return ""
	}
	const shown = 5
	var out []string
	for _, r := range failed[:min(len(failed), shown)] {
		out = append(out, code(r.step.Name)+" "+r.word+" at "+stamp(r.st.Ended))
	}
	if n := len(failed) - shown; n > 0 {
		out = append(out, plural(n, "more", "more"))
	}
	return "**Halted:** " + strings.Join(out, ", ") + ". Nothing more starts until a person decides."
}

func (b board) waiting() string {
	open := b.pick(row.open)
	if len(open) == 0 || !b.live() {
		return ""
	}
	const shown = 5
	var out []string
	for _, r := range open[:min(len(open), shown)] {
		out = append(out, b.waits(r))
	}
	if n := len(open) - shown; n > 0 {
		out = append(out, plural(n, "more question", "more questions"))
	}
	return "**Waits for people:** " + strings.Join(out, "; ") + "."
}

// waits says for whom one step waits, since when and until when.
func (b board) waits(r row) string {
	since := " since " + stamp(r.when())
	switch r.st.Phase {
	case incident.PhaseGate:
		rule := r.st.Gate.Rule
		text := fmt.Sprintf("approval of %s by %d of %s%s", code(r.step.Name), rule.Count, people(rule.From), since)
		if until := r.expires(); !until.IsZero() {
			text += ", until " + stamp(until)
		}
		return text
	case incident.PhaseUnknown:
		return "an answer whether " + code(r.step.Name) + " happened, started " + stamp(r.when())
	}
	owner := "somebody"
	if m := r.step.Now.Work.Manual; m != nil && m.Owner != "" {
		owner = inline(m.Owner, 100)
	}
	return code(r.step.Name) + " to be done by " + owner + since
}

func (b board) running() string {
	running := b.pick(func(r row) bool { return r.class == classRunning })
	if len(running) == 0 || b.state.End != "" {
		return ""
	}
	line := "**Running:** " + names(running)
	if at := running[0].when(); len(running) == 1 && running[0].st.Phase == incident.PhaseStarted {
		line += " since " + stamp(at)
	}
	return line + "."
}

func (b board) mitigated() string {
	if b.state.MitigatedAt.IsZero() || b.state.End != "" {
		return ""
	}
	return "**Mitigated** at " + stamp(b.state.MitigatedAt) + ": the problem is over, steps are left."
}
