package audit

import (
	"bytes"
	"slices"
	"strings"

	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/runbook"
)

// eachExpanded checks that a template's elements are settled where the plan has one: behind its gate, if it has a gate and
// elements, and for an undo exactly those whose step had succeeded.
func (t *trail) eachExpanded(m moment, d incident.EachExpanded) *Finding {
	switch {
	case !m.step.Each:
		return m.wrong("", "step %s has elements, and the plan says nothing of that", d.Step)
	case m.step.Approval != nil && len(d.Keys) > 0 && m.was.Phase != incident.PhaseCleared:
		return m.wrong("", "the elements of step %s are settled without its approvals", d.Step)
	case m.step.Undoes != "" && !slices.Equal(d.Keys, t.happened(m.step.Undoes)):
		return m.wrong("", "the elements of step %s are not those of %s that had succeeded", d.Step, m.step.Undoes)
	}
	return nil
}

// happened are the keys of the elements of a template that there is something to undo of.
func (t *trail) happened(template string) []string {
	keys := []string{}
	for _, key := range t.state.Step(template).Keys {
		if t.state.Step(template + "." + key).Happened() {
			keys = append(keys, key)
		}
	}
	return keys
}

// gateElements checks that a gate asks for elements where the plan has a template, and that its page has a line for each.
func (m moment) gateElements(d incident.GateOpened, path string, page []byte) *Finding {
	if m.step.Each != (len(d.Elements) > 0) {
		return m.wrong("", "the gate of step %s and the plan disagree on whether it has elements", d.Step)
	}
	if page == nil || !m.step.Each {
		return nil
	}
	shown := map[string]bool{}
	for line := range bytes.Lines(page) {
		name, _, _ := strings.Cut(string(line), "  ")
		shown[name] = true
	}
	for _, key := range d.Elements {
		if !shown[d.Step+"."+key] {
			return m.wrong(path, "the gate page does not show what runs for the element %s", key)
		}
	}
	return nil
}

// gateOf is the gate that an attempt of a step is behind: for an element that of its template, until a person asks for it
// to be tried again.
func (t *trail) gateOf(m moment) incident.Gate {
	if m.step.Of != "" && m.was.Round == 1 {
		return t.state.Step(m.step.Of).Gate
	}
	return m.was.Gate
}

// expand keeps the plan with the elements that are settled.
func (t *trail) expand(e incident.Event) {
	if _, ok := e.Data.(incident.EachExpanded); ok {
		t.whole = t.state.Expand(t.plan)
	}
}

// all is the plan with the elements that are settled.
func (t *trail) all() runbook.Plan {
	if len(t.whole.Steps) == 0 {
		return t.plan
	}
	return t.whole
}

// collected checks the end of a template. That it says what its elements say, the fold has checked.
func (m moment) collected(d incident.StepEnded) *Finding {
	if d.Evidence != "" || d.Deed != nil || len(d.Cut)+len(d.Facts) > 0 {
		return m.wrong("", "step %s ends with more than what its elements came to", d.Step)
	}
	if len(d.Output) > 0 && !m.step.HasOutput {
		return m.wrong("", "step %s puts out something, and the plan says nothing of that", d.Step)
	}
	return nil
}

// turnOf reports whether it is the turn of a step to be undone. A template may ask again while it is that of its elements.
func turnOf(next, step runbook.Step) bool {
	return next.Name == step.Name || step.Each && next.Of == step.Name
}
