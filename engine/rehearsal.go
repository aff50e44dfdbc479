package engine

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/runbook"
)

// wouldHaveRun is the outcome of a step of a rehearsal that is not run: its log says exactly what would have run, and its
// output is what was given to the rehearsal, nil where nothing was.
func (e *Engine) wouldHaveRun(job StepJob, step runbook.Step, r *incident.Rehearsal) runbook.Outcome {
	now := e.Clock.Now()
	var work bytes.Buffer
	if json.Indent(&work, job.Work, "", "  ") != nil {
		work.Write(job.Work) // unreachable unless the evaluator wrote no JSON: then people see what it wrote
	}
	log := fmt.Sprintf("This is a rehearsal: nothing was done. It would have run %s, of risk %s, for at most %s:\n%s\n",
		job.Kind, step.Risk, runbook.Span(job.Timeout), runbook.Visible(work.String()))
	output := r.Outputs[job.Step]
	if step.Rehearses != "" && output == nil {
		output = json.RawMessage(unrehearsed)
	}
	return runbook.Outcome{Key: job.Key, Step: job.Step, Attempt: job.Attempt, Conclusion: runbook.Succeeded, Started: now, Ended: now,
		Output: output, Log: log}
}

// unrehearsed stands on the page of a step whose rehearsal was not run either. It says nothing that others could go by.
const unrehearsed = `{"changes":true,"text":"[nobody knows: in this rehearsal nothing is run, steps that only read among it]"}`

// forChild is the rehearsal of the incident that a step of a rehearsal opens: what was given for "step/name" is the output of
// its step "name".
func forChild(r *incident.Rehearsal, step string) *incident.Rehearsal {
	if r == nil {
		return nil
	}
	child := &incident.Rehearsal{NoReads: r.NoReads}
	for path, output := range r.Outputs {
		if name, ours := strings.CutPrefix(path, step+"/"); ours {
			if child.Outputs == nil {
				child.Outputs = map[string]json.RawMessage{}
			}
			child.Outputs[name] = output
		}
	}
	return child
}
