package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/runbook"
)

// maxRounds bounds how often one look decides. A plan of n steps needs about two rounds a step in the worst case; what is
// left then goes on in the next message.
const maxRounds = 1000

// maxAnew bounds how often one look begins anew because what it rested on had changed. After that the message is tried
// again later, with growing pauses: a hub that shows an old head for a while must not be asked without end.
const maxAnew = 3

// look decides and performs until nothing is due. An incident that waits for a lock keeps its place as long as it does; one
// that cannot be looked at gives way. The caller holds the worker's lock.
func (e *Engine) look(ctx context.Context, w *worker, refresh bool, alerts []incident.Alert) error {
	waits, err := e.goOn(ctx, w, refresh, alerts)
	if !waits {
		e.locks.quit(w.branch)
	}
	if err != nil {
		return err
	}
	return e.wakeLocked(ctx)
}

// goOn decides and performs until nothing is due, and reports whether the incident then waits for a lock.
func (e *Engine) goOn(ctx context.Context, w *worker, refresh bool, alerts []incident.Alert) (waits bool, err error) {
	anew := 0
	for range maxRounds {
		if err := e.read(ctx, w); err != nil {
			return false, err
		}
		if err := e.lookAtHub(ctx, w, refresh); err != nil {
			return false, err
		}
		if refresh {
			w.kin, w.runs = relatives{}, runs{}
		}
		refresh = false
		plan, view, err := e.gather(ctx, w, alerts)
		if err != nil {
			return false, err
		}
		actions := incident.Decide(plan, w.ledger.state, view, e.Clock.Now())
		again, err := e.perform(ctx, w, plan, actions)
		switch {
		case errors.Is(err, ErrMoved), errors.Is(err, errWithdrawn), errors.Is(err, errLocked), errors.Is(err, errCalendar):
			e.Log.Info("look again", "branch", w.branch, "why", err)
			e.forget(w)
			if anew++; anew > maxAnew {
				return false, err
			}
			refresh = true
		case err != nil:
			return false, err
		case !again:
			return slices.ContainsFunc(actions, func(a incident.Action) bool { _, is := a.(incident.AwaitLocks); return is }), nil
		}
	}
	return false, e.Inbox.Put(ctx, Message{Kind: KindLook, Key: w.branch})
}

// gather resolves the plan, with the elements that are settled, and puts the view together.
func (e *Engine) gather(ctx context.Context, w *worker, alerts []incident.Alert) (runbook.Plan, incident.View, error) {
	plan, err := e.resolve(ctx, w)
	unread := ""
	if errors.Is(err, ErrPlan) {
		e.Log.Error("an incident cannot go on", "branch", w.branch, "error", err)
		plan, unread, err = w.frozen.plan, err.Error(), nil
	}
	if err != nil {
		return plan, incident.View{}, err
	}
	state := w.ledger.state
	w.brief.Store(&brief{frozen: w.frozen, plan: plan, ended: state.Ended(plan), commit: state.Opened.Commit, pull: state.PullURL, state: state})
	attempts, err := e.attempts(ctx, w)
	if err != nil {
		return plan, incident.View{}, err
	}
	whole := w.whole(plan, unread != "")
	if err := e.lookAtKin(ctx, w, whole); err != nil {
		return plan, incident.View{}, err
	}
	e.lookAtRuns(ctx, w, whole, attempts)
	view := w.view(attempts, alerts)
	view.Unread = unread
	if err := e.keep(ctx, w, view); err != nil {
		return plan, view, err
	}
	if slices.ContainsFunc(plan.Steps, func(s runbook.Step) bool { return s.TakesLocks }) {
		if err := e.readLocks(ctx); err != nil {
			return plan, view, err
		}
		w.others = e.locks.others(w.branch)
		w.queue = e.locks.queue(w.branch)
		view.Locks, view.Queue = w.others, w.queue
	}
	w.authors = e.authors(ctx, w, plan)
	view.Authors = w.authors
	if view.Results, err = e.results(ctx, w, whole); err != nil {
		return plan, view, err
	}
	view.Later, err = e.later(ctx, w)
	return whole, view, err
}

// whole is the plan with the elements that are settled: that of the latest look, until more of them are. A plan that was not worked
// out is another one.
func (w *worker) whole(plan runbook.Plan, unread bool) runbook.Plan {
	if unread {
		return w.ledger.state.Expand(plan)
	}
	w.plan.whole = w.ledger.state.Expand(w.plan.whole)
	return w.plan.whole
}

// attempts reads the attempts on which a decision may rest. What the journal has done with at the front of the queue is not read
// again by those who have these notes: notes that were made anew from git may have an older journal, and begin at the front.
func (e *Engine) attempts(ctx context.Context, w *worker) ([]incident.Attempt, error) {
	n := w.ledger
	attempts, err := e.Inbox.Attempts(ctx, w.branch, n.spent)
	if err != nil {
		return nil, fmt.Errorf("read the attempts of %s: %w", w.branch, err)
	}
	for len(attempts) > 0 && n.state.Spent(attempts[0]) {
		n.spent, attempts = attempts[0].Place, attempts[1:]
	}
	return attempts, nil
}

// view is everything that Decide may know of the world.
func (w *worker) view(attempts []incident.Attempt, alerts []incident.Alert) incident.View {
	n, h := w.ledger, w.hub
	return incident.View{
		Pull: h.Pull, Reviews: h.Reviews, Comments: h.Comments, Checks: h.Checks, Teams: h.Teams, Logins: h.Logins, People: h.People, Authors: w.authors, Presses: w.presses, Strangers: w.strange,
		Attempts: attempts, Alerts: alerts, Children: w.kin.children, Recall: w.kin.recall, Runs: w.runs.seen, Pins: w.runs.pins, Locks: w.others, Queue: w.queue, Edits: w.openEdits(),
		Branch: incident.Branch{Head: n.head, Commits: n.commits, Pushed: n.pushed, Foreign: n.foreign, Gone: n.gone, Deleted: n.deleted, Tip: n.remote, Lost: n.lost},
	}
}

// lookAtHub reads the hub when nobody remembers it, something may have happened there, the time of a question is over, or
// an edit was read before the branch was given back, and notices when the branch is not where the engine left it.
func (e *Engine) lookAtHub(ctx context.Context, w *worker, refresh bool) error {
	if w.hub != nil && !refresh && !w.ledger.state.OutOfTime(e.Clock.Now()) && !slices.ContainsFunc(w.edits, w.outdated) {
		return nil
	}
	n := w.ledger
	q := incident.HubQuery{Branch: w.branch, Pull: n.state.Pull, Teams: w.frozen.teams, Asked: n.state.TeamsAsked()}
	for _, p := range w.presses {
		q.People = append(q.People, p.By.Login)
	}
	cold := w.hub == nil
	if cold {
		q.CheckCommits = checkCommits(n)
	}
	seen, err := e.Hub.Look(ctx, q)
	if err != nil {
		return fmt.Errorf("look at the pull request of %s: %w", w.branch, err)
	}
	if !cold {
		seen.Checks = w.hub.Checks
	}
	if seen.Checks == nil {
		seen.Checks = map[string]bool{}
	}
	w.hub, w.strange = &seen, incident.Strangers(w.strange, seen.Comments)
	if seen.Pull == nil {
		return nil
	}
	e.rememberPull(seen.Pull.Number, w.branch)
	defer w.retell()
	if err := e.lookAtEdits(ctx, w); err != nil {
		return err
	}
	if w.screen.Body == "" {
		w.screen.Title, w.screen.Body = seen.Pull.Title, seen.Pull.Body
	}
	if seen.Pull.Merged && n.state.End == "" && seen.Pull.Head != n.remote { // another engine went on with it, and may have ended it
		e.Journal.Discard(w.branch)
		w.ledger = nil
		return e.read(ctx, w)
	}
	if !seen.Pull.Merged && (!seen.Pull.Open || seen.Pull.Head != n.remote) {
		if err := e.reread(ctx, w); err != nil { // the hub closes the pull request of a branch that is deleted
			return err
		}
		if slices.ContainsFunc(w.edits, w.outdated) { // another engine has given the branch back
			return e.lookAtEdits(ctx, w)
		}
	}
	return nil
}

// reread reads the remote branch again because the hub shows another head. Local commits stay if the engine's own last
// push is still the tip: the hub may lag behind. Of a branch that is gone, also where there is another one of its name, a closed
// pull request shows the last head.
func (e *Engine) reread(ctx context.Context, w *worker) error {
	heads, err := e.Ledger.Heads(ctx)
	if err != nil {
		return fmt.Errorf("compare %s with the remote: %w", w.branch, err)
	}
	n := w.ledger
	if heads[w.branch] != n.remote || n.gone && (n.deleted || !w.hub.Pull.Open) && w.hub.Pull.Head != n.head {
		e.Journal.Discard(w.branch)
		if err := e.readBranch(ctx, w, heads); err != nil {
			return err
		}
	}
	if !w.openedTwice() {
		return nil
	}
	e.Log.Error("an incident was opened where somebody had deleted another one of its name", "branch", w.branch, "before", w.hub.Pull.Head)
	// That is where the engine left the branch; what is there now came over it.
	if err := e.mark(w, w.hub.Pull.Head); err != nil {
		w.ledger = nil
		return err
	}
	return e.readBranch(ctx, w, heads)
}

// openedTwice reports whether the branch holds a second opening of the incident: an engine that stood still with the opening in
// its hands found the branch free, since another engine had opened it and somebody deleted it. The hub shows the pull request of
// the first one, closed, at a commit that is not on the branch, and the journal knows of no pull request yet. Where a person has
// given the branch back, that commit is one of those that were disowned. A branch that is not there holds no second opening: a
// foreign commit was its last.
func (w *worker) openedTwice() bool {
	n, p := w.ledger, w.hub.Pull
	return !n.deleted && n.state.Pull == 0 && !n.state.GivenBack() && n.lost == "" && !p.Open && !p.Merged && !n.leadsTo(p.Head)
}

// leadsTo reports whether a commit is on the branch: the engine's, or what somebody has written there since.
func (n *notes) leadsTo(commit string) bool {
	return commit == n.remote || n.commits[commit] != 0 || n.foreign != nil && slices.Contains(n.foreign.All, commit)
}

// checkCommits are the commits whose check runs show what is published: those that record ends, and those that opened
// gates or the incident.
func checkCommits(n *notes) []string {
	if n.state.Seq <= 1 {
		return nil
	}
	var out []string
	for sha := range n.commits {
		out = append(out, sha)
	}
	return out
}
