package incident

import (
	"fmt"
	"time"

	"github.com/pullbook/pullbook/engine/approval"
	"github.com/pullbook/pullbook/engine/runbook"
)

// advance decides what each step does next. The plan is in order, so a step is seen after all it needs.
func (d *decider) advance() {
	if d.state.Cancelled != nil {
		d.cancel()
		return
	}
	open := 0
	for _, step := range d.plan.Steps {
		st := d.state.Step(step.Name)
		if d.state.settled(step) {
			continue
		}
		open++
		d.halted = d.halted || st.Over() && !retriesLeft(step, st)
	}
	if open == 0 {
		d.end(EndResolved)
		return
	}
	for _, step := range d.plan.Steps {
		if !d.state.settled(step) {
			d.advanceStep(step, d.state.Step(step.Name))
		}
	}
}

func (d *decider) advanceStep(step runbook.Step, st StepState) {
	switch st.Phase {
	case PhaseUnknown:
		d.asking = true
		d.reply(fmt.Sprintf("unknown-%s-%d", step.Name, st.Attempt), unknownText(step.Name, st.Attempt))
	case PhaseStarted:
		d.running(step, st)
	case PhaseGate:
		d.gate(step, st) // an open gate is answered even while the incident is halted; nothing starts then
	case PhaseEnded:
		if retriesLeft(step, st) && !d.halted {
			d.retry(step, st)
		}
	case PhaseIdle, PhaseCleared:
		if !d.halted {
			d.idle(step, st)
		}
	}
}

// running makes sure that an attempt with an intent is in the queue. One that may be repeated is queued again.
func (d *decider) running(step runbook.Step, st StepState) {
	if st.Kind == runbook.KindManual {
		d.asking = true
		return
	}
	if _, known := d.attempt(step.Name, st.Attempt); !known && step.Now.Status == runbook.StatusReady {
		d.starts = append(d.starts, d.start(step, st.Attempt))
	}
}

func (d *decider) retry(step runbook.Step, st StepState) {
	due := st.Ended.Add(step.Retry.Pause(st.Tried))
	switch {
	case d.now.Before(due):
		d.wakeAt(due, "attempt "+fmt.Sprint(st.Attempt+1)+" of "+step.Name)
	case step.Approval != nil:
		d.retryGated(step, st)
	default:
		d.begin(step, st)
	}
}

// retryGated starts the next attempt if its approvals stand for what it is now, and asks again otherwise.
func (d *decider) retryGated(step runbook.Step, st StepState) {
	if step.Now.Status != runbook.StatusReady {
		d.unready(step)
		return
	}
	opened, page := d.asked(step, st)
	gate := d.approvalGate(step, st)
	if gate.Page == opened.Page && d.answer(gate).Verdict.Status == approval.StatusApproved {
		d.confirm = append(d.confirm, gate)
		d.begin(step, st)
		return
	}
	d.ask(step, opened, page)
}

// idle looks at a step that has not begun.
func (d *decider) idle(step runbook.Step, st StepState) {
	switch {
	case step.Now.Status != runbook.StatusReady:
		d.unready(step)
	case step.Approval != nil:
		d.gate(step, st)
	default:
		d.begin(step, st)
	}
}

// unready records that a step will not run, where that is so: it is skipped, or its values cannot be worked out.
func (d *decider) unready(step runbook.Step) {
	switch step.Now.Status {
	case runbook.StatusSkip:
		d.stale = d.record(StepSkipped{Step: step.Name, Why: step.Now.Problem}) || d.stale
	case runbook.StatusBroken:
		d.stale = d.record(StepBroken{Step: step.Name, Problem: step.Now.Problem}) || d.stale
	}
}

// begin starts the next attempt: at once where the risk is read, behind a flushed intent otherwise.
func (d *decider) begin(step runbook.Step, st StepState) {
	if step.Now.Status != runbook.StatusReady {
		return
	}
	attempt := st.Attempt + 1
	if step.Risk == runbook.RiskRead && step.Kind != runbook.KindManual && step.Approval == nil {
		if _, known := d.attempt(step.Name, attempt); !known {
			d.early = append(d.early, d.start(step, attempt))
		}
		return
	}
	intent := StepStarted{Step: step.Name, Attempt: attempt, Work: step.Kind, Key: d.key(step, attempt), Risk: step.Risk,
		Digest: d.question(step, st).Digest(), Deadline: d.now.Add(step.Timeout)}
	if step.Approval != nil {
		intent.Gate = st.Gate.Page
	}
	if !d.record(intent) {
		return
	}
	if step.Kind == runbook.KindManual {
		d.asking = true
		d.flushFor(step.Name + " is asked of people")
		return
	}
	d.flushFor("the intent of " + step.Name)
	d.starts = append(d.starts, d.start(step, attempt))
}

func (d *decider) key(step runbook.Step, attempt int) string {
	return runbook.AttemptKey(string(d.state.Opened.ID), step.Name, attempt)
}

func (d *decider) start(step runbook.Step, attempt int) Start {
	return Start{Step: step.Name, Attempt: attempt, Key: d.key(step, attempt), Work: step.Now.Work, Timeout: step.Timeout,
		Repeatable: step.Repeatable()}
}

// question is the gate as it would be asked now.
func (d *decider) question(step runbook.Step, st StepState) runbook.Gate {
	g := runbook.Gate{Incident: string(d.state.Opened.ID), Plan: d.state.Opened.Plan, Step: step, Work: step.Now.Work, Round: st.Round}
	for _, name := range d.plan.UpstreamOf(step.Name) {
		up := d.state.Step(name)
		u := runbook.Upstream{Step: name, How: string(up.Phase)}
		if up.Phase == PhaseEnded {
			u.How = string(up.Conclusion)
		}
		if len(up.Output) > 0 {
			u.Output = runbook.PageDigest(up.Output)
		}
		g.Upstream = append(g.Upstream, u)
	}
	return g
}

// gate asks, or looks at the answers.
func (d *decider) gate(step runbook.Step, st StepState) {
	if step.Now.Status != runbook.StatusReady {
		d.unready(step) // a step it rests on was tried again, and this one is not needed any more
		return
	}
	if opened, page := d.asked(step, st); st.Phase == PhaseIdle || st.Gate.Page != opened.Page {
		d.ask(step, opened, page)
		return
	}
	asked := d.approvalGate(step, st)
	answer := d.answer(asked)
	for _, review := range answer.Unclear {
		d.reply(fmt.Sprintf("review-%d", review), "Several gates were open, so this approval counts for none of them. Review again and write `/approve <step>` in the body.")
	}
	switch {
	case answer.Verdict.Status == approval.StatusRejected:
		d.stale = d.record(GateRejected{Step: step.Name, Vote: *answer.Rejected}) || d.stale
		d.flushFor("a gate was rejected")
	case step.Approval.Within > 0 && !d.now.Before(st.Gate.Opened.Add(step.Approval.Within)):
		d.stale = d.record(GateExpired{Step: step.Name}) || d.stale
		d.flushFor("a gate expired")
	case answer.Verdict.Status == approval.StatusApproved && !d.halted:
		d.pass(step, asked, answer.Votes)
	default:
		d.asking = true
		if step.Approval.Within > 0 {
			d.wakeAt(st.Gate.Opened.Add(step.Approval.Within), "the gate of "+step.Name+" expires")
		}
	}
}

// asked is the gate of a step as it would be opened now, with its page.
func (d *decider) asked(step runbook.Step, st StepState) (GateOpened, []byte) {
	question := d.question(step, st)
	page := question.Page()
	return GateOpened{Step: step.Name, Round: st.Round, Page: runbook.PageDigest(page), Rule: *step.Approval, Digest: question.Digest()}, page
}

func (d *decider) answer(g approval.Gate) approval.Decision {
	if d.shown == nil {
		d.shown = d.state.Shown(d.view.Branch.Commits)
	}
	return approval.Evaluate(g, d.view.Reviews, d.shown)
}

func (d *decider) ask(step runbook.Step, opened GateOpened, page []byte) {
	if !d.record(opened) {
		return
	}
	if d.commit.Pages == nil {
		d.commit.Pages = map[string][]byte{}
	}
	d.commit.Pages[step.Name] = page
	d.asking = true
	d.flushFor("a gate opens")
	d.people = append(d.people, RequestReview{Step: step.Name, From: step.Approval.From})
	if step.Approval.Within > 0 {
		d.wakeAt(d.now.Add(step.Approval.Within), "the gate of "+step.Name+" expires")
	}
}

// pass records the votes and the intent in one commit, which departs only if the votes still stand.
func (d *decider) pass(step runbook.Step, asked approval.Gate, votes []approval.Vote) {
	if !d.record(GateApproved{Step: step.Name, Page: asked.Page, Votes: votes}) {
		return
	}
	d.confirm = append(d.confirm, asked)
	d.begin(step, d.state.Step(step.Name))
}

// approvalGate is the open gate of a step as the verdict sees it.
func (d *decider) approvalGate(step runbook.Step, st StepState) approval.Gate {
	g := approval.Gate{Step: step.Name, Page: st.Gate.Page, Rule: st.Gate.Rule, Excluded: map[int64]string{}}
	for _, deed := range st.Asked {
		g.Excluded[deed.By.ID] = "asked for this attempt"
	}
	return g
}

// Verdict explains an open gate: who has approved, who still can, why a review does not count.
func (s State) Verdict(step string, reviews []approval.Review, commits map[string]int) approval.Decision {
	d := decider{state: s}
	st := s.Step(step)
	return approval.Evaluate(d.approvalGate(runbook.Step{Name: step}, st), reviews, s.Shown(commits))
}

// cancel stops what is queued or running and ends the incident when nothing is left of it.
func (d *decider) cancel() {
	left := 0
	for _, a := range d.view.Attempts {
		if a.State == AttemptQueued || a.State == AttemptRunning {
			d.starts = append(d.starts, Stop{a.Key})
			left++
		}
	}
	if left == 0 {
		d.end(EndCancelled)
	}
}

func (d *decider) end(end End) {
	if d.record(Ended{End: end}) {
		d.commit.Report = true
		d.flushFor("the end")
	}
}

func unknownText(step string, attempt int) string {
	return fmt.Sprintf("**Did it happen?** Attempt %d of `%s` was about to run, or running, when the engine stopped, and nobody has its outcome. "+
		"It is not declared idempotent, so it will not be started again by itself.\n\n"+
		"- `/did-it-by-hand %s <what you found or did>`: it happened; go on.\n"+
		"- `/retry %s`: it did not happen; start it again (a gate asks again).\n"+
		"- `/cancel <reason>`: stop here.\n", attempt, step, step, step)
}

// Due is the time of the next thing that happens by itself, for people to see; zero when nothing does.
func (s State) Due(plan runbook.Plan) time.Time {
	var due time.Time
	for _, step := range plan.Steps {
		st := s.Step(step.Name)
		var at time.Time
		switch {
		case st.Phase == PhaseGate && step.Approval != nil && step.Approval.Within > 0:
			at = st.Gate.Opened.Add(step.Approval.Within)
		case retriesLeft(step, st):
			at = st.Ended.Add(step.Retry.Pause(st.Tried))
		}
		if !at.IsZero() && (due.IsZero() || at.Before(due)) {
			due = at
		}
	}
	return due
}
