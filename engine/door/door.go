// Package door reads the bodies of requests whose senders nobody knows yet: a webhook is verified by its whole body, so
// the body has to be taken in first.
//
// A door has places: so many bodies are read at one time, so much memory do they take. A sender keeps a place while its
// body arrives, for a bounded time.
//
//	request ─ a place is free ────────────────────────── read ─ body
//	        └ all are taken ─ the slowest gives way ─────┘
//	                        └ all have only just come: wait
//
// Who sends slowly therefore keeps nobody out: as soon as somebody else waits, the sender that has sent least for its time
// loses its place. A sender that has only just come is left alone for a moment, so that new ones do not push each other
// out.
//
// The package knows neither what a body means nor who may send one.
package door

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// ErrSlow says that a sender lost its place to others, who waited for it.
var ErrSlow = errors.New("it was sent more slowly than others")

// Door is made by New.
type Door struct {
	places int
	whole  time.Duration
	grace  time.Duration

	mu      sync.Mutex
	senders []*sender     // that have a place, in the order in which they came
	left    chan struct{} // closed when a place becomes free
}

// sender is one request whose body arrives.
type sender struct {
	since    time.Time
	got      atomic.Int64 // bytes
	deadline func(time.Time) error
	slow     atomic.Bool // it has lost its place
}

// New makes a door with so many places. A body has to arrive whole within a time; for a moment at its beginning, grace,
// its sender keeps its place whatever comes.
func New(places int, whole, grace time.Duration) *Door {
	return &Door{places: places, whole: whole, grace: grace, left: make(chan struct{})}
}

// Read takes in a whole body of at most most bytes. Its errors are *http.MaxBytesError, ErrSlow, the end of the request's
// context while it waited for a place, and what reading gives, among it os.ErrDeadlineExceeded. After an error the
// connection reads no more.
func (d *Door) Read(w http.ResponseWriter, r *http.Request, most int64) ([]byte, error) {
	s := &sender{deadline: http.NewResponseController(w).SetReadDeadline}
	if err := d.enter(r.Context(), s); err != nil {
		return nil, err
	}
	defer d.leave(s)
	body, err := io.ReadAll(http.MaxBytesReader(w, counted{r.Body, s}, most))
	switch {
	case s.slow.Load():
		return nil, ErrSlow
	case err != nil:
		return nil, err // the deadline stays: what is left of the body is not waited for
	}
	// Left in place the deadline would end the request's context while its body is dealt with. A writer that has no
	// deadlines belongs to a test; a server's has them.
	_ = s.deadline(time.Time{})
	return body, nil
}

// counted counts what arrives.
type counted struct {
	io.ReadCloser
	by *sender
}

func (c counted) Read(p []byte) (int, error) {
	n, err := c.ReadCloser.Read(p)
	c.by.got.Add(int64(n))
	return n, err
}

// enter waits for a place, or takes that of the slowest.
func (d *Door) enter(ctx context.Context, s *sender) error {
	for {
		left, wait := d.try(s)
		if left == nil {
			return nil
		}
		timer := time.NewTimer(wait)
		select {
		case <-left:
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		}
		timer.Stop()
	}
}

// try gives a sender a place, if there is one for it. Otherwise it returns what to wait for, and how long at most.
func (d *Door) try(s *sender) (left <-chan struct{}, wait time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := time.Now()
	if len(d.senders) >= d.places {
		slowest := d.slowest(now)
		if slowest == nil {
			return d.left, d.grace - now.Sub(d.senders[0].since)
		}
		d.remove(slowest)
		slowest.slow.Store(true)
		_ = slowest.deadline(now) // as in Read
	}
	s.since = now
	_ = s.deadline(now.Add(d.whole)) // as in Read
	d.senders = append(d.senders, s)
	return nil, 0
}

// slowest is who has sent least for its time, of those who have had a moment; nil if nobody has.
func (d *Door) slowest(now time.Time) (slowest *sender) {
	var least float64
	for _, s := range d.senders {
		spent := now.Sub(s.since)
		if spent < d.grace {
			continue
		}
		if rate := float64(s.got.Load()) / max(spent.Seconds(), 1e-9); slowest == nil || rate < least {
			slowest, least = s, rate
		}
	}
	return slowest
}

func (d *Door) leave(s *sender) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.remove(s) {
		close(d.left)
		d.left = make(chan struct{})
	}
}

// remove takes a sender's place away, and reports whether it had one.
func (d *Door) remove(s *sender) bool {
	at := slices.Index(d.senders, s)
	if at >= 0 {
		d.senders = slices.Delete(d.senders, at, at+1)
	}
	return at >= 0
}
