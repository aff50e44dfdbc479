package inbox

import (
	"context"
	"database/sql"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/riverqueue/river"
)

// mostInGroup bounds the callers of one transaction, so that the first of them does not wait for work without end.
const mostInGroup = 256

// unit is one caller's part of a transaction.
type unit struct {
	*sql.Tx
	jobs []river.InsertManyParams
}

// trigger adds a River job for the time that args name, in Unix milliseconds. The jobs of a transaction are made at its end, all at once.
func (u *unit) trigger(args river.JobArgs, at int64) {
	u.jobs = append(u.jobs, river.InsertManyParams{Args: args, InsertOpts: &river.InsertOpts{ScheduledAt: time.UnixMilli(at)}})
}

// ask is what a caller wants to have made durable.
type ask struct {
	ctx  context.Context
	f    func(ctx context.Context, u *unit) error
	err  error
	done chan struct{}
}

// group commits what many callers ask for in one transaction: while one is on its way to the disk, those who come wait for the
// next, together. So a sync costs each of them a part, and the way from an alert to its answer has no line in it.
type group struct {
	in *Inbox

	mu      sync.Mutex
	waiting []*ask
	busy    bool // commits are made until nobody waits
}

// do runs f in a transaction that is on disk, with all before it, when do returns nil.
func (g *group) do(ctx context.Context, f func(ctx context.Context, u *unit) error) error {
	a := &ask{ctx: ctx, f: f, done: make(chan struct{})}
	g.mu.Lock()
	g.waiting = append(g.waiting, a)
	begins := !g.busy
	g.busy = true
	g.mu.Unlock()
	if begins {
		go g.commitAll()
	}
	<-a.done
	return a.err
}

func (g *group) commitAll() {
	for {
		g.mu.Lock()
		n := min(len(g.waiting), mostInGroup)
		asks := g.waiting[:n:n]
		g.waiting = g.waiting[n:]
		g.busy = n > 0
		g.mu.Unlock()
		if n == 0 {
			return
		}
		g.commit(asks)
	}
}

// commit makes asks durable, and tells those who asked. One that fails takes nothing of the others with it; where the
// transaction as a whole fails, all have failed.
func (g *group) commit(asks []*ask) {
	ctx, stop := whileAny(asks)
	defer stop()
	db := g.in.db
	err := db.durably(ctx, db.DB, func(tx *sql.Tx) error {
		var jobs []river.InsertManyParams
		for _, a := range asks {
			u := &unit{Tx: tx}
			if err := a.run(ctx, u, len(asks) > 1); err != nil {
				return err
			}
			if a.err == nil {
				jobs = append(jobs, u.jobs...)
			}
		}
		if len(jobs) == 0 {
			return nil
		}
		if _, err := g.in.queue.InsertManyFastTx(ctx, tx, jobs); err != nil {
			return fmt.Errorf("queue triggers: %w", err)
		}
		return nil
	})
	for _, a := range asks {
		if a.err == nil {
			a.err = err
		}
		close(a.done)
	}
}

// run does a caller's part, behind a savepoint where there are others. What it returns has ended the whole transaction.
func (a *ask) run(ctx context.Context, u *unit, shared bool) error {
	if a.err = context.Cause(a.ctx); a.err != nil {
		return nil
	}
	if shared {
		if _, err := u.ExecContext(ctx, "SAVEPOINT part"); err != nil {
			return fmt.Errorf("begin a part: %w", err)
		}
	}
	if a.err = a.call(ctx, u); a.err == nil {
		if shared {
			if _, err := u.ExecContext(ctx, "RELEASE SAVEPOINT part"); err != nil {
				return fmt.Errorf("end a part: %w", err)
			}
		}
		return nil
	}
	if !shared {
		return a.err
	}
	// An error after which SQLite has rolled everything back, such as that of a full disk, leaves no savepoint.
	if _, err := u.ExecContext(ctx, "ROLLBACK TO SAVEPOINT part"); err != nil {
		return fmt.Errorf("take back a part: %w", err)
	}
	return nil
}

// call runs f, whose panic is its caller's error: the others are not its own.
func (a *ask) call(ctx context.Context, u *unit) (err error) {
	defer recoverInto(&err)
	return a.f(ctx, u)
}

// whileAny returns a context that ends when those of all asks have ended.
func whileAny(asks []*ask) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(context.Background())
	var left atomic.Int64
	left.Store(int64(len(asks)))
	stops := make([]func() bool, len(asks))
	for i, a := range asks {
		stops[i] = context.AfterFunc(a.ctx, func() {
			if left.Add(-1) == 0 {
				cancel(context.Cause(a.ctx))
			}
		})
	}
	return ctx, func() {
		for _, stop := range stops {
			stop()
		}
		cancel(nil)
	}
}
