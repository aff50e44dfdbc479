package render

import (
	"fmt"
	"strings"

	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/runbook"
)

// Headline is the top of the pull request's body alone: what an incident waits for and for whom, as Markdown.
func Headline(p runbook.Plan, s incident.State, v incident.View) string {
	return newBoard(p, s, v).headline()
}

// headline says first what matters most: each line begins with the bold word that a person on a phone looks for.
func (b board) headline() string {
	var lines []string
	for _, line := range []string{b.rehearsal(), b.frozen(), b.glass(), b.born(), b.end(), b.held(), b.stage(), b.halted(), b.waiting(), b.edits(), b.unwritten(), b.locked(), b.followed(), b.running(), b.timers(), b.mitigated()} {
		if line != "" {
			lines = append(lines, line)
		}
	}
	if len(lines) == 0 {
		lines = append(lines, "**Open.** The engine looks for what comes next.")
	}
	top, over := b.top(), 0
	for _, r := range top {
		if r.settled {
			over++
		}
	}
	progress := fmt.Sprintf("%d of %s over.", over, plural(len(top), "step is", "steps are"))
	if title := b.plan.Title; title != "" {
		progress = inline(title, 120) + ": " + progress
	}
	if !b.state.OpenedAt.IsZero() {
		progress += " Opened " + stamp(b.state.OpenedAt) + "."
	}
	return strings.Join(lines, "\n\n") + "\n\n" + progress + "\n"
}

func (b board) frozen() string {
	rest := " Nothing runs until a person has looked into it. " + b.thaw()
	switch {
	case b.view.Branch.Foreign != nil:
		f := b.view.Branch.Foreign
		return "**Frozen.** Commit " + code(f.Commit) + " is not the engine's: " + Safe(f.Why) + "." + rest
	case b.view.Branch.Gone:
		return "**Frozen.** The branch was deleted, moved back or rewritten by somebody else." + rest
	}
	return ""
}

// thaw says how a branch is given back to the engine.
func (b board) thaw() string {
	if lost := b.view.Branch.Lost; lost != "" {
		return "It cannot be restored: " + Safe(lost) + "."
	}
	who := "everybody with write permission"
	if may := incident.MayThaw(b.plan.Thaw, b.plan.Command); len(may) > 0 {
		who = people(may)
	}
	return "A review with the line " + code("/thaw <reason>") + " gives the branch back to the engine; may do that: " + who + "."
}

func (b board) end() string {
	s := b.state
	switch {
	case s.End != "":
		return fmt.Sprintf("**Ended: %s** at %s, %s after it was opened.", inline(string(s.End), 40), stamp(s.EndedAt), lasted(s.EndedAt.Sub(s.OpenedAt)))
	case s.Cancelled != nil:
		text := fmt.Sprintf("**Cancelled** by %s: %s.", Safe(s.Cancelled.Deed.By.Login), Safe(s.Cancelled.Why))
		if s.Stopped() {
			text += " What still runs is being stopped."
		}
		return text
	}
	return b.calledOff()
}

// held says who keeps the incident from going on, or from its end.
func (b board) held() string {
	s := b.state
	switch {
	case s.End != "":
		return ""
	case s.Paused != nil:
		return fmt.Sprintf("**Paused** by %s at %s: %s. Nothing starts until somebody comments `/resume`; what runs ends, gates stay open, the time of waits goes on.",
			Safe(s.Paused.Deed.By.Login), stamp(s.Paused.Deed.At), Safe(s.Paused.Why))
	case s.Reopened != nil:
		return fmt.Sprintf("**Reopened** by %s at %s. It ends only after somebody has commented `/resolve`, or `/cancel <reason>`.",
			Safe(s.Reopened.Deed.By.Login), stamp(s.Reopened.Deed.At))
	}
	return ""
}

// stage says what follows the main stage.
func (b board) stage() string {
	s := b.state
	switch {
	case !b.live() || s.Stage() == runbook.StageMain:
		return ""
	case s.Finally != nil:
		return "**Finishing:** only the finally steps are left; then the incident ends as " + inline(string(s.Finally.End), 40) + "."
	}
	return "**Undoing:** " + Safe(s.Undo.Why) + ". What had succeeded is undone, last in first out; `/cancel <reason>` stops that."
}

// timers names the steps that wait for a time.
func (b board) timers() string {
	timed := b.pick(row.timed)
	if len(timed) == 0 || b.state.End != "" {
		return ""
	}
	next := timed[0].st.Deadline
	for _, r := range timed {
		if r.st.Deadline.Before(next) {
			next = r.st.Deadline
		}
	}
	return "**Waits until** " + stamp(next) + ": " + names(timed) + "."
}

// live reports whether anything is still asked of people.
func (b board) live() bool {
	return b.state.End == "" && !b.state.Stopped() && b.view.Branch.Foreign == nil && !b.view.Branch.Gone
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
	return "**Waits for people:**" + listed(out)
}

// listed is what follows a bold word: one thing in its line, several below it.
func listed(items []string) string {
	if len(items) == 1 {
		return " " + items[0] + "."
	}
	return "\n\n- " + strings.Join(items, "\n- ")
}

// waits says for whom one step waits, since when and until when.
func (b board) waits(r row) string {
	since := " since " + stamp(r.when())
	switch r.st.Phase {
	case incident.PhaseGate:
		rule := r.st.Gate.Rule
		text := fmt.Sprintf("approval of %s by %s%s", code(r.step.Name), ruleWords(rule), since)
		if until := r.expires(); !until.IsZero() {
			text += ", until " + stamp(until)
		}
		if why := b.state.Verdict(b.plan, r.step.Name, b.view).Stranded; why != "" {
			text += ": " + Safe(why)
		}
		return text
	case incident.PhaseUnknown:
		return "an answer whether " + code(r.step.Name) + " happened, started " + stamp(r.when())
	}
	owner, what := "somebody", " to be done by "
	if m := r.step.Now.Work.Manual; m != nil && m.Owner != "" {
		owner = inline(m.Owner, 100)
	}
	if r.st.Kind == runbook.KindChoose {
		what = " to be chosen by "
	}
	if c := r.step.Now.Work.Choose; c != nil && c.Owner != "" {
		owner = inline(c.Owner, 100)
	}
	if r.st.Owner != nil {
		owner = inline(r.st.Owner.Login, 100)
	}
	return code(r.step.Name) + what + owner + since
}

func (b board) running() string {
	running := b.pick(func(r row) bool {
		return r.class == classRunning && r.st.Phase != incident.PhaseEach && !r.waitsForChild()
	})
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

// unwritten names the steps whose gates are closed as long as the hub has not said who wrote them.
func (b board) unwritten() string {
	waits := b.pick(func(r row) bool {
		_, known := b.view.Authors[r.step.Name]
		return r.step.Approval != nil && len(r.step.Lines) > 0 && r.step.Of == "" && r.step.Now.Status == runbook.StatusReady &&
			r.step.Stage == b.state.Stage() && !known &&
			(r.st.Phase == incident.PhaseIdle || r.st.Phase == incident.PhaseGate && r.st.Gate.Edited)
	})
	if len(waits) == 0 || !b.live() {
		return ""
	}
	return "**Waits for the hub** to say who wrote " + names(waits) + ": the gate opens then, and it is asked again every minute."
}
