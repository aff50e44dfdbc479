package render

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/runbook"
)

// elementsBudget bounds the list of the elements of one template in bytes.
const elementsBudget = 24_000

// tally counts the elements of a template by what they are.
type tally struct {
	all, good, skipped, failed, running, asked int
}

// add counts an element.
func (t *tally) add(r row) {
	t.all++
	switch {
	case r.class == classGate:
		t.asked++
	case r.class == classSkipped:
		t.skipped++
	case r.class == classDone:
		t.good++
	case r.class == classFailed:
		t.failed++
	case r.class == classRunning:
		t.running++
	}
}

// String says it in a few words, for example "12 of 40 done, 1 failed".
func (t tally) String() string {
	if t.all == 0 {
		return "without elements"
	}
	text := fmt.Sprintf("%d of %d done", t.good, t.all)
	for _, part := range []struct {
		n    int
		word string
	}{{t.skipped, "skipped"}, {t.failed, "failed"}, {t.running, "running"}, {t.asked, "waiting for people"}} {
		if part.n > 0 {
			text += fmt.Sprintf(", %d %s", part.n, part.word)
		}
	}
	return text
}

// class is what a template looks like whose elements are these: what is worst about them.
func (t tally) class() class {
	switch {
	case t.asked > 0:
		return classGate
	case t.failed > 0:
		return classFailed
	}
	return classRunning
}

// collect says of a template how far its elements are.
func (r *row) collect(t tally) {
	switch r.st.Phase {
	case incident.PhaseEach:
		r.word, r.look = t.String(), t.class()
	case incident.PhaseEnded:
		r.word += ": " + t.String()
	case incident.PhaseGate:
		r.word += " of " + plural(len(r.st.Gate.Elements), "element", "elements")
	}
}

// drawn is the class of a row in the graph.
func (r row) drawn() class {
	if r.look != "" {
		return r.look
	}
	return r.class
}

// top are the rows of the plan as it was written: templates stand for their elements.
func (b board) top() []row { return b.written }

// collapsed is top, reckoned.
func (b board) collapsed() []row {
	if !slices.ContainsFunc(b.rows, func(r row) bool { return r.step.Of != "" }) {
		return b.rows
	}
	return b.pick(func(r row) bool { return r.step.Of == "" })
}

// elements are the rows of a template's elements, folded away below its line. Where there is little room, those that are
// over are only counted.
func (b board) elements(template row, d detail) string {
	var items []string
	left := 0
	for _, r := range b.rows {
		switch {
		case r.step.Of != template.step.Name:
		case d >= noTitles, d >= overCollapsed && r.settled:
			left++
		default:
			items = append(items, "  "+b.item(r, d))
		}
	}
	if len(items) == 0 {
		return ""
	}
	text := strings.TrimRight(bounded(items, "", elementsBudget), "\n") + "\n"
	if left > 0 {
		text += "  - " + plural(left, "element is over", "elements are over") + "\n"
	}
	return "  <details>\n  <summary>" + plural(len(items)+left, "element", "elements") + "</summary>\n\n" + text + "\n  </details>\n\n"
}

// undoMatters reports whether people have to know of the undo of a template.
func undoMatters(s incident.State, step runbook.Step) bool {
	for _, key := range s.Step(step.Undoes).Keys {
		if s.Step(step.Undoes + "." + key).Happened() {
			return true
		}
	}
	return false
}
