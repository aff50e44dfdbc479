package cueval

import (
	"slices"

	"cuelang.org/go/cue"

	"github.com/pullbook/pullbook/engine/runbook"
)

// rehearsalSuffix makes the name of a rehearsal in the plan out of that of its step.
const rehearsalSuffix = "_rehearsal"

// written are the steps that an author wrote: what is filled into a rehearsal is filled into its step.
func written(steps []runbook.Step) []runbook.Step {
	return slices.DeleteFunc(slices.Clone(steps), func(s runbook.Step) bool { return s.Rehearses != "" })
}

// rehearsed reports whether a step is rehearsed before it runs.
func (d *document) rehearsed(kind runbook.Kind, step cue.Value) bool {
	k := d.kind(kind)
	on := k.tries
	for _, t := range k.traits {
		if t.tried == "" && !t.tries {
			continue
		}
		f := field(field(step, string(kind)), t.path[0])
		if t.tried != "" {
			on = on || f.Exists()
		}
		if t.tries {
			wanted, err := f.Bool()
			on = on && (err != nil || wanted)
		}
	}
	return on
}

// unlike are the fields of a kind that a step does not have, since they are its rehearsal's, or the other way round.
func (k kind) unlike(s runbook.Step) (names []string) {
	for _, t := range k.traits {
		switch {
		case t.tried == "":
		case s.Rehearses != "":
			names = append(names, t.tried)
		default:
			names = append(names, t.path[0])
		}
	}
	return names
}

// rehearsals puts before each step that is rehearsed a step that does so. It is the same in all that decides whether and
// when it runs, changes nothing, and waits for nobody's approval; the step itself rests on it, and so does what people approve.
func (d *document) rehearsals(plan *runbook.Plan) (ps []runbook.Problem) {
	var all []runbook.Step
	for _, s := range plan.Steps {
		v := d.step(d.static(), s.Name)
		if !d.rehearsed(s.Kind, v) {
			all = append(all, s)
			continue
		}
		refuse := func(text, hint string, at ...string) {
			p := d.placeIn(s.Name, at...)
			p.Text, p.Hint = text, hint
			ps = append(ps, p)
		}
		once := d.kind(s.Kind).tries             // exactly what was rehearsed is done, and then that is stale
		if once && !field(v, "retry").Exists() { // what the organisation says of steps that do not say it is not meant for these
			s.Retry = runbook.Retry{}
		}
		r := s
		r.Name, r.Rehearses, r.Risk = s.Name+rehearsalSuffix, s.Name, runbook.RiskRead
		r.Approval, r.Every, r.TakesLocks, r.HasOutput, r.Reversible, r.Idempotent = nil, 0, false, true, false, false
		r.Needs, r.Files = slices.Clone(s.Needs), slices.Clone(s.Files)
		switch {
		case s.Stage == runbook.StageUndo:
			hint := "undo it with another kind, such as exec"
			if !once {
				hint = "leave rehearse out"
			}
			refuse(string(s.Kind)+" is rehearsed first, and an undo is not", hint, string(s.Kind))
		case s.Each:
			refuse(string(s.Kind)+" is rehearsed first, and the elements of an each are not", "make a step of each", "each")
		case once && s.Retry.Attempts > 1:
			refuse("what was rehearsed is done once", "a person can /retry it, and it is rehearsed again", "retry")
		}
		if h, taken := d.homeOf[r.Name]; taken {
			p := d.place(h.path...)
			p.Text, p.Hint = "a step cannot be called "+r.Name, "that is the name of the rehearsal of "+s.Name
			ps = append(ps, p)
			continue
		}
		h := d.homeOf[s.Name]
		h.name = r.Name
		d.homeOf[r.Name], d.edges[r.Name] = h, d.edges[s.Name]
		s.Needs, s.Refers = append(slices.Clone(s.Needs), r.Name), append(slices.Clone(s.Refers), r.Name)
		all = append(all, r, s)
	}
	plan.Steps = all
	return ps
}
