package step

import (
	"encoding/json"
	"fmt"

	"github.com/pullbook/pullbook/engine/runbook"
)

// rehearser is work that can be rehearsed: it finds out what it would do, and does nothing. The outcome of a rehearsal is a
// rehearsed.
type rehearser interface {
	rehearse(ctx stepContext, a *attempt) result
}

// rehearsed is the output of a rehearsal: what people approve.
type rehearsed struct {
	Changes bool   `json:"changes"`        // whether it would change anything
	Plan    string `json:"plan,omitempty"` // SHA-256, hex, of a plan that the runner keeps, and that is carried out as it is
	Text    string `json:"text"`           // what it would do, for people; covered
}

// do performs the work, or rehearses it.
func (a *attempt) do(ctx stepContext, work performer) result {
	if !a.job.Rehearse {
		return work.perform(ctx, a)
	}
	r, ok := work.(rehearser)
	if !ok {
		return failed("step %s: a step of kind %s cannot be rehearsed", a.job.Step, a.job.Kind)
	}
	return r.rehearse(ctx, a)
}

// rehearsal is what the rehearsal of the job's step found out.
func (a *attempt) rehearsal() (r rehearsed, err error) {
	if len(a.job.Rehearsal) == 0 {
		return r, fmt.Errorf("step %s was not rehearsed", a.job.Step)
	}
	if err := json.Unmarshal(a.job.Rehearsal, &r); err != nil {
		return r, fmt.Errorf("read what the rehearsal of step %s found out: %w", a.job.Step, err)
	}
	return r, nil
}

// withOutput is a success with an output.
func (a *attempt) withOutput(v any) result {
	data, err := json.Marshal(v)
	if err == nil {
		data, err = a.asOutput("what the step puts out", data, true)
	}
	if err != nil {
		return failed("%w", err)
	}
	return result{conclusion: runbook.Succeeded, output: data}
}
