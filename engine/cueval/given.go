package cueval

import (
	"bytes"
	"slices"

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/ast"

	"github.com/pullbook/pullbook/engine/runbook"
)

// permissions are the fields of a step that say what it takes to run it. An author writes them: what an input is given can
// be the word of whoever opens an incident, and of an alert or an output where a step opens it.
func permissions() []string { return []string{"approval", "risk"} }

// permitted reports the permissions of steps, and the addresses of notices, that inputs decide on: by the text, and, once values are given, where they
// are other ones without these.
func (d *document) permitted(plan runbook.Plan) (ps []runbook.Problem) {
	add := func(p runbook.Problem, text, hint string) {
		p.Text, p.Hint = text, hint
		if !slices.ContainsFunc(ps, func(o runbook.Problem) bool { return o.Path == p.Path }) {
			ps = append(ps, p)
		}
	}
	report := func(p runbook.Problem) {
		add(p, "who approves a step, and what its risk is, cannot depend on an input", "write it out; a step with when for each case can have its own")
	}
	d.addresses(plan, func(p runbook.Problem) {
		add(p, "where a notice goes cannot depend on an input", "write it out, or name a channel of "+organisationFile)
	})
	for _, e := range d.graph.inputs {
		if slices.Contains(permissions(), e.field) {
			report(problemAt(e.pos, pathAt(d.file, e.pos), ""))
		}
	}
	for _, s := range plan.Steps {
		d.riskFollows(s, func(p runbook.Problem) {
			add(p, "the risk of the step follows from this, and cannot depend on an input", "write it out, or write the risk out")
		})
	}
	if len(d.given) == 0 || len(ps) > 0 {
		return ps
	}
	for _, s := range plan.Steps {
		for _, name := range permissions() {
			if !sameValue(field(d.step(d.value, s.Name), name), field(d.step(d.authored(), s.Name), name)) {
				report(d.placeIn(s.Name, name))
			}
		}
	}
	return ps
}

// riskFollows reports the fields of a step that its risk follows from, such as the method of a request, where an input has
// a part in them and the risk is not written out.
func (d *document) riskFollows(s runbook.Step, report func(runbook.Problem)) {
	if field(d.step(d.value, s.Name), "risk").Exists() {
		return // it is held against what the fields say
	}
	for _, t := range d.kind(s.Kind).traits {
		below := append([]string{string(s.Kind)}, t.path...)
		in := func(step cue.Value) cue.Value {
			for _, name := range below {
				step = field(step, name)
			}
			return step
		}
		at := append(slices.Clone(d.homeOf[s.Name].path), below...)
		differs := len(d.given) > 0 && !sameValue(in(d.step(d.value, s.Name)), in(d.step(d.authored(), s.Name)))
		if t.risks != nil && (differs || slices.ContainsFunc(d.refs.vals[joined(at)], d.refs.takesInputs)) {
			report(d.placeIn(s.Name, below...))
		}
	}
}

// addresses reports the fields that authors write out of which an input decides a part: by the text where it stands in the
// step, and, once values are given, wherever it comes from. Whoever opens an incident would otherwise choose who is told of it.
func (d *document) addresses(plan runbook.Plan, report func(runbook.Problem)) {
	for _, s := range plan.Steps {
		for _, t := range d.kind(s.Kind).traits {
			if !t.written {
				continue
			}
			below := append([]string{string(s.Kind)}, t.path...)
			in := func(v cue.Value) cue.Value {
				for _, name := range below {
					v = field(v, name)
				}
				return v
			}
			at := append(slices.Clone(d.homeOf[s.Name].path), below...)
			differs := len(d.given) > 0 && !sameValue(in(d.step(d.value, s.Name)), in(d.step(d.authored(), s.Name)))
			if differs || slices.ContainsFunc(d.refs.vals[joined(at)], d.refs.takesInputs) {
				report(d.placeIn(s.Name, below...))
			}
		}
	}
}

// takesInputs reports whether an expression, or a helper that it names, refers to an input, and leaves no edge.
func (w *walker) takesInputs(e ast.Expr) bool {
	old, from, seen := *w.graph, w.from, w.seen
	defer func() { *w.graph, w.from, w.seen = old, from, seen }()
	w.begin("")
	w.walk(e)
	return len(w.graph.inputs) > len(old.inputs)
}

// permits finds permissions of the step at hand that stand behind a condition on an input.
func (w *walker) permits(c *ast.Comprehension) {
	asks := slices.ContainsFunc(c.Clauses, func(x ast.Clause) bool {
		i, ok := x.(*ast.IfClause)
		return ok && w.takesInputs(i.Condition)
	})
	bodies := []ast.Node{c.Value}
	if c.Fallback != nil {
		bodies = append(bodies, c.Fallback.Body)
	}
	for _, body := range bodies {
		ast.Walk(body, func(n ast.Node) bool {
			if x, ok := n.(*ast.Field); ok && asks {
				if name, _ := labelName(x.Label); slices.Contains(permissions(), name) {
					w.graph.inputs = append(w.graph.inputs, edge{from: w.from, stage: w.stage, to: "inputs", path: []string{"*"}, pos: x.Pos(), field: name})
				}
			}
			return true
		}, nil)
	}
}

// sameValue compares two values that are known; what is known of one alone differs.
func sameValue(a, b cue.Value) bool {
	if !a.Exists() || !b.Exists() {
		return a.Exists() == b.Exists()
	}
	x, err := a.MarshalJSON()
	y, other := b.MarshalJSON()
	return (err == nil) == (other == nil) && bytes.Equal(x, y)
}
