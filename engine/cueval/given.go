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
func permissions() []string { return []string{"approval", "risk", "reversible", "idempotent"} }

// permitted reports the permissions of steps, and the addresses of notices, that inputs decide on: by the text, and where they
// are other ones, or none, when the inputs may have any value.
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
	told := map[string]bool{}
	for _, e := range d.graph.inputs {
		if slices.Contains(permissions(), e.field) {
			told[e.from] = true
			report(problemAt(e.pos, pathAt(d.file, e.pos), ""))
		}
	}
	for _, s := range plan.Steps {
		d.riskFollows(s, func(p runbook.Problem) {
			add(p, "the risk of the step follows from this, and cannot depend on an input", "write it out, or write the risk out")
		})
	}
	for _, s := range written(plan.Steps) {
		for _, name := range permissions() {
			if !told[s.Name] && d.differs(s.Name, name) {
				report(d.placeIn(s.Name, name))
			}
		}
	}
	return ps
}

// differs reports whether a field of a step is another one, or is not known, when the inputs may have any value.
func (d *document) differs(step string, path ...string) bool {
	if len(d.inputNames()) == 0 {
		return false
	}
	now, open := d.step(d.value, step), d.step(d.inputless(), step)
	now, open = deeper(now, path), deeper(open, path)
	return !sameValue(now, open) || d.hidesInput(step, path...)
}

// riskFollows reports the fields of a step that its risk follows from, such as the method of a request, where an input has
// a part in them and the risk is not written out.
func (d *document) riskFollows(s runbook.Step, report func(runbook.Problem)) {
	if field(d.step(d.value, s.Name), "risk").Exists() {
		return // it is held against what the fields say
	}
	for _, t := range d.kind(s.Kind).traits {
		if below := append([]string{string(s.Kind)}, t.path...); t.risks != nil && d.differs(s.Name, below...) {
			report(d.placeIn(s.Name, below...))
		}
	}
}

// addresses reports the fields that authors write out of which an input decides a part. Whoever opens an incident would otherwise choose who is told of it.
func (d *document) addresses(plan runbook.Plan, report func(runbook.Problem)) {
	for _, s := range plan.Steps {
		for _, t := range d.kind(s.Kind).traits {
			if !t.written {
				continue
			}
			if below := append([]string{string(s.Kind)}, t.path...); d.differs(s.Name, below...) {
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
