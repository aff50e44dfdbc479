package engine

import (
	"reflect"

	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/render"
	"github.com/pullbook/pullbook/engine/runbook"
)

// drawn is what people see of an incident, as it was drawn last, and all that it was drawn from. Most looks find nothing new, and
// drawing takes longer than the rest of them.
type drawn struct {
	screen incident.Screen

	ledger *notes // with seq: the state
	seq    int
	steps  []runbook.Step // of the plan: those of another one are elsewhere
	sight  incident.View
}

// draw is what people are to see now. It is not drawn again where that would make the same of the same.
func (w *worker) draw(plan runbook.Plan) incident.Screen {
	d := drawn{ledger: w.ledger, seq: w.ledger.state.Seq, steps: plan.Steps, sight: w.sight()}
	if d.as(&w.drawn) {
		d.screen = w.drawn.screen
	} else {
		d.screen = render.Screen(plan, w.ledger.state, d.sight)
	}
	if d.screen.Body == w.screen.Body {
		d.screen.Body = w.screen.Body // kept once
	}
	w.drawn = d
	return d.screen
}

// as reports whether two drawings are made from the same.
func (d *drawn) as(o *drawn) bool {
	n := len(d.steps)
	return d.ledger == o.ledger && d.seq == o.seq && n > 0 && n == len(o.steps) && &d.steps[0] == &o.steps[0] && reflect.DeepEqual(d.sight, o.sight)
}

// sight is the view as far as people see it. Nothing of it changes later: what the engine notes in what the hub said last, and what
// says only whether people have been told, are not in it.
func (w *worker) sight() incident.View {
	v := w.view(nil, nil)
	if v.Pull != nil {
		v.Pull = &incident.Pull{Number: v.Pull.Number, URL: v.Pull.URL}
	}
	v.Comments, v.Checks, v.Strangers, v.Presses = nil, nil, nil, nil
	return v
}
