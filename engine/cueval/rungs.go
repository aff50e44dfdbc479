package cueval

import (
	"slices"
	"strconv"
	"strings"

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/ast"

	"github.com/pullbook/pullbook/engine/runbook"
)

// ruleFields are what an approval and a list of escalateTo have in common: who must agree.
func ruleFields() []string { return []string{"from", "count", "all", "any"} }

// rungProblems holds each list of escalateTo against what the policy says of the approval of its step. The people of such a
// list open the gate as those of the approval do, so what the policy demands of these it demands of them: they may be
// others, never fewer. The step must fit the policy itself.
func (d *document) rungProblems(name string) (ps []runbook.Problem) {
	h := d.homeOf[name]
	it, err := field(field(d.step(d.static(), name), "approval"), "escalateTo").List()
	for i := 0; err == nil && it.Next(); i++ {
		above := []string{"approval", "escalateTo", strconv.Itoa(i)}
		err := d.stoodIn(h, it.Value()).Validate(cue.Final())
		if err == nil {
			continue
		}
		for _, p := range d.reporter().report(err) {
			q := d.placeOfRung(name, i, above)
			if _, below, in := strings.Cut(p.Path, strings.Join(append(slices.Clone(h.path), "approval"), ".")); in { // after the name of the policy
				q.Path += below
			}
			q.Text, q.Hint, q.See = p.Text, p.Hint, p.See
			ps = append(ps, q)
		}
	}
	return ps
}

// placeOfRung is where a list of escalateTo is written, or its approval where that comes from elsewhere.
func (d *document) placeOfRung(name string, i int, at []string) runbook.Problem {
	p := d.placeIn(name, at...)
	path := append(slices.Clone(d.homeOf[name].path), at[:len(at)-1]...)
	if f, depth := fieldOf(d.file, path); f != nil && depth == len(path) {
		if list, ok := f.Value.(*ast.ListLit); ok && i < len(list.Elts) {
			p.Line, p.Column = list.Elts[i].Pos().Line(), list.Elts[i].Pos().Column()
		}
	}
	return p
}

// stoodIn is a step as the policy sees it, with the people of one list of escalateTo in the place of those of its approval.
func (d *document) stoodIn(h home, rung cue.Value) cue.Value {
	v, from := d.org.policy[h.stage], d.static().LookupPath(h.at)
	fill := func(value cue.Value, below ...cue.Selector) {
		v = v.FillPath(cue.MakePath(append(h.at.Selectors(), below...)...), value)
	}
	eachRegular(from, func(at cue.Selector, value cue.Value) {
		if at.Unquoted() != "approval" {
			fill(value, at)
		}
	})
	gate := cue.Str("approval")
	eachRegular(field(from, "approval"), func(at cue.Selector, value cue.Value) {
		if !slices.Contains(ruleFields(), at.Unquoted()) {
			fill(value, gate, at)
		}
	})
	for _, name := range ruleFields() {
		if value := field(rung, name); value.Exists() {
			fill(value, gate, cue.Str(name))
		}
	}
	return v.LookupPath(h.at)
}

// eachRegular calls do for each field of a struct that is there and has a plain name.
func eachRegular(v cue.Value, do func(at cue.Selector, value cue.Value)) {
	it, err := v.Fields()
	for err == nil && it.Next() {
		do(it.Selector(), it.Value())
	}
}
