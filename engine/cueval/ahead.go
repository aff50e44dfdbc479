package cueval

import (
	"maps"
	"slices"

	"github.com/pullbook/pullbook/engine/runbook"
)

// ahead is what one evaluation tells of later ones of the same runbook with the same alert: what each step will be once all that it needs
// has ended, and on the ends of which steps that rests. While these stay as they are, it need not be evaluated again.
type ahead struct {
	Steps []foreseen `json:"steps"`           // of the plan, in order
	Words []int      `json:"words,omitempty"` // on whose ends the words of the plan rest
}

// foreseen is one step. Rests and Texts are indices of steps of the plan.
type foreseen struct {
	Known bool                `json:"known,omitempty"` // it was evaluated
	Now   *runbook.Resolution `json:"now,omitempty"`   // what it will be; nil: what it is now
	Rests []int               `json:"rests,omitempty"` // on whose ends that rests
	Texts []int               `json:"texts,omitempty"` // on whose ends its words for people rest
}

// mostRests bounds how many ends are named in an ahead, all steps counted together. Where there are more, nothing is told.
const mostRests = 100_000

// resolveAhead is resolve that evaluates also the steps that wait and could be evaluated by now, and leaves out those that the
// asker knows: the spared ones, by index, which are without a resolution unless they wait or are over. It tells nothing of
// runbooks that are not evaluated in one context, or in parts.
func (t *texts) resolveAhead(q runbook.Query, known *runbook.Plan, spared []int) (runbook.Plan, *ahead, error) {
	if known == nil {
		_, made, err := t.planned(q.Source, nil)
		if err != nil {
			return runbook.Plan{}, nil, err
		}
		known = &made
	}
	d, plan, err := t.planned(q.Source, known)
	if err != nil {
		return runbook.Plan{}, nil, err
	}
	if d.parts.whole || len(plan.Steps) > together {
		plan, err := t.resolve(q, known)
		return plan, nil, err
	}
	evaluated := map[int]*runbook.Resolution{}
	var wanted []part
	for i := range plan.Steps {
		evaluate := d.standing(&plan.Steps[i], q.Ended) && !slices.Contains(spared, i)
		if evaluate {
			evaluated[i] = nil
		}
		wanted = append(wanted, d.wants(plan.Steps[i], evaluate)...)
	}
	d.only = d.parts.excerptOf(wanted)
	v, err := d.filledFor(plan, q, nil)
	if err != nil {
		return runbook.Plan{}, nil, err
	}
	d.wordsOf(&plan, v)
	for i := range plan.Steps {
		s := &plan.Steps[i]
		d.texts(s, v)
		if _, asked := evaluated[i]; !asked {
			continue
		}
		now := runbook.Resolution{}
		if p, lost := d.lostOutput(*s, q.Ended, inCondition); lost {
			now = broken(p)
		} else {
			now = d.now(*s, v, q.Ended)
		}
		if s.Now.Status == "" {
			s.Now = now
		} else {
			evaluated[i] = &now
		}
	}
	return plan, d.ahead(plan, evaluated), nil
}

// standing sets what a step is as far as that needs no evaluation, and reports whether it is to be evaluated: now, or since what
// it waits for is none of its values' concern.
func (d *document) standing(s *runbook.Step, ended map[string]runbook.Ended) (evaluate bool) {
	s.Now = runbook.Resolution{}
	if s.Over(ended) {
		s.Now.Status = runbook.StatusOver
		return false
	}
	r, early := before(*s, ended)
	if !early {
		return true
	}
	s.Now = r
	return r.Status == runbook.StatusWaiting && s.Undoes == "" && !s.Each && !slices.ContainsFunc(d.edges[s.Name], func(e edge) bool {
		_, over := ended[e.to]
		return !over
	})
}

// ahead says on what it rests what was evaluated, and the words of every step; nil where that is too much to tell.
func (d *document) ahead(plan runbook.Plan, evaluated map[int]*runbook.Resolution) *ahead {
	told := d.toldOf(plan)
	out := &ahead{Steps: make([]foreseen, len(plan.Steps)), Words: told.in(d.parts.excerptOf(nil))}
	for i, s := range plan.Steps {
		one := &out.Steps[i]
		if wanted := d.wants(s, false); len(wanted) > 0 {
			one.Texts = told.in(d.parts.excerptOf(wanted))
		}
		now, known := evaluated[i]
		if !known {
			continue
		}
		also := []string{s.Undoes}
		for _, e := range d.edges[s.Name] {
			also = append(also, e.to)
		}
		one.Known, one.Now, one.Rests = true, now, told.in(d.parts.excerptOf(d.wants(s, true)), also...)
		if s.Over(map[string]runbook.Ended{s.Name: {Conclusion: runbook.Succeeded}}) { // once it has ended nobody asks
			one.Rests = slices.DeleteFunc(one.Rests, func(on int) bool { return on == i })
		}
	}
	if told.count > mostRests {
		return nil
	}
	return out
}

// ends are the steps of a plan the ends of which are filled into an evaluation, with their indices.
type ends struct {
	doc   *document
	at    map[string]int
	fills []int
	plan  runbook.Plan
	count int // of all that were named
}

func (d *document) toldOf(plan runbook.Plan) *ends {
	e := &ends{doc: d, at: make(map[string]int, len(plan.Steps)), plan: plan}
	for i, s := range plan.Steps {
		e.at[s.Name] = i
		if s.HasOutput || d.statusAsked[s.Name] {
			e.fills = append(e.fills, i)
		}
	}
	return e
}

// in are those of which something stands in an excerpt, and the steps that are named.
func (e *ends) in(x *excerpt, also ...string) []int {
	named := map[int]bool{}
	for _, i := range e.fills {
		if x.has(e.doc.homeOf[e.plan.Steps[i].Name]) {
			named[i] = true
		}
	}
	for _, name := range also {
		if i, ok := e.at[name]; ok {
			named[i] = true
		}
	}
	e.count += len(named)
	return slices.Sorted(maps.Keys(named))
}
