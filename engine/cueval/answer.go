package cueval

import (
	"encoding/json"
	"fmt"

	"cuelang.org/go/cue"

	"github.com/pullbook/pullbook/engine/runbook"
)

// below is the JSON object that has one value.
func below(name string, value json.RawMessage) json.RawMessage {
	return fmt.Appendf(nil, "{%q: %s}", name, value)
}

// until says whether the condition of a step, such as a probe's, holds for an answer.
func (t *texts) until(q runbook.Query, known *runbook.Plan, name string, answer json.RawMessage) (bool, error) {
	d, plan, err := t.planned(q.Source, known)
	if err != nil {
		return false, err
	}
	s, _, ok := plan.Written(name)
	base, _, isElement := runbook.SplitName(name)
	k := d.kind(s.Kind)
	answered, condition := k.later(laterAnswer), k.later(laterCondition)
	if !ok || condition == "" {
		return false, fmt.Errorf("decide the condition of %s: no step of that name in %s has one", name, q.Source.Runbook)
	}
	alike := d.onlyFor(plan, name, string(s.Kind), q.Ended)
	var kept json.RawMessage
	var further map[string]fill
	if typ := field(field(d.step(d.static(), base), string(s.Kind)), answered); typ.Exists() {
		if kept, err = d.project(typ, answer); err != nil {
			return false, &OutputError{Step: name, Problem: fmt.Sprintf("the answer to %s cannot be read: %v", name, err)}
		}
		further = map[string]fill{base: {string(s.Kind): below(answered, kept)}}
	}
	v, err := d.filledFor(plan, q, further)
	if err != nil {
		return false, err
	}
	step := d.step(v, base)
	if isElement && !alike {
		if step, err = d.itemIn(v, plan, name); err != nil {
			return false, err
		}
	}
	one := field(step, string(s.Kind))
	if typ := field(one, answered); typ.Exists() {
		if err := typ.Validate(cue.Concrete(true)); err != nil {
			return false, &OutputError{Step: name, Problem: d.why(err, base, string(s.Kind), answered).String()}
		}
	}
	holds, err := field(one, condition).Bool()
	if err != nil {
		return false, &OutputError{Step: name, Problem: d.why(err, base, string(s.Kind), condition).String()}
	}
	return holds, nil
}
