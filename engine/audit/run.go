package audit

import (
	"strconv"

	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/runbook"
)

// The facts of a run that the end of its step records.
const (
	factRun      = "run"
	factWorkflow = "workflow"
)

// runsApproved checks that an intent to run a workflow names its file, and the one that its gate page showed.
func (t *trail) runsApproved(m moment, d incident.StepStarted) *Finding {
	switch {
	case (m.step.Workflow != nil) != (d.Workflow != ""):
		return m.wrong("", "step %s starts, and its intent does not name the file of its workflow, or names one that it does not have", d.Step)
	case d.Gate != "" && d.Workflow != t.approved(m).Workflow:
		return m.wrong("", "step %s is to run the workflow file %s, and its gate page showed %q", d.Step, d.Workflow, t.approved(m).Workflow)
	}
	return nil
}

// dispatched checks that a run is recorded after the intent to dispatch it was pushed.
func (t *trail) dispatched(m moment, d incident.RunDispatched) *Finding {
	switch {
	case m.step.Workflow == nil:
		return m.wrong("", "step %s has a workflow run, and runs no workflow", d.Step)
	case t.begun[d.Step] > m.batch.last:
		return m.wrong("", "the intent of attempt %d of step %s is in the same commit as its run", d.Attempt, d.Step)
	}
	return nil
}

// stopAsked checks that a run is told to stop only when its time is over, or the incident has been called off.
func (t *trail) stopAsked(m moment, e incident.Event, d incident.RunStopAsked) *Finding {
	if !t.state.CalledOff() && e.At.Before(m.was.Deadline) {
		return m.wrong("", "the run of step %s is told to stop before its time is over", d.Step)
	}
	return nil
}

// ranIt checks that a step which runs a workflow succeeds by a run that is recorded, and that ran the file that its intent
// names.
func (m moment) ranIt(d incident.StepEnded) *Finding {
	if m.step.Workflow == nil || m.step.Each || d.WouldRun || d.Conclusion != runbook.Succeeded {
		return nil
	}
	switch {
	case m.was.Run == 0:
		return m.wrong("", "step %s succeeded, and no run of its workflow is recorded", d.Step)
	case d.Facts[factRun] != strconv.FormatInt(m.was.Run, 10):
		return m.wrong("", "step %s succeeded by run %s, and run %d was dispatched", d.Step, d.Facts[factRun], m.was.Run)
	case d.Facts[factWorkflow] != m.was.Workflow:
		return m.wrong("", "step %s ran the workflow file %s, and its intent names %s", d.Step, d.Facts[factWorkflow], m.was.Workflow)
	}
	return nil
}
