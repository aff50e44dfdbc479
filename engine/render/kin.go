package render

import (
	"fmt"
	"strings"

	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/runbook"
)

// waitsForChild reports whether the row is a step whose runbook runs as an incident of its own.
func (r row) waitsForChild() bool {
	return r.st.Phase == incident.PhaseStarted && r.st.Kind == runbook.KindRunbook
}

// childStands says how the incident stands that a step waits for.
func (b board) childStands(r row) (class, string) {
	c := r.st.ChildIn(b.view, r.step.Name)
	if c.Incident == "" {
		return classRunning, "its own incident is being opened"
	}
	which := link(c.Incident, c.Pull, c.URL)
	switch {
	case c.Stuck != "":
		return classFailed, "nothing runs on " + which + ": " + Safe(c.Stuck)
	case c.End != "":
		return classRunning, which + " has ended: " + inline(string(c.End), 40)
	case c.Asks:
		return classRunning, which + " waits for people"
	case c.Recalled:
		return classRunning, which + " was told not to go on"
	case c.Stage == runbook.StageUndo:
		return classRunning, which + " is being undone"
	}
	return classRunning, which + " is open"
}

// followed names the incidents that steps wait for.
func (b board) followed() string {
	rows := b.pick(row.waitsForChild)
	if len(rows) == 0 || b.state.End != "" {
		return ""
	}
	const shown = 5
	var out []string
	for _, r := range rows[:min(len(rows), shown)] {
		out = append(out, code(r.step.Name)+": "+r.word)
	}
	if n := len(rows) - shown; n > 0 {
		out = append(out, plural(n, "more", "more"))
	}
	return "**Goes on elsewhere:** " + strings.Join(out, "; ") + "."
}

// born says which incident opened this one; empty if an alert or a person did.
func (b board) born() string {
	p := b.state.Opened.Parent
	if p == nil {
		return ""
	}
	return "**Opened by** the step " + code(p.Step) + " of " + link(p.Incident, 0, p.Pull) + ", which waits for its end."
}

// link names another incident, with a link to its pull request where that is known.
func link(id incident.ID, pull int, url string) string {
	name := "incident " + code(string(id))
	if !plainAddress(url) {
		return name
	}
	text := "pull request"
	if pull > 0 {
		text = fmt.Sprintf("pull request %d", pull)
	}
	return name + " ([" + text + "](" + url + "))"
}

// last is the last of some texts, empty if there is none.
func last(texts []string) string {
	if len(texts) == 0 {
		return ""
	}
	return texts[len(texts)-1]
}

// calledOff says that the parent has stopped the incident; empty if it has not.
func (b board) calledOff() string {
	r := b.state.Recalled
	switch a := b.state.Aborted; {
	case r == nil && a != nil:
		return "**Aborted:** nobody approved " + code(a.Step) + " in time."
	case r == nil:
		return ""
	}
	text := "**Called off** by the incident that opened it: " + Safe(r.Why) + "."
	if b.state.Stopped() {
		text += " What still runs is being stopped."
	}
	return text
}
