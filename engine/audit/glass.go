package audit

import (
	"slices"
	"time"

	"github.com/pullbook/pullbook/engine/approval"
	"github.com/pullbook/pullbook/engine/gitstore"
	"github.com/pullbook/pullbook/engine/incident"
)

// passed reports whether a gate lets its step start. What broke its glass was verified when that was recorded.
func passed(g incident.Gate) bool {
	return g.Broken != nil || approval.Met(g.Rule, approval.Voters(g.Votes))
}

// glassBroken checks that a person whom the plan names has said so, of the page in front of them.
func (t *trail) glassBroken(m moment, d incident.GlassBroken) *Finding {
	by, glass := d.Vote.By, t.plan.BreakGlass
	why, said := approval.BreakGlass(d.Vote.Words, d.Step)
	switch {
	case glass == nil || m.was.Gate.Rule.NoGlass:
		return m.wrong("", "the plan allows nobody to break the glass of step %s", d.Step)
	case by.ID <= 0 || by.Bot || !by.Write || !approval.Named(by, glass.By):
		return m.wrong("", "review %d is by %q, who may not break the glass of step %s", d.Vote.Review, by.Login, d.Step)
	case !said || why != d.Why:
		return m.wrong("", "review %d does not break the glass of step %s with the reason that the journal gives", d.Vote.Review, d.Step)
	}
	return t.inFront(m, d.Vote, approval.Shown{Step: d.Step, Page: d.Page})
}

// glassReviewed checks each vote, and all of them against what the plan asks for.
func (t *trail) glassReviewed(m moment, d incident.GlassReviewed) *Finding {
	at := slices.IndexFunc(t.state.Debts, func(b incident.Debt) bool { return b.Event == d.Event })
	if at < 0 || t.plan.BreakGlass == nil {
		return m.wrong("", "nobody broke a glass of step %s", d.Step) // unreachable: the fold has refused it
	}
	debt, rule := t.state.Debts[at], t.plan.BreakGlass.Review
	not, wrote := t.state.MayNotReview(t.plan, debt)
	for _, vote := range d.Votes {
		by := vote.By
		switch {
		case by.ID <= 0 || by.Bot || !by.Write || !approval.Named(by, rule.People()):
			return m.wrong("", "review %d is by %q, who may not review that the glass of step %s was broken", vote.Review, by.Login, d.Step)
		case not[by.ID] != "":
			return m.wrong("", "review %d is by %q, who may not review that the glass of step %s was broken: %s", vote.Review, by.Login, d.Step, not[by.ID])
		case wrote[by.ID] && !approval.Named(by, t.plan.SelfApproval):
			return m.wrong("", "review %d is by %q, who wrote step %s", vote.Review, by.Login, d.Step)
		}
		if f := t.inFront(m, vote, approval.Shown{Step: d.Step, Page: debt.Mark()}); f != nil {
			return f
		}
	}
	if !approval.Met(rule, approval.Voters(d.Votes)) {
		return m.wrong("", "the reviews of the broken glass of step %s do not meet their rule: %s", d.Step, rule.String())
	}
	t.record.Votes += len(d.Votes)
	return nil
}

// inFront checks that the commit of a review showed what it is about.
func (t *trail) inFront(m moment, vote approval.Vote, what approval.Shown) *Finding {
	seq, ours := t.commits[vote.Commit]
	if !ours {
		return m.wrong("", "review %d was given on %q, which is no earlier commit of this incident", vote.Review, vote.Commit)
	}
	if !slices.Contains(t.state.Shown(map[string]int{vote.Commit: seq})[vote.Commit], what) {
		return m.wrong("", "review %d was given on %s, which does not show what it says of step %s", vote.Review, vote.Commit, what.Step)
	}
	return nil
}

// Debt is a glass that was broken and not reviewed.
type Debt struct {
	Incident incident.ID  `json:"incident"`
	Pull     string       `json:"pull,omitempty"` // address of the pull request
	Merged   bool         `json:"merged"`         // without the review that was owed
	End      incident.End `json:"end,omitempty"`  // empty while open
	Step     string       `json:"step"`
	Round    int          `json:"round"`
	At       time.Time    `json:"at"` // UTC
	By       string       `json:"by"` // login
	Why      string       `json:"why"`
	Owed     string       `json:"owed"` // the rule that the reviews have to meet, in words
}

// Debts lists what is owed in the whole ledger: the incidents that lie on the default branch, and the branches of open ones.
// It reads, and verifies nothing.
func Debts(clone *gitstore.Clone, o Options) ([]Debt, error) {
	records, err := Records(clone, o)
	if err != nil {
		return nil, err
	}
	out := []Debt{}
	for _, r := range records {
		if r.State.Opened.Rehearsal != nil {
			continue // nothing was opened by it
		}
		for _, b := range r.State.Owed() {
			d := Debt{Incident: r.ID, Pull: r.State.PullURL, Merged: r.Merged, End: r.State.End, Step: b.Step, Round: b.Round, At: b.At.UTC(), By: b.Vote.By.Login, Why: b.Why}
			if g := r.Plan.BreakGlass; g != nil {
				d.Owed = g.Review.String()
			}
			out = append(out, d)
		}
	}
	return out, nil
}
