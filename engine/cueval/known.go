package cueval

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"cuelang.org/go/cue"

	"github.com/pullbook/pullbook/engine/runbook"
)

// planned returns the plan of a source, made anew with every check that it rests on, or the known one. Equal sources
// make equal plans, so a plan that was made once needs no check again: the runbook is then evaluated once, with the alert
// and the outputs in it, instead of once without and once with them.
func (t *texts) planned(src runbook.Source, known *runbook.Plan) (*document, runbook.Plan, error) {
	if known == nil {
		d, plan, ps := t.assemble(src)
		if len(ps) > 0 {
			return nil, runbook.Plan{}, &SourceError{Problems: tidy(ps)}
		}
		return d, plan, nil
	}
	plan := *known
	plan.Steps = slices.Clone(known.Steps)
	if d := t.kept(src, known); d != nil {
		return d, plan, nil
	}
	d, err := t.read(src, known)
	if err != nil {
		return nil, runbook.Plan{}, err
	}
	return t.keep(d), plan, nil
}

// read reads the source of a known plan.
func (t *texts) read(src runbook.Source, known *runbook.Plan) (*document, error) {
	d, ps := t.parse(src, known)
	if len(ps) > 0 {
		return nil, &SourceError{Problems: tidy(ps)} // unreachable unless the plan is of another source
	}
	d.source = src
	d.parts = readParts(d.text, d.org)
	d.rewrite()
	d.known = known
	if err := d.fillInputs(known.Inputs); err != nil {
		return nil, err // unreachable unless the plan was not made here
	}
	d.homesOf(*known)
	d.edges = d.edgesByStep()
	for _, s := range known.Steps {
		if s.Rehearses != "" {
			d.edges[s.Name] = d.edges[s.Rehearses]
		}
	}
	return d, nil
}

// static is the runbook as it is without alert and outputs, with the risks and the policy. Of a known plan it is
// evaluated when somebody asks, since most looks do not.
func (d *document) static() cue.Value {
	if d.known == nil || d.fixed.Exists() {
		return d.fixed
	}
	d.value = d.built()
	d.fixed = d.value
	if !d.ruled() {
		return d.fixed
	}
	if err := d.applyPolicy(d.only.within(d, written(d.known.Steps))); err != nil {
		d.fixed = cue.Value{} // unreachable: a risk can always be written
	}
	return d.fixed
}

// filledFor fills the alert, the outputs of the steps that have ended, and further values into the plan's evaluation.
func (d *document) filledFor(plan runbook.Plan, q runbook.Query, further map[string]fill) (cue.Value, error) {
	d.collects = map[string]bool{}
	steps := map[string]fill{}
	set := func(name, key string, text json.RawMessage) {
		if steps[name] == nil {
			steps[name] = fill{}
		}
		steps[name][key] = text
	}
	for i := range plan.Steps {
		s := &plan.Steps[i]
		if s.Rehearses != "" {
			continue
		}
		end, ok := q.Ended[s.Name]
		d.collects[s.Name] = s.Each
		if !d.only.has(d.homeOf[s.Name]) {
			continue
		}
		if ok && s.HasOutput && (succeeded(end) || len(end.Happened) > 0) {
			set(s.Name, "output", end.Output)
		}
		if ok && d.statusAsked[s.Name] {
			set(s.Name, "status", statusOf(end))
		}
	}
	for name, one := range further {
		for key, text := range one {
			set(name, key, text)
		}
	}
	v, err := d.evaluated(plan, q.Alert, steps)
	if err != nil {
		return cue.Value{}, err
	}
	if err := field(v, "alert").Validate(cue.Final()); err != nil {
		return cue.Value{}, fmt.Errorf("read the alert: %s", firstLine(err))
	}
	return v, nil
}

// evaluated is the runbook with everything in it.
func (d *document) evaluated(plan runbook.Plan, alert json.RawMessage, steps map[string]fill) (cue.Value, error) {
	if d.known == nil {
		return d.filled(d.static(), alert, steps)
	}
	risked, there := steps, []runbook.Step(nil)
	if d.ruled() {
		risked, there = maps.Clone(steps), d.only.within(d, written(plan.Steps))
		for _, s := range there {
			one := fill{"risk": json.RawMessage(strconv.Quote(string(s.Risk)))}
			maps.Copy(one, steps[s.Name])
			risked[s.Name] = one
		}
	}
	decls, err := d.fills(alert, risked)
	if err != nil {
		return cue.Value{}, err
	}
	if d.ruled() {
		decls = append(decls, d.presets(there)...)
	}
	v := d.built(decls...)
	if d.org.policy != nil {
		v = d.narrowed(v, there)
	}
	if v.Validate() != nil { // an error in one place can hide the rest, so it is looked at in what is sound without it
		return d.filled(d.static(), alert, steps)
	}
	return v, nil
}
