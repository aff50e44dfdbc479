package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/proposal"
	"github.com/pullbook/pullbook/engine/runbook"
)

// Config is what an engine is made of.
type Config struct {
	Hub     Hub
	Ledger  Ledger
	Journal Journal
	Eval    Eval
	Inbox   Inbox
	Runner  Runner

	Workflows Workflows // nil: no step runs one
	Clock     Clock

	Reviewing Reviewing // its zero value leaves people's pull requests alone
	Bookmarks Bookmarks // nil: none are kept beyond this process

	DefaultBranch string
	Triage        runbook.Source                      // the runbook for what no other matches, used where the ledger has none of its own
	Versions      map[string]string                   // of the engine, the schema and CUE; recorded in every incident
	Schema        []byte                              // frozen with every plan
	Rehearsal     *incident.Rehearsal                 // every incident that an alert opens is this rehearsal; nil: none is
	Buttons       bool                                // check runs get buttons: whoever presses one is heard, since the hub's webhooks arrive
	Observe       func(incident.ID, []incident.Event) // told of events that have reached the remote branch; may be nil
	Log           *slog.Logger
	Lock          func() sync.Locker // makes a lock that is held while ports are asked; nil: a sync.Mutex
}

// Engine serves one ledger.
type Engine struct {
	Config
	mu      sync.Mutex
	reading sync.Locker        // held while many incidents are read together
	workers map[string]*worker // by branch
	pulls   map[int]string     // number to branch
	marks   map[string]string  // where this engine left each branch, if nothing remembers it longer
	refused map[string]string  // why the incident of an attempt cannot be opened, by attempt key
	locks   *locks
	edits   map[int]proposal.Pull // open pull requests against incidents' branches, by number; replaced, never changed
	vetted  map[int]string        // pull requests of people: the head that has its check
}

// New makes an engine. It does nothing until messages arrive.
func New(c Config) *Engine {
	e := &Engine{Config: c, workers: map[string]*worker{}, pulls: map[int]string{}, marks: map[string]string{}, refused: map[string]string{}, vetted: map[int]string{}, locks: newLocks()}
	e.locks.reading, e.reading = e.newLock(), e.newLock()
	return e
}

// Handle acts on one message. An error means that the message must be delivered again later.
func (e *Engine) Handle(ctx context.Context, m Message) error {
	switch m.Kind {
	case KindAlert:
		var a Arrival
		if err := json.Unmarshal(m.Body, &a); err != nil {
			return fmt.Errorf("read the alert message for group %s: %w", m.Key, err)
		}
		return e.arrive(ctx, a)
	case KindChild:
		var o Order
		if err := json.Unmarshal(m.Body, &o); err != nil {
			return fmt.Errorf("read the order for %s: %w", m.Key, err)
		}
		return e.openChild(ctx, o)
	case KindLook:
		return e.lookAt(ctx, m, false)
	case KindHub:
		return e.lookAt(ctx, m, true)
	case KindPress:
		var p incident.Press
		if err := json.Unmarshal(m.Body, &p); err != nil {
			return fmt.Errorf("read the press of a button on %s: %w", m.Key, err)
		}
		return e.lookAt(ctx, m, true, p)
	case KindRun:
		return e.lookAtRun(ctx, m.Key)
	case KindPull:
		return e.lookAtPull(ctx, m.Key)
	case KindSweep:
		return e.sweep(ctx)
	case KindProposals:
		return e.vetProposals(ctx)
	case KindAgain:
		return e.vetAgain(ctx, m.Key)
	}
	e.Log.Error("message of unknown kind dropped", "kind", m.Kind, "key", m.Key)
	return nil
}

// lookAt looks at the branch that a message is about, with the buttons that were pressed on it. A branch that is not there any more
// has nothing to do.
func (e *Engine) lookAt(ctx context.Context, m Message, refresh bool, presses ...incident.Press) error {
	branch := m.Key
	if !strings.HasPrefix(branch, incident.BranchPrefix) {
		return nil
	}
	w := e.worker(branch)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.came, w.presses = m, presses
	defer func() { w.came, w.presses = Message{}, nil }()
	switch err := e.look(ctx, w, refresh, nil); {
	case errors.Is(err, errMerged):
		return e.cleanUp(ctx, w)
	case errors.Is(err, errNoIncident):
		e.drop(w)
		return e.release(ctx, branch)
	default:
		return err
	}
}

func (e *Engine) lookAtPull(ctx context.Context, key string) error {
	var number int
	if _, err := fmt.Sscanf(key, "pull/%d", &number); err != nil {
		return nil
	}
	e.mu.Lock()
	branch, known := e.pulls[number]
	if edit, is := e.edits[number]; is {
		branch, known = edit.Base, true
	}
	e.mu.Unlock()
	if known {
		return e.lookAt(ctx, Message{Kind: KindPull, Key: branch}, true)
	}
	return e.wakeAll(ctx, func(branch string) bool { return !e.hasPull(branch) })
}

// hasPull reports whether the pull request of a branch is known: then another number is not about it. A comment on any
// other pull request of the repository must not make the engine read every incident anew.
func (e *Engine) hasPull(branch string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, known := range e.pulls {
		if known == branch {
			return true
		}
	}
	return false
}

// sweep looks at every open incident of the ledger, and at people's pull requests: what webhooks and timers lost is found here.
func (e *Engine) sweep(ctx context.Context) error {
	if e.Reviewing.Hub != nil {
		if err := e.Inbox.Put(ctx, Message{Kind: KindProposals, Key: KindProposals}); err != nil {
			return fmt.Errorf("sweep: wake the proposals: %w", err)
		}
	}
	return e.wakeAll(ctx, func(string) bool { return true })
}

// wokenAtOnce bounds the looks that are put together: whoever has something else to put does not wait for a thousand of them.
const wokenAtOnce = 100

// wakeAll puts a look at every incident's branch that is asked for.
func (e *Engine) wakeAll(ctx context.Context, asked func(branch string) bool) error {
	heads, err := e.Ledger.Heads(ctx)
	if err != nil {
		return fmt.Errorf("sweep: list the ledger's branches: %w", err)
	}
	left := e.bookmarks()
	woken := maps.Clone(heads)
	maps.Copy(woken, left) // a branch that was deleted is missed
	maps.DeleteFunc(woken, func(branch, _ string) bool {
		return !strings.HasPrefix(branch, incident.BranchPrefix) || !asked(branch)
	})
	e.readMany(ctx, woken, heads, left)
	var looks []Message
	for _, branch := range slices.Sorted(maps.Keys(woken)) {
		looks = append(looks, Message{Kind: KindHub, Key: branch})
	}
	for some := range slices.Chunk(looks, wokenAtOnce) {
		if err := e.Inbox.Put(ctx, some...); err != nil {
			return fmt.Errorf("sweep: wake %d incidents: %w", len(some), err)
		}
	}
	return nil
}

// newLock makes a lock that is held while ports are asked. In a simulated world whoever waits must let time pass.
func (e *Engine) newLock() sync.Locker {
	if e.Lock == nil {
		return &sync.Mutex{}
	}
	return e.Lock()
}

// worker returns the worker of a branch, a new one if nobody remembers it.
func (e *Engine) worker(branch string) *worker {
	e.mu.Lock()
	defer e.mu.Unlock()
	w, ok := e.workers[branch]
	if !ok {
		w = &worker{branch: branch, mu: e.newLock()}
		e.workers[branch] = w
	}
	return w
}

// drop forgets a worker whose incident is gone.
func (e *Engine) drop(w *worker) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.workers, w.branch)
	for key := range w.ordered {
		delete(e.refused, key)
	}
	if w.ledger != nil {
		delete(e.pulls, w.ledger.state.Pull)
	}
}

func (e *Engine) rememberPull(number int, branch string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.pulls[number] = branch
}
