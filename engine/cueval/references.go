package cueval

import (
	"fmt"
	"slices"
	"strings"

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/token"

	"github.com/pullbook/pullbook/engine/runbook"
)

// references checks each reference against the type of what it refers to. CUE does so too, but not in every place, and
// with the position of a whole text instead of the reference's.
func (d *document) references(bad map[string]bool) (ps []runbook.Problem) {
	names := d.stepNames()
	for _, e := range d.graph.edges {
		if bad[e.to] {
			continue // what is missing there may be there under a misspelled name
		}
		p := problemAt(e.pos, pathAt(d.file, e.pos), "")
		if p.Text, p.Hint = d.wrongReference(e, names); p.Text != "" {
			ps = append(ps, p)
		} else if name, candidates, ok := d.lacking(e); ok {
			p = d.misspelt(e.pos, name)
			p.Text, p.Hint = fmt.Sprintf("there is no field %q in the step %s", name, e.to), didYouMean(name, candidates)
			ps = append(ps, p)
		}
	}
	for _, e := range d.graph.own {
		if name, ok := d.shadowed(e); ok && e.path[0] != fieldItem {
			p := problemAt(e.pos, pathAt(d.file, e.pos), fmt.Sprintf("%s means a field of the same step here", name))
			p.Hint = "write steps." + name
			ps = append(ps, p)
		}
		if bad[e.to] || len(e.path) < 2 || inside(d.kinds, e.path[:2]).later != laterAnswer {
			continue
		}
		if name, candidates, ok := missing(d.step(d.value, e.to), e.path); ok {
			p := d.misspelt(e.pos, name)
			p.Text, p.Hint = fmt.Sprintf("the answer has no field %q", name), didYouMean(name, candidates)
			ps = append(ps, p)
		}
	}
	for _, b := range d.graph.compared {
		p := problemAt(b.Pos(), pathAt(d.file, b.Pos()), fmt.Sprintf("no step ever has the status %s", b.Value))
		if p.Hint = didYouMean(strings.Trim(b.Value, `"`), statuses()); p.Hint == "" {
			p.Hint = "it is one of " + strings.Join(statuses(), ", ")
		}
		ps = append(ps, p)
	}
	ps = append(ps, d.comparisons()...)
	ps = append(ps, d.itemReferences(bad)...)
	ps = append(ps, d.inputReferences()...)
	alert := field(d.def, "alert")
	for _, e := range d.graph.alert {
		if name, candidates, ok := missing(alert, e.path); ok {
			p := d.misspelt(e.pos, name)
			p.Text, p.Hint = fmt.Sprintf("an alert has no field %q", name), didYouMean(name, candidates)
			ps = append(ps, p)
		}
	}
	return ps
}

// comparisons reports texts that something is compared with and can never be, since its type lists what it can be: CUE takes
// that for a condition like any other.
func (d *document) comparisons() (ps []runbook.Problem) {
	for _, c := range d.graph.compares {
		step, path := target(c.path)
		v := d.step(d.authored(), step)
		switch {
		case step != "" && len(path) > 0 && path[0] == "output":
		case c.path[0] == "inputs" || c.path[0] == "alert":
			v, path = d.authored(), c.path
		default:
			continue
		}
		for _, name := range path {
			v, _ = lookup(v, []string{name})
		}
		values := choicesOf(v)
		if len(values) == 0 || slices.Contains(values, c.with.Value) {
			continue
		}
		p := problemAt(c.with.Pos(), pathAt(d.file, c.with.Pos()), fmt.Sprintf("%s is never %s", strings.Join(c.path, "."), c.with.Value))
		if p.Hint = didYouMean(strings.Trim(c.with.Value, `"`), trimmed(values)); p.Hint == "" {
			p.Hint = "it is one of " + strings.Join(values, ", ")
		}
		ps = append(ps, p)
	}
	return ps
}

// choicesOf are the alternatives of a type, also where the schema has its own, wider one.
func choicesOf(v cue.Value) []string {
	values := alternatives(v)
	if op, parts := cue.Dereference(v).Expr(); op == cue.AndOp {
		for _, one := range parts {
			if some := alternatives(one); len(some) > 0 {
				return some
			}
		}
	}
	return values
}

// shadowed finds a reference that was meant for a step and meets a field of its own step with the step's name.
func (d *document) shadowed(e edge) (step string, found bool) {
	for i, name := range e.path[1:] {
		if name == "output" || name == "status" {
			_, found = d.homeOf[e.path[i]]
			return e.path[i], found
		}
	}
	return "", false
}

// wrongReference says what is wrong with a reference to a step, or nothing.
func (d *document) wrongReference(e edge, names []string) (text, hint string) {
	v, to := d.step(d.value, e.to), d.homeOf[e.to]
	switch {
	case !v.Exists() && strings.HasSuffix(e.to, undoSuffix):
		return fmt.Sprintf("the step %s has no undo", strings.TrimSuffix(e.to, undoSuffix)), ""
	case !v.Exists():
		return fmt.Sprintf("there is no step %s", e.to), didYouMean(e.to, names)
	case e.from == e.to && len(e.path) > 0:
		return "a step cannot refer to its own " + e.path[0], ""
	case to.stage == runbook.StageUndo && e.stage != runbook.StageFinally:
		return "only a finally step can refer to what becomes of an undo", "write what both need as a helper, such as _name: ..."
	case to.stage == runbook.StageFinally && e.stage != runbook.StageFinally:
		return "only a finally step can refer to another one", ""
	case len(e.path) == 0:
		return "", ""
	case ofItem(e.path[0]) && e.from != e.to+undoSuffix:
		return fmt.Sprintf("the %s of a step is known inside of that step alone", e.path[0]), "refer to its output, which has the keys of its elements"
	case ofItem(e.path[0]):
		return "", "" // the type of the item is looked at elsewhere
	case e.path[0] == "output" && !field(v, "output").Exists():
		hint = declareHint + "{...}"
		if field(v, fieldEach).Exists() {
			hint = declareHint + "[string]: {...}, by the keys of its elements"
		}
		if field(v, string(runbook.KindChoose)).Exists() {
			hint = "declare it with output: choice: string"
		}
		return fmt.Sprintf("the step %s has no output", e.to), hint
	}
	return "", ""
}

const declareHint = "declare its type with output: "

// declaredOnce leaves one problem for each step that lacks an output, however often it is asked for.
func declaredOnce(ps []runbook.Problem) (out []runbook.Problem) {
	for _, p := range ps {
		if !strings.HasPrefix(p.Hint, declareHint) || !slices.ContainsFunc(out, func(q runbook.Problem) bool { return q.Text == p.Text && q.File == p.File }) {
			out = append(out, p)
		}
	}
	return out
}

// lacking is the first name of a reference to a step that is otherwise right which the step's type does not have.
func (d *document) lacking(e edge) (name string, candidates []string, ok bool) {
	if len(e.path) == 0 || ofItem(e.path[0]) { // the type of the item is looked at elsewhere
		return "", nil, false
	}
	return missing(d.step(d.value, e.to), e.path)
}

// misspelt is the place of a name in a reference that begins at a position; where it is computed, that of the reference.
func (d *document) misspelt(reference token.Pos, name string) runbook.Problem {
	pos := reference
	ast.Walk(d.file, func(n ast.Node) bool {
		x, ok := n.(*ast.SelectorExpr)
		if ok && x.Pos().Filename() == reference.Filename() && x.Pos().Offset() == reference.Offset() {
			if sel, _, err := ast.LabelName(x.Sel); err == nil && sel == name {
				pos = x.Sel.Pos()
			}
		}
		return true
	}, nil)
	return problemAt(pos, pathAt(d.file, reference), "")
}

// within reports whether a path leads to another one or to what is below it.
func within(path, above string) bool { return path == above || strings.HasPrefix(path, above+".") }

// missing follows a path into a type and returns the first name that the type does not have.
func missing(v cue.Value, path []string) (name string, candidates []string, ok bool) {
	for _, name := range path {
		if name == "*" {
			return "", nil, false // only evaluation knows
		}
		next, found := lookup(v, []string{name})
		if found {
			v = next
			continue
		}
		if op, _ := v.Expr(); op == cue.OrOp || v.IncompleteKind() == cue.TopKind {
			return "", nil, false // it depends on the value
		}
		if open := field(v, name); cue.IsIncomplete(open.Err()) && !v.IsClosed() {
			return "", nil, false
		}
		return name, fieldNames(v), true
	}
	return "", nil, false
}
