package incident

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/pullbook/pullbook/engine/approval"
	"github.com/pullbook/pullbook/engine/runbook"
)

// GlassBroken opens a gate on the word of one person whom the organisation allows that. It is a debt: the incident does not
// end before it was reviewed.
type GlassBroken struct {
	Step string        `json:"step"`
	Page string        `json:"page"` // SHA-256 of the gate page, hex
	Why  string        `json:"why"`
	Vote approval.Vote `json:"vote"` // the review that says so
}

// GlassReviewed settles a debt: these people have looked at what ran, on a commit that holds it.
type GlassReviewed struct {
	Step  string          `json:"step"`
	Event int             `json:"event"` // sequence number of the GlassBroken
	Votes []approval.Vote `json:"votes"`
}

// Kind implements Data.
func (GlassBroken) Kind() string { return "glass-broken" }

// Kind implements Data.
func (GlassReviewed) Kind() string { return "glass-reviewed" }

// Debt is a gate whose glass was broken.
type Debt struct {
	Step    string
	Round   int
	Event   int // that broke it
	At      time.Time
	Page    string // of the gate
	Why     string
	Vote    approval.Vote
	Authors *runbook.Authorship // of the step
	Asked   []Deed              // who had asked for the attempt
	Seen    []approval.Vote     // of those who reviewed it; none while it is owed
	seen    int                 // the event that says so
}

// Mark is what a commit shows of a debt, in place of a page: who approves it has seen that the glass was broken.
func (b Debt) Mark() string {
	return runbook.PageDigest(fmt.Appendf(nil, "glass %d %s", b.Event, b.Page))
}

// Owed lists the debts that nobody has reviewed, in the order in which they were made.
func (s State) Owed() []Debt {
	return slices.DeleteFunc(slices.Clone(s.Debts), func(b Debt) bool { return b.seen > 0 })
}

// Open reports whether a gate lets its step start: it was approved, or its glass was broken.
func (g Gate) Open() bool {
	return g.Broken != nil || len(g.Votes) > 0 && len(g.Votes) >= g.Rule.Least()
}

func (s *State) glassBroken(e Event, d GlassBroken) error {
	st := s.Step(d.Step)
	switch {
	case st.Phase != PhaseGate:
		return errNoGate(d.Step)
	case st.Gate.Page != d.Page:
		return fmt.Errorf("the glass of another page of step %s is broken", d.Step)
	}
	debt := Debt{Step: d.Step, Round: st.Round, Event: e.Seq, At: e.At, Page: d.Page, Why: d.Why, Vote: d.Vote, Authors: st.Gate.Authors, Asked: st.Asked}
	st.Gate.Broken = &d.Vote
	s.cleared(e, d.Step, st)
	s.Debts = append(slices.Clip(s.Debts), debt)
	s.spans = append(s.spans, span{step: d.Step, page: debt.Mark(), from: e.Seq, debt: e.Seq})
	return nil
}

// cleared lets a step go on behind its gate.
func (s *State) cleared(e Event, step string, st StepState) {
	st.Phase = PhaseCleared
	if st.settledList() {
		st.Phase = PhaseEach // its elements go on
	}
	s.set(step, st)
	s.closeGate(step, e.Seq)
	s.acknowledge(e)
}

func (s *State) glassReviewed(e Event, d GlassReviewed) error {
	at := slices.IndexFunc(s.Debts, func(b Debt) bool { return b.Event == d.Event && b.Step == d.Step })
	switch {
	case at < 0:
		return fmt.Errorf("event %d broke no glass of step %s", d.Event, d.Step)
	case s.Debts[at].seen > 0:
		return fmt.Errorf("the glass of step %s was reviewed already", d.Step)
	case len(d.Votes) == 0:
		return fmt.Errorf("nobody has reviewed the glass of step %s", d.Step)
	case approval.Voted(d.Votes, s.Debts[at].Vote.By.ID):
		return errors.New("who broke the glass has reviewed it")
	}
	s.Debts = slices.Clone(s.Debts)
	s.Debts[at].Seen, s.Debts[at].seen = d.Votes, e.Seq
	for i := range s.spans {
		if s.spans[i].debt == d.Event {
			s.spans[i].to = e.Seq
		}
	}
	return nil
}

// MayNotReview lists who cannot review a debt, by numeric id, with the reason, and who wrote the step.
func (s State) MayNotReview(plan runbook.Plan, b Debt) (not map[int64]string, wrote map[int64]bool) {
	not, wrote = excluded(s.Barred(plan, b.Step))
	for _, deed := range b.Asked {
		not[deed.By.ID] = "asked for this attempt"
	}
	if b.Authors != nil {
		for _, p := range b.Authors.People {
			wrote[p.ID] = true
		}
	}
	not[b.Vote.By.ID] = "broke the glass"
	return not, wrote
}

// debtGate is the question that a review of a debt answers.
func (d *decider) debtGate(b Debt) approval.Gate {
	not, wrote := d.state.MayNotReview(d.base, b)
	g := approval.Gate{Step: b.Step, Page: b.Mark(), Excluded: not, Wrote: wrote, May: d.base.SelfApproval, Teams: d.view.Teams, Logins: d.view.Logins}
	if d.base.BreakGlass != nil {
		g.Rule = d.base.BreakGlass.Review
	}
	return g
}

// DebtVerdict explains what is owed for a glass that was broken.
func (s State) DebtVerdict(plan runbook.Plan, b Debt, v View) approval.Decision {
	d := decider{base: plan, state: s, view: v}
	return d.answer(d.debtGate(b))
}

// recordDebts writes down which debts people have reviewed.
func (d *decider) recordDebts() {
	for _, b := range d.state.Owed() {
		asked := d.debtGate(b)
		answer := d.answer(asked)
		if answer.Verdict.Status != approval.StatusApproved || !d.record(GlassReviewed{Step: b.Step, Event: b.Event, Votes: answer.Votes}) {
			continue
		}
		d.confirm = append(d.confirm, asked)
		d.flushFor("a broken glass was reviewed")
		d.stale = true
	}
}

// breakGlass opens a gate on the word of one person.
func (d *decider) breakGlass(step runbook.Step, asked approval.Gate, vote approval.Vote) bool {
	why, _ := approval.BreakGlass(vote.Words, step.Name)
	return d.record(GlassBroken{Step: step.Name, Page: asked.Page, Why: why, Vote: vote})
}

// glass are those who may break the glass of a gate; none where its author or the organisation allows nobody to.
func glass(plan runbook.Plan, rule runbook.Approval) []string {
	if plan.BreakGlass == nil || rule.NoGlass {
		return nil
	}
	return plan.BreakGlass.By
}

// owes reports whether the incident cannot end because a glass that was broken was not reviewed. What the incident was about is
// over by then: the problem coming back is another one.
func (d *decider) owes(end End) bool {
	if len(d.state.Owed()) == 0 {
		return false
	}
	if end == EndResolved && d.state.MitigatedAt.IsZero() {
		d.record(Mitigated{How: "every step of the plan has ended"})
	}
	d.asking = true
	return true
}

// shout says on the pull request that a glass was broken, to those whom the organisation named.
func (d *decider) shout() {
	for _, b := range d.state.Debts {
		var who []string
		if g := d.base.BreakGlass; g != nil {
			who = slices.Compact(append(slices.Clone(g.Notify), g.Review.People()...))
		}
		d.announce(fmt.Sprintf("glass-%d", b.Event), fmt.Sprintf("**The glass was broken:** `%s` runs without its approval, on the word of %s (review %d). "+
			"The incident cannot be merged before this was reviewed: approve with `/approve %s`.%s\n\n%s",
			b.Step, words(b.Vote.By.Login), b.Vote.Review, b.Step, call(who), runbook.Fence("text", b.Why)))
	}
}

// debtText says what is owed, and since which event the check has to say so; empty if nothing was ever owed.
func (d *decider) debtText() (text string, since int) {
	for _, b := range d.state.Debts {
		since = max(since, b.Event, b.seen)
		if b.seen == 0 {
			text += fmt.Sprintf("The glass of %s was broken by %s. ", b.Step, words(b.Vote.By.Login))
		}
	}
	return text, since
}
