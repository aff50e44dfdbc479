package cueval

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"cuelang.org/go/cue"

	"github.com/pullbook/pullbook/engine/runbook"
)

// names checks what the syntax tree alone tells: names that would shadow others, and steps that nobody can foresee.
func (d *document) names() (ps []runbook.Problem) {
	taken := reserved(d.def)
	for name, pos := range d.graph.at {
		if slices.Contains(taken, name) {
			p := problemAt(pos, pathAt(d.file, pos), fmt.Sprintf("a step cannot be called %s", name))
			p.Hint = "inside other steps the name already means something else"
			ps = append(ps, p)
		}
	}
	seen := map[string]home{}
	for _, h := range d.homes {
		other, twice := seen[h.name]
		seen[h.name] = h
		if !twice {
			continue
		}
		at := h
		if h.stage == runbook.StageUndo { // the undo cannot have another name, the other step can
			at = other
		}
		p := d.place(at.path...)
		p.Text = fmt.Sprintf("there are two steps called %s", h.name)
		if other.stage == runbook.StageUndo || h.stage == runbook.StageUndo {
			p.Text = fmt.Sprintf("a step cannot be called %s", h.name)
			p.Hint = fmt.Sprintf("that is the name of the undo of %s", strings.TrimSuffix(h.name, undoSuffix))
		}
		ps = append(ps, p)
	}
	for _, pos := range d.graph.whole {
		p := problemAt(pos, pathAt(d.file, pos), "a reference to a step names the step")
		p.Hint = "write steps.name or name"
		ps = append(ps, p)
	}
	ps = append(ps, d.strangers()...)
	for _, pos := range d.graph.guards {
		p := problemAt(pos, "steps", "which steps there are cannot depend on outputs or the alert")
		p.Hint = "write the step with when"
		ps = append(ps, p)
	}
	for _, pos := range d.graph.partial {
		p := problemAt(pos, pathAt(d.file, pos), "which fields a step has cannot depend on outputs or the alert")
		p.Hint = "use when, or put the condition into the kind, such as exec"
		ps = append(ps, p)
	}
	return ps
}

// strangers reports steps whose text is not in the runbook, and another runbook of the same name. References in what comes
// from elsewhere would be no edges of the graph.
func (d *document) strangers() (ps []runbook.Problem) {
	const text, hint = "the steps of a runbook are written in it", "take what several share from a package inside of a step: NAME: {pkg.#Step, ...}"
	for _, pos := range d.graph.elsewhere {
		p := problemAt(pos, pathAt(d.file, pos), text)
		p.Hint = hint
		ps = append(ps, p)
	}
	for _, h := range d.homes {
		list := h.stage
		if list == runbook.StageUndo {
			list = runbook.StageMain
		}
		if _, written := d.graph.at[h.path[1]]; written || d.graph.computed[list].IsValid() || len(ps) > 0 {
			continue
		}
		p := d.place(h.path...)
		p.Text, p.Hint = fmt.Sprintf("the step %s is not written in the runbook", h.name), hint
		ps = append(ps, p)
	}
	for _, other := range runbooksOf(d.lib.files) {
		if path.Dir(d.text.dir) == runbook.Dir && other != d.text.dir && runbook.NameOf(other) == runbook.NameOf(d.text.dir) {
			ps = append(ps, runbook.Problem{File: d.text.dir, Text: fmt.Sprintf("has the name of %s", other), Hint: "a runbook is called by its name"})
		}
	}
	return ps
}

// reserved are the names that mean something inside a step: the fields of the schema, and what CUE predeclares. The fields
// of kinds are not among them, lest every new kind break the runbooks that have a step of such a name: a reference that
// meets such a field instead of the step is refused where it is written.
func reserved(def cue.Value) []string {
	names := append(predeclared(), "true", "false", "null", "if", "for", "in", "let", "alert", "inputs", "steps", "finally", "self")
	step, _ := lookup(def, []string{"steps", "any"})
	names = append(names, fieldNames(step)...)
	for _, path := range [][]string{{"retry"}, {"approval"}} {
		if v, ok := lookup(step, path); ok {
			names = append(names, fieldNames(v)...)
		}
	}
	return names
}
