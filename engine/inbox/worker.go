package inbox

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"math"
	"runtime/debug"
	"sync"
	"time"

	"github.com/riverqueue/river"
)

const (
	// passesInARow bounds how long a key to which messages keep coming may hold on to its place.
	passesInARow = 16
	// loudFailures is when a message that fails again and again is reported as an error instead of a warning.
	loudFailures = 10
	// recordPause and recordTries bound the wait for a database that does not take an outcome while the engine stops.
	recordPause = 200 * time.Millisecond
	recordTries = 10
)

// worker is one Run.
type worker struct {
	in       *Inbox
	client   *river.Client[*sql.Tx]
	handler  Handler
	stopping <-chan struct{}         // closed: finish what you have begun
	ctx      context.Context         // every handler's; cancelled when the grace is over
	cancel   context.CancelCauseFunc // of ctx

	messages, jobs *seats
	handed         sync.WaitGroup // work that began without a trigger

	mu       sync.Mutex
	fetching bool             // what is left of an earlier Run has been taken back
	keys     map[string]*turn // keys in the hands of a goroutine
	steps    map[string]context.CancelCauseFunc
}

// turn is one goroutine's hold on a key.
type turn struct {
	again bool  // a trigger came in the meantime
	at    int64 // the latest time that a trigger has named, Unix milliseconds
}

// take gives the key to the caller, or tells its holder to look again.
func (w *worker) take(key string, at int64) (*turn, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.tell(key, at) {
		return nil, false
	}
	t := &turn{at: at}
	w.keys[key] = t
	return t, true
}

// again tells the holder of the key, if it has one, to look again.
func (w *worker) again(key string, at int64) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.tell(key, at)
}

// tell is again, for those who have w.mu.
func (w *worker) tell(key string, at int64) bool {
	held := w.keys[key]
	if held == nil {
		return false
	}
	held.again = true
	held.at = max(held.at, at)
	return true
}

// release gives the key up unless the holder has to look again and may. It returns whether there is more to do.
func (w *worker) release(key string, mayGoOn bool) (more, held bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	more = w.keys[key].again
	if more && mayGoOn {
		w.keys[key].again = false
		return true, true
	}
	delete(w.keys, key)
	return more, false
}

func (w *worker) turnTime(t *turn) int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return t.at
}

// isHandled reports whether somebody has the key, or waits for a seat to take it.
func (w *worker) isHandled(key string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	_, waits := w.messages.waiting[key]
	return waits || w.keys[key] != nil
}

// isBegun is isHandled for a step.
func (w *worker) isBegun(key string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	_, waits := w.jobs.waiting[key]
	return waits || w.steps[key] != nil
}

func (w *worker) isStopping() bool {
	select {
	case <-w.stopping:
		return true
	default:
		return false
	}
}

// wake handles what the key has due. ctx is River's, without its end: what has been handled must be recorded.
func (w *worker) wake(ctx context.Context, args wakeArgs) error {
	t, ours := w.take(args.Key, args.At)
	if !ours {
		return nil
	}
	for pass := 1; ; pass++ {
		err := w.handleDue(ctx, args.Key, w.turnTime(t))
		more, held := w.release(args.Key, err == nil && pass < passesInARow)
		if held {
			continue
		}
		if err == nil && more && !w.isStopping() {
			err = w.goOnLater(ctx, wakeArgs{Key: args.Key, At: w.turnTime(t)})
		}
		return err
	}
}

// handleDue handles, one after the other, the messages of key that are due as it begins. at is what a trigger says the time
// is: a clock that has been set back since must not make the trigger void, nor one that is set back meanwhile the retry of what
// came before that.
func (w *worker) handleDue(ctx context.Context, key string, at int64) error {
	m := moment{began: max(time.Now().UnixMilli(), at), last: math.MaxInt64}
	for !w.isStopping() {
		m.now = time.Now().UnixMilli()
		row, found, err := w.in.nextMessage(ctx, key, m)
		if err != nil || !found {
			return err
		}
		m.last = min(m.last, row.last)
		ids, begun := []int64{row.id}, max(m.began, time.Now().UnixMilli())
		if w.in.hints[row.kind] {
			row, ids, err = w.in.equalHints(ctx, row, begun)
			if err != nil {
				return err
			}
		}
		if err := w.handle(row.message()); err != nil {
			w.logFailure(row, err)
			retry := max(begun, time.Now().UnixMilli()) + backoff(row.failures+1).Milliseconds()
			if err := w.in.postpone(ctx, row, ids, retry); err != nil {
				return err
			}
			continue
		}
		if err := w.in.deleteMessages(ctx, ids); err != nil {
			return err
		}
	}
	return nil
}

func (w *worker) handle(m Message) (err error) {
	defer recoverInto(&err)
	return w.handler.Handle(w.ctx, m)
}

func recoverInto(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("handler panicked: %v\n%s", p, debug.Stack())
	}
}

func (w *worker) logFailure(row messageRow, err error) {
	log := w.in.config.Logger.Warn
	if row.failures+1 >= loudFailures {
		log = w.in.config.Logger.Error
	}
	log("message was not handled and will be tried again", "kind", row.kind, "key", row.key,
		"failures", row.failures+1, "error", err)
}

// step runs the step of that key, if it is still to be run. repeatable is set where that is known of it.
func (w *worker) step(ctx context.Context, args stepArgs, repeatable bool) error {
	if w.isStopping() {
		return nil // the next Run makes a new trigger
	}
	// CancelStep looks for the registered context after it has found the step running, so registration comes first.
	stepCtx, ours := w.register(args.Key)
	if !ours {
		return nil
	}
	defer w.unregister(args.Key)
	s, starts, begun, err := w.in.beginStep(ctx, args.Key, max(time.Now().UnixMilli(), args.At), repeatable)
	if err != nil || !begun {
		return err
	}
	outcome, err := w.runStep(stepCtx, s)
	if err == nil {
		w.record(func() error { return w.in.endStep(ctx, s, outcome) })
		return nil
	}
	w.in.config.Logger.Error("step was started and has no outcome", "step", s.Key, "incident", s.Incident,
		"repeatable", s.Repeatable, "starts", starts, "error", err)
	w.record(func() error { return w.in.giveUpStep(ctx, s, backoff(starts)) })
	return nil
}

func (w *worker) runStep(ctx context.Context, s Step) (outcome json.RawMessage, err error) {
	defer recoverInto(&err)
	if err := w.in.begun.note(s); err != nil {
		return nil, err
	}
	outcome, err = w.handler.RunStep(ctx, s)
	if err != nil {
		return nil, err
	}
	if outcome, err = checkBody(outcome); err != nil {
		return nil, fmt.Errorf("outcome cannot be stored: %w", err)
	}
	return outcome, nil
}

// record does not let go of what a step left behind: while the database refuses it, it is tried again until the engine has
// been stopping for a while. Then the step stays marked as running, and the next engine takes it back.
func (w *worker) record(store func() error) {
	for tries := 0; ; {
		err := store()
		if err == nil {
			return
		}
		w.in.config.Logger.Error("step's end could not be recorded", "error", err)
		if w.isStopping() {
			tries++
		}
		if tries >= recordTries {
			return
		}
		time.Sleep(recordPause)
	}
}

func (w *worker) register(key string) (context.Context, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.steps[key] != nil {
		return nil, false
	}
	ctx, cancel := context.WithCancelCause(w.ctx)
	w.steps[key] = cancel
	return ctx, true
}

func (w *worker) unregister(key string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.steps[key](nil)
	delete(w.steps, key)
}

func (w *worker) cancelStep(key string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if cancel := w.steps[key]; cancel != nil {
		cancel(ErrCancelled)
	}
}
