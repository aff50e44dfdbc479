package render

import (
	"slices"
	"strings"

	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/runbook"
)

// The beginnings of the labels that are the engine's: it gives and takes them. All others are people's.
const (
	stateLabel    = "state:"
	severityLabel = "severity:"
	glassLabel    = "glass:" // broken, and reviewed when it was

	rehearsalLabel = "rehearsal"
)

// Screen is what people see of an incident at a glance. Labels are the engine's own alone; assignees are the people who
// have taken notice, in order, and those who are to do a step that is not over.
func Screen(p runbook.Plan, s incident.State, v incident.View) incident.Screen {
	b := newBoard(p, s, v)
	out := incident.Screen{Title: Title(p, s), Body: b.whole(), Labels: []string{stateLabel + b.standing()}}
	if severity := s.SeverityOf(p); severity != "" {
		out.Labels = append(out.Labels, severityLabel+labelName(severity))
	}
	if s.Opened.Rehearsal != nil {
		out.Labels = append(out.Labels, rehearsalLabel)
	}
	switch {
	case len(s.Owed()) > 0:
		out.Labels = append(out.Labels, glassLabel+"broken")
	case len(s.Debts) > 0:
		out.Labels = append(out.Labels, glassLabel+"reviewed")
	}
	for _, who := range s.Ackers {
		out.Assignees = append(out.Assignees, who.Login)
	}
	for _, r := range b.rows {
		if owner := r.st.Owner; owner != nil && !r.st.Over() && !slices.Contains(out.Assignees, owner.Login) {
			out.Assignees = append(out.Assignees, owner.Login)
		}
	}
	return out
}

// OwnLabel reports whether a label is one that the engine gives and takes.
func OwnLabel(label string) bool {
	return strings.HasPrefix(label, stateLabel) || strings.HasPrefix(label, severityLabel) || strings.HasPrefix(label, glassLabel)
}

// standing is how the incident stands, in one word: what people must know first comes first.
func (b board) standing() string {
	switch {
	case b.view.Branch.Foreign != nil || b.view.Branch.Gone:
		return "frozen"
	case b.state.End != "":
		return labelName(string(b.state.End))
	case b.state.Paused != nil:
		return "paused"
	case b.live() && slices.ContainsFunc(b.rows, func(r row) bool { return r.halts }):
		return "halted"
	case b.live() && slices.ContainsFunc(b.rows, row.open):
		return "waiting"
	case b.state.Stopped():
		return "stopping"
	case b.state.Finally != nil:
		return "finishing"
	case b.state.Undo != nil:
		return "undoing"
	}
	return "running"
}

// labelName keeps of foreign text what may stand in a label. GitHub takes 50 characters, the beginning included, and lists
// of labels are parted by commas.
func labelName(text string) string {
	kept := strings.Map(func(c rune) rune {
		if c == ',' || c == '@' || c == '#' {
			return '-'
		}
		return c
	}, plain(text, 30))
	return strings.ToLower(kept)
}
