package cueval

import (
	"slices"
	"strconv"
	"strings"

	"cuelang.org/go/cue"

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
			q := d.placeIn(name, above...)
			if _, below, in := strings.Cut(p.Path, strings.Join(append(slices.Clone(h.path), "approval"), ".")); in { // after the name of the policy
				q.Path += below
			}
			q.Text, q.Hint, q.See = p.Text, p.Hint, p.See
			ps = append(ps, q)
		}
	}
	return ps
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
