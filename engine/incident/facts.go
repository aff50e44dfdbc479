package incident

import (
	"cmp"
	"slices"

	"github.com/pullbook/pullbook/engine/runbook"
)

// recordPull notes the pull request's number, as soon as there is one.
func (d *decider) recordPull() {
	if d.state.Pull == 0 && d.view.Pull != nil {
		d.record(PullOpened{Number: d.view.Pull.Number, URL: d.view.Pull.URL})
	}
}

// recordAlerts writes down further notifications of the group. Each is acknowledged to its sender only when it is on the
// remote branch; an exact repeat says nothing new.
func (d *decider) recordAlerts() {
	for _, a := range d.view.Alerts {
		if d.state.Known[a.Digest()] {
			if d.view.Branch.Pushed < d.state.Seq {
				d.flushFor("an alert is recorded")
			}
			continue
		}
		if d.record(AlertUpdated{a}) {
			d.flushFor("an alert is recorded")
		}
	}
}

// recordOutcomes writes down what runners said: in plan order, and of undo steps in the order in which they were queued, since what
// happened last is undone first.
func (d *decider) recordOutcomes() {
	undo := false
	for step, st := range d.astir() {
		switch {
		case step.Stage != runbook.StageUndo:
			d.recordSaid(step, st)
		case !undo:
			undo = true
			for _, step := range d.undoAsQueued() {
				d.recordSaid(step, d.state.Step(step.Name))
			}
		}
	}
}

// undoAsQueued lists the undo steps that have not ended well in the order of their attempts in the step queue.
func (d *decider) undoAsQueued() []runbook.Step {
	place := map[string]int64{}
	var steps []runbook.Step
	for step, st := range d.astir() {
		if step.Stage == runbook.StageUndo {
			a, _ := d.expected(step, st)
			place[step.Name] = a.Place
			steps = append(steps, step)
		}
	}
	slices.SortStableFunc(steps, func(a, b runbook.Step) int { return cmp.Compare(place[a.Name], place[b.Name]) })
	return steps
}

func (d *decider) recordSaid(step runbook.Step, st StepState) {
	a, known := d.expected(step, st)
	if d.goesOnElsewhere(step, st, a, known) {
		return
	}
	switch {
	case known && a.State == AttemptEnded && a.Outcome != nil && a.Outcome.Conclusion != runbook.Unknown:
		d.recordOutcome(*a.Outcome)
	case known && (a.State == AttemptLost || a.State == AttemptEnded):
		d.recordLoss(step, st, a)
	case !known && st.Phase == PhaseStarted && st.Kind.NeedsRunner() && !d.repeatable(step):
		d.recordLoss(step, st, Attempt{Number: st.Attempt})
	}
}

// expected is the attempt of a step whose end the journal does not have.
func (d *decider) expected(step runbook.Step, st StepState) (a Attempt, known bool) {
	if st.Phase == PhaseStarted {
		return d.attempt(step.Name, st.Attempt)
	}
	return d.attempt(step.Name, st.Attempt+1)
}

func (d *decider) attempt(step string, number int) (Attempt, bool) {
	a, known := d.attempts[attemptName{step, number}]
	return a, known
}

func (d *decider) recordOutcome(o runbook.Outcome) { d.recordEnd(o, nil) }

// recordEnd records an outcome, and on whose words it rests that were said on another incident.
func (d *decider) recordEnd(o runbook.Outcome, spoke []Barred) {
	ended := StepEnded{Step: o.Step, Attempt: o.Attempt, Conclusion: o.Conclusion, Started: o.Started.UTC(), Ended: o.Ended.UTC(),
		Output: o.Output, Cut: o.Cut, Facts: o.Facts, Error: o.Error, Spoke: spoke}
	if step, ok := d.plan.Step(o.Step); ok {
		ended.WouldRun = d.state.WouldRun(step)
	}
	if o.Log != "" {
		ended.Evidence = runbook.PageDigest([]byte(o.Log))
	}
	if d.record(ended) {
		d.commit.Evidence = append(d.commit.Evidence, Evidence{Step: o.Step, Attempt: o.Attempt, Log: o.Log, Output: o.Output})
		d.stale = true
	}
}

// recordLoss handles an attempt whose outcome nobody has: what cannot be repeated is asked of a person.
func (d *decider) recordLoss(step runbook.Step, st StepState, a Attempt) {
	if !d.repeatable(step) && st.Phase == PhaseStarted {
		if d.record(StepUnknown{Step: step.Name, Attempt: a.Number}) {
			d.flushFor("people are asked whether " + step.Name + " happened")
			d.stale = true
		}
		return
	}
	if a.Outcome != nil { // nobody knows whether it happened, and doing it again does no harm: what is known is that it did not succeed
		o := *a.Outcome
		o.Conclusion = runbook.Failed
		d.recordOutcome(o)
		return
	}
	if a.State != "" {
		d.recordOutcome(runbook.Outcome{Key: a.Key, Step: step.Name, Attempt: a.Number, Conclusion: runbook.Failed,
			Started: d.now, Ended: d.now, Error: "the runner was lost"})
	}
}

// recordMitigation notes when every probe of the main stage that ran has passed.
func (d *decider) recordMitigation() {
	if !d.state.MitigatedAt.IsZero() || d.state.Stage() != runbook.StageMain || d.state.Reopened != nil {
		return
	}
	passed := 0
	for step := range d.plan.In(runbook.StageMain) {
		if step.Kind != runbook.KindProbe {
			continue
		}
		st := d.state.Step(step.Name)
		if !st.Over() || !st.Good() {
			return
		}
		if st.WouldRun { // it has seen nothing
			return
		}
		if st.Phase == PhaseEnded && !step.Each {
			passed++
		}
	}
	if passed > 0 {
		d.record(Mitigated{How: "every probe of the plan has passed"})
	}
}
