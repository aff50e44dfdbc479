package audit

import (
	"slices"

	"github.com/pullbook/pullbook/engine/approval"
	"github.com/pullbook/pullbook/engine/incident"
)

// deedOf returns what a person did to cause an event, and whether nothing but a person can cause it.
func deedOf(data incident.Data) (deed *incident.Deed, needed bool) {
	switch d := data.(type) {
	case incident.Acknowledged:
		return &d.Deed, true
	case incident.CancelAsked:
		return &d.Deed, true
	case incident.StepByHand:
		return &d.Deed, true
	case incident.RetryAsked:
		return &d.Deed, true
	case incident.Paused:
		return &d.Deed, true
	case incident.Resumed:
		return &d.Deed, true
	case incident.Reopened:
		return &d.Deed, true
	case incident.Noted:
		return &d.Deed, true
	case incident.SeveritySet:
		return &d.Deed, true
	case incident.Assigned:
		return &d.Deed, true
	case incident.StepSkipped:
		return d.Deed, false
	case incident.Recalled:
		return d.Deed, false
	case incident.Mitigated:
		return d.Deed, false
	case incident.UndoBegun:
		return d.Deed, false
	case incident.StepEnded:
		return d.Deed, false
	}
	return nil, false
}

// commanded checks that what rests on a person's word names a person who may command, and where it was said.
func (t *trail) commanded(b *batch, data incident.Data) *Finding {
	if refused, is := data.(incident.CommandRefused); is {
		return t.refused(b, refused)
	}
	deed, needed := deedOf(data)
	if deed == nil && !needed {
		return nil
	}
	by := deed.By
	_, override := votesOf(data)
	switch {
	case by.ID <= 0 || by.Login == "" || by.Bot:
		return wrong(b.commit.Hash, "", "%s rests on the word of somebody who is no person", data.Kind())
	case !by.Write || !override && len(t.plan.Command) > 0 && !approval.Named(by, t.plan.Command):
		return wrong(b.commit.Hash, "", "%s rests on the word of %q, who may not command", data.Kind(), by.Login)
	case deed.ID <= 0 || !slices.Contains([]string{incident.ViaComment, incident.ViaReview, incident.ViaButton}, deed.Via) || deed.At.IsZero():
		return wrong(b.commit.Hash, "", "%s does not say where and when %q said so", data.Kind(), by.Login)
	case deed.Via == incident.ViaComment && t.state.RefusedTo(by.ID, deed.ID):
		return wrong(b.commit.Hash, "", "%s rests on comment %d, of which nothing was to be done", data.Kind(), deed.ID)
	}
	return t.byButton(b, data, deed)
}

// refused checks that what was not done names who said it, and why not. Whether it was right to refuse it is not looked at: what is
// not done changes nothing.
func (t *trail) refused(b *batch, d incident.CommandRefused) *Finding {
	if by := d.Deed.By; by.ID <= 0 || by.Login == "" || by.Bot || !by.Write || d.Deed.ID <= 0 || d.Deed.At.IsZero() || d.Why == "" {
		return wrong(b.commit.Hash, "", "%s does not say who may write and said what was refused, or why", d.Kind())
	}
	return nil
}

// byButton checks that what was said by a button is what buttons say.
func (t *trail) byButton(b *batch, data incident.Data, deed *incident.Deed) *Finding {
	if deed.Via != incident.ViaButton {
		return nil
	}
	switch data.(type) {
	case incident.RetryAsked, incident.StepSkipped:
		if deed.Delivery != "" {
			return nil
		}
	}
	return wrong(b.commit.Hash, "", "%s does not follow from a button, or its delivery is not named", data.Kind())
}

// approvedIt checks that who did a step by hand is not among those who approved that it is done.
func (t *trail) approvedIt(m moment, deed *incident.Deed) *Finding {
	if deed == nil || m.was.Phase != incident.PhaseStarted || !m.was.Kind.AsksPeople() {
		return nil
	}
	if slices.ContainsFunc(t.gateOf(m).Votes, func(v approval.Vote) bool { return v.By.ID == deed.By.ID }) {
		return m.wrong("", "%q did step %s by hand, and had approved it", deed.By.Login, m.step.Name)
	}
	return nil
}

// votesOf are the reviews that overrode a gate; ok is false for an event that overrides none.
func votesOf(data incident.Data) (votes []approval.Vote, ok bool) {
	switch d := data.(type) {
	case incident.StepSkipped:
		return d.Votes, len(d.Votes) > 0
	case incident.StepByHand:
		return d.Votes, len(d.Votes) > 0
	}
	return nil, false
}

// skipped checks that a step was skipped by the plan, by a person who may, or, where it has a gate, by its own approvers.
func (t *trail) skipped(m moment, d incident.StepSkipped, e incident.Event) *Finding {
	if d.Deed == nil {
		return t.placed(m)
	}
	if t.gated(m, e) && len(d.Votes) == 0 {
		return m.wrong("", "step %s has a gate, and was skipped without its approvers", d.Step)
	}
	return firstOf(t.answered(m), t.overridden(m, d.Votes, nil))
}

// byHand checks that a step whose gate nobody had passed was taken as done by hand by its own approvers, and not by who did it.
func (t *trail) byHand(m moment, d incident.StepByHand, e incident.Event) *Finding {
	passed := t.gateOf(m).Open() || m.was.Phase == incident.PhaseUnknown
	if t.gated(m, e) && !passed && len(d.Votes) == 0 {
		return m.wrong("", "step %s has a gate that nobody had passed, and was taken as done by hand without its approvers", d.Step)
	}
	return firstOf(t.answered(m), t.approvedIt(m, &d.Deed), t.overridden(m, d.Votes, &d.Deed))
}

// overridden checks the reviews that override a gate: each by somebody who may approve it and did not do it, on a commit at
// which the step stood as it stood then, and all of them together as many as the rule asks for.
func (t *trail) overridden(m moment, votes []approval.Vote, doer *incident.Deed) *Finding {
	if len(votes) == 0 {
		return nil
	}
	rule := t.gateOf(m).Rule
	if len(rule.People()) == 0 && m.step.Approval != nil {
		rule = *m.step.Approval
	}
	barred := t.state.Barred(t.plan, m.step.Name)
	seen := map[int64]bool{}
	for _, v := range votes {
		not := slices.ContainsFunc(barred, func(b incident.Barred) bool {
			return b.ID == v.By.ID && !(b.Wrote && approval.Named(v.By, t.plan.SelfApproval))
		})
		switch seq, ours := t.commits[v.Commit]; {
		case v.By.ID <= 0 || v.By.Bot || !v.By.Write || seen[v.By.ID] || not || !approval.Named(v.By, rule.People()):
			return m.wrong("", "review %d is by %q, who may not override the gate of step %s", v.Review, v.By.Login, m.step.Name)
		case doer != nil && doer.By.ID == v.By.ID:
			return m.wrong("", "review %d is by %q, who did step %s by hand", v.Review, v.By.Login, m.step.Name)
		case !ours || !stood(t, m, v.Commit, seq):
			return m.wrong("", "review %d was given on %q, where step %s did not stand as it stood then", v.Review, v.Commit, m.step.Name)
		}
		seen[v.By.ID] = true
	}
	if !approval.Met(rule, approval.Voters(votes)) {
		return m.wrong("", "the reviews that override the gate of step %s do not meet its rule: %s", m.step.Name, rule.String())
	}
	t.record.Votes += len(votes)
	return nil
}

// assigned checks that a step which people do was assigned to a person who may write, and had not approved it.
func (t *trail) assigned(m moment, d incident.Assigned) *Finding {
	switch {
	case !m.step.Kind.AsksPeople():
		return m.wrong("", "step %s was assigned to %q, and is no step that a person does", d.Step, d.To.Login)
	case d.To.ID <= 0 || d.To.Bot || !d.To.Write:
		return m.wrong("", "step %s was assigned to %q, who is no person that may write", d.Step, d.To.Login)
	case slices.ContainsFunc(t.gateOf(m).Votes, func(v approval.Vote) bool { return v.By.ID == d.To.ID }):
		return m.wrong("", "step %s was assigned to %q, who had approved it", d.Step, d.To.Login)
	}
	return nil
}

// stood reports whether a step stood at an earlier commit as it stands now: its gate was open with the page of now, or it had
// come to where it stands.
func stood(t *trail, m moment, commit string, seq int) bool {
	if m.was.Phase != incident.PhaseGate {
		return seq >= m.was.Since()
	}
	shown := t.state.Shown(map[string]int{commit: seq})[commit]
	return slices.Contains(shown, approval.Shown{Step: m.step.Name, Page: m.was.Gate.Page})
}
