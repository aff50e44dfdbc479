package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/pullbook/pullbook/engine"
	"github.com/pullbook/pullbook/engine/github"
	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/runbook"
	"github.com/pullbook/pullbook/engine/step"
)

// outputArtifact is the artifact in which a workflow leaves what its step puts out.
const outputArtifact = "pullbook-output"

// workflowsPort lets steps dispatch workflows of the hub, and the engine follow their runs.
type workflowsPort struct{ hub *github.Client }

func at(w runbook.Workflow, ref string) github.Workflow {
	return github.Workflow{Repo: w.Repo, File: w.File, Ref: ref}
}

// Dispatch looks at the file once more, and dispatches. If another file was pushed at that very moment, the run is stopped.
func (p workflowsPort) Dispatch(ctx context.Context, d step.Dispatch) (step.Dispatched, error) {
	blob, problem, err := p.hub.WorkflowFile(ctx, at(d.Workflow, d.Workflow.Ref))
	switch {
	case err != nil:
		return step.Dispatched{Refused: err.Error()}, nil // nothing was sent
	case problem != "":
		return step.Dispatched{Refused: problem}, nil
	case blob != d.Blob:
		return step.Dispatched{Refused: otherFile(d.Workflow.Ref, blob, d.Blob)}, nil
	}
	if d.Workflow.Key != "" {
		before, err := p.hub.FindRun(ctx, at(d.Workflow, d.Workflow.Ref), d.Key)
		switch {
		case err == nil:
			return step.Dispatched{Run: runbook.WorkflowRun{ID: before.ID, URL: before.URL}}, nil
		case !errors.Is(err, github.ErrNoRun):
			return step.Dispatched{Refused: err.Error()}, nil
		}
		d.Inputs[d.Workflow.Key] = d.Key
	}
	run, err := p.hub.DispatchWorkflow(ctx, at(d.Workflow, d.Workflow.Ref), d.Inputs)
	switch {
	case github.Refused(err):
		return step.Dispatched{Refused: err.Error()}, nil
	case err != nil:
		return step.Dispatched{}, err
	case run.ID > 0:
		p.checkAtOnce(ctx, d, run.ID)
	}
	return step.Dispatched{Run: runbook.WorkflowRun{ID: run.ID, URL: run.URL}}, nil
}

// checkAtOnce stops a run that has met another file. If that cannot be found out now, it is when the run has ended.
func (p workflowsPort) checkAtOnce(ctx context.Context, d step.Dispatch, id int64) {
	run, err := p.hub.WorkflowRun(ctx, d.Workflow.Repo, id)
	if err != nil || run.Commit == "" {
		return
	}
	if blob, err := p.hub.WorkflowBlob(ctx, at(d.Workflow, run.Commit)); err == nil && blob != d.Blob {
		_ = p.hub.CancelRun(ctx, d.Workflow.Repo, id) // what it ran is said when it has ended
	}
}

func otherFile(ref, is, was string) string {
	return fmt.Sprintf("its file at %s is the blob %s, and %s was agreed to", ref, is, was)
}

func (p workflowsPort) Pin(ctx context.Context, w runbook.Workflow) (runbook.Pin, error) {
	blob, problem, err := p.hub.WorkflowFile(ctx, at(w, w.Ref))
	return runbook.Pin{Blob: blob, Problem: problem}, err
}

func (p workflowsPort) Find(ctx context.Context, q engine.RunQuery) (incident.Run, error) {
	run, err := p.hub.FindRun(ctx, at(q.Workflow, q.Workflow.Ref), q.Key)
	if errors.Is(err, github.ErrNoRun) {
		return incident.Run{}, nil
	}
	return incident.Run{ID: run.ID, URL: run.URL}, err
}

func (p workflowsPort) Run(ctx context.Context, q engine.RunQuery) (incident.Run, error) {
	run, err := p.hub.WorkflowRun(ctx, q.Workflow.Repo, q.Run)
	if errors.Is(err, github.ErrNoRun) {
		return incident.Run{ID: q.Run, Gone: true}, nil
	}
	if err != nil {
		return incident.Run{}, err
	}
	out := incident.Run{ID: run.ID, URL: run.URL, Runs: run.Attempt, Status: run.Status}
	if run.Status == "completed" {
		o, err := p.outcome(ctx, q, run)
		if err != nil {
			return incident.Run{}, err
		}
		out.Outcome = &o
	}
	return out, nil
}

func (p workflowsPort) Cancel(ctx context.Context, q engine.RunQuery) error {
	return p.hub.CancelRun(ctx, q.Workflow.Repo, q.Run)
}

// outcome is what came of a run. Its log is this program's own account; of what the run has left, the output alone is taken.
func (p workflowsPort) outcome(ctx context.Context, q engine.RunQuery, run github.Run) (runbook.Outcome, error) {
	blob, err := p.hub.WorkflowBlob(ctx, at(q.Workflow, run.Commit))
	if err != nil {
		return runbook.Outcome{}, err
	}
	o := runbook.Outcome{Ended: run.Ended, Facts: map[string]string{"run": strconv.FormatInt(run.ID, 10), "url": run.URL, "run_attempt": strconv.Itoa(run.Attempt),
		"commit": run.Commit, "workflow": blob, "conclusion": run.Conclusion}}
	o.Conclusion, o.Error = concluded(run)
	if blob != q.Blob {
		o.Conclusion, o.Error = runbook.Failed, fmt.Sprintf("run %d: %s", run.ID, otherFile(run.Commit, blob, q.Blob))
	}
	if o.Conclusion == runbook.Succeeded && q.HasOutput {
		var problem string
		if o.Output, problem, err = p.output(ctx, q, run); err != nil {
			return runbook.Outcome{}, err
		}
		if problem != "" {
			o.Conclusion, o.Error = runbook.Failed, fmt.Sprintf("run %d succeeded, but %s", run.ID, problem)
		}
	}
	o.Log, err = p.account(ctx, q, run)
	return o, err
}

// concluded turns the hub's word for the end of a run into the house's. Whatever is no success is none.
func concluded(run github.Run) (how runbook.Conclusion, why string) {
	switch run.Conclusion {
	case "success":
		return runbook.Succeeded, ""
	case "cancelled":
		return runbook.Cancelled, fmt.Sprintf("run %d was cancelled: %s", run.ID, run.URL)
	case "timed_out":
		return runbook.TimedOut, fmt.Sprintf("run %d ran out of time: %s", run.ID, run.URL)
	}
	return runbook.Failed, fmt.Sprintf("run %d ended as %q: %s", run.ID, run.Conclusion, run.URL)
}

// output fetches what the run puts out. What an earlier attempt of a run has left does not count.
func (p workflowsPort) output(ctx context.Context, q engine.RunQuery, run github.Run) (output []byte, problem string, err error) {
	archive, problem, err := p.hub.RunArtifact(ctx, q.Workflow.Repo, run.ID, outputArtifact, run.Started)
	if err != nil || problem != "" {
		return nil, problem, err
	}
	if output, err = step.ArchivedOutput(archive, 0); err != nil {
		return nil, fmt.Sprintf("its artifact %s cannot be used: %v", outputArtifact, err), nil
	}
	return output, "", nil
}

// mostAccounted is how many jobs, and how many logs, stand in an account.
const mostAccounted = 200

// account is the evidence of a run: its jobs, and the digests of their logs.
func (p workflowsPort) account(ctx context.Context, q engine.RunQuery, run github.Run) (string, error) {
	var b strings.Builder
	fmt.Fprintf(&b, "run %d, attempt %d, of %s at commit %s\n%s\nended as %s\n\njobs:\n", run.ID, run.Attempt, q.Workflow.Path(), run.Commit, run.URL, run.Conclusion)
	jobs, err := p.hub.RunJobs(ctx, q.Workflow.Repo, run.ID)
	if err != nil {
		return "", err
	}
	for _, j := range jobs[:min(len(jobs), mostAccounted)] {
		fmt.Fprintf(&b, "  %s: %s, %s\n", j.Name, j.Conclusion, max(j.Ended.Sub(j.Started), 0).Round(time.Second))
	}
	if n := len(jobs) - mostAccounted; n > 0 {
		fmt.Fprintf(&b, "  and %d more\n", n)
	}
	archive, problem, err := p.hub.RunLogs(ctx, q.Workflow.Repo, run.ID)
	if err != nil {
		return "", err
	}
	b.WriteString("\nlogs, by SHA-256:\n")
	digests, unread := step.ArchivedDigests(archive)
	switch {
	case problem != "":
		fmt.Fprintf(&b, "  none: %s\n", problem)
	case unread != nil:
		fmt.Fprintf(&b, "  none: the archive of logs cannot be read: %v\n", unread)
	}
	for _, d := range digests[:min(len(digests), mostAccounted)] {
		fmt.Fprintf(&b, "  %s  %d bytes  %s\n", d.SHA256, d.Bytes, d.Name)
	}
	if n := len(digests) - mostAccounted; n > 0 {
		fmt.Fprintf(&b, "  and %d more\n", n)
	}
	return b.String(), nil
}
