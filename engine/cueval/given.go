package cueval

import (
	"bytes"
	"slices"

	"cuelang.org/go/cue"

	"github.com/pullbook/pullbook/engine/runbook"
)

// permissions are the fields of a step that say what it takes to run it. An author writes them: what an input is given can
// be the word of whoever opens an incident, and of an alert or an output where a step opens it.
func permissions() []string { return []string{"approval", "risk"} }

// permitted reports the permissions of steps that inputs decide on: by the text, and, once values are given, where they
// are other ones without these.
func (d *document) permitted(plan runbook.Plan) (ps []runbook.Problem) {
	report := func(p runbook.Problem) {
		p.Text, p.Hint = "who approves a step, and what its risk is, cannot depend on an input", "write it out; a step with when for each case can have its own"
		if !slices.ContainsFunc(ps, func(o runbook.Problem) bool { return o.Path == p.Path }) {
			ps = append(ps, p)
		}
	}
	for _, e := range d.graph.inputs {
		if slices.Contains(permissions(), e.field) {
			report(problemAt(e.pos, pathAt(d.file, e.pos), ""))
		}
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

// sameValue compares two values that are known; what is known of one alone differs.
func sameValue(a, b cue.Value) bool {
	if !a.Exists() || !b.Exists() {
		return a.Exists() == b.Exists()
	}
	x, err := a.MarshalJSON()
	y, other := b.MarshalJSON()
	return (err == nil) == (other == nil) && bytes.Equal(x, y)
}
