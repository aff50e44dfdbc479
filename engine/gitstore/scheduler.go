package gitstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

const (
	confirmLimit = 30 * time.Second // for all confirmations of one departure
	pushLimit    = 2 * time.Minute  // for one push, its second look included
	maxBranches  = 200              // branches in one push
)

var errClosed = errors.New("the store is closed")

// FlushRequest asks for one branch's pending commits to be pushed.
type FlushRequest struct {
	Branch string
	// Confirm, if not nil, runs when the push is about to depart: the last
	// look before commits become an intent that others can see. Its error
	// takes the branch out of this push and is what Flush returns, wrapped.
	Confirm func(ctx context.Context) error
}

// Flush blocks until the branch's pending commits are on the hub and returns
// nil at once if there are none. Commits appended while it waits travel along.
// Errors: ErrMoved or ErrRefused in a PushError, what Confirm returned, or
// another one after which the commits are still pending and may be flushed
// again, unless Discard dropped them meanwhile. When ctx ends after the push
// has departed, the outcome is not known and the error says so.
func (s *Store) Flush(ctx context.Context, r FlushRequest) error {
	s.mu.Lock()
	p := s.pending[r.Branch]
	var target Hash
	if p != nil {
		target = p.tip()
	}
	s.mu.Unlock()
	if p == nil {
		return nil
	}
	if err := s.sched.flush(ctx, r); err != nil {
		return err
	}
	// A departure that found nothing of p to carry is no success.
	s.mu.Lock()
	defer s.mu.Unlock()
	if p.has(target) {
		return fmt.Errorf("flush branch %q: commit %s was discarded before it was known to be on the hub", r.Branch, target)
	}
	return nil
}

// again says that a branch has to travel once more.
type again int

const (
	never     again = iota
	nextPush        // with whoever departs next
	alonePush       // by itself: in company the server refused everybody
)

// outcome is what a departure brought one branch.
type outcome struct {
	err   error
	again again
}

// waiter is one Flush in the queue.
type waiter struct {
	ctx   context.Context
	req   FlushRequest
	alone bool
	done  chan error // holds one value
}

// scheduler lets one push depart at a time, with every branch that waits. It
// has a goroutine only while somebody waits.
type scheduler struct {
	push     func(ctx context.Context, branches []string) map[string]outcome
	interval time.Duration
	stop     context.CancelFunc
	life     context.Context
	runs     sync.WaitGroup

	mu      sync.Mutex
	queue   []*waiter
	running bool
	closed  bool
	last    time.Time // when the last push departed
}

func newScheduler(push func(context.Context, []string) map[string]outcome, interval time.Duration) *scheduler {
	s := &scheduler{push: push, interval: interval}
	s.life, s.stop = context.WithCancel(context.Background())
	return s
}

func (s *scheduler) close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.stop()
	s.runs.Wait()
}

func (s *scheduler) flush(ctx context.Context, r FlushRequest) error {
	w := &waiter{ctx: ctx, req: r, done: make(chan error, 1)}
	if !s.enqueue(w) {
		return fmt.Errorf("flush branch %q: %w", r.Branch, errClosed)
	}
	select {
	case err := <-w.done:
		return err
	case <-ctx.Done():
	}
	if s.leave(w) {
		return fmt.Errorf("flush branch %q: %w", r.Branch, ctx.Err())
	}
	// The two may have become ready together: an outcome is worth more.
	select {
	case err := <-w.done:
		return err
	default:
		return fmt.Errorf("flush branch %q: the push may have departed, its outcome is not known: %w", r.Branch, ctx.Err())
	}
}

func (s *scheduler) enqueue(w *waiter) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.queue = append(s.queue, w)
	if !s.running {
		s.running = true
		s.runs.Add(1)
		go s.run()
	}
	return true
}

// leave takes a waiter out of the queue and tells whether it was there.
func (s *scheduler) leave(w *waiter) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.Index(s.queue, w)
	if i < 0 {
		return false
	}
	s.queue = slices.Delete(s.queue, i, i+1)
	return true
}

// run lets pushes depart until nobody waits.
func (s *scheduler) run() {
	defer s.runs.Done()
	for {
		if !s.pause() {
			s.abandon()
			return
		}
		batch := s.board()
		if batch == nil {
			return
		}
		if batch = s.confirm(batch); len(batch) > 0 {
			s.travel(batch)
		}
	}
}

// pause waits until a push may depart; false when the store was closed.
func (s *scheduler) pause() bool {
	s.mu.Lock()
	due := s.last.Add(s.interval)
	s.mu.Unlock()
	if s.life.Err() != nil {
		return false
	}
	wait := time.Until(due)
	if s.interval == 0 || wait <= 0 {
		return true
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-s.life.Done():
		return false
	}
}

func (s *scheduler) abandon() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, w := range s.queue {
		w.done <- fmt.Errorf("flush branch %q: %w", w.req.Branch, errClosed)
	}
	s.queue, s.running = nil, false
}

// board takes those who travel together out of the queue: one waiter a branch,
// or the first alone if it has to be. nil when nobody waits, and then the
// goroutine ends.
func (s *scheduler) board() []*waiter {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.queue) == 0 {
		s.running = false
		return nil
	}
	if s.queue[0].alone {
		first := s.queue[0]
		s.queue = s.queue[1:]
		return []*waiter{first}
	}
	var batch, left []*waiter
	aboard := map[string]bool{}
	for _, w := range s.queue {
		if w.alone || aboard[w.req.Branch] || len(batch) == maxBranches {
			left = append(left, w)
			continue
		}
		aboard[w.req.Branch] = true
		batch = append(batch, w)
	}
	s.queue = left
	return batch
}

// confirm asks everybody at once and gives those who still travel.
func (s *scheduler) confirm(batch []*waiter) []*waiter {
	errs := make([]error, len(batch))
	var asking sync.WaitGroup
	for i, w := range batch {
		asking.Add(1)
		go func() {
			defer asking.Done()
			errs[i] = w.confirm()
		}()
	}
	asking.Wait()
	var going []*waiter
	for i, w := range batch {
		if errs[i] != nil {
			w.done <- fmt.Errorf("flush branch %q: not confirmed: %w", w.req.Branch, errs[i])
			continue
		}
		going = append(going, w)
	}
	return going
}

func (w *waiter) confirm() (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("confirm panicked: %v", p)
		}
	}()
	if w.req.Confirm == nil {
		return w.ctx.Err()
	}
	ctx, cancel := context.WithTimeout(w.ctx, confirmLimit)
	defer cancel()
	if err := w.req.Confirm(ctx); err != nil {
		return err
	}
	return ctx.Err()
}

// travel pushes and tells everybody; who has to travel again stands first.
func (s *scheduler) travel(batch []*waiter) {
	branches := make([]string, len(batch))
	for i, w := range batch {
		branches[i] = w.req.Branch
	}
	s.mu.Lock()
	s.last = time.Now()
	s.mu.Unlock()
	ctx, cancel := context.WithTimeout(s.life, pushLimit)
	defer cancel()
	outcomes := s.push(ctx, branches)
	var back []*waiter
	for _, w := range batch {
		o := outcomes[w.req.Branch]
		if o.again == never {
			w.done <- o.err
			continue
		}
		w.alone = o.again == alonePush
		back = append(back, w)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.queue = append(back, s.queue...)
}
