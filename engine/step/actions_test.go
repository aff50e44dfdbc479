package step

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pullbook/pullbook/engine/runbook"
)

// dispatcher answers as it is told.
type dispatcher struct {
	asked  Dispatch
	answer Dispatched
	err    error
}

func (d *dispatcher) Dispatch(_ context.Context, asked Dispatch) (Dispatched, error) {
	d.asked = asked
	return d.answer, d.err
}

func TestActions(t *testing.T) {
	hub := &dispatcher{answer: Dispatched{Run: runbook.WorkflowRun{ID: 7, URL: "https://hub/runs/7"}}}
	r := newRunner(t, nil)
	j := job("actions", map[string]any{"repo": "acme/shop", "workflow": "deploy.yml", "ref": "main", "key": "pullbook",
		"inputs": map[string]any{"environment": "production", "steps_back": 1.5, "dry": false}})
	expect(t, r.Run(t.Context(), j, nil), runbook.Failed, "not connected to a hub")
	r.cfg.Workflows = hub
	expect(t, r.Run(t.Context(), j, nil), runbook.Failed, "nobody has said which file it is")
	j.Workflow, j.HasOutput = "b10b", true
	got := r.Run(t.Context(), j, nil)
	expect(t, got, runbook.Succeeded, "")
	if diff := cmp.Diff(&hub.answer.Run, got.Run); diff != "" || got.Facts["run"] != "7" || len(got.Output) > 0 {
		t.Errorf("%s, facts %v, output %s", diff, got.Facts, got.Output)
	}
	want := Dispatch{Workflow: runbook.Workflow{Repo: "acme/shop", File: "deploy.yml", Ref: "main", Key: "pullbook"}, Blob: "b10b", Key: j.Key,
		Inputs: map[string]string{"environment": "production", "steps_back": "1.5", "dry": "false"}}
	if diff := cmp.Diff(want, hub.asked); diff != "" {
		t.Error(diff)
	}
	for _, test := range []struct {
		answer Dispatched
		err    error
		how    runbook.Conclusion
		why    string
	}{
		{Dispatched{Refused: "its file at main is another"}, nil, runbook.Failed, "deploy.yml was not dispatched: its file at main is another"},
		{Dispatched{}, errors.New("no answer"), runbook.Unknown, "no answer"},
		{Dispatched{}, nil, runbook.Unknown, "the hub did not name the run"},
	} {
		hub.answer, hub.err = test.answer, test.err
		got := r.Run(t.Context(), j, nil)
		expect(t, got, test.how, test.why)
		if got.Run != nil {
			t.Errorf("%s has the run %+v", got.Error, got.Run)
		}
	}
	set(&j, "inputs", map[string]any{"environment": []string{"a"}})
	expect(t, r.Run(t.Context(), j, nil), runbook.Failed, "input environment: is no text, number or truth value")
}
