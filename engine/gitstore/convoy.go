package gitstore

import (
	"cmp"
	"context"
	"fmt"
	"sync"
	"time"
)

// stuckAfter is how long a request keeps others of its kind from departing: one that takes longer may never be answered.
const stuckAfter = 2 * time.Second

// convoy lets those who want the same kind of thing while a request for it is under way have the next one in common: an engine
// that has just started reads all of its branches, and one process of the hub's git for each of them costs more than all else.
// Nobody is told what the hub knew before they asked. Its zero value is ready.
type convoy[W, A any] struct {
	stuck time.Duration // stuckAfter, if it is not set

	mu   sync.Mutex
	next *trip[W, A]
	away bool // a request is under way
}

// trip is one request for all who wait for it.
type trip[W, A any] struct {
	wants  []W
	ask    func(ctx context.Context, wants []W) (A, error)
	ctx    context.Context
	done   chan struct{}
	answer A
	err    error
}

// join adds want to the next request and returns its answer, and for how many it was. ask sends the request; everybody's is the same.
func (t *convoy[W, A]) join(ctx context.Context, want W, ask func(ctx context.Context, wants []W) (A, error)) (answer A, many int, err error) {
	t.mu.Lock()
	if t.next == nil {
		// Whoever came first may go; the others still wait for the answer.
		t.next = &trip[W, A]{ask: ask, ctx: context.WithoutCancel(ctx), done: make(chan struct{})}
	}
	mine := t.next
	mine.wants = append(mine.wants, want)
	t.depart()
	t.mu.Unlock()
	select {
	case <-mine.done:
		return mine.answer, len(mine.wants), mine.err
	case <-ctx.Done():
		return answer, 1, fmt.Errorf("wait for the hub's answer: %w", context.Cause(ctx))
	}
}

// depart sends the next request unless one is under way. The caller holds the lock.
func (t *convoy[W, A]) depart() {
	if t.away || t.next == nil {
		return
	}
	mine := t.next
	t.next, t.away = nil, true
	back := sync.OnceFunc(func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.away = false
		t.depart()
	})
	late := time.AfterFunc(cmp.Or(t.stuck, stuckAfter), back)
	go func() {
		mine.answer, mine.err = mine.ask(mine.ctx, mine.wants)
		close(mine.done)
		late.Stop()
		back()
	}()
}
