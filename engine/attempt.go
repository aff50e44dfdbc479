package engine

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/pullbook/pullbook/engine/runbook"
)

// RunStep performs one attempt that the inbox hands over and returns its outcome. An error means that nothing was
// started: the attempt is neither done nor harmful.
func (e *Engine) RunStep(ctx context.Context, job StepJob) (runbook.Outcome, error) {
	b, err := e.brief(ctx, job.Branch)
	if err != nil {
		return runbook.Outcome{}, fmt.Errorf("prepare %s: %w", job.Key, err)
	}
	step, _, ok := b.plan.Written(job.Step)
	if !ok {
		return runbook.Outcome{}, fmt.Errorf("prepare %s: the frozen plan has no such step", job.Key)
	}
	a := Attempt{StepJob: job, HasOutput: step.HasOutput, Alert: b.frozen.alert, Pins: step.Files, Rehearse: step.Rehearses != "",
		PullURL: b.pull, Risk: step.Risk, Once: b.state.Opened.Rehearsal != nil}
	if r, ok := b.plan.Rehearsal(step.Name); ok {
		a.Rehearsal = b.ended[r.Name].Output
	}
	if a.Files, err = e.stepFiles(ctx, b, step); err != nil {
		return runbook.Outcome{}, fmt.Errorf("prepare %s: %w", job.Key, err)
	}
	query := b.frozen.query(b.ended)
	if b.state.WouldRun(step) {
		o := e.wouldHaveRun(job, step, b.state.Opened.Rehearsal)
		if o.Output == nil {
			return o, nil // nobody gave one: what rests on it is not known
		}
		return e.checkOutput(ctx, query, step, o), nil
	}
	a.Until = func(ctx context.Context, answer json.RawMessage) (bool, error) {
		return e.Eval.Until(ctx, query, job.Step, answer)
	}
	return e.checkOutput(ctx, query, step, e.Runner.Run(ctx, a)), nil
}

// brief returns what a step needs to know, from memory where it is there.
func (e *Engine) brief(ctx context.Context, branch string) (*brief, error) {
	w := e.worker(branch)
	if b := w.brief.Load(); b != nil {
		return b, nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := e.read(ctx, w); err != nil {
		return nil, err
	}
	plan, err := e.resolve(ctx, w)
	if err != nil {
		return nil, err
	}
	state := w.ledger.state
	b := &brief{frozen: w.frozen, plan: plan, ended: state.Ended(plan), commit: state.Opened.Commit, pull: state.PullURL, state: state}
	w.brief.Store(b)
	return b, nil
}

func (e *Engine) stepFiles(ctx context.Context, b *brief, step runbook.Step) (map[string]File, error) {
	if len(step.Files) == 0 {
		return nil, nil
	}
	paths := make([]string, len(step.Files))
	for i, f := range step.Files {
		paths[i] = f.Path
	}
	files, err := e.Ledger.Files(ctx, b.commit, paths...)
	if err != nil {
		return nil, fmt.Errorf("read the files of step %s at %s: %w", step.Name, b.commit, err)
	}
	return files, nil
}

// checkOutput turns a success whose output is not of the declared type into a failure.
func (e *Engine) checkOutput(ctx context.Context, q runbook.Query, step runbook.Step, o runbook.Outcome) runbook.Outcome {
	if o.Run != nil || o.Conclusion == runbook.Succeeded && step.Rehearses != "" {
		return o // what it puts out is still to come, or of the runner's own type
	}
	if o.Conclusion != runbook.Succeeded || !step.HasOutput {
		o.Output = nil
		return o
	}
	out, err := e.Eval.Output(ctx, q, step.Name, o.Output)
	if err != nil {
		o.Conclusion, o.Output, o.Error = runbook.Failed, nil, err.Error()
		return o
	}
	o.Output = out
	return o
}
