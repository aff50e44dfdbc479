package step

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/pullbook/pullbook/engine/runbook"
)

// Workflows starts workflows of the hub.
type Workflows interface {
	// Dispatch starts a run, unless one with the same key is there, which it returns. An error means that nobody knows whether
	// a run was started.
	Dispatch(ctx context.Context, d Dispatch) (Dispatched, error)
}

// Dispatch is a run to start.
type Dispatch struct {
	Workflow runbook.Workflow
	Blob     string // that the workflow's file must have, hex
	Inputs   map[string]string
	Key      string // of the attempt; given as the input Workflow.Key, if that has a name
}

// Dispatched is what came of it.
type Dispatched struct {
	Run     runbook.WorkflowRun // ID 0: the hub did not name it
	Refused string              // why certainly nothing was started; empty: something was
}

// actions is the work of a step that runs a workflow. The performer only dispatches: the run goes on at the hub, and whoever
// follows it records its end.
type actions struct {
	Repo     string         `json:"repo"`
	Workflow string         `json:"workflow"`
	Ref      string         `json:"ref"`
	Inputs   map[string]any `json:"inputs"`
	Key      string         `json:"key"`
}

// Actions is the kind that runs a workflow of the hub.
func (kinds) Actions() performer { return new(actions) }

func (w *actions) names() []string { return nil }

// perform dispatches the workflow. Its result names the run, and is otherwise a failure, or unknown.
func (w *actions) perform(ctx stepContext, a *attempt) result {
	switch {
	case a.cfg.Workflows == nil:
		return failed("dispatch the workflow: this runner is not connected to a hub")
	case a.job.Workflow == "":
		return failed("dispatch %s: nobody has said which file it is", w.Workflow)
	}
	d := Dispatch{Workflow: runbook.Workflow{Repo: w.Repo, File: w.Workflow, Ref: w.Ref, Key: w.Key}, Blob: a.job.Workflow, Inputs: map[string]string{}, Key: a.job.Key}
	for name, value := range w.Inputs {
		text, err := inputText(value)
		if err != nil {
			return failed("dispatch %s: input %s: %w", w.Workflow, name, err)
		}
		d.Inputs[name] = text
	}
	done, err := a.cfg.Workflows.Dispatch(ctx, d)
	switch {
	case err != nil:
		return result{conclusion: runbook.Unknown, problem: fmt.Sprintf("dispatch %s: %v", w.Workflow, err)}
	case done.Refused != "":
		return failed("%s was not dispatched: %s", w.Workflow, done.Refused)
	case done.Run.ID <= 0:
		return result{conclusion: runbook.Unknown, problem: fmt.Sprintf("%s was dispatched, and the hub did not name the run", w.Workflow)}
	}
	a.facts["run"], a.facts["url"] = strconv.FormatInt(done.Run.ID, 10), done.Run.URL
	return result{conclusion: runbook.Succeeded, run: &done.Run}
}

// inputText is the value of an input as the hub takes it: it turns texts into what the workflow declares.
func inputText(value any) (string, error) {
	switch v := value.(type) {
	case string:
		return v, nil
	case bool:
		return strconv.FormatBool(v), nil
	case json.Number:
		return v.String(), nil
	}
	return "", fmt.Errorf("is no text, number or truth value")
}
