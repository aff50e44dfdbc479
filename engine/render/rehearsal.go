package render

import "github.com/pullbook/pullbook/engine/incident"

// wouldRun is the word for a step of a rehearsal that was not run.
const wouldRun = "would run"

// rehearsal is the line that stands above all others in a rehearsal; empty in an incident that is none.
func (b board) rehearsal() string {
	r := b.state.Opened.Rehearsal
	if r == nil {
		return ""
	}
	line := "**This is a rehearsal.** People are asked as on the day; nothing is changed, and nobody outside is told. Steps that would change something are recorded as what would run."
	if r.NoReads {
		line += " Steps that only read are not run either."
	}
	return line
}

// InRehearsal is a text of one line or more, which says first that the incident is a rehearsal, where it is one.
func InRehearsal(s incident.State, text string) string {
	if s.Opened.Rehearsal == nil {
		return text
	}
	return "Rehearsal: " + text
}
