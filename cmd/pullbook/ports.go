package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/pullbook/pullbook/engine"
	"github.com/pullbook/pullbook/engine/cueval"
	"github.com/pullbook/pullbook/engine/github"
	"github.com/pullbook/pullbook/engine/gitstore"
	"github.com/pullbook/pullbook/engine/inbox"
	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/render"
	"github.com/pullbook/pullbook/engine/runbook"
	"github.com/pullbook/pullbook/engine/step"
)

// ledgerPort lets the engine read and write the ledger through gitstore.
type ledgerPort struct {
	store *gitstore.Store
	own   string // the engine's own line of allowed_signers
}

// signersPath is where a ledger keeps the keys that may sign it.
const signersPath = ".pullbook/allowed_signers"

func (p ledgerPort) Heads(ctx context.Context) (map[string]string, error) {
	heads, err := p.store.Heads(ctx, "")
	if err != nil {
		return nil, err
	}
	out := make(map[string]string, len(heads))
	for name, hash := range heads {
		out[name] = hash.String()
	}
	return out, nil
}

func (p ledgerPort) Files(ctx context.Context, commit string, paths ...string) (map[string]engine.File, error) {
	hash, err := gitstore.ParseHash(commit)
	if err != nil {
		return nil, err
	}
	files, err := p.store.Files(ctx, hash, paths...)
	if err != nil {
		return nil, err
	}
	out := make(map[string]engine.File, len(files))
	for path, f := range files {
		out[path] = engine.File{Blob: f.Blob.String(), Exec: f.Mode == gitstore.ModeExec, Data: f.Data}
	}
	return out, nil
}

func (p ledgerPort) list(ctx context.Context, commit, path string) (map[string]bool, error) {
	hash, err := gitstore.ParseHash(commit)
	if err != nil {
		return nil, err
	}
	entries, err := p.store.Entries(ctx, hash, path)
	if err != nil {
		return nil, err
	}
	out := make(map[string]bool, len(entries))
	for path, e := range entries {
		out[path] = e.Mode == gitstore.ModeExec
	}
	return out, nil
}

func (p ledgerPort) Incidents(ctx context.Context, commit string) ([]incident.ID, error) {
	hash, err := gitstore.ParseHash(commit)
	if err != nil {
		return nil, err
	}
	names, err := p.store.Names(ctx, hash, "incidents", 4)
	if err != nil {
		return nil, err
	}
	var out []incident.ID
	for _, name := range names {
		if id, err := incident.ParseID(name); err == nil {
			out = append(out, id)
		}
	}
	return out, nil
}

// Branch reads an incident's branch. Only the engine's own key and the keys that the default branch allows make a commit
// one of the engine's.
func (p ledgerPort) Branch(ctx context.Context, q engine.BranchQuery) (engine.Branch, error) {
	main, err := gitstore.ParseHash(q.DefaultTip)
	if err != nil {
		return engine.Branch{}, err
	}
	var at gitstore.Hash
	if q.At != "" {
		if at, err = gitstore.ParseHash(q.At); err != nil {
			return engine.Branch{}, err
		}
	}
	signers, err := p.signers(ctx, main)
	if err != nil {
		return engine.Branch{}, err
	}
	b, err := p.store.Branch(ctx, gitstore.BranchQuery{Name: q.Name, Main: main, Signers: signers, At: at})
	if q.At != "" && errors.Is(err, gitstore.ErrNotFound) {
		err = fmt.Errorf("%w: %w", engine.ErrLost, err)
	}
	if err != nil {
		return engine.Branch{}, err
	}
	return toBranch(b), nil
}

func (p ledgerPort) Branches(ctx context.Context, q engine.BranchesQuery, found func(name string, b engine.Branch)) error {
	main, err := gitstore.ParseHash(q.DefaultTip)
	if err != nil {
		return err
	}
	many := gitstore.BranchesQuery{Main: main, At: map[string]gitstore.Hash{}}
	for name, commit := range q.At {
		if many.At[name], err = gitstore.ParseHash(commit); err != nil {
			return fmt.Errorf("branch %s: %w", name, err)
		}
	}
	if many.Signers, err = p.signers(ctx, main); err != nil {
		return err
	}
	return p.store.Branches(ctx, many, func(b gitstore.Branch) { found(b.Name, toBranch(b)) })
}

func toBranch(b gitstore.Branch) engine.Branch {
	out := engine.Branch{Head: b.Tip.String()}
	if b.Foreign != nil && len(b.Commits) == 0 {
		out.Foreign = &incident.Foreign{Commit: b.Foreign.Hash.String(), Why: b.Foreign.Reason}
	}
	for _, c := range b.Commits {
		own := engine.BranchCommit{ID: c.Commit.Hash.String(), Files: c.Data}
		switch {
		case c.Err != nil:
			own.Foreign = c.Err.Error()
		case len(c.Commit.Parents) != 1:
			own.Foreign = "is a merge"
		case b.Foreign != nil && b.Foreign.Hash == c.Commit.Hash:
			own.Foreign = b.Foreign.Reason
		}
		out.Commits = append(out.Commits, own)
	}
	return out
}

func (p ledgerPort) signers(ctx context.Context, tip gitstore.Hash) (gitstore.AllowedSigners, error) {
	files, err := p.store.Files(ctx, tip, signersPath)
	if err != nil {
		return gitstore.AllowedSigners{}, fmt.Errorf("read %s: %w", signersPath, err)
	}
	text := append([]byte(p.own), files[signersPath].Data...)
	signers, err := gitstore.ParseAllowedSigners(text)
	if err != nil {
		return gitstore.AllowedSigners{}, fmt.Errorf("read %s at %s: %w", signersPath, tip, err)
	}
	return signers, nil
}

func (p ledgerPort) Append(ctx context.Context, c engine.NewCommit) (string, error) {
	parent, err := gitstore.ParseHash(c.Parent)
	if err != nil {
		return "", err
	}
	change := gitstore.Change{Files: c.Files, Message: c.Message, When: c.At}
	if c.Tree != "" {
		if change.Base, err = gitstore.ParseHash(c.Tree); err != nil {
			return "", err
		}
	}
	var hash gitstore.Hash
	switch {
	case c.Create:
		hash, err = p.store.Create(ctx, c.Branch, parent, change)
	case c.Over != "":
		var over gitstore.Hash
		if over, err = gitstore.ParseHash(c.Over); err != nil {
			return "", err
		}
		hash, err = p.store.Replace(ctx, c.Branch, over, parent, change)
	default:
		hash, err = p.store.Append(ctx, c.Branch, parent, change)
	}
	if err != nil {
		return "", moved(err)
	}
	return hash.String(), nil
}

func (p ledgerPort) Flush(ctx context.Context, branch string, confirm func(context.Context) error) error {
	return moved(p.store.Flush(ctx, gitstore.FlushRequest{Branch: branch, Confirm: confirm}))
}

func (p ledgerPort) Discard(branch string) { p.store.Discard(branch) }

// moved translates the one error of gitstore that the engine branches on.
func moved(err error) error {
	if errors.Is(err, gitstore.ErrMoved) {
		return fmt.Errorf("%w: %w", engine.ErrMoved, err)
	}
	return err
}

// inboxPort lets the engine put and read messages and steps.
type inboxPort struct {
	in     *inbox.Inbox
	runner *step.Runner
}

func (p inboxPort) Put(ctx context.Context, messages ...engine.Message) error {
	all := make([]inbox.Message, len(messages))
	for i, m := range messages {
		all[i] = inbox.Message{Kind: m.Kind, Key: m.Key, Body: m.Body, Due: m.Due}
	}
	return p.in.Put(ctx, all...)
}

func (p inboxPort) StartStep(ctx context.Context, s engine.StepJob) error {
	body, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("encode %s: %w", s.Key, err)
	}
	return p.in.StartStep(ctx, inbox.Step{Key: s.Key, Incident: s.Branch, Repeatable: s.Repeatable, Body: body})
}

func (p inboxPort) StopStep(ctx context.Context, key string) error { return p.in.CancelStep(ctx, key) }

// Forget drops the attempts, and what they left on this machine.
func (p inboxPort) Forget(ctx context.Context, branch string) error {
	return errors.Join(p.in.Forget(ctx, branch), p.runner.Forget(branch))
}

func (p inboxPort) Attempts(ctx context.Context, branch string, after int64) ([]incident.Attempt, error) {
	records, err := p.in.Steps(ctx, branch, after)
	if err != nil {
		return nil, err
	}
	out := make([]incident.Attempt, 0, len(records))
	for _, r := range records {
		a, err := attemptOf(r)
		if err != nil {
			return nil, err
		}
		out = append(out, a)
	}
	return out, nil
}

func attemptOf(r inbox.StepRecord) (incident.Attempt, error) {
	var job engine.StepJob
	if err := json.Unmarshal(r.Body, &job); err != nil {
		return incident.Attempt{}, fmt.Errorf("read step job %s: %w", r.Key, err)
	}
	a := incident.Attempt{Key: r.Key, Step: job.Step, Number: job.Attempt, State: incident.AttemptLost, Place: r.Place}
	switch r.State {
	case inbox.StepQueued:
		a.State = incident.AttemptQueued
	case inbox.StepRunning:
		a.State = incident.AttemptRunning
	case inbox.StepEnded:
		a.State, a.Outcome = incident.AttemptEnded, &runbook.Outcome{}
		if err := json.Unmarshal(r.Outcome, a.Outcome); err != nil {
			return incident.Attempt{}, fmt.Errorf("read the outcome of %s: %w", r.Key, err)
		}
	case inbox.StepCancelled:
		a.State = incident.AttemptEnded
		a.Outcome = &runbook.Outcome{Key: r.Key, Step: job.Step, Attempt: job.Attempt, Conclusion: runbook.Cancelled,
			Started: r.Queued, Ended: r.Ended, Error: "it was cancelled before it ran"}
	}
	return a, nil
}

// inboxHandler lets the inbox call the engine.
type inboxHandler struct {
	engine *engine.Engine
	ask    func(context.Context) error // Alertmanager
}

func (h inboxHandler) Handle(ctx context.Context, m inbox.Message) error {
	if m.Kind == kindAsk {
		return h.ask(ctx)
	}
	return h.engine.Handle(ctx, engine.Message{Kind: m.Kind, Key: m.Key, Body: m.Body, Due: m.Due})
}

// RunStep performs a step. What the engine's own stopping cut off is not an outcome: a repeatable step runs again, and
// of any other one a person is asked.
func (h inboxHandler) RunStep(ctx context.Context, s inbox.Step) (json.RawMessage, error) {
	var job engine.StepJob
	if err := json.Unmarshal(s.Body, &job); err != nil {
		return nil, fmt.Errorf("read step job %s: %w", s.Key, err)
	}
	outcome, err := h.engine.RunStep(ctx, job)
	if err != nil {
		return nil, err
	}
	if outcome.Conclusion == runbook.Cancelled && errors.Is(context.Cause(ctx), inbox.ErrStopping) {
		return nil, fmt.Errorf("step %s: %w", s.Key, inbox.ErrStopping)
	}
	return json.Marshal(outcome)
}

// runnerPort lets the engine run steps.
type runnerPort struct {
	runner    *step.Runner
	rehearses bool // nothing that may change something is run
}

func (p runnerPort) Run(ctx context.Context, a engine.Attempt) runbook.Outcome {
	if p.rehearses && a.Risk != runbook.RiskRead { // the engine does not ask for it; whoever breaks that must not reach the world
		now := time.Now()
		return runbook.Outcome{Key: a.Key, Step: a.Step, Attempt: a.Attempt, Conclusion: runbook.Failed, Started: now, Ended: now,
			Error: "refused: a rehearsal changes nothing"}
	}
	files := make(map[string]step.FileData, len(a.Files))
	for path, f := range a.Files {
		files[path] = step.FileData{Data: f.Data, Exec: f.Exec}
	}
	job := step.Job{Key: a.Key, Incident: string(a.Incident), Step: a.Step, Attempt: a.Attempt, Kind: a.Kind, Work: a.Work,
		Timeout: a.Timeout, HasOutput: a.HasOutput, Rehearse: a.Rehearse, Once: a.Once, Rehearsal: a.Rehearsal, Keep: a.Branch, PullURL: a.PullURL, Workflow: a.Workflow, Alert: a.Alert, Files: files, Pins: a.Pins}
	return p.runner.Run(ctx, job, a.Until)
}

// ticketsPort lets steps open issues on the hub.
type ticketsPort struct{ hub *github.Client }

func (p ticketsPort) OpenTicket(ctx context.Context, t step.Ticket) (step.Opened, error) {
	title, body := render.Ticket(t.Key, t.Title, t.Body)
	number, url, err := p.hub.OpenIssue(ctx, github.NewIssue{Repo: t.Repo, Title: title, Body: body, Mark: render.TicketMark(t.Key),
		Labels: t.Labels, Assignees: t.Assignees})
	return step.Opened{Number: number, URL: url}, err
}

// wallClock is the machine's clock.
type wallClock struct{}

func (wallClock) Now() time.Time { return time.Now() }

// splitRepo reads owner/name.
func splitRepo(s string) (owner, name string, err error) {
	owner, name, ok := strings.Cut(s, "/")
	if !ok || owner == "" || name == "" || strings.Contains(name, "/") {
		return "", "", fmt.Errorf("repository %q is not of the form owner/name", s)
	}
	return owner, name, nil
}

// evalPort lets the engine ask the evaluator. What is wrong with a frozen plan stays wrong.
type evalPort struct{ *cueval.Evaluator }

func (p evalPort) Resolve(ctx context.Context, q runbook.Query) (runbook.Plan, error) {
	plan, err := p.Evaluator.Resolve(ctx, q)
	if wrong := new(cueval.SourceError); errors.As(err, &wrong) {
		err = fmt.Errorf("%w: %w", engine.ErrPlan, err)
	}
	return plan, err
}
