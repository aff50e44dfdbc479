package incident

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/pullbook/pullbook/engine/approval"
	"github.com/pullbook/pullbook/engine/runbook"
)

// authorsPause is how long it takes until somebody asks again who wrote a step, where the hub did not say.
const authorsPause = time.Minute

// Barred is a person who may not approve a gate.
type Barred struct {
	ID    int64  `json:"id"` // the hub's numeric user id
	Login string `json:"login"`
	Why   string `json:"why"` // a few words, after "does not count: "
	Wrote bool   `json:"-"`   // they wrote it: who is named in the plan's SelfApproval approves it all the same
}

// Barred lists who may not approve the gate of a step: who asked for the attempt, whose word the gate rests on, also where
// they gave it on the incident that opened this one, and who wrote it. The plan is that of the journal. A person may be
// listed twice, for two reasons.
func (s State) Barred(plan runbook.Plan, step string) []Barred {
	out := s.barredHere(plan, step)
	if p := s.Opened.Parent; p != nil {
		out = append(out, p.Barred...)
	}
	return out
}

func (s State) barredHere(plan runbook.Plan, step string) (out []Barred) {
	for _, deed := range s.Step(step).Asked {
		out = append(out, Barred{ID: deed.By.ID, Login: deed.By.Login, Why: "asked for this attempt"})
	}
	if owner := s.Step(step).Owner; owner != nil {
		out = append(out, Barred{ID: owner.ID, Login: owner.Login, Why: "is to do it by hand"})
	}
	if a := s.Step(step).Gate.Authors; a != nil {
		for _, p := range a.People {
			out = append(out, Barred{ID: p.ID, Login: p.Login, Why: "wrote this step", Wrote: true})
		}
	}
	name := step
	if template, _, isElement := runbook.SplitName(step); isElement {
		name = template
	}
	out = append(out, s.editors(name)...)
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

// spoke is the person whose word brought a step to its end, if it was one; of a step that opened a runbook, those on whose
// words the end of that incident rests.
func (s StepState) spoke(name string) []Barred {
	if s.Word == nil {
		return s.Spoke
	}
	return append([]Barred{{ID: s.Word.By.ID, Login: s.Word.By.Login, Why: "this rests on their word about " + name}}, s.Spoke...)
}

// handDown lists who may approve no gate of the incident that a step opens: those who may not approve the step itself. What
// it is opened with can be their word.
func (s State) handDown(plan runbook.Plan, step string) []Barred {
	here := slices.DeleteFunc(s.barredHere(plan, step), func(b Barred) bool { return b.Wrote }) // the other runbook has authors of its own
	out := s.elsewhere(here)
	if p := s.Opened.Parent; p != nil {
		out = append(out, p.Barred...)
	}
	return onePerPerson(out)
}

// Spoke lists on whose words the incident rests, each person once: none of them may approve what its parent does with it.
func (s State) Spoke() (out []Barred) {
	for _, name := range slices.Sorted(maps.Keys(s.Steps)) {
		st := s.Steps[name]
		if st.Word != nil {
			out = append(out, s.elsewhere([]Barred{{ID: st.Word.By.ID, Login: st.Word.By.Login, Why: "this rests on their word about " + name}})...)
		}
		out = append(out, st.Spoke...)
	}
	return onePerPerson(out)
}

// elsewhere says the same for another incident.
func (s State) elsewhere(all []Barred) []Barred {
	out := slices.Clone(all)
	for i, b := range out {
		if !strings.Contains(b.Why, " on incident ") {
			out[i].Why += " on incident " + string(s.Opened.ID)
		}
	}
	return out
}

func onePerPerson(all []Barred) (out []Barred) {
	for _, b := range all {
		if !slices.ContainsFunc(out, func(o Barred) bool { return o.ID == b.ID }) {
			out = append(out, b)
		}
	}
	return out
}

// excluded is the same for the verdict on a gate.
func excluded(barred []Barred) (not map[int64]string, wrote map[int64]bool) {
	not, wrote = map[int64]string{}, map[int64]bool{}
	for _, b := range barred {
		switch {
		case b.Wrote:
			wrote[b.ID] = true
		case not[b.ID] == "":
			not[b.ID] = b.Why
		}
	}
	return not, wrote
}

// logins are those of the people of whom it is known who they are: members of teams, and who may not approve.
func (d *decider) logins(barred []Barred) map[string]int64 {
	if len(barred) == 0 {
		return d.view.Logins
	}
	all := map[string]int64{}
	for _, b := range barred {
		all[strings.ToLower(b.Login)] = b.ID
	}
	maps.Copy(all, d.view.Logins)
	return all
}

// authors is who wrote a step; nil where the plan does not say which lines make it. known is false where that has still to
// be looked up: its gate cannot open. What a gate was opened with never changes, unless an edit has changed the step: it may be
// made of what others wrote.
func (d *decider) authors(step runbook.Step, st StepState) (a *runbook.Authorship, known bool) {
	if len(step.Lines) == 0 {
		return nil, true
	}
	if st.Gate.SaysAuthors() {
		return st.Gate.Authors, true
	}
	if t := d.state.Step(step.Of).Gate.Authors; step.Of != "" && t != nil {
		return t, true
	}
	found, known := d.view.Authors[baseName(step)]
	return &found, known
}

// SaysAuthors reports whether the gate was opened with those who wrote its step as it is now.
func (g Gate) SaysAuthors() bool { return g.Authors != nil && !g.Edited }

// approvedIt says why a person may not do a step by hand: they approved that it is done.
func (d *decider) approvedIt(cmd Command, st StepState, id int64) (problem string) {
	step, ok := d.plan.Step(cmd.Step)
	byHand := slices.Contains([]string{"/done", "/choose", "/did-it-by-hand"}, cmd.Verb)
	if !ok || !byHand || st.Phase != PhaseStarted || !st.Kind.AsksPeople() || !d.approvedBy(step, st, id) {
		return ""
	}
	return "you approved `" + cmd.Step + "`, so somebody else has to say that it is done"
}

// approvedBy reports whether a person is among those who approved a step.
func (d *decider) approvedBy(step runbook.Step, st StepState, id int64) bool {
	gate := st.Gate
	if underTemplate(step, st) {
		gate = d.state.Step(step.Of).Gate
	}
	return slices.ContainsFunc(gate.Votes, func(v approval.Vote) bool { return v.By.ID == id })
}
