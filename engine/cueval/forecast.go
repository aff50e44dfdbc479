package cueval

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/pullbook/pullbook/engine/runbook"
)

// forecastRounds bounds how often steps that turn out to be skipped change what others are.
const forecastRounds = 4

// Forecast says what each step of a plan would be once all others had ended: with what query says of them, and well where it
// says nothing. A step whose values refer to an output that nobody has given is waiting, and Problem says for which.
func (e *Evaluator) Forecast(ctx context.Context, q runbook.Query) (runbook.Plan, error) {
	r, err := e.run(ctx, e.question(opForecast, q, "", nil))
	if err == nil {
		err = r.err()
	}
	if err == nil {
		err = r.join()
	}
	if err != nil {
		return runbook.Plan{}, fmt.Errorf("look ahead in %s: %w", q.Source.Runbook, err)
	}
	return r.Plan, nil
}

// forecast evaluates the whole runbook as if every step had ended. What is skipped because of that changes the status that
// others see, so it is done again until nothing changes.
func (t *texts) forecast(q runbook.Query, known *runbook.Plan) (runbook.Plan, error) {
	if known == nil {
		_, made, err := t.planned(q.Source, nil)
		if err != nil {
			return runbook.Plan{}, err
		}
		known = &made
	}
	ended := maps.Clone(q.Ended)
	if ended == nil {
		ended = map[string]runbook.Ended{}
	}
	for _, s := range known.Steps {
		if _, given := ended[s.Name]; !given {
			ended[s.Name] = runbook.Ended{Conclusion: runbook.Succeeded}
		}
	}
	for range forecastRounds {
		d, plan, err := t.planned(q.Source, known)
		if err != nil {
			return runbook.Plan{}, err
		}
		q.Ended = ended
		v, err := d.filledFor(plan, q, nil)
		if err != nil {
			return runbook.Plan{}, err
		}
		d.words(&plan, v)
		again := false
		for i := range plan.Steps {
			s := &plan.Steps[i]
			s.Now = d.foreseen(*s, func() runbook.Resolution { return d.now(*s, v, ended) }, ended)
			if s.Each && s.Now.Status == runbook.StatusReady { // all of its elements would be undone
				ended[s.Name] = runbook.Ended{Conclusion: runbook.Succeeded, Output: ended[s.Name].Output, Happened: s.Now.Keys()}
			}
			if s.Now.Status == runbook.StatusSkip && !ended[s.Name].Skipped {
				ended[s.Name] = runbook.Ended{Skipped: true} // the plan is in order: those that come after see it in this round
				again = again || d.statusAsked[s.Name]
			}
		}
		if !again {
			return plan, nil
		}
	}
	return runbook.Plan{}, fmt.Errorf("look ahead in %s: which steps are skipped does not settle", q.Source.Runbook)
}

// foreseen says what a step would be. What refers to an output that is not known cannot be worked out yet, and
// what is rehearsed is known when that has ended.
func (d *document) foreseen(s runbook.Step, now func() runbook.Resolution, ended map[string]runbook.Ended) runbook.Resolution {
	others := maps.Clone(ended)
	delete(others, s.Name)
	rehearsal := s.Name + rehearsalSuffix
	untold := slices.Contains(s.Needs, rehearsal) && others[rehearsal].Conclusion == runbook.Succeeded && !succeeded(others[rehearsal])
	if untold { // it will leave something
		others[rehearsal] = runbook.Ended{Conclusion: runbook.Succeeded, Output: json.RawMessage("{}")}
	}
	if r, early := before(s, others); early {
		return r
	}
	if name, unknown := d.unknownOutput(s, others, inCondition); unknown {
		return runbook.Resolution{Status: runbook.StatusWaiting, Problem: name}
	}
	r := now()
	if name, unknown := d.unknownOutput(s, others, anywhere); unknown && r.Status != runbook.StatusSkip {
		return runbook.Resolution{Status: runbook.StatusWaiting, Problem: name}
	}
	if untold && r.Status == runbook.StatusReady {
		return runbook.Resolution{Status: runbook.StatusWaiting, Problem: rehearsal}
	}
	return r
}

// unknownOutput finds a step that a step refers to, and that would put out what is not known.
func (d *document) unknownOutput(s runbook.Step, ended map[string]runbook.Ended, counts func(edge) bool) (name string, unknown bool) {
	for _, e := range d.edges[s.Name] {
		end := ended[e.to]
		if len(e.path) > 0 && e.path[0] != "output" || !counts(e) || end.Skipped || end.Conclusion != runbook.Succeeded || succeeded(end) {
			continue
		}
		return e.to, true
	}
	return "", false
}
