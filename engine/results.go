package engine

import (
	"context"
	"errors"
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
		object, problem := incident.Values(cmd.Rest)
		r := incident.Result{Output: object, Problem: problem}
		if problem == "" {
			q := runbook.Query{Source: w.frozen.source, Alert: w.frozen.alert, Ended: state.Ended(plan), Words: true}
			checked, err := e.Eval.Output(ctx, q, cmd.Step, object)
			wrong, is := errors.AsType[*runbook.OutputError](err)
			switch {
			case is:
				r = incident.Result{Problem: unlikeType(cmd.Step, *wrong)}
			case err != nil:
				return nil, fmt.Errorf("check the values that somebody gives for %s: %w", cmd.Step, err)
			default:
				r.Output = checked
			}
		}
		if out == nil {
			out = map[incident.Command]incident.Result{}
		}
		out[cmd] = r
	}
	return out, nil
}

// unlikeType says what is wrong with values, and what was expected, in blocks that nobody's words can leave.
func unlikeType(step string, wrong runbook.OutputError) string {
	text := "the values are not what `" + step + "` asks for:\n\n" + runbook.Fence("text", wrong.Problem)
	if wrong.Wanted != "" {
		text += "\nIt asks for:\n\n" + runbook.Fence("cue", wrong.Wanted)
	}
	return text
}

// later finds the incident of the same alert group that followed this one, if somebody asks to reopen this one.
func (e *Engine) later(ctx context.Context, w *worker) (incident.ID, error) {
	opened := w.ledger.state.Opened
	if opened.Parent != nil || !w.ledger.state.AskedToReopen(w.hub.Comments) {
		return "", nil
	}
	kin, err := e.find(ctx, incident.Slot(opened.Group, opened.ID))
	if err != nil || kin == nil {
		return "", err
	}
	return kin.state.Opened.ID, nil
}
