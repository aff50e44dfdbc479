package engine

import (
	"context"
	"fmt"
	"slices"

	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/runbook"
)

// Workflows follows workflows of the hub. The runner dispatches them.
type Workflows interface {
	// Pin says which file a workflow is now. One that cannot be run is no error.
	Pin(ctx context.Context, w runbook.Workflow) (runbook.Pin, error)
	// Find looks for the run with the key of an attempt. One that is not there has the ID 0.
	Find(ctx context.Context, q RunQuery) (incident.Run, error)
	// Run says how a run stands. Of one that is completed it brings an outcome, with an output of no particular type.
	Run(ctx context.Context, q RunQuery) (incident.Run, error)
	// Cancel stops a run. One that is over, or being stopped, is no error.
	Cancel(ctx context.Context, q RunQuery) error
}

// RunQuery asks for the run of an attempt.
type RunQuery struct {
	Workflow  runbook.Workflow
	Key       string // of the attempt
	Run       int64  // 0: it is not known
	Blob      string // of the workflow's file, as the attempt was to run it
	HasOutput bool   // what it puts out is asked for
}

// KindRun is a message that a run has moved. Key: "run/" and the hub's number of it.
const KindRun = "run"

// RunKey is the key of the KindRun message of a run.
func RunKey(run int64) string { return fmt.Sprintf("run/%d", run) }

// runs is what a worker remembers of the workflow runs of its steps, and of the files of those that may be next. It is read
// anew with every look at the hub.
type runs struct {
	seen    map[string]incident.Run
	pins    map[string]runbook.Pin
	stopped map[int64]bool // runs that were told to stop
}

// lookAtRuns asks the hub for the runs that steps and elements of the plan wait for, and for the workflows that may be dispatched next. What it does
// not say now holds up only the steps that it is about.
func (e *Engine) lookAtRuns(ctx context.Context, w *worker, plan runbook.Plan, attempts []incident.Attempt) {
	state := w.ledger.state
	if w.runs.seen == nil {
		w.runs = runs{seen: map[string]incident.Run{}, pins: map[string]runbook.Pin{}, stopped: map[int64]bool{}}
	}
	for i := range plan.Steps {
		if plan.Steps[i].Workflow == nil || e.Workflows == nil {
			continue
		}
		step := plan.Steps[i]
		st := state.Step(step.Name)
		if st.Follows() || step.Workflow.Key != "" && st.Seeks(step.Name, attempts) {
			e.follow(ctx, w, step, st)
		}
		if step.Of == "" && step.Now.Status == runbook.StatusReady && mayStart(st) {
			e.pinWorkflow(ctx, w, step)
		}
	}
}

// mayStart reports whether an attempt of a step, or of an element of it, may begin next.
func mayStart(st incident.StepState) bool {
	return st.Phase != incident.PhaseStarted && st.Phase != incident.PhaseUnknown && !(st.Over() && st.Good())
}

func (e *Engine) pinWorkflow(ctx context.Context, w *worker, step runbook.Step) {
	if _, known := w.runs.pins[step.Name]; known {
		return
	}
	pin, err := e.Workflows.Pin(ctx, *step.Workflow)
	if err != nil {
		e.Log.Warn("the hub did not say which file a workflow is; its step does not begin", "branch", w.branch, "step", step.Name, "error", err)
		return
	}
	w.runs.pins[step.Name] = pin
}

// follow brings up how the run of a step stands.
func (e *Engine) follow(ctx context.Context, w *worker, step runbook.Step, st incident.StepState) {
	before, known := w.runs.seen[step.Name]
	if known && before.Attempt == st.Attempt && before.ID == st.Run {
		return
	}
	q := w.runQuery(step, st)
	ask := e.Workflows.Run
	if st.Run == 0 {
		ask = e.Workflows.Find
	}
	r, err := ask(ctx, q)
	if err != nil {
		e.Log.Warn("the hub did not say how a workflow run stands", "branch", w.branch, "step", step.Name, "run", st.Run, "error", err)
		return
	}
	r.Attempt = st.Attempt
	if r.Outcome != nil {
		o := *r.Outcome
		o.Key, o.Step, o.Attempt, o.Started = q.Key, step.Name, st.Attempt, st.Started
		written, _, _ := w.plan.plan.Written(step.Name)
		o = e.checkOutput(ctx, w.query(w.ledger.state.Ended(w.plan.plan)), written, o)
		if ctx.Err() != nil {
			return // the evaluation was cut off, and says nothing about the output
		}
		if o.Ended.Before(st.Started) { // the hub dates in whole seconds, by a clock of its own
			o.Ended = st.Started
		}
		r.Outcome = &o
	}
	w.runs.seen[step.Name] = r
}

func (w *worker) runQuery(step runbook.Step, st incident.StepState) RunQuery {
	return RunQuery{Workflow: *step.Workflow, Key: runbook.AttemptKey(string(w.ledger.state.Opened.ID), step.Name, st.Attempt), Run: st.Run,
		Blob: st.Workflow, HasOutput: step.HasOutput}
}

// cancelRun tells the hub to stop a run, once between two looks at the hub. If that fails, the time of the step ends it.
func (e *Engine) cancelRun(ctx context.Context, w *worker, p runbook.Plan, a incident.CancelRun) error {
	step, _, ok := p.Written(a.Step)
	if !ok || step.Workflow == nil || e.Workflows == nil || w.runs.stopped[a.Run] {
		return nil
	}
	step.Name = a.Step
	w.runs.stopped[a.Run] = true
	if err := e.Workflows.Cancel(ctx, w.runQuery(step, w.ledger.state.Step(a.Step))); err != nil {
		e.Log.Warn("a workflow run could not be told to stop", "branch", w.branch, "step", a.Step, "run", a.Run, "error", err)
	}
	return nil
}

// lookAtRun wakes the incidents that wait for a run. Of a run that nobody remembers the sweep will tell.
func (e *Engine) lookAtRun(ctx context.Context, key string) error {
	for _, branch := range e.waitingFor(key) {
		if err := e.Inbox.Put(ctx, Message{Kind: KindHub, Key: branch}); err != nil {
			return fmt.Errorf("wake %s for %s: %w", branch, key, err)
		}
	}
	return nil
}

func (e *Engine) waitingFor(key string) (branches []string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for branch, w := range e.workers {
		told := w.report.Load()
		if told == nil {
			continue
		}
		for _, st := range told.state.Steps {
			if st.Follows() && RunKey(st.Run) == key {
				branches = append(branches, branch)
				break
			}
		}
	}
	slices.Sort(branches)
	return branches
}
