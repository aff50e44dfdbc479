package engine

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/runbook"
)

// results holds the values that people give with /done against the types of the steps. Where nobody can be asked what a type
// is, the look fails and is made again: no comment is answered with what is not its author's fault.
func (e *Engine) results(ctx context.Context, w *worker, plan runbook.Plan) (map[incident.Command]incident.Result, error) {
	state := w.ledger.state
	var out map[incident.Command]incident.Result
	for _, cmd := range state.Unchecked(plan, w.hub.Comments) {
		r, err := cmd.Result(func(object json.RawMessage) (json.RawMessage, error) {
			q := runbook.Query{Source: w.frozen.source, Alert: w.frozen.alert, Ended: state.Ended(plan), Words: true}
			return e.Eval.Output(ctx, q, cmd.Step, object)
		})
		if err != nil {
			return nil, err
		}
		if out == nil {
			out = map[incident.Command]incident.Result{}
		}
		out[cmd] = r
	}
	return out, nil
}

// later finds the incident of the same alert group that followed this one, if somebody asks to reopen this one. Of one whose branch
// somebody deleted only the pull request is left, and its slot stands for its id.
func (e *Engine) later(ctx context.Context, w *worker) (incident.ID, error) {
	opened := w.ledger.state.Opened
	if opened.Parent != nil || !w.ledger.state.AskedToReopen(w.hub.Comments) {
		return "", nil
	}
	slot := incident.Slot(opened.Group, opened.ID)
	kin, err := e.find(ctx, slot)
	switch {
	case err != nil:
		return "", err
	case kin != nil:
		return kin.state.Opened.ID, nil
	}
	seen, err := e.Hub.Look(ctx, incident.HubQuery{Branch: incident.BranchPrefix + slot})
	if err != nil {
		return "", fmt.Errorf("look for a later pull request of the group %s: %w", opened.Group, err)
	}
	if seen.Pull == nil {
		return "", nil
	}
	return incident.ID(slot), nil
}
