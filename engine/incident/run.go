package incident

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/pullbook/pullbook/engine/runbook"
)

const (
	// runSeen is how long after its intent a dispatch whose answer was lost may still turn up in the hub's list of runs.
	runSeen = 2 * time.Minute
	// runStops is how long after its deadline a run that was told to stop is waited for.
	runStops = 5 * time.Minute
)

// factRunAttempt is the fact that the end of a step of KindActions records of its run: how often it had been run.
const factRunAttempt = "run_attempt"

// RunDispatched records the workflow run of an attempt, which goes on at the hub.
type RunDispatched struct {
	Step    string `json:"step"`
	Attempt int    `json:"attempt"`
	Run     int64  `json:"run"` // the hub's number of it
	URL     string `json:"url"` // of its page
	// Found says that the answer to the dispatch was lost or named no run, and that this one was found by its key.
	Found bool `json:"found,omitempty"`
}

// Kind implements Data.
func (RunDispatched) Kind() string { return "run-dispatched" }

// RunStopAsked records that the run of an attempt is told to stop: its time is over, or the incident is called off.
type RunStopAsked struct {
	Step    string `json:"step"`
	Attempt int    `json:"attempt"`
}

// Kind implements Data.
func (RunStopAsked) Kind() string { return "run-stop-asked" }

// Run is the workflow run of an attempt, as the hub has it.
type Run struct {
	Attempt int   // of the step
	ID      int64 // 0: there is none with the key of the attempt
	URL     string
	Runs    int              // how often it has been run: more than once if a person did so again by hand
	Status  string           // in the hub's words: queued, in_progress, ...
	Outcome *runbook.Outcome // of a run that is completed
	Gone    bool             // a run that was there is not there any more
}

// CancelRun tells the hub to stop a run. It may be repeated, and the run may be over by then.
type CancelRun struct {
	Step string
	Run  int64
}

func (CancelRun) action() {}

func (s *State) runDispatched(d RunDispatched) error {
	st := s.Step(d.Step)
	switch {
	case !st.dispatches() || st.Attempt != d.Attempt || st.Run != 0:
		return fmt.Errorf("attempt %d of step %s does not wait for a workflow run", d.Attempt, d.Step)
	case d.Run <= 0:
		return errors.New("the run has no number")
	}
	st.Run, st.RunURL = d.Run, d.URL
	s.set(d.Step, st)
	return nil
}

func (s *State) runStopAsked(e Event, d RunStopAsked) error {
	st := s.Step(d.Step)
	if !st.hasRun() || st.Attempt != d.Attempt || !st.StopAsked.IsZero() {
		return fmt.Errorf("attempt %d of step %s has no workflow run that could be told to stop", d.Attempt, d.Step)
	}
	st.StopAsked = e.At
	s.set(d.Step, st)
	return nil
}

// dispatches reports whether an attempt is under way that runs a workflow.
func (s StepState) dispatches() bool {
	return s.Phase == PhaseStarted && s.Kind == runbook.KindActions && !s.WouldRun
}

// hasRun reports whether the attempt waits for a workflow run that is known.
func (s StepState) hasRun() bool { return s.dispatches() && s.Run != 0 }

// Follows reports whether the hub is to be asked for the run of a step: the attempt waits for it; or it ended badly, and a
// person may run it again by hand.
func (s StepState) Follows() bool {
	return s.hasRun() || s.Run != 0 && s.Phase == PhaseEnded && s.Conclusion != runbook.Succeeded
}

// Seeks reports whether the run of a step has to be looked for by its key: it may have been dispatched, and nobody has the
// answer. attempts are those that the step queue knows.
func (s StepState) Seeks(step string, attempts []Attempt) bool {
	if !s.dispatches() || s.Run != 0 {
		return false
	}
	i := slices.IndexFunc(attempts, func(a Attempt) bool { return a.Step == step && a.Number == s.Attempt })
	return i < 0 || attempts[i].answerLost()
}

// answerLost reports whether nobody knows what an attempt of the step queue has done.
func (a Attempt) answerLost() bool {
	return a.State == AttemptLost || a.State == AttemptEnded && (a.Outcome == nil || a.Outcome.Conclusion == runbook.Unknown)
}

// runOf is the run of the latest attempt of a step, as the view has it.
func (d *decider) runOf(step string, st StepState) (r Run, ok bool) {
	r, ok = d.view.Runs[step]
	return r, ok && r.Attempt == st.Attempt && (st.Run == 0 || r.ID == st.Run)
}

// recordRuns writes down which runs were dispatched, and how they ended, in plan order.
func (d *decider) recordRuns() {
	for step, st := range d.astir() {
		r, seen := d.runOf(step.Name, st)
		switch {
		case !st.dispatches():
		case st.Run == 0:
			d.recordDispatch(step, st, r)
		case seen && r.Gone:
			if d.record(StepUnknown{Step: step.Name, Attempt: st.Attempt}) {
				d.stale = true
				d.flushFor("people are asked whether " + step.Name + " happened")
			}
		case seen && r.Outcome != nil:
			d.recordOutcome(d.inTime(st, *r.Outcome))
		case !st.StopAsked.IsZero() && !d.clock.Before(st.StopAsked.Add(runStops)):
			d.recordDeaf(step, st)
		}
	}
}

// recordDeaf gives up on a run that was told to stop and did not.
func (d *decider) recordDeaf(step runbook.Step, st StepState) {
	o := runbook.Outcome{Key: d.key(step, st.Attempt), Step: step.Name, Attempt: st.Attempt, Conclusion: runbook.TimedOut, Started: st.Started, Ended: d.now,
		Error: fmt.Sprintf("its run was told to stop at %s UTC and had not ended %s later; it may go on: %s", moment(st.StopAsked), runStops, st.RunURL)}
	if st.StopAsked.Before(st.Deadline) {
		o.Conclusion = runbook.Cancelled
	}
	d.recordOutcome(o)
}

// recordDispatch writes down the run that a dispatch named, or that was found by its key.
func (d *decider) recordDispatch(step runbook.Step, st StepState, found Run) {
	named := RunDispatched{Step: step.Name, Attempt: st.Attempt}
	switch a, _ := d.attempt(step.Name, st.Attempt); {
	case a.Outcome != nil && a.Outcome.Run != nil:
		named.Run, named.URL = a.Outcome.Run.ID, a.Outcome.Run.URL
	case found.ID != 0:
		named.Run, named.URL, named.Found = found.ID, found.URL, true
	default:
		return
	}
	if d.record(named) {
		d.flushFor("the run of " + step.Name)
	}
}

// inTime is an outcome as it counts: a run that was stopped because its time was over has not been cancelled by anybody.
func (d *decider) inTime(st StepState, o runbook.Outcome) runbook.Outcome {
	if o.Conclusion == runbook.Cancelled && !d.state.CalledOff() && !o.Ended.Before(st.Deadline) {
		o.Conclusion, o.Error = runbook.TimedOut, "not done in time: "+o.Error
	}
	return o
}

// goesOnElsewhere reports whether the answer of the step queue is not the outcome of the attempt: its workflow was dispatched,
// or has yet to be looked for.
func (d *decider) goesOnElsewhere(step runbook.Step, st StepState, a Attempt, known bool) bool {
	switch {
	case !st.dispatches():
		return false
	case st.Run != 0:
		return true
	}
	lost := known && a.answerLost() || !known && !d.repeatable(step)
	if until := st.Started.Add(runSeen); lost && step.Workflow != nil && step.Workflow.Key != "" && d.clock.Before(until) {
		d.wakeAt(until, "the run of "+step.Name+" is looked for")
		return true
	}
	return false
}

// inDoubt reports whether a dispatch must not be queued again: nobody knows yet whether it was made.
func (d *decider) inDoubt(step runbook.Step, st StepState) bool {
	_, known := d.attempt(step.Name, st.Attempt)
	return st.dispatches() && !known && !d.repeatable(step)
}

// awaitRun waits for a run until its time is over, and stops it then.
func (d *decider) awaitRun(step runbook.Step, st StepState) {
	if d.clock.Before(st.Deadline) {
		d.wakeAt(st.Deadline, "the time of "+step.Name+" is over")
		return
	}
	d.cancelRun(step, st)
}

// cancelRun tells a run to stop, at each look. That it is told is written down before: it has its five minutes from then on,
// however late somebody looked.
func (d *decider) cancelRun(step runbook.Step, st StepState) {
	if st.StopAsked.IsZero() && d.record(RunStopAsked{Step: step.Name, Attempt: st.Attempt}) {
		d.flushFor("the run of " + step.Name + " is told to stop")
		return
	}
	d.starts = append(d.starts, CancelRun{Step: step.Name, Run: st.Run})
	d.wakeAt(maxTime(st.StopAsked.Add(runStops), d.clock.Add(time.Minute)), step.Name+" is to have stopped")
}

func maxTime(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// runless reports whether no step of the stages waits for a workflow run. With stop they are told to end.
func (d *decider) runless(stop bool, stages ...runbook.Stage) bool {
	none := true
	for _, step := range d.plan.Steps {
		st := d.state.Step(step.Name)
		switch {
		case !st.hasRun() || !slices.Contains(stages, step.Stage):
			continue
		case stop:
			d.cancelRun(step, st)
		default:
			d.awaitRun(step, st)
		}
		none = false
	}
	return none
}

// pin is the blob id of the workflow that a step would run now; empty if it runs none, or nobody knows.
func (d *decider) pin(step runbook.Step) string {
	if step.Workflow == nil {
		return ""
	}
	return d.view.Pins[baseName(step)].Blob
}

// pinned reports whether it is known which file a step would run. Where there is none that could be run, that is recorded.
func (d *decider) pinned(step runbook.Step) bool {
	if step.Workflow == nil {
		return true
	}
	pin, known := d.view.Pins[baseName(step)]
	switch {
	case !known:
		d.wakeAt(d.clock.Add(authorsPause), "the workflow of "+step.Name+" is looked up again")
		return false
	case pin.Problem != "":
		d.stale = d.record(StepBroken{Step: step.Name, Problem: pin.Problem}) || d.stale
		return false
	}
	return true
}

// sayAgain says on the pull request which runs were run again by hand, and what that means.
func (d *decider) sayAgain() {
	for _, step := range d.plan.Steps {
		st := d.state.Step(step.Name)
		r, seen := d.runOf(step.Name, st)
		if !seen || r.Runs <= max(1, st.Runs) {
			continue
		}
		means := "Its latest attempt is what counts."
		if st.Phase != PhaseStarted {
			means = fmt.Sprintf("The step has ended, and this changes nothing about it: `/retry %s` dispatches a run of its own, `/did-it-by-hand %s <what you did>` goes on.", step.Name, step.Name)
		}
		d.announce(fmt.Sprintf("run-again-%s-%d-%d", step.Name, st.Attempt, r.Runs), fmt.Sprintf("**Run again by hand:** run %d of `%s` is in its attempt %d on the hub. %s", r.ID, step.Name, r.Runs, means))
	}
}
