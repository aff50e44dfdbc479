package inbox

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/riverqueue/river"
)

// Handler does the work. Its methods are called from many goroutines. A panic counts as an error.
type Handler interface {
	// Handle handles one message, or all equal hints, of which it gets the newest. After an error it is called again,
	// after 250 ms at first and never after more than a minute, without end.
	Handle(ctx context.Context, m Message) error

	// RunStep runs one step and returns what it left behind, as JSON of at most MaxBody bytes. A command that failed is an
	// outcome too; an error means that the runner cannot say how the step went, which makes it lost, or queued again if it
	// is Repeatable. When ctx ends, context.Cause tells ErrCancelled from ErrStopping; an outcome that is returned
	// then counts like any other.
	RunStep(ctx context.Context, s Step) (outcome json.RawMessage, err error)
}

// Causes of a cancelled context in a Handler.
var (
	ErrCancelled = errors.New("step was cancelled")
	ErrStopping  = errors.New("engine is stopping")
)

const (
	fetchCooldown = 10 * time.Millisecond
	// fetchPoll is how late a timer may come. Each fetch costs as much as the storing of a message, whether it finds anything or not,
	// and what is due as it is stored does not wait for one.
	fetchPoll     = 200 * time.Millisecond
	keepCompleted = time.Minute
	// settle leaves time to record what cancelled handlers return, and for River to finish its own books.
	settle       = 30 * time.Second
	sweepEvery   = 5 * time.Second
	overdueAfter = 2 * time.Second
	sweepLimit   = 1000
	forgetEvery  = time.Hour
)

// Run works until ctx is done, then waits Config.Grace for the handlers, cancels them with ErrStopping, and waits as long
// again, but at least 30 s. It returns nil after an orderly stop, and an error if it could not start, if another engine has
// taken the database over (ErrLocked), or if it left handlers behind that do not return: after that the process should end. One Run at a time; it may be called again.
func (in *Inbox) Run(ctx context.Context, h Handler) error {
	ctx, finish := context.WithCancel(ctx)
	defer finish()
	w, err := in.newWorker(ctx, h)
	if err != nil {
		return fmt.Errorf("run inbox: %w", err)
	}
	defer w.cancel(ErrStopping)
	if !in.setRunning(w) {
		return errors.New("run inbox: it runs already, or has left handlers behind")
	}
	if err := errors.Join(in.takeBack(ctx), in.renewTriggers(ctx)); err != nil {
		in.clearRunning()
		if ctx.Err() != nil {
			return nil // told to stop before anything was begun; the next Run finds everything as it is
		}
		return fmt.Errorf("run inbox: %w", err)
	}
	// River's own context must outlive ctx: cancelling it would cut off handlers without the grace.
	if err := w.client.Start(context.WithoutCancel(ctx)); err != nil {
		in.clearRunning()
		return fmt.Errorf("run inbox: start queue: %w", err)
	}
	w.beginFetching()
	deposed := w.sweepUntil(ctx)
	if deposed != nil {
		finish()
		w.cancel(ErrStopping) // the engine that has the inbox now knows nothing of what runs here: no time for grace
	}
	if err := w.stop(context.WithoutCancel(ctx)); err != nil {
		return fmt.Errorf("run inbox: %w", errors.Join(deposed, err))
	}
	in.clearRunning()
	if deposed != nil {
		return fmt.Errorf("run inbox: %w", deposed)
	}
	return nil
}

func (in *Inbox) setRunning(w *worker) bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.running != nil {
		return false
	}
	in.running = w
	return true
}

func (in *Inbox) clearRunning() {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.running = nil
}

func (in *Inbox) newWorker(ctx context.Context, h Handler) (*worker, error) {
	w := &worker{in: in, handler: h, stopping: ctx.Done(), keys: map[string]*turn{}, steps: map[string]context.CancelCauseFunc{},
		messages: newSeats(in.config.MessageWorkers), jobs: newSeats(in.config.StepWorkers)}
	w.ctx, w.cancel = context.WithCancelCause(context.WithoutCancel(ctx))
	workers := river.NewWorkers()
	err := errors.Join(
		river.AddWorkerSafely(workers, river.WorkFunc(func(ctx context.Context, job *river.Job[wakeArgs]) error {
			return w.seated(w.messages, func() error { return w.wake(context.WithoutCancel(ctx), job.Args) })
		})),
		river.AddWorkerSafely(workers, river.WorkFunc(func(ctx context.Context, job *river.Job[stepArgs]) error {
			return w.seated(w.jobs, func() error { return w.step(context.WithoutCancel(ctx), job.Args, false) })
		})))
	if err != nil {
		return nil, fmt.Errorf("prepare queue: %w", err)
	}
	w.client, err = river.NewClient(in.db.river, &river.Config{
		CompletedJobRetentionPeriod: keepCompleted,
		DiscardedJobRetentionPeriod: keepCompleted,
		FetchCooldown:               fetchCooldown,
		FetchPollInterval:           fetchPoll,
		Hooks:                       timersAreAvailable(),
		JobTimeout:                  -1, // the caller bounds its handlers
		Logger:                      in.config.Logger,
		Queues: map[string]river.QueueConfig{
			messageQueue: {MaxWorkers: min(in.config.MessageWorkers, river.QueueNumWorkersMax)},
			stepQueue:    {MaxWorkers: min(in.config.StepWorkers, river.QueueNumWorkersMax)},
		},
		// River must never decide that a long step is stuck and give it to a second worker. takeBack and the sweep do that work.
		RescueStuckJobsAfter: math.MaxInt64,
		Workers:              workers,
	})
	if err != nil {
		return nil, fmt.Errorf("prepare queue: %w", err)
	}
	return w, nil
}

// renewTriggers replaces all triggers by exactly those that the rows call for.
func (in *Inbox) renewTriggers(ctx context.Context) error {
	err := write(ctx, in.db, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, "DELETE FROM river_job"); err != nil {
			return err
		}
		jobs, err := pendingTriggers(ctx, tx)
		if err != nil || len(jobs) == 0 {
			return err
		}
		_, err = in.queue.InsertManyFastTx(ctx, tx, jobs)
		return err
	})
	if err != nil {
		return fmt.Errorf("renew triggers: %w", err)
	}
	return nil
}

func pendingTriggers(ctx context.Context, tx *sql.Tx) ([]river.InsertManyParams, error) {
	rows, err := tx.QueryContext(ctx, `
		SELECT DISTINCT 0, key, retry AS at FROM message
		UNION ALL SELECT 1, key, ready FROM step WHERE state = 'queued' ORDER BY at`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var jobs []river.InsertManyParams
	for rows.Next() {
		var isStep bool
		var key string
		var at int64
		if err := rows.Scan(&isStep, &key, &at); err != nil {
			return nil, err
		}
		var args river.JobArgs = wakeArgs{Key: key, At: at}
		if isStep {
			args = stepArgs{Key: key, At: at}
		}
		jobs = append(jobs, river.InsertManyParams{Args: args, InsertOpts: &river.InsertOpts{ScheduledAt: time.UnixMilli(at)}})
	}
	return jobs, rows.Err()
}

// sweepUntil keeps house until ctx is done, or until the inbox is another engine's: then it returns that error.
func (w *worker) sweepUntil(ctx context.Context) error {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	var forgot time.Time
	for {
		now := time.Now()
		err := w.sweep(ctx, now)
		if now.Sub(forgot) >= forgetEvery {
			err = errors.Join(err, w.in.forgetIDs(ctx, now))
			forgot = now
		}
		if errors.Is(err, ErrLocked) {
			return err
		}
		if err != nil && ctx.Err() == nil {
			w.in.config.Logger.Error("inbox housekeeping failed", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// sweep makes triggers for rows that are overdue although River has nothing left to fetch: their triggers are gone, by a
// failed write or a clock that was set back.
func (w *worker) sweep(ctx context.Context, now time.Time) error {
	late := now.Add(-overdueAfter).UnixMilli()
	var backlog bool
	err := w.in.db.QueryRowContext(ctx, `
		SELECT EXISTS (SELECT 1 FROM river_job WHERE state = 'available' AND scheduled_at <= `+w.in.db.now+`)`).Scan(&backlog)
	if err != nil {
		return fmt.Errorf("look for fetchable triggers: %w", err)
	}
	if backlog {
		return nil
	}
	messages, err := w.overdue(ctx, "SELECT DISTINCT key FROM message WHERE retry <= $1 LIMIT $2", late)
	if err != nil {
		return err
	}
	steps, err := w.overdue(ctx, "SELECT key FROM step WHERE state = 'queued' AND ready <= $1 LIMIT $2", late)
	if err != nil {
		return err
	}
	var jobs []river.InsertManyParams
	for _, key := range messages {
		if !w.isHandled(key) {
			jobs = append(jobs, river.InsertManyParams{Args: wakeArgs{Key: key, At: now.UnixMilli()}})
		}
	}
	for _, key := range steps {
		if !w.isBegun(key) {
			jobs = append(jobs, river.InsertManyParams{Args: stepArgs{Key: key, At: now.UnixMilli()}})
		}
	}
	if len(jobs) == 0 {
		return nil
	}
	// Not InsertManyFast: outside a transaction it panics on SQLite in River v0.31.0, which looks at a row that it has not fetched.
	if _, err := w.client.InsertMany(ctx, jobs); err != nil {
		return fmt.Errorf("queue triggers for overdue rows: %w", err)
	}
	return nil
}

func (w *worker) overdue(ctx context.Context, query string, late int64) ([]string, error) {
	keys, err := texts(w.in.db.QueryContext(ctx, query, late, sweepLimit))
	if err != nil {
		return nil, fmt.Errorf("look for overdue rows: %w", err)
	}
	return keys, nil
}

func (w *worker) stop(ctx context.Context) error {
	gentle, done := context.WithTimeout(ctx, w.in.config.Grace)
	defer done()
	if w.client.Stop(gentle) == nil && w.handedDone(gentle) {
		return nil
	}
	w.cancel(ErrStopping)
	wait := max(w.in.config.Grace, settle)
	firm, done := context.WithTimeout(ctx, wait)
	defer done()
	if err := w.client.StopAndCancel(firm); err != nil {
		return fmt.Errorf("handlers did not return within %s of being cancelled: %w", wait, err)
	}
	if !w.handedDone(firm) {
		return fmt.Errorf("handlers did not return within %s of being cancelled", wait)
	}
	return nil
}
