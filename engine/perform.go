package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/journal"
	"github.com/pullbook/pullbook/engine/render"
	"github.com/pullbook/pullbook/engine/runbook"
)

// errCalendar says that a freeze or a change window began or ended when an intent was about to be pushed.
var errCalendar = errors.New("what the calendar demands has changed")

// errWithdrawn says that a gate was not approved any more when its intent was about to be pushed.
var errWithdrawn = errors.New("an approval was withdrawn before the intent was pushed")

// bodyPause is how long a pull request's body may lag behind while nothing waits for people.
const bodyPause = 10 * time.Second

// perform does the actions in order and stops at the first failure. Again means that something has changed on which the
// next decision may rest.
func (e *Engine) perform(ctx context.Context, w *worker, plan runbook.Plan, actions []incident.Action) (again bool, err error) {
	for _, action := range actions {
		more, err := e.do(ctx, w, plan, action)
		if err != nil {
			return false, err
		}
		again = again || more
	}
	return again, nil
}

func (e *Engine) do(ctx context.Context, w *worker, plan runbook.Plan, action incident.Action) (again bool, err error) {
	switch a := action.(type) {
	case incident.Commit:
		return true, e.commit(ctx, w, plan, a)
	case incident.Flush:
		return true, e.flush(ctx, w, a)
	case incident.Start:
		return false, e.start(ctx, w, a)
	case incident.Stop:
		if err := e.Inbox.StopStep(ctx, a.Key); err != nil {
			return false, fmt.Errorf("stop %s: %w", a.Key, err)
		}
		return false, nil
	case incident.CancelRun:
		return false, e.cancelRun(ctx, w, plan, a)
	case incident.OpenChild:
		return false, e.order(ctx, w, a)
	case incident.TellChild:
		return false, e.wakeRelative(ctx, a.Incident)
	case incident.WakeAt:
		return false, e.wake(ctx, w, KindHub, a.At)
	case incident.AwaitLocks:
		return e.locks.wait(w.branch, a), nil
	case incident.Merge:
		return true, e.merge(ctx, w, a)
	case incident.CleanUp:
		return false, e.cleanUp(ctx, w)
	default:
		return e.show(ctx, w, plan, action)
	}
}

// commit appends one signed commit with the events, pages, evidence and report.
func (e *Engine) commit(ctx context.Context, w *worker, plan runbook.Plan, c incident.Commit) error {
	n := w.ledger
	events, err := normal(n.state.Next(c.Events, c.At))
	if err != nil {
		return fmt.Errorf("record in %s: %w", w.branch, err)
	}
	state, err := n.state.With(events...)
	if err != nil {
		return fmt.Errorf("record in %s: %w", w.branch, err)
	}
	dir := state.Opened.ID.Dir()
	files, chain, err := journal.Encode(dir, n.chain, events)
	if err != nil {
		return fmt.Errorf("encode the events of %s: %w", w.branch, err)
	}
	all := append(append([]incident.Event{}, n.events...), events...)
	maps.Copy(files, attachments(plan, dir, c))
	if c.Report {
		files[journal.ReportPath(dir)] = render.Report(plan, state, all)
	}
	made := NewCommit{Branch: w.branch, Parent: n.head, Files: files,
		Message: journal.Message(events, journal.MessageFacts{Incident: state.Opened.ID, Plan: plan, Rehearsal: state.Opened.Rehearsal != nil}), At: state.At}
	thaws := n.place(events, &made)
	n.unsure = true
	sha, err := e.Journal.Append(ctx, made)
	if err != nil {
		return fmt.Errorf("commit to %s: %w", w.branch, err)
	}
	n.events, n.state, n.chain, n.head, n.unsure = all, state, chain, sha, false
	n.commits[sha] = state.Seq
	if thaws {
		n.foreign, n.gone, n.deleted = nil, false, false
	}
	if len(c.Plan) > 0 {
		return w.edited(c.Plan)
	}
	return nil
}

// normal brings events to the form in which the journal keeps them, so that what is in memory is what git has.
func normal(events []incident.Event) ([]incident.Event, error) {
	out := make([]incident.Event, len(events))
	for i, e := range events {
		var err error
		if out[i], err = journal.Normal(e); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// attachments are the files of a commit beside its events.
func attachments(plan runbook.Plan, dir string, c incident.Commit) map[string][]byte {
	index := func(step string) int {
		_, i, _ := plan.Written(step)
		return i
	}
	files := map[string][]byte{}
	for name, text := range c.Plan {
		files[journal.PlanDir(dir)+name] = text
	}
	for step, page := range c.Pages {
		files[journal.GatePath(dir, step, index(step))] = page
	}
	for _, ev := range c.Evidence {
		if ev.Log != "" {
			files[journal.EvidencePath(dir, ev.Step, ev.Attempt, journal.LogName, index(ev.Step))] = []byte(ev.Log)
		}
		if len(ev.Output) > 0 {
			files[journal.EvidencePath(dir, ev.Step, ev.Attempt, journal.OutputName, index(ev.Step))] = ev.Output
		}
	}
	return files
}

// flush pushes what is local. After any failure nothing in memory is trusted: what was decided on it is decided anew.
func (e *Engine) flush(ctx context.Context, w *worker, f incident.Flush) error {
	n := w.ledger
	if n.pushed == n.state.Seq {
		return nil
	}
	if n.unsure { // an intent that nobody has confirmed would travel along
		e.forget(w)
		return fmt.Errorf("push %s after a commit that failed: %w", w.branch, ErrMoved)
	}
	held := n.state.Locks()
	if err := e.locks.reserve(w.branch, held, n.taken); err != nil {
		e.forget(w)
		return err
	}
	err := e.Journal.Flush(ctx, w.branch, func(ctx context.Context) error { return e.confirm(ctx, w, f) })
	if err != nil {
		e.forget(w)
		return fmt.Errorf("push %s (%s): %w", w.branch, f.Why, err)
	}
	before := n.pushed
	n.pushed, n.remote, n.taken = n.state.Seq, n.head, held
	moved := e.mark(w, n.head)
	w.tell(n.state)
	if e.Observe != nil {
		e.Observe(n.state.Opened.ID, n.events[before:])
	}
	e.locks.set(w.branch, held)
	if err := e.wakeLocked(ctx); err != nil {
		return err
	}
	if err := e.wakeParent(ctx, n.state.Opened.Parent); err != nil || moved == nil {
		return err
	}
	e.forget(w)
	return moved
}

// confirm reads the reviews again and fails unless every gate is still approved by them.
func (e *Engine) confirm(ctx context.Context, w *worker, f incident.Flush) error {
	if !f.Departs(e.Clock.Now()) {
		return fmt.Errorf("%w at %s", errCalendar, f.Before)
	}
	if err := e.confirmEdit(ctx, w, f.Edit); err != nil {
		return err
	}
	if !f.Confirms() {
		return nil
	}
	n := w.ledger
	seen, err := e.Hub.Look(ctx, incident.HubQuery{Branch: w.branch, Pull: n.state.Pull, Teams: w.frozen.teams})
	if err != nil {
		return fmt.Errorf("read the reviews again: %w", err)
	}
	// The hub does not move the head of a closed pull request; where the branch is, the push itself compares.
	if seen.Pull == nil || seen.Pull.Open && seen.Pull.Head != n.remote {
		return fmt.Errorf("%w: the pull request's head is not the engine's", errWithdrawn)
	}
	if why := f.Withdrawn(seen.Reviews, n.state.Shown(n.commits)); why != "" {
		return fmt.Errorf("%w: %s", errWithdrawn, why)
	}
	return nil
}

func (e *Engine) start(ctx context.Context, w *worker, a incident.Start) error {
	job := StepJob{Branch: w.branch, Key: a.Key, Incident: w.ledger.state.Opened.ID, Step: a.Step, Attempt: a.Attempt,
		Kind: a.Kind, Work: a.Work, Timeout: a.Timeout, Repeatable: a.Repeatable, Workflow: a.Workflow}
	if err := e.Inbox.StartStep(ctx, job); err != nil {
		return fmt.Errorf("queue %s: %w", a.Key, err)
	}
	return nil
}

// wake sets a durable timer, unless it is the one that was set last.
func (e *Engine) wake(ctx context.Context, w *worker, kind string, at time.Time) error {
	if w.hasTimer(kind, at) {
		return nil
	}
	if err := e.Inbox.Put(ctx, Message{Kind: kind, Key: w.branch, Due: at}); err != nil {
		return fmt.Errorf("set a timer for %s: %w", w.branch, err)
	}
	if w.timers == nil {
		w.timers = map[string]time.Time{}
	}
	w.timers[kind] = at
	if w.came.Kind == kind {
		w.came = Message{} // it is behind what is handled now
	}
	return nil
}

// hasTimer reports whether a timer is set and still to come. One that is not behind the message which is handled now has come with
// it, before its time: the clock has been set back since.
func (w *worker) hasTimer(kind string, at time.Time) bool {
	return w.timers[kind].Equal(at) && (w.came.Kind != kind || at.After(w.came.Due))
}

func (e *Engine) merge(ctx context.Context, w *worker, m incident.Merge) error {
	req := incident.MergeRequest{Pull: w.hub.Pull.Number, Head: m.Head, Title: m.Title, Message: m.Message}
	if err := e.Hub.Merge(ctx, req); err != nil {
		w.hub = nil
		return fmt.Errorf("merge %s: %w", w.branch, err)
	}
	w.hub.Pull.Merged, w.hub.Pull.Open = true, false
	return nil
}

// cleanUp forgets an incident that the default branch has. The branch goes last: as long as it is there, the rest is done.
func (e *Engine) cleanUp(ctx context.Context, w *worker) error {
	attempts, err := e.Inbox.Attempts(ctx, w.branch, 0)
	if err != nil {
		return fmt.Errorf("read the attempts of %s: %w", w.branch, err)
	}
	for _, a := range attempts {
		if a.State != incident.AttemptQueued && a.State != incident.AttemptRunning {
			continue
		}
		if err := e.Inbox.StopStep(ctx, a.Key); err != nil { // another engine has brought the incident to its end
			return fmt.Errorf("stop %s: %w", a.Key, err)
		}
	}
	if err := e.Inbox.Forget(ctx, w.branch); err != nil {
		return fmt.Errorf("forget the attempts of %s: %w", w.branch, err)
	}
	if err := e.Hub.Publish(ctx, incident.Publication{DeleteBranch: w.branch}); err != nil {
		return fmt.Errorf("delete %s after the merge: %w", w.branch, err)
	}
	e.drop(w)
	e.unmark(w.branch)
	w.ledger, w.hub = nil, nil // who waits for this worker finds no incident, and does not clean up again
	e.locks.forget(w.branch)
	return e.wakeLocked(ctx)
}
