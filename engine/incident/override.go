package incident

import (
	"fmt"
	"slices"

	"github.com/pullbook/pullbook/engine/approval"
	"github.com/pullbook/pullbook/engine/runbook"
)

// An override is what reviews say of a gated step other than that it may run: that the plan goes on without it, or that a
// person did it. It takes as many of the gate's own approvers as the gate itself, each on a commit at which the step stood
// as it stands now. Whoever did it by hand says so first, and counts for none of them.

// Override is a gate that people have overridden, as it is asked again before the push: the reviews that say so have to stand
// as those do that let a step run.
type Override struct {
	Gate  approval.Gate
	Shown map[string][]approval.Shown // where the step stood as it stands
	Doer  int64                       // the review of who did it by hand; 0: nobody has
	Claim approval.Gate               // what that review answers
}

// withdrawn says why the override does not stand by some reviews, or nothing.
func (o Override) withdrawn(reviews []approval.Review) (why string) {
	if o.Doer != 0 {
		i := slices.IndexFunc(reviews, func(r approval.Review) bool { return r.ID == o.Doer })
		if i < 0 || !stands(o.Claim, reviews[i], o.Shown) {
			return o.Gate.Step + ": who did it by hand does not say so any more"
		}
	}
	if v := approval.Evaluate(o.Gate, reviews, o.Shown).Verdict; v.Status != approval.StatusApproved {
		return o.Gate.Step + ": " + v.Sentence
	}
	return ""
}

// stands reports whether a review that nobody has dismissed counts in favour of what a gate asks.
func stands(g approval.Gate, r approval.Review, shown map[string][]approval.Shown) bool {
	counts, _ := approval.Judge(g, r, shown)
	return counts && r.State != approval.Dismissed
}

// Withdrawn says which of the gates of a push would not be approved, or not be overridden, by the reviews as they are now; empty
// if all stand. shown is that of the state with what is pushed.
func (f Flush) Withdrawn(reviews []approval.Review, shown map[string][]approval.Shown) (why string) {
	for _, g := range f.Confirm {
		if v := approval.Evaluate(g, reviews, shown).Verdict; v.Status != approval.StatusApproved {
			return g.Step + ": " + v.Sentence
		}
	}
	for _, o := range f.Overrides {
		if why := o.withdrawn(reviews); why != "" {
			return why
		}
	}
	return ""
}

// Confirms reports whether the reviews have to be read again before the push.
func (f Flush) Confirms() bool { return len(f.Confirm)+len(f.Overrides) > 0 }

// question is what reviews are asked about: a step, and a verb of package approval.
type question struct{ step, verb string }

// recordOverrides obeys the reviews that skip a gated step, or take it as done by hand.
func (d *decider) recordOverrides() {
	var asked []question
	for _, r := range d.view.Reviews {
		if r.By.Bot || r.State == approval.Dismissed || d.state.HeardReviews[r.ID] {
			continue
		}
		d.strayWords(r)
		for _, said := range approval.Commands(r.Body) {
			if q := (question{said.Step, said.Verb}); said.Verb != "" && !slices.Contains(asked, q) {
				asked = append(asked, q)
			}
		}
	}
	for _, q := range asked {
		if problem := d.overrideAsked(q); problem != "" {
			d.replyToAll(q, nothingDone("review", problem))
		}
	}
}

func reviewKey(id int64) string { return fmt.Sprintf("review-%d", id) }

// replyToAll answers every review that says something about a question and was not answered.
func (d *decider) replyToAll(q question, text string) {
	for _, r := range d.view.Reviews {
		if saidOf(r, q) != nil && r.By.Write && !r.By.Bot && r.State != approval.Dismissed && !d.state.HeardReviews[r.ID] {
			d.reply(reviewKey(r.ID), text)
		}
	}
}

// saidOf is what a review says to a question, nil if nothing.
func saidOf(r approval.Review, q question) *approval.Said {
	said := approval.Commands(r.Body)
	i := slices.IndexFunc(said, func(s approval.Said) bool { return s.Step == q.step && s.Verb == q.verb })
	if i < 0 {
		return nil
	}
	return &said[i]
}

// overrideAsked decides one question. A problem is one with the question; what is wrong with a single review is answered to it.
func (d *decider) overrideAsked(q question) (problem string) {
	step, ok := d.plan.Step(q.step)
	if !ok {
		return d.noStep(q.step)
	}
	st := d.state.Step(q.step)
	cmd := Command{Verb: q.verb, Step: q.step}
	switch {
	case d.state.End != "":
		return fmt.Sprintf("the incident has ended as %s", d.state.End)
	case step.Approval == nil:
		return "`" + q.step + "` has no gate: `" + q.verb + "` is said in a comment"
	case q.verb == approval.VerbByHand && !d.gateAhead(step, st):
		return "the gate of `" + q.step + "` was passed: `" + q.verb + "` is said in a comment"
	}
	problem = firstProblem(
		func() string { return d.misplaced(step) },
		func() string { return d.misdirected(step, st) },
		func() string { return d.unopened(step, st) },
		func() string {
			if q.verb == approval.VerbSkip {
				return d.unskippable(step, st)
			}
			return d.notByHand(step, st)
		})
	if problem == "" {
		d.override(cmd, step, st)
	}
	return problem
}

// unopened says why nobody could say anything about the gate of a step yet, or nothing.
func (d *decider) unopened(step runbook.Step, st StepState) string {
	if st.Phase != PhaseIdle {
		return ""
	}
	return "the gate of `" + step.Name + "` is not open yet: " + d.stands(step, st)
}

// override holds the reviews against the rule of the gate, and records what they meet.
func (d *decider) override(cmd Command, step runbook.Step, st StepState) {
	q := question{cmd.Step, cmd.Verb}
	gate, shown := d.overrideGate(q, step, st)
	said := Override{Gate: gate, Shown: shown}
	var doer *approval.Review
	if q.verb == approval.VerbByHand {
		if doer = d.doer(q, gate, shown); doer != nil {
			gate.Excluded[doer.By.ID] = "did it by hand"
			said.Doer, said.Claim = doer.ID, claim(gate, doer.By)
		}
	}
	answer := approval.Evaluate(gate, d.view.Reviews, shown)
	switch {
	case answer.Verdict.Status != approval.StatusApproved:
	case doer != nil:
		d.recordOverride(StepByHand{Step: q.step, What: saidOf(*doer, q).Why, Deed: reviewDeed(*doer), Votes: answer.Votes}, said)
		return
	case q.verb == approval.VerbSkip:
		if first := d.review(answer.Votes[0].Review); first != nil {
			deed := reviewDeed(*first)
			d.recordOverride(StepSkipped{Step: q.step, Why: saidOf(*first, q).Why, Deed: &deed, Votes: answer.Votes}, said)
		}
		return
	}
	d.answerReviews(q, gate, shown, doer, answer)
}

func (d *decider) recordOverride(data Data, said Override) {
	d.stale = d.record(data) || d.stale
	d.overrides = append(d.overrides, said)
	d.flushFor("people have overridden a gate")
}

// overrideGate is the question as package approval sees it, and at which commits the step stood as it does now: its gate was
// open with the page of now, or it had come to where it stands.
func (d *decider) overrideGate(q question, step runbook.Step, st StepState) (approval.Gate, map[string][]approval.Shown) {
	gate := d.approvalGate(step, st)
	if underTemplate(step, st) {
		template := d.state.Step(step.Of)
		gate.Rule = template.Gate.Rule
	}
	if len(gate.Rule.People()) == 0 { // its values could not be worked out, so it never opened
		gate.Rule = *step.Approval
	}
	gate.Verb, gate.Glass = q.verb, nil // breaking the glass lets a step run, and nothing else
	if st.Phase == PhaseGate {
		return gate, d.state.Shown(d.view.Branch.Commits)
	}
	gate.Page = fmt.Sprintf("%s since event %d", st.Phase, st.Since())
	shown := map[string][]approval.Shown{}
	for sha, seq := range d.view.Branch.Commits {
		if shown[sha] = []approval.Shown{}; seq >= st.Since() {
			shown[sha] = []approval.Shown{{Step: q.step, Page: gate.Page}}
		}
	}
	return gate, shown
}

// Since is the event that brought a step to where it stands.
func (s StepState) Since() int {
	if s.Over() {
		return s.Seq
	}
	return s.since
}

// doer is the first review in which a person who may say so says that the step was done by hand.
func (d *decider) doer(q question, gate approval.Gate, shown map[string][]approval.Shown) *approval.Review {
	var first *approval.Review
	for i, r := range d.view.Reviews {
		if saidOf(r, q) == nil || !d.mayCommand(r.By) && !approval.Named(r.By, gate.Rule.People()) || first != nil && first.ID < r.ID {
			continue
		}
		if stands(claim(gate, r.By), r, shown) {
			first = &d.view.Reviews[i]
		}
	}
	return first
}

// claim is what the word of a person that they did a step by hand answers: a gate that asks nobody else.
func claim(gate approval.Gate, by approval.Person) approval.Gate {
	return approval.Gate{Step: gate.Step, Page: gate.Page, Verb: gate.Verb, Rule: runbook.Approval{From: []string{by.Login}, Count: 1}}
}

func (d *decider) review(id int64) *approval.Review {
	i := slices.IndexFunc(d.view.Reviews, func(r approval.Review) bool { return r.ID == id })
	if i < 0 {
		return nil // unreachable: a vote is that of a review of the view
	}
	return &d.view.Reviews[i]
}

func reviewDeed(r approval.Review) Deed {
	return Deed{By: r.By, Via: ViaReview, ID: r.ID, At: r.At, Commit: r.Commit, Words: r.Body}
}

// answerReviews tells each review what it came to, as long as the rule is not met.
func (d *decider) answerReviews(q question, gate approval.Gate, shown map[string][]approval.Shown, doer *approval.Review, answer approval.Decision) {
	for _, r := range d.view.Reviews {
		said := saidOf(r, q)
		if said == nil || r.By.Bot || !r.By.Write || r.State == approval.Dismissed { // as strayWords
			continue
		}
		counts, why := approval.Judge(gate, r, shown)
		var text string
		switch {
		case doer != nil && doer.ID == r.ID:
			text = fmt.Sprintf("Heard. `%s` has a gate that nobody has passed, so others confirm it by a review that says `%s %s <what>`: it %s.",
				q.step, q.verb, q.step, answer.Verdict.Sentence)
		case counts:
			text = fmt.Sprintf("Heard. `%s %s` still %s.", q.verb, q.step, answer.Verdict.Sentence)
		case why == "":
			text = nothingDone("review", "it requests changes, and so holds what it asks for")
		default:
			text = "This review " + why + "."
		}
		d.reply(reviewKey(r.ID), text)
	}
}
