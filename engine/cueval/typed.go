package cueval

import (
	"encoding/json"

	"cuelang.org/go/cue"

	"github.com/pullbook/pullbook/engine/runbook"
)

// ofType checks an output against a type that is made of literals and of CUE's own types alone, and that no rule of the
// organisation looks at: then nothing but that type has a part in it, and it is evaluated once for all outputs of a step. It answers only
// what is right; of anything else the whole runbook says what is wrong with it.
func (d *document) ofType(s runbook.Step, text json.RawMessage) (out json.RawMessage, right bool) {
	h, written := d.homeOf[s.Name]
	if !written || d.parts == nil {
		return nil, false // an element, or there is no plan yet
	}
	step := part{h.path[0], h.path[1], ""}
	switch {
	case s.Of != "" || s.Each || s.Rehearses != "" || s.Kind == runbook.KindChoose || len(h.path) > 2 || d.parts.solid(h):
		return nil, false
	case d.parts.rules.open || d.parts.rules.names["output"] || !d.settledText(step, "output"):
		return nil, false
	}
	typ, known := d.settled[s.Name]
	if !known {
		d.only = d.parts.excerptOf([]part{{step.list, step.step, "output"}})
		typ = field(d.step(d.built(), s.Name), "output")
		if d.settled != nil {
			d.settled[s.Name] = typ
		}
	}
	x, err := extract("json", text, maxValue)
	if err != nil || typ.Err() != nil {
		return nil, false
	}
	whole := typ.Unify(d.ctx.BuildExpr(prune(typ, x)))
	if whole.Validate(cue.Concrete(true)) != nil {
		return nil, false
	}
	out, err = whole.MarshalJSON()
	return out, err == nil
}
