package incident

import (
	"fmt"
	"math"
	"time"

	"github.com/pullbook/pullbook/engine/approval"
	"github.com/pullbook/pullbook/engine/runbook"
)

// advance decides what each step does next.
func (d *decider) advance() {
	d.room = d.free()
	switch stage := d.state.Stage(); {
	case stage == runbook.StageFinally:
		d.finally()
	case stage == runbook.StageUndo:
		d.undo()
	case d.state.CalledOff():
		d.cancel()
	case d.run(stage):
		d.repeat(true)
		d.over(EndResolved)
	default:
		d.repeat(false)
	}
}

// run lets the steps of a stage go on, and reports whether all of them are over. The plan is in order, so a step is seen
// after all it needs.
func (d *decider) run(stage runbook.Stage) (over bool) {
	over = true
	for step, st := range d.astir() {
		if step.Stage != stage || d.state.settled(step) {
			continue
		}
		over = false
		if !st.Over() || retriesLeft(step, st) {
			continue
		}
		d.halted = true
		if undoesOn(step, st) {
			d.halted = false
			d.undoNow(UndoBegun{Why: "step " + step.Name + " " + howEnded(st)})
			return false
		}
	}
	if over {
		return true
	}
	for step, st := range d.astir() {
		if step.Stage == stage && !d.state.settled(step) {
			d.advanceStep(step, st)
		}
	}
	return false
}

// free is how many attempts may begin now.
func (d *decider) free() int {
	if d.plan.Concurrency <= 0 {
		return math.MaxInt
	}
	room := d.plan.Concurrency
	for _, step := range d.plan.Steps {
		st := d.state.Step(step.Name)
		a, busy := d.busyWith(step, st)
		if st.hasRun() {
			room--
		} else if lost := a.Key == ""; busy && (!lost || step.Stage == d.state.Stage()) { // what an earlier stage lost is not queued again
			room--
		}
	}
	return room
}

// busyWith reports whether an attempt of a step is under way, and which one as the step queue knows it: none if it has
// been lost there, and is to be queued again.
func (d *decider) busyWith(step runbook.Step, st StepState) (a Attempt, busy bool) {
	number := st.Attempt + 1
	switch {
	case st.Phase == PhaseStarted:
		number = st.Attempt
	case st.Repeats.Running:
		number = st.Repeats.Attempt
	}
	a, known := d.attempt(step.Name, number)
	if known && (a.State == AttemptQueued || a.State == AttemptRunning) {
		return a, true
	}
	return Attempt{}, !known && st.Phase == PhaseStarted && st.Kind.NeedsRunner() && !st.hasRun()
}

// full reports whether a step has to wait until another one has ended.
func (d *decider) full(step runbook.Step) bool {
	return step.Kind.NeedsRunner() && !step.Each && d.room <= 0
}

func (d *decider) advanceStep(step runbook.Step, st StepState) {
	switch {
	case step.Each:
		d.advanceTemplate(step, st)
		return
	case d.heldByTemplate(step, st):
		return
	}
	switch st.Phase {
	case PhaseUnknown:
		d.askUnknown(step, st)
	case PhaseStarted:
		d.running(step, st)
	case PhaseGate:
		d.gate(step, st) // an open gate is answered even while the incident is halted; nothing starts then
	case PhaseEnded:
		if retriesLeft(step, st) && !d.nothingStarts() {
			d.retry(step, st)
		}
	case PhaseIdle, PhaseCleared:
		if !d.nothingStarts() {
			d.idle(step, st)
		}
	}
}

// running makes sure that an attempt with an intent is in the queue. One that may be repeated is queued again.
func (d *decider) running(step runbook.Step, st StepState) {
	switch {
	case st.Kind == runbook.KindWait:
		d.await(step, st)
		return
	case st.Kind == runbook.KindRunbook:
		d.child(step, st)
		return
	case st.Kind.AsksPeople():
		d.asksUntil(step, st)
		return
	case st.hasRun():
		d.awaitRun(step, st)
		return
	case d.inDoubt(step, st):
		return
	}
	if _, known := d.attempt(step.Name, st.Attempt); !known && step.Now.Status == runbook.StatusReady {
		d.starts = append(d.starts, d.start(step, st.Attempt))
	}
}

// await ends a wait whose time has come. A clock that was ahead, and has dated an event, does not bring that time nearer.
func (d *decider) await(step runbook.Step, st StepState) {
	if d.clock.Before(st.Deadline) && !st.WouldRun {
		d.wakeAt(st.Deadline, step.Name+" is over")
		return
	}
	d.stale = d.record(StepEnded{Step: step.Name, Attempt: st.Attempt, Conclusion: runbook.Succeeded, Started: st.Started, Ended: d.now,
		WouldRun: st.WouldRun}) || d.stale
}

func (d *decider) retry(step runbook.Step, st StepState) {
	due := d.state.RetryAt(step)
	switch {
	case d.now.Before(due):
		d.wakeAt(due, "attempt "+fmt.Sprint(st.Attempt+1)+" of "+step.Name)
	case d.waits(step):
	case !d.pinned(step):
	case step.Approval != nil && underTemplate(step, st):
		d.behindTemplate(step, st)
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
	if !d.pinned(step) {
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
	case !d.pinned(step):
	case step.Approval != nil && underTemplate(step, st):
		d.behindTemplate(step, st)
	case step.Approval != nil:
		d.gate(step, st)
	default:
		d.begin(step, st)
	}
}

// unready records that a step will not run, where that is so: it is skipped, or its values cannot be worked out.
func (d *decider) unready(step runbook.Step) {
	switch {
	case step.Now.Status == runbook.StatusBroken && d.unknowable(step):
		d.stale = d.record(StepSkipped{Step: step.Name, Why: "not known in a rehearsal: " + step.Now.Problem}) || d.stale
	case step.Now.Status == runbook.StatusSkip:
		d.stale = d.record(StepSkipped{Step: step.Name, Why: step.Now.Problem}) || d.stale
	case step.Now.Status == runbook.StatusBroken:
		d.stale = d.record(StepBroken{Step: step.Name, Problem: step.Now.Problem}) || d.stale
	}
}

// begin starts the next attempt: at once where the risk is read, behind a flushed intent otherwise. Where the plan's bound
// on what runs at once is reached, or a lock is held by another, it does nothing.
func (d *decider) begin(step runbook.Step, st StepState) {
	if step.Now.Status != runbook.StatusReady || d.waits(step) {
		return
	}
	attempt := st.Attempt + 1
	if step.Kind.NeedsRunner() && step.Risk == runbook.RiskRead && step.Approval == nil && !step.TakesLocks {
		if _, known := d.attempt(step.Name, attempt); !known && d.listedBeforehand(step) {
			d.room--
			d.early = append(d.early, d.start(step, attempt))
		}
		return
	}
	deadline, ok := d.deadline(step)
	if !ok {
		d.stale = d.record(StepBroken{Step: step.Name, Problem: "the time that it waits for never comes"}) || d.stale
		return
	}
	intent := StepStarted{Step: step.Name, Attempt: attempt, Work: step.Kind, Key: d.key(step, attempt), Risk: step.Risk,
		Locks: step.Now.Locks, Deadline: deadline, WouldRun: d.state.WouldRun(step), Workflow: d.pin(step)}
	intent.Digest, intent.Gate = d.bound(step, st)
	if !d.record(intent) {
		return
	}
	d.departs(step)
	switch {
	case step.Kind == runbook.KindWait:
		d.flushFor("the timer of " + step.Name)
		if deadline.After(d.now) && !intent.WouldRun {
			d.wakeAt(deadline, step.Name+" is over")
		}
	case step.Kind.AsksPeople():
		d.flushFor(step.Name + " is asked of people")
		d.asksUntil(step, d.state.Step(step.Name))
	case step.Kind == runbook.KindRunbook:
		d.flushFor("the intent of " + step.Name)
		d.child(step, d.state.Step(step.Name))
	default:
		d.room--
		d.flushFor("the intent of " + step.Name)
		d.starts = append(d.starts, d.start(step, attempt))
	}
}

// deadline is when an attempt that begins now is over at the latest. ok is false for a wait that would never end.
func (d *decider) deadline(step runbook.Step) (at time.Time, ok bool) {
	switch wait := step.Now.Work.Wait; {
	case step.Kind != runbook.KindWait:
		return d.now.Add(step.Timeout), true
	case wait == nil:
		return time.Time{}, false
	default:
		return wait.Over(d.now)
	}
}

func (d *decider) key(step runbook.Step, attempt int) string {
	return runbook.AttemptKey(string(d.state.Opened.ID), step.Name, attempt)
}

func (d *decider) start(step runbook.Step, attempt int) Start {
	return Start{Step: step.Name, Attempt: attempt, Key: d.key(step, attempt), Kind: step.Kind, Work: step.Now.Work.Run, Timeout: step.Timeout,
		Repeatable: d.repeatable(step), Workflow: d.state.Step(step.Name).Workflow}
}

// question is the gate as it would be asked now.
func (d *decider) question(step runbook.Step, st StepState) runbook.Gate {
	g := runbook.Gate{Incident: string(d.state.Opened.ID), Plan: d.state.Plan, Step: step, Work: step.Now.Work, Round: st.Round,
		Upstream: d.upstream(baseName(step)), Workflow: d.pin(step), Locks: step.Now.Locks, Because: d.demanded(step), Elements: step.Now.Elements, GameDay: d.gameDay(step)}
	if r, ok := d.base.Rehearsal(step.Name); ok {
		g.Rehearsal = d.state.Step(r.Name).Output
	}
	if step.Approval == nil {
		return g
	}
	g.Authors, _ = d.authors(step, st)
	rule := g.Authors.Rule(*step.Approval, step.CodeOwners)
	g.Step.Approval, g.SelfApproval = &rule, d.base.SelfApproval
	return g
}

// upstream is what a step of the frozen plan rests on. All of it has ended, so one look works it out once.
func (d *decider) upstream(step string) []runbook.Upstream {
	if known, ok := d.restsOn[step]; ok {
		return known
	}
	var all []runbook.Upstream
	for _, name := range d.base.UpstreamOf(step) {
		up := d.state.Step(name)
		u := runbook.Upstream{Step: name, How: string(up.Phase)}
		if up.Phase == PhaseEnded {
			u.How = string(up.Conclusion)
		}
		if len(up.Output) > 0 {
			u.Output = runbook.PageDigest(up.Output)
		}
		all = append(all, u)
	}
	if d.restsOn == nil {
		d.restsOn = map[string][]runbook.Upstream{}
	}
	d.restsOn[step] = all
	return all
}

// gate asks, or looks at the answers.
func (d *decider) gate(step runbook.Step, st StepState) {
	if step.Now.Status != runbook.StatusReady {
		d.unready(step) // a step it rests on was tried again, and this one is not needed any more
		return
	}
	if !d.pinned(step) {
		return
	}
	if step.Approval == nil {
		d.lift(step)
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
	case d.late(st, answer):
		d.timeOver(step, st)
	case answer.Verdict.Status == approval.StatusApproved && !d.nothingStarts() && d.waits(step):
	case answer.Verdict.Status == approval.StatusApproved && !d.nothingStarts():
		d.pass(step, asked, answer)
	default:
		d.pending(step, st, answer)
	}
}

// late reports whether the time of a gate is over and nobody answered it before.
func (d *decider) late(st StepState, answer approval.Decision) bool {
	expires := st.Gate.Expires()
	return !expires.IsZero() && !d.now.Before(expires) && !st.Gate.Answered(answer)
}

// asked is the gate of a step as it would be opened now, with its page.
func (d *decider) asked(step runbook.Step, st StepState) (GateOpened, []byte) {
	question := d.question(step, st)
	page := question.Page()
	opened := GateOpened{Step: step.Name, Round: st.Round, Page: runbook.PageDigest(page), Rule: *question.Step.Approval,
		Digest: question.Digest(), Because: question.Because, Authors: question.Authors}
	if step.Each {
		opened.Elements = step.Now.Keys()
	}
	return opened, page
}

func (d *decider) answer(g approval.Gate) approval.Decision {
	if d.shown == nil {
		d.shown = d.state.Shown(d.view.Branch.Commits)
	}
	return approval.Evaluate(g, d.view.Reviews, d.shown)
}

func (d *decider) ask(step runbook.Step, opened GateOpened, page []byte) {
	if _, known := d.authors(step, d.state.Step(step.Name)); !known {
		d.unwritten = append(d.unwritten, step.Name)
		d.wakeAt(d.now.Add(authorsPause), "who wrote "+step.Name+" is looked up again")
		return
	}
	if !d.record(opened) {
		return
	}
	if d.commit.Pages == nil {
		d.commit.Pages = map[string][]byte{}
	}
	d.commit.Pages[step.Name] = page
	d.asking = true
	d.flushFor("a gate opens")
	d.wakeForGate(step)
}

// pass records the votes and the intent in one commit, which departs only if the votes still stand.
func (d *decider) pass(step runbook.Step, asked approval.Gate, answer approval.Decision) {
	switch {
	case answer.Broken != nil && !d.breakGlass(step, asked, *answer.Broken):
		return
	case answer.Broken == nil && !d.record(GateApproved{Step: step.Name, Page: asked.Page, Votes: answer.Votes}):
		return
	}
	if step.Each { // the intents of its elements confirm it
		d.stale = true
		d.settleElements(step)
		return
	}
	d.confirm = append(d.confirm, asked)
	d.begin(step, d.state.Step(step.Name))
}

// approvalGate is the open gate of a step as the verdict sees it.
func (d *decider) approvalGate(step runbook.Step, st StepState) approval.Gate {
	barred := d.state.Barred(d.base, step.Name)
	not, wrote := excluded(barred)
	return approval.Gate{Step: step.Name, Page: st.Gate.Page, Rule: st.Gate.Rule, Excluded: not, Wrote: wrote, May: d.base.SelfApproval,
		Teams: d.view.Teams, Logins: d.logins(barred), Glass: glass(d.base, st.Gate.Rule)}
}

// Verdict explains an open gate: who has approved, who still can, why a review does not count.
func (s State) Verdict(plan runbook.Plan, step string, v View) approval.Decision {
	d := decider{base: plan, state: s, view: v}
	return d.answer(d.approvalGate(runbook.Step{Name: step}, s.Step(step)))
}

// askUnknown asks people whether an effect happened.
func (d *decider) askUnknown(step runbook.Step, st StepState) {
	d.asking = true
	key, otherwise := "unknown", fmt.Sprintf("- `/retry %s`: it did not happen; start it again (a gate asks again).\n- `/cancel <reason>`: stop here.\n", step.Name)
	if d.state.Stage() == runbook.StageUndo {
		key, otherwise = "undo-unknown", fmt.Sprintf("- `/retry %s`: it did not happen. While the incident is undone, it is not started again.\n"+
			"- `/cancel <reason>`: undo nothing, and stop here.\n", step.Name)
		if step.Stage == runbook.StageUndo {
			otherwise = fmt.Sprintf("- `/retry %s`: it did not happen; start it again (a gate asks again).\n- `/cancel <reason>`: undo no more, and stop here.\n", step.Name)
		}
	}
	d.reply(fmt.Sprintf("%s-%s-%d", key, step.Name, st.Attempt), unknownText(step.Name, st)+otherwise)
}

func unknownText(step string, st StepState) string {
	why := "was about to run, or running, when the engine stopped, and nobody has its outcome"
	if st.Run != 0 {
		why = fmt.Sprintf("was run %d on the hub, which is not there any more", st.Run)
	}
	return fmt.Sprintf("**Did it happen?** Attempt %d of `%s` %s. "+
		"It is not declared idempotent, so it will not be started again by itself.\n\n"+
		"- `/did-it-by-hand %s <what you found or did>`: it happened; go on.\n", st.Attempt, step, why, step)
}

// Due is the time of the next thing that happens by itself, for people to see; zero when nothing does.
func (s State) Due(plan runbook.Plan) time.Time {
	var due time.Time
	for _, step := range plan.Steps {
		st := s.Step(step.Name)
		var at time.Time
		switch {
		case st.Phase == PhaseGate:
			at = st.Gate.Expires()
		case st.Phase == PhaseStarted && (st.Kind == runbook.KindWait && !st.WouldRun || st.Kind.AsksPeople()):
			at = st.Deadline
		default:
			at = s.RetryAt(step)
		}
		if !at.IsZero() && (due.IsZero() || at.Before(due)) {
			due = at
		}
	}
	return due
}
