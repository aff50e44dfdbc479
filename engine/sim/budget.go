package sim

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/pullbook/pullbook/engine/github"
	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/localhub/limits"
)

// allowance is what the hub of a world with limits grants to the App, whatever processes ask: the limits as localhub counts them, and
// at times a refusal for no reason that could be known.
type allowance struct {
	limits  github.Limits
	limiter *limits.Limiter
	often   int // one request in so many is refused during the trouble
}

// drawLimits gives every fourth world a hub with limits: those of GitHub, or narrow ones.
func (w *World) drawLimits() {
	r := w.dice.limits
	if !oneIn(r, 4) {
		return
	}
	w.smooth = false
	l := pick(r, github.GitHubLimits(), github.Limits{MinWriteInterval: 250 * time.Millisecond, WritesPerMinute: 30, WritesPerHour: 500, PointsPerMinute: 240})
	w.allowance = &allowance{limits: l, often: pick(r, 20, 60), limiter: limits.New(limits.Limits{Points: l.PointsPerMinute, Content: l.WritesPerMinute,
		ContentHour: l.WritesPerHour, WriteGap: l.MinWriteInterval}, func() time.Time { return w.now })}
}

// refusal is an answer 403 or 429 of the hub that asks for silence.
type refusal struct {
	answer *http.Response
	until  time.Time // what it asks for, by the simulation's own reading
}

func (r *refusal) Error() string { return "the hub limits requests (" + canary + ")" }

// Limited is a refusal of the hub that names a time. Only hubs with limits bring it.
const Limited Fault = "limited"

// admit lets the hub refuse a request. It names a time, or none: then a minute is meant.
func (w *World) admit(writes bool) error {
	a := w.allowance
	if a == nil {
		return nil
	}
	pause := time.Duration(0)
	if refused := (*limits.Refusal)(nil); !w.calm && oneIn(w.dice.limits, a.often) {
		pause = between(w.dice.limits, time.Second, 20*time.Second).Truncate(time.Second)
	} else if done, err := a.limiter.Admit(limits.Request{Actor: "app", Write: writes, Content: map[bool]int{true: 1}[writes]}); errors.As(err, &refused) {
		pause = refused.After.Truncate(time.Second) + time.Second
	} else {
		done()
		return nil
	}
	w.tally.Faults[Limited]++
	r := &refusal{answer: &http.Response{StatusCode: pick(w.dice.limits, http.StatusForbidden, http.StatusTooManyRequests), Header: http.Header{}}}
	if r.until = w.now.Add(pause); oneIn(w.dice.limits, 4) {
		r.until = w.now.Add(time.Minute)
	} else {
		r.answer.Header.Set("Retry-After", strconv.Itoa(int(pause.Seconds())))
	}
	return r
}

// purse is the budget of a process. Package github's is one.
type purse interface {
	Read(op string) error
	Write(ctx context.Context, op string, u github.Urgency) (leave func(), err error)
	Silence(until time.Time)
}

// free is the purse in a world without limits.
type free struct{}

func (free) Read(string) error { return nil }

func (free) Write(context.Context, string, github.Urgency) (func(), error) { return func() {}, nil }

func (free) Silence(time.Time) {}

// pace lets a budget wait in the time of the world. Whoever leaves wakes those who wait.
type pace struct {
	w       *World
	waiting []*task
}

func (c *pace) Now() time.Time { return c.w.now }

func (c *pace) After(d time.Duration, do func()) (stop func()) {
	stopped := false
	c.w.in(d, "", func() {
		if !stopped {
			do()
			c.wake()
		}
	})
	return func() { stopped = true }
}

func (c *pace) wake() {
	for _, t := range c.waiting {
		t.wakeNow()
	}
	c.waiting = nil
}

func (c *pace) Await(_ context.Context, turn <-chan struct{}, patience time.Duration) (came bool, err error) {
	c.wake() // who came may have let another one go first
	t, until := c.w.current, c.w.now.Add(patience)
	defer func() { c.waiting = slices.DeleteFunc(c.waiting, func(o *task) bool { return o == t }) }()
	for {
		select {
		case <-turn:
			return true, nil
		default:
		}
		if !c.w.now.Before(until) {
			return false, nil
		}
		c.waiting = append(c.waiting, t)
		c.w.settled = later(c.w.settled, until) // its turn is a timer that is not due
		if !t.sleep(until.Sub(c.w.now)) {
			return false, errDead
		}
	}
}

// newPurse is the budget of a process that begins: what one before it has spent is forgotten.
func (p *process) newPurse() {
	p.pace, p.purse = &pace{w: p.w}, free{}
	if a := p.w.allowance; a != nil {
		p.purse = github.NewBudget(a.limits, p.pace)
	}
	if wrap := p.w.options.purse; wrap != nil {
		p.purse = wrap(p.purse)
	}
}

// request is what leaves a process for the hub.
type request struct {
	process *process
	point   Point
	at      time.Time
	writes  bool

	silent, answered time.Time // what held for its process when it left: until when it had to be silent, and when its last write was answered
	beside           bool      // that one was not answered yet
}

// departs notes that a request leaves.
func (p *process) departs(pt Point, writes bool) {
	if p.w.allowance != nil && !p.dead {
		p.w.fresh.requests = append(p.w.fresh.requests, request{p, pt, p.w.now, writes, p.silent, p.answered, p.writing})
		p.writing = p.writing || writes
	}
}

// reads is a call of the hub that takes some requests and changes nothing.
func (p *process) reads(pt Point, requests int, do func() error) error {
	for range requests {
		if err := p.purse.Read(string(pt)); err != nil {
			return p.limited(err)
		}
		p.departs(pt, false)
	}
	return p.heard(pt, p.call(pt, p.w.admitted(false, do)))
}

// writes is a call of the hub that changes something.
func (p *process) writes(ctx context.Context, pt Point, u github.Urgency, do func() error) error {
	leave, err := p.purse.Write(ctx, string(pt), u)
	if err != nil {
		return p.limited(err)
	}
	p.departs(pt, true)
	defer func() {
		p.answered, p.writing = p.w.now, false
		leave()
		p.pace.wake()
	}()
	return p.heard(pt, p.call(pt, p.w.admitted(true, do)))
}

// admitted does something unless the hub refuses.
func (w *World) admitted(writes bool, do func() error) func() error {
	return func() error {
		if err := w.admit(writes); err != nil {
			return err
		}
		return do()
	}
}

// heard lets the process obey what the hub answers, as package github does.
func (p *process) heard(pt Point, err error) error {
	r, refused := errors.AsType[*refusal](err)
	if !refused || p.dead {
		return err
	}
	p.silent = later(p.silent, r.until)
	p.w.tell(p.name, "is refused %s until %s", pt, r.until.Format(time.TimeOnly))
	until, limited := github.Limit(r.answer, true, p.w.now)
	if !limited {
		return err
	}
	p.purse.Silence(until)
	return p.limited(&github.LimitedError{Op: string(pt), Until: until, Why: "the hub limits requests"})
}

// limited is an error that names a time. Until then nobody can expect that anything comes to rest.
func (p *process) limited(err error) error {
	if e, ok := errors.AsType[*github.LimitedError](err); ok {
		p.w.settled = later(p.w.settled, e.Until)
	}
	return err
}

// urgencyOf is how urgent package github takes a publication to be.
func urgencyOf(n incident.Publication) github.Urgency {
	switch {
	case n.Screen != nil, n.React != 0, len(n.Unasked) > 0:
		return github.Cosmetic
	case n.Check != nil && n.Check.Conclusion == "action_required", len(n.Reviewers) > 0, n.Reopen:
		return github.Urgent
	}
	return github.Ordinary
}

// withinBudget holds every request against what its process had sent before: one write at a time, each a while after the answer to
// the one before, not too many writes and points within a minute and an hour, and nothing before the time that the hub has named. A
// process that stood still between its turn and the request has not counted that time.
func withinBudget(w *World) {
	for _, q := range w.fresh.requests {
		p, l := q.process, w.allowance.limits
		if q.at.Before(q.silent) {
			w.fail("I12", "%s asks %s at %s, and the hub has asked it to be silent until %s", p.name, q.point, q.at.Format(time.TimeOnly), q.silent.Format(time.TimeOnly))
		}
		if q.writes && (q.beside || q.at.Sub(q.answered) < l.MinWriteInterval) {
			w.fail("I12", "%s writes %s, and its last write is not answered, or was %s ago", p.name, q.point, q.at.Sub(q.answered))
		}
		p.sent = append(p.sent, q)
		points, minute, hour := 0, 0, 0
		for _, before := range slices.Backward(p.sent) {
			age := q.at.Sub(before.at)
			switch {
			case age >= time.Hour:
			case age >= time.Minute && before.writes:
				hour++
			case age < time.Minute && before.writes:
				points, minute, hour = points+5, minute+1, hour+1
			case age < time.Minute:
				points++
			}
		}
		if p.stood {
			continue
		}
		if points > l.PointsPerMinute || minute > l.WritesPerMinute || hour > l.WritesPerHour {
			w.fail("I12", "%s asks %s: that makes %d points and %d writes within a minute, and %d writes within an hour", p.name, q.point, points, minute, hour)
		}
	}
}
