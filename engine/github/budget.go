package github

import (
	"context"
	"time"
)

// Budget says when a request may leave: while the hub has not asked us to be silent, and the limits allow it.
type Budget struct {
	now    func() time.Time
	gate   *gate
	pause  pause
	points points
}

// Pace is the time in which a budget waits: that of the machine, or that of a simulation.
type Pace interface {
	Now() time.Time
	// After does something when a time is over, unless stop is called before.
	After(d time.Duration, do func()) (stop func())
	// Await waits until turn is closed. Came is false when patience was over before, and err says that the context was.
	Await(ctx context.Context, turn <-chan struct{}, patience time.Duration) (came bool, err error)
}

// NewBudget is a budget of which nothing is spent.
func NewBudget(l Limits, pace Pace) *Budget {
	return &Budget{now: pace.Now, gate: newGate(l, pace), points: points{limit: l.PointsPerMinute, now: pace.Now}}
}

// Read takes what one request costs that changes nothing, or fails with a *LimitedError.
func (b *Budget) Read(op string) error { return b.take(op, readPoints) }

// Write waits until a request that changes something may leave, and takes what it costs. After nil, leave has to be called when it
// was answered. A wait that is too long is a *LimitedError.
func (b *Budget) Write(ctx context.Context, op string, u Urgency) (leave func(), err error) {
	if err := b.pause.check(op, b.now()); err != nil {
		return nil, err
	}
	if err := b.gate.enter(ctx, op, u); err != nil {
		return nil, err
	}
	if err := b.take(op, writePoints); err != nil { // asks again about the silence: it may have begun during the wait
		b.gate.leave()
		return nil, err
	}
	return b.gate.leave, nil
}

// Silence lets nothing leave before a time that the hub has named.
func (b *Budget) Silence(until time.Time) { b.pause.extend(until) }

func (b *Budget) take(op string, cost int) error {
	if err := b.pause.check(op, b.now()); err != nil {
		return err
	}
	return b.points.take(op, cost)
}

// clockPace is the time of the machine.
type clockPace struct{ now func() time.Time }

func (p clockPace) Now() time.Time { return p.now() }

func (p clockPace) After(d time.Duration, do func()) (stop func()) {
	alarm := time.AfterFunc(d, do)
	return func() { alarm.Stop() }
}

func (p clockPace) Await(ctx context.Context, turn <-chan struct{}, patience time.Duration) (came bool, err error) {
	alarm := time.NewTimer(patience)
	defer alarm.Stop()
	select {
	case <-turn:
		return true, nil
	case <-ctx.Done():
		return false, ctx.Err()
	case <-alarm.C:
		return false, nil
	}
}
