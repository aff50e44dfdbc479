package cueval

import (
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/pullbook/pullbook/engine/runbook"
)

// link completes the needs by the references, checks them, and orders the steps. Without sound it leaves out what would
// follow from problems of other steps.
func (d *document) link(plan *runbook.Plan, sound bool) (ps []runbook.Problem) {
	explicit := map[string][]string{}
	for i := range plan.Steps {
		s := &plan.Steps[i]
		ps = append(ps, d.needs(*s)...)
		explicit[s.Name] = slices.Clone(s.Needs)
		if s.Undoes != "" {
			s.Needs = append(s.Needs, s.Undoes)
		}
		for _, e := range d.edges[s.Name] {
			s.Needs = append(s.Needs, e.to)
			if len(e.path) == 0 || e.path[0] == "output" {
				s.Refers = append(s.Refers, e.to)
			}
		}
		slices.Sort(s.Needs)
		slices.Sort(s.Refers)
		s.Needs, s.Refers = slices.Compact(s.Needs), slices.Compact(s.Refers)
		s.Tells = d.tellsOnly(*s, explicit[s.Name])
	}
	if len(ps) > 0 || !sound {
		return ps
	}
	steps, err := runbook.Order(plan.Steps)
	if err != nil {
		return []runbook.Problem{d.cycle(err)}
	}
	plan.Steps = steps
	return append(d.undos(plan), d.halfSkipped(*plan, explicit)...)
}

// needs checks the names that an author wrote as needs.
func (d *document) needs(s runbook.Step) (ps []runbook.Problem) {
	wanted := func(h home) bool { return h.stage == runbook.StageMain || h.stage == s.Stage }
	for i, need := range s.Needs {
		if h, ok := d.homeOf[need]; ok && wanted(h) && need != s.Name {
			continue
		}
		var names []string
		for _, h := range d.homes {
			if wanted(h) {
				names = append(names, h.name)
			}
		}
		p := d.placeIn(s.Name, "needs", strconv.Itoa(i))
		p.Text, p.Hint = fmt.Sprintf("there is no step %s", need), didYouMean(need, names)
		if need == s.Name {
			p.Text, p.Hint = "a step cannot need itself", ""
		}
		ps = append(ps, p)
	}
	return ps
}

// undos checks what undo steps rest on, and that there is something to undo where the author says so. A rehearsal changes
// nothing: if nothing before it can be undone, its failure halts, and the step is tried again when people have mended the cause.
func (d *document) undos(plan *runbook.Plan) (ps []runbook.Problem) {
	undone := map[string]bool{} // steps that have an undo, or rest on one that has
	for i, s := range plan.Steps {
		if _, has := d.homeOf[s.Name+undoSuffix]; has && s.Stage == runbook.StageMain {
			undone[s.Name] = true
		}
		for _, need := range s.Needs {
			undone[s.Name] = undone[s.Name] || undone[need]
		}
		switch nothing := s.OnFailure == runbook.FailureUndoes && !undone[s.Name]; {
		case nothing && s.Rehearses != "":
			plan.Steps[i].OnFailure = runbook.FailureHalts
		case nothing:
			p := d.placeIn(s.Name, "onFailure")
			p.Text, p.Hint = "there is nothing to undo", "neither the step nor any that it comes after has an undo"
			ps = append(ps, p)
		}
		if s.Stage == runbook.StageUndo && len(s.Needs) > 1 {
			ps = append(ps, d.undoNeeds(*plan, s)...)
		}
	}
	return ps
}

// undoNeeds reports a reference of an undo to a step that need not have ended when the step is undone.
func (d *document) undoNeeds(plan runbook.Plan, s runbook.Step) (ps []runbook.Problem) {
	upstream := append(plan.UpstreamOf(s.Undoes), s.Undoes)
	for _, e := range d.edges[s.Name] {
		if slices.Contains(upstream, e.to) {
			continue
		}
		p := problemAt(e.pos, pathAt(d.file, e.pos), fmt.Sprintf("%s does not come after %s", s.Undoes, e.to))
		p.Hint = fmt.Sprintf("an undo can refer to its own step and those before it; write needs: [%q] in %s", e.to, s.Undoes)
		ps = append(ps, p)
	}
	return ps
}

// cycle gives the place at which the first step of a cycle needs the next.
func (d *document) cycle(err error) runbook.Problem {
	var c *runbook.CycleError
	if !errors.As(err, &c) {
		return runbook.Problem{File: d.file.Filename, Text: err.Error()}
	}
	next := c.Steps[1%len(c.Steps)]
	p := d.placeIn(c.Steps[0], "needs")
	for _, e := range d.edges[c.Steps[0]] {
		if e.to == next {
			p = problemAt(e.pos, pathAt(d.file, e.pos), "")
			break
		}
	}
	p.Text = c.Error()
	return p
}
