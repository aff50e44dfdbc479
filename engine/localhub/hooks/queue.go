package hooks

import "sync"

// queue is an unbounded line: put never waits, since whoever puts holds the state's lock.
type queue[T any] struct {
	mu     sync.Mutex
	some   sync.Cond
	items  []T
	closed bool
}

func newQueue[T any]() *queue[T] {
	q := &queue[T]{}
	q.some.L = &q.mu
	return q
}

func (q *queue[T]) put(x T) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.closed {
		q.items = append(q.items, x)
		q.some.Signal()
	}
}

// take waits for the next item; it answers false once the queue is closed and empty.
func (q *queue[T]) take() (T, bool) {
	list, ok := q.takeUpTo(1)
	if !ok {
		var none T
		return none, false
	}
	return list[0], true
}

// takeUpTo waits for an item and takes with it what follows, up to n in all.
func (q *queue[T]) takeUpTo(n int) ([]T, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.items) == 0 && !q.closed {
		q.some.Wait()
	}
	if len(q.items) == 0 {
		return nil, false
	}
	n = min(n, len(q.items))
	out := append([]T(nil), q.items[:n]...)
	clear(q.items[:n]) // what was taken need not be kept alive by the line
	q.items = q.items[n:]
	return out, true
}

func (q *queue[T]) len() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.items)
}

// end takes nothing more; what is in the line can still be taken.
func (q *queue[T]) end() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.some.Broadcast()
}

// close takes nothing more and gives up what is in the line, which it returns.
func (q *queue[T]) close() []T {
	q.mu.Lock()
	left := q.items
	q.items = nil
	q.mu.Unlock()
	q.end()
	return left
}
