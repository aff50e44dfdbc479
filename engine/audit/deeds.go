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
	deed, needed := deedOf(data)
	if deed == nil && !needed {
		return nil
	}
	by := deed.By
	switch {
	case by.ID <= 0 || by.Login == "" || by.Bot:
		return wrong(b.commit.Hash, "", "%s rests on the word of somebody who is no person", data.Kind())
	case !by.Write || len(t.plan.Command) > 0 && !approval.Named(by, t.plan.Command):
		return wrong(b.commit.Hash, "", "%s rests on the word of %q, who may not command", data.Kind(), by.Login)
	case deed.ID <= 0 || deed.Via != "comment" && deed.Via != "review" || deed.At.IsZero():
		return wrong(b.commit.Hash, "", "%s does not say where and when %q said so", data.Kind(), by.Login)
	}
	return nil
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
