package incident

import (
	"slices"

	"github.com/pullbook/pullbook/engine/approval"
	"github.com/pullbook/pullbook/engine/runbook"
)

// Barred is a person who may not approve a gate.
type Barred struct {
	ID    int64 // the hub's numeric user id
	Login string
	Why   string // a few words, after "does not count: "
}

// Barred lists who may not approve the gate of a step: who asked for the attempt, and whose word the gate rests on. The
// plan is that of the journal. A person may be listed twice, for two reasons.
func (s State) Barred(plan runbook.Plan, step string) (out []Barred) {
	for _, deed := range s.Step(step).Asked {
		out = append(out, Barred{deed.By.ID, deed.By.Login, "asked for this attempt"})
	}
	name := step
	if template, _, isElement := runbook.SplitName(step); isElement {
		name = template
	}
	for _, up := range plan.UpstreamOf(name) {
		st := s.Step(up)
		out = append(out, st.spoke(up)...)
		for _, key := range st.Keys {
			element := up + "." + key
			out = append(out, s.Step(element).spoke(element)...)
		}
	}
	return out
}

// spoke is the person whose word brought a step to its end, if it was one.
func (s StepState) spoke(name string) []Barred {
	if s.Word == nil {
		return nil
	}
	return []Barred{{s.Word.By.ID, s.Word.By.Login, "this rests on their word about " + name}}
}

// excluded is the same for the verdict on a gate.
func (s State) excluded(plan runbook.Plan, step string) map[int64]string {
	out := map[int64]string{}
	for _, b := range s.Barred(plan, step) {
		if out[b.ID] == "" {
			out[b.ID] = b.Why
		}
	}
	return out
}

// approvedIt says why a person may not do a step by hand: they approved that it is done.
func (d *decider) approvedIt(cmd Command, st StepState, id int64) (problem string) {
	step, ok := d.plan.Step(cmd.Step)
	byHand := slices.Contains([]string{"/done", "/choose", "/did-it-by-hand"}, cmd.Verb)
	if !ok || !byHand || st.Phase != PhaseStarted || !st.Kind.AsksPeople() {
		return ""
	}
	gate := st.Gate
	if underTemplate(step, st) {
		gate = d.state.Step(step.Of).Gate
	}
	if slices.ContainsFunc(gate.Votes, func(v approval.Vote) bool { return v.By.ID == id }) {
		return "you approved `" + cmd.Step + "`, so somebody else has to say that it is done"
	}
	return ""
}
