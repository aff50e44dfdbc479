package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/pullbook/pullbook/engine/incident"
)

// errLocked says that another incident was first to take a lock.
var errLocked = errors.New("another incident holds a lock")

// locks is who holds what in the ledger. Its truth is in git, in the intents on the incidents' branches; this table is a
// cache of it that decides between intents which are about to be pushed. An entry is made before the push of an intent
// departs, and stays after a push of which nobody knows whether it arrived until the branch has been read again.
type locks struct {
	reading sync.Locker // one reader of the branches that nobody has looked at yet

	mu      sync.Mutex
	whole   bool                                  // every open incident is in held
	held    map[string]map[string]incident.Holder // by branch, by lock; a branch without locks has an empty entry
	waiting map[string]incident.AwaitLocks        // by branch: what it waits for; a place that is kept until a look finds that it does not
	owed    map[string]bool                       // branches that are to be woken
}

func newLocks() *locks {
	return &locks{held: map[string]map[string]incident.Holder{}, waiting: map[string]incident.AwaitLocks{}, owed: map[string]bool{}}
}

// set replaces what a branch holds. Those who wait for what it does not hold any more are to be woken.
func (l *locks) set(branch string, now map[string]incident.Holder) {
	l.mu.Lock()
	defer l.mu.Unlock()
	freed := maps.Clone(l.held[branch])
	maps.DeleteFunc(freed, func(lock string, _ incident.Holder) bool { _, still := now[lock]; return still })
	l.held[branch] = maps.Clone(now)
	l.owe(branch, func(lock string) bool { _, is := freed[lock]; return is })
}

// owe notes that the other branches which wait for one of some locks are to be woken. The caller holds the mutex.
func (l *locks) owe(branch string, is func(lock string) bool) {
	for other, a := range l.waiting {
		if other != branch && slices.ContainsFunc(a.Names, is) {
			l.owed[other] = true
		}
	}
}

// forget takes a branch that is no incident's any more out of the table.
func (l *locks) forget(branch string) {
	l.set(branch, nil)
	l.quit(branch)
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.held, branch)
}

// quit takes a branch out of the queue: it waits for nothing, or cannot be looked at. Its place follows from its journal, so
// it has the same one when it comes back.
func (l *locks) quit(branch string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	steps := l.waiting[branch].Steps
	delete(l.waiting, branch)
	l.owe(branch, func(lock string) bool {
		return slices.ContainsFunc(steps, func(w incident.Waiting) bool { return slices.Contains(w.Locks, lock) })
	})
}

// queue are the steps of other branches that wait.
func (l *locks) queue(branch string) (out []incident.Waiting) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for other, a := range l.waiting {
		if other != branch {
			out = append(out, a.Steps...)
		}
	}
	return out
}

// sleepers are the branches that are to be woken; woken says that one has been.
func (l *locks) sleepers() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Sorted(maps.Keys(l.owed))
}

func (l *locks) woken(branch string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.owed, branch)
}

// keeps reports whether a branch holds anything.
func (l *locks) keeps(branch string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.held[branch]) > 0
}

// others are the locks that other branches hold.
func (l *locks) others(branch string) map[string]incident.Holder {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := map[string]incident.Holder{}
	for other, held := range l.held {
		if other != branch {
			maps.Copy(out, held)
		}
	}
	return out
}

// wait registers a branch as one that waits for locks. It reports whether one of its steps could have all of them by now. Those
// who stood behind a step that does not wait any more are to be woken.
func (l *locks) wait(branch string, a incident.AwaitLocks) (free bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, before := range l.waiting[branch].Steps {
		if !slices.ContainsFunc(a.Steps, func(w incident.Waiting) bool { return w.Step == before.Step && w.Since.Equal(before.Since) }) {
			l.owe(branch, func(lock string) bool { return slices.Contains(before.Locks, lock) })
		}
	}
	l.waiting[branch] = a
	return slices.ContainsFunc(a.Steps, func(w incident.Waiting) bool {
		return !slices.ContainsFunc(w.Locks, func(lock string) bool {
			_, taken := l.takenBy(branch, lock)
			return taken || l.claimed(branch, lock, w)
		})
	})
}

// claimed reports whether a step of another branch waits for a lock and came before the given one. The caller holds the mutex.
func (l *locks) claimed(branch, lock string, than incident.Waiting) bool {
	for other, a := range l.waiting {
		if other != branch && slices.ContainsFunc(a.Steps, func(w incident.Waiting) bool {
			return slices.Contains(w.Locks, lock) && w.Before(than)
		}) {
			return true
		}
	}
	return false
}

// reserve gives a branch all of the locks that it is about to hold, or none. What it has by the remote branch already it keeps,
// whoever else counts as a holder: one that is frozen, say, and of whose attempt nobody knows the end any more. Each of two such
// would keep the other one from being given back.
func (l *locks) reserve(branch string, want, has map[string]incident.Holder) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(want) == 0 {
		return nil
	}
	fresh := maps.Clone(want)
	maps.DeleteFunc(fresh, func(lock string, by incident.Holder) bool {
		before, is := has[lock]
		return is && before.Step == by.Step && before.Since.Equal(by.Since)
	})
	if len(fresh) > 0 && !l.whole {
		return fmt.Errorf("take the locks of %s: %w: not every open incident has been read", branch, errLocked)
	}
	for lock := range fresh {
		if by, taken := l.takenBy(branch, lock); taken {
			return fmt.Errorf("take the lock %s for %s: %w: %s has it", lock, branch, errLocked, by.Incident)
		}
	}
	if l.held[branch] == nil {
		l.held[branch] = map[string]incident.Holder{}
	}
	maps.Copy(l.held[branch], want)
	return nil
}

// takenBy finds another branch that holds a lock. The caller holds the mutex.
func (l *locks) takenBy(branch, lock string) (by incident.Holder, taken bool) {
	for other, held := range l.held {
		if h, ok := held[lock]; ok && other != branch {
			return h, true
		}
	}
	return incident.Holder{}, false
}

// add enters a branch of which nothing is known.
func (l *locks) add(branch string, held map[string]incident.Holder) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, known := l.held[branch]; !known {
		l.held[branch] = held
	}
}

// unknown lists the incidents' branches among heads that are not in the table.
func (l *locks) unknown(heads map[string]string) (branches []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for branch := range heads {
		if _, known := l.held[branch]; !known && strings.HasPrefix(branch, incident.BranchPrefix) {
			branches = append(branches, branch)
		}
	}
	slices.Sort(branches)
	return branches
}

func (l *locks) isWhole() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.whole
}

func (l *locks) makeWhole() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.whole = true
}

// readLocks makes sure that the table knows every open incident of the ledger. An incident that is opened later holds
// nothing until this engine has pushed an intent of it. A branch that cannot be read might hold anything: then no step
// with locks starts.
func (e *Engine) readLocks(ctx context.Context) error {
	e.locks.reading.Lock()
	defer e.locks.reading.Unlock()
	if e.locks.isWhole() {
		return nil
	}
	heads, err := e.Ledger.Heads(ctx)
	if err != nil {
		return fmt.Errorf("read who holds locks: list the ledger's branches: %w", err)
	}
	unread := map[string]string{}
	for _, branch := range e.locks.unknown(heads) {
		unread[branch] = heads[branch]
	}
	e.together(ctx, heads, unread, func(branch string, b Branch) {
		if err := e.addLocks(branch, b); err != nil {
			e.Log.Info("a branch will be read once more for the locks that it holds", "branch", branch, "why", err)
		}
	})
	for _, branch := range e.locks.unknown(heads) {
		found, err := e.Ledger.Branch(ctx, BranchQuery{Name: branch, DefaultTip: heads[e.DefaultBranch]})
		if err != nil {
			return fmt.Errorf("read who holds locks: %s: %w", branch, err)
		}
		if err := e.addLocks(branch, found); err != nil {
			return fmt.Errorf("read who holds locks: %w", err)
		}
	}
	e.locks.makeWhole()
	return nil
}

// addLocks enters the locks that an incident holds by what its branch says.
func (e *Engine) addLocks(branch string, b Branch) error {
	held := map[string]incident.Holder{}
	w := worker{branch: branch}
	switch err := w.take(b); {
	case err == nil:
		held = w.ledger.state.Locks()
	case !errors.Is(err, errNoIncident):
		return err
	}
	e.locks.add(branch, held)
	return nil
}

// keep enters what an incident keeps from others, as its branch, the hub and the step queue have it, and wakes those who wait
// for what it does not.
func (e *Engine) keep(ctx context.Context, w *worker, view incident.View) error {
	e.locks.set(w.branch, w.ledger.state.Keeps(view))
	return e.wakeLocked(ctx)
}

// release forgets an incident whose branch is gone, once nothing of it runs any more: the end of what runs puts a look.
func (e *Engine) release(ctx context.Context, branch string) error {
	if e.locks.keeps(branch) {
		attempts, err := e.Inbox.Attempts(ctx, branch, 0)
		if err != nil {
			return fmt.Errorf("read the attempts of %s: %w", branch, err)
		}
		underWay := func(a incident.Attempt) bool {
			return a.State == incident.AttemptQueued || a.State == incident.AttemptRunning
		}
		if slices.ContainsFunc(attempts, underWay) {
			return nil
		}
	}
	e.locks.forget(branch)
	return e.wakeLocked(ctx)
}

// wakeLocked puts a look at every incident that waits for what has become free. Who is not woken now is woken by the next look
// at any incident.
func (e *Engine) wakeLocked(ctx context.Context) error {
	for _, branch := range e.locks.sleepers() {
		if err := e.Inbox.Put(ctx, Message{Kind: KindLook, Key: branch}); err != nil {
			return fmt.Errorf("wake %s, which waits for a lock: %w", branch, err)
		}
		e.locks.woken(branch)
	}
	return nil
}
