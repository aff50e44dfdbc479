package cueval

import (
	"runtime"

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/cuecontext"

	"github.com/pullbook/pullbook/engine/runbook"
)

const (
	// together is how many steps are evaluated in one context. What an evaluation holds in memory grows with it.
	together = 500
	// large is the number of steps from which on the runbook itself takes much of the memory that there is.
	large = 2000
)

// resolve says what each step is now. With a known plan it does not make that once more.
func (t *texts) resolve(q runbook.Query, known *runbook.Plan) (runbook.Plan, error) {
	return t.resolveBy(together, q, known)
}

// resolveBy evaluates the steps that matter now, so many at a time, each time with what these refer to.
func (t *texts) resolveBy(most int, q runbook.Query, known *runbook.Plan) (runbook.Plan, error) {
	if known == nil {
		_, made, err := t.planned(q.Source, nil)
		if err != nil {
			return runbook.Plan{}, err
		}
		known = &made
	}
	d, plan, err := t.planned(q.Source, known)
	if err != nil {
		return runbook.Plan{}, err
	}
	if len(plan.Steps) >= large {
		most = min(most, together/2)
	}
	for next := 0; next == 0 || next < len(plan.Steps); {
		if next > 0 {
			d = d.afresh()
		}
		if len(plan.Steps) >= large {
			runtime.GC() // on a busy machine the collector alone falls behind, and what it has left counts
		}
		if next, err = d.resolveSome(&plan, q, next, most); err != nil {
			return runbook.Plan{}, err
		}
	}
	return plan, nil
}

// resolveSome resolves the steps from one on, until so many of them had to be evaluated, and returns the first one that is left.
func (d *document) resolveSome(plan *runbook.Plan, q runbook.Query, from, most int) (next int, err error) {
	var wanted []part
	var live []int
	for next = from; next < len(plan.Steps) && (d.parts.whole || len(wanted) < most); next++ {
		s, early := &plan.Steps[next], false
		if s.Over(q.Ended) {
			s.Now, early = runbook.Resolution{Status: runbook.StatusOver}, true
		} else {
			s.Now, early = d.outset(*s, q.Ended)
		}
		if !early {
			live = append(live, next)
		}
		wanted = append(wanted, d.wants(*s, !early)...)
	}
	d.only = d.parts.excerptOf(wanted)
	v, err := d.filledFor(*plan, q, nil)
	if err != nil {
		return 0, err
	}
	if from == 0 {
		d.wordsOf(plan, v)
	}
	for i := from; i < next; i++ {
		d.texts(&plan.Steps[i], v)
	}
	for _, i := range live {
		plan.Steps[i].Now = d.now(plan.Steps[i], v, q.Ended)
	}
	return next, nil
}

// wants are the parts of a runbook that a step is evaluated from: what can still be decided of it, or the texts that do not stand
// there as they are.
func (d *document) wants(s runbook.Step, live bool) (out []part) {
	h := d.homeOf[s.Name]
	step := part{h.path[0], h.path[1], ""}
	if live {
		return d.toRun(s, step)
	}
	for _, name := range textFields() {
		if _, known := d.parts.text(h, name); known {
			continue
		}
		if len(h.path) > 2 {
			name = h.path[2]
		}
		out = append(out, part{step.list, step.step, name})
	}
	return out
}

// afresh is the same runbook in another context. The memory of the old one can be used again.
func (d *document) afresh() *document {
	n := *d
	n.ctx = cuecontext.New()
	n.types, _ = d.schema.typesFor(n.ctx, n.known, n.lib) // it has been read before, as pullbook.cue has
	n.def = n.types.LookupPath(cue.MakePath(cue.Def("#Runbook")))
	n.org, _ = readOrganisation(n.ctx, n.types, n.kinds, n.lib)
	n.value, n.fixed, n.alone, n.lists, n.only = cue.Value{}, cue.Value{}, cue.Value{}, nil, nil
	n.open, n.shaped, n.blind = cue.Value{}, cue.Value{}, cue.Value{}
	return &n
}
