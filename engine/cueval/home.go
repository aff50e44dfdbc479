package cueval

import (
	"cmp"
	"slices"
	"strings"

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/ast"

	"github.com/pullbook/pullbook/engine/runbook"
)

// home is where a step of the plan is written: steps.NAME, steps.NAME.undo or finally.NAME.
type home struct {
	name   string // in the plan
	stage  runbook.Stage
	undoes string   // of an undo: the step whose undo it is
	path   []string // from the root of the runbook
	at     cue.Path // the same
}

func newHome(name string, stage runbook.Stage, path ...string) home {
	selectors := make([]cue.Selector, len(path))
	for i, p := range path {
		selectors[i] = cue.Str(p)
	}
	return home{name: name, stage: stage, path: path, at: cue.MakePath(selectors...)}
}

// findHomes lists the steps, those included whose names are computed.
func (d *document) findHomes() {
	var undos []home
	for _, name := range d.written("steps", runbook.StageMain) {
		main := newHome(name, runbook.StageMain, "steps", name)
		d.homes = append(d.homes, main)
		if field(d.value.LookupPath(main.at), "undo").Exists() {
			undo := newHome(name+undoSuffix, runbook.StageUndo, "steps", name, "undo")
			undo.undoes = name
			undos = append(undos, undo)
		}
	}
	d.homes = append(d.homes, undos...)
	for _, name := range d.written("finally", runbook.StageFinally) {
		d.homes = append(d.homes, newHome(name, runbook.StageFinally, "finally", name))
	}
	d.homeOf = make(map[string]home, len(d.homes))
	for _, h := range d.homes {
		if _, taken := d.homeOf[h.name]; !taken {
			d.homeOf[h.name] = h
		}
	}
}

// homesOf lists the steps of a plan that is known.
func (d *document) homesOf(plan runbook.Plan) {
	d.homeOf = make(map[string]home, len(plan.Steps))
	for _, s := range plan.Steps {
		h := newHome(s.Name, s.Stage, "steps", cmp.Or(s.Rehearses, s.Name))
		switch s.Stage {
		case runbook.StageUndo:
			h = newHome(s.Name, s.Stage, "steps", s.Undoes, "undo")
			h.undoes = s.Undoes
		case runbook.StageFinally:
			h = newHome(s.Name, s.Stage, "finally", cmp.Or(s.Rehearses, s.Name))
		}
		d.homes, d.homeOf[s.Name] = append(d.homes, h), h
	}
}

// written returns the fields of steps or finally in the author's order.
func (d *document) written(list string, stage runbook.Stage) (names []string) {
	it, err := field(d.value, list).Fields()
	if err != nil {
		return nil // reported by vet: there are none, or it is no struct
	}
	for it.Next() {
		names = append(names, it.Selector().Unquoted())
	}
	offset := func(name string) int {
		pos, ok := d.graph.at[name]
		if !ok {
			pos = d.graph.computed[stage] // steps with computed names count as declared where the first of them is
		}
		part := slices.IndexFunc(d.text.parts, func(f *ast.File) bool { return f.Filename == pos.Filename() })
		return part*maxFile + pos.Offset()
	}
	slices.SortStableFunc(names, func(a, b string) int { return offset(a) - offset(b) }) // CUE puts computed names first
	return names
}

// step returns the value of a step of the plan. It does not exist if there is no such step.
func (d *document) step(v cue.Value, name string) cue.Value {
	h, ok := d.homeOf[name]
	if !ok {
		return cue.Value{}
	}
	return v.LookupPath(h.at)
}

// stepNames are the names of all steps of the plan.
func (d *document) stepNames() []string {
	names := make([]string, len(d.homes))
	for i, h := range d.homes {
		names[i] = h.name
	}
	return names
}

// edgesByStep sorts the references by the step they start in, and finds the steps whose status is referred to.
func (d *document) edgesByStep() map[string][]edge {
	out := map[string][]edge{}
	d.statusAsked = map[string]bool{}
	var shared []edge
	for _, e := range d.graph.edges {
		if len(e.path) == 0 || e.path[0] == "status" || e.path[0] == "*" {
			d.statusAsked[e.to] = true
		}
		if e.from == generated {
			shared = append(shared, e)
			continue
		}
		out[e.from] = append(out[e.from], e)
	}
	if len(shared) == 0 {
		return out
	}
	for _, h := range d.homes {
		list := h.stage
		if list == runbook.StageUndo {
			list = runbook.StageMain
		}
		name := h.path[1]
		if _, written := d.graph.at[name]; written && !d.graph.patterns[list] {
			continue
		}
		for _, e := range shared {
			if e.to != name && e.stage == h.stage {
				out[h.name] = append(out[h.name], e)
			}
		}
	}
	return out
}

// stepAt returns the step of the plan that a problem's path leads into. In an undo it is that and its step.
func stepAt(path string) []string {
	parts := strings.Split(path, ".")
	switch {
	case len(parts) < 2 || parts[0] != "steps" && parts[0] != "finally":
		return nil
	case parts[0] == "steps" && len(parts) > 2 && parts[2] == "undo":
		return []string{parts[1], parts[1] + undoSuffix}
	}
	return parts[1:2]
}
