package cueval

import (
	"fmt"

	"github.com/google/go-cmp/cmp"

	"github.com/pullbook/pullbook/engine/runbook"
)

// wholly resolves as resolve does, but evaluates the runbook as a whole, and every step of it: the oracle of resolve.
func wholly(q runbook.Query) (runbook.Plan, error) {
	d, plan, err := planned(q.Source, nil)
	if err != nil {
		return runbook.Plan{}, err
	}
	v, err := d.filledFor(plan, q, nil)
	if err != nil {
		return runbook.Plan{}, err
	}
	d.words(&plan, v)
	for i := range plan.Steps {
		s := &plan.Steps[i]
		early := false
		if s.Now, early = d.outset(*s, q.Ended); !early {
			s.Now = d.now(*s, v, q.Ended)
		}
	}
	return plan, nil
}

// withoutOver gives steps that are not worked out again what the oracle says of them.
func withoutOver(plan, oracle runbook.Plan, q runbook.Query) runbook.Plan {
	for i, s := range plan.Steps {
		if s.Now.Status == runbook.StatusOver && s.Over(q.Ended) {
			plan.Steps[i].Now = oracle.Steps[i].Now
		}
	}
	return plan
}

// everyWay asks for the whole at once, and for parts of it: with the plan known and without, many steps and few at a time.
// The answers must be the same.
func everyWay(q runbook.Query) (runbook.Plan, error) {
	plan, err := wholly(q)
	if err != nil {
		return plan, err
	}
	_, known, _ := load(q.Source)
	for _, way := range []struct {
		most  int
		known *runbook.Plan
	}{{together, nil}, {together, &known}, {2, &known}, {1, &known}} {
		again, err := resolveBy(way.most, q, way.known)
		if err != nil {
			return plan, err
		}
		if d := cmp.Diff(plan, withoutOver(again, plan, q)); d != "" {
			return plan, fmt.Errorf("%d steps at a time make another plan, known %t: %s", way.most, way.known != nil, d)
		}
	}
	again, err := remembering(q, known)
	if err != nil {
		return plan, err
	}
	if d := cmp.Diff(plan, withoutOver(again, plan, q)); d != "" {
		return plan, fmt.Errorf("what was foreseen is another plan: %s", d)
	}
	return plan, nil
}

// remembering lets the steps end one after the other, in the order of the plan, and answers from what earlier evaluations told as far as
// that goes. What it answers without an evaluation on the way must be what an evaluation says.
func remembering(q runbook.Query, known runbook.Plan) (plan runbook.Plan, err error) {
	x := &outlook{}
	ended := map[string]runbook.Ended{}
	look := func() error {
		now := q
		now.Ended = ended
		made, spared, lacks := x.resolve(ended)
		if plan = made; lacks == lacksNothing {
			again, err := resolve(now, &known)
			if d := cmp.Diff(again, plan); err != nil || d != "" {
				return fmt.Errorf("after %d ends something else was foreseen (%v): %s", len(ended), err, d)
			}
			return nil
		}
		var told *ahead
		if plan, told, err = (&texts{}).resolveAhead(now, &known, spared); err != nil {
			return err
		}
		x = x.after(&plan, ended, told, spared)
		return nil
	}
	if err := look(); err != nil {
		return plan, err
	}
	for _, s := range known.Steps {
		if end, over := q.Ended[s.Name]; over {
			ended[s.Name] = end
			if err := look(); err != nil {
				return plan, err
			}
		}
	}
	for name, end := range q.Ended { // of steps that the plan does not have
		ended[name] = end
	}
	return plan, look()
}
