package github

import (
	"context"
	"slices"
	"sync"
	"time"
)

// Limits is the budget for requests. What is zero is not limited; writes go one at a time in any case. GitHub asks for one
// second between writes, and allows 80 requests a minute and 500 an hour that create content, and 900 points a minute ("Rate
// limits for the REST API", section "About secondary rate limits"). Every write is counted as if it created content.
type Limits struct {
	MinWriteInterval time.Duration // between the end of one write and the begin of the next
	WritesPerMinute  int
	WritesPerHour    int
	PointsPerMinute  int // a read takes 1, a write 5
}

// GitHubLimits is what github.com asks of a client.
func GitHubLimits() Limits {
	return Limits{MinWriteInterval: time.Second, WritesPerMinute: 80, WritesPerHour: 500, PointsPerMinute: 900}
}

// Urgency orders the writes that wait.
type Urgency int

// The urgencies, the most urgent first.
const (
	Urgent   Urgency = iota // people or the end of an incident wait for it
	Ordinary                // the record: check runs, comments
	Cosmetic                // may be late: the body, a mark on a comment
)

// longestWait is how long a write waits for its turn. A longer wait belongs into the inbox, not into memory.
const longestWait = 30 * time.Second

// gate lets writes through one at a time, the most urgent first and otherwise in the order in which they came.
type gate struct {
	limits Limits
	pace   Pace
	now    func() time.Time

	mu      sync.Mutex
	busy    bool
	ready   time.Time   // when the interval after the last write is over
	sent    []time.Time // departures within the last hour, oldest first
	waiting []*ticket
	alarm   func() // stops what rings when the first ticket may go; nil when no ticket waits for a time
}

type ticket struct {
	urgency Urgency
	turn    chan struct{} // closed when it is this ticket's turn
}

func newGate(limits Limits, pace Pace) *gate { return &gate{limits: limits, pace: pace, now: pace.Now} }

// enter waits for the turn. After nil the caller must leave. A wait that is too long is a *LimitedError.
func (g *gate) enter(ctx context.Context, op string, u Urgency) error {
	t := &ticket{u, make(chan struct{})}
	g.mu.Lock()
	if at := g.earliest(u, g.now()); at.Sub(g.now()) > longestWait {
		g.mu.Unlock()
		return &LimitedError{Op: op, Until: at, Why: "the budget for writes is used up"}
	}
	g.waiting = append(g.waiting, t)
	g.admit()
	g.mu.Unlock()

	came, err := g.pace.Await(ctx, t.turn, longestWait)
	switch {
	case came || !g.withdraw(t): // or its turn came at the same moment
		return nil
	case err != nil:
		return &Error{Op: op, Message: err.Error(), cause: err}
	}
	return &LimitedError{Op: op, Until: g.now().Add(longestWait), Why: "more urgent writes went first"}
}

// withdraw takes a ticket back, and reports false where its turn has come.
func (g *gate) withdraw(t *ticket) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	i := slices.Index(g.waiting, t)
	if i < 0 {
		return false
	}
	g.waiting = slices.Delete(g.waiting, i, i+1)
	return true
}

// leave ends the turn of the write that entered last.
func (g *gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.busy = false
	g.ready = g.now().Add(g.limits.MinWriteInterval)
	g.admit()
}

// admit opens the gate for the first ticket that may go now, or sets the alarm for when one may. The caller holds mu.
func (g *gate) admit() {
	if g.alarm != nil {
		g.alarm()
		g.alarm = nil
	}
	if g.busy || len(g.waiting) == 0 {
		return
	}
	now := g.now()
	at := [...]time.Time{Urgent: g.earliest(Urgent, now), Ordinary: g.earliest(Ordinary, now), Cosmetic: g.earliest(Cosmetic, now)}
	first, soonest := -1, time.Time{}
	for i, t := range g.waiting {
		due := at[t.urgency]
		if !due.After(now) && (first < 0 || t.urgency < g.waiting[first].urgency) {
			first = i
		}
		if soonest.IsZero() || due.Before(soonest) {
			soonest = due
		}
	}
	if first < 0 {
		g.alarm = g.pace.After(soonest.Sub(now), g.ring)
		return
	}
	t := g.waiting[first]
	g.waiting = slices.Delete(g.waiting, first, first+1)
	g.busy = true
	if g.limits.WritesPerMinute > 0 || g.limits.WritesPerHour > 0 {
		g.sent = append(g.sent, now)
	}
	close(t.turn)
}

func (g *gate) ring() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.admit()
}

// earliest is when a write of an urgency may go. A fifth of each budget is kept for what is urgent. The caller holds mu.
func (g *gate) earliest(u Urgency, now time.Time) time.Time {
	g.sent = slices.DeleteFunc(g.sent, func(t time.Time) bool { return now.Sub(t) >= time.Hour })
	at := now
	if g.ready.After(at) {
		at = g.ready
	}
	for _, w := range []struct {
		limit int
		span  time.Duration
	}{{g.limits.WritesPerMinute, time.Minute}, {g.limits.WritesPerHour, time.Hour}} {
		if w.limit <= 0 {
			continue
		}
		limit := w.limit
		if u != Urgent {
			limit = max(1, limit-limit/5)
		}
		if n := len(g.sent) - limit; n >= 0 {
			if free := g.sent[n].Add(w.span); free.After(at) {
				at = free
			}
		}
	}
	return at
}

// pause is how long the hub has asked us to be silent.
type pause struct {
	mu    sync.Mutex
	until time.Time
}

func (p *pause) check(op string, now time.Time) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if now.Before(p.until) {
		return &LimitedError{Op: op, Until: p.until, Why: "the hub limits requests"}
	}
	return nil
}

func (p *pause) extend(until time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if until.After(p.until) {
		p.until = until
	}
}
