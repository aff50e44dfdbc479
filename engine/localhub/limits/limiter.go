package limits

import (
	"maps"
	"slices"
	"sync"
	"time"
)

// A Limiter counts requests and refuses those beyond its limits. It is safe for concurrent use.
type Limiter struct {
	limits Limits
	now    func() time.Time

	mu     sync.Mutex
	actors map[string]*actor
	pushes map[string][]spending
}

// New makes a limiter.
func New(l Limits, now func() time.Time) *Limiter {
	return &Limiter{limits: l, now: now, actors: map[string]*actor{}, pushes: map[string][]spending{}}
}

// On says whether anything is limited.
func (l *Limiter) On() bool { return l.limits != Limits{} }

// A Request is what limits are about.
type Request struct {
	Actor   string
	GraphQL bool
	Write   bool
	Content int // how many things it creates
}

func (r Request) resource() string {
	if r.GraphQL {
		return "graphql"
	}
	return "core"
}

func (r Request) points() int {
	if r.Write {
		return 5
	}
	return 1
}

type spending struct {
	at time.Time
	n  int
}

// actor is what one actor has done: primary usage by resource, and the spendings of the last minute or hour.
type actor struct {
	usage   map[string]*Usage
	points  map[string][]spending
	content []spending // of the last hour
	running int
	wrote   time.Time
	seen    time.Time
}

// Usage is how much of the primary limit an actor has used.
type Usage struct {
	Limit, Used int
	Reset       time.Time
}

// Left is what remains. Without a limit it never reads 0, since clients stop by themselves at 0.
func (u Usage) Left() int {
	if u.Limit == 0 {
		return max(u.Shown()-u.Used, 1)
	}
	return max(u.Limit-u.Used, 0)
}

// Shown is the limit that headers tell.
func (u Usage) Shown() int {
	if u.Limit == 0 {
		return GitHub().Primary
	}
	return u.Limit
}

const (
	minute = time.Minute
	hour   = time.Hour
	// grace is how much shorter than the gap the pause between two writes may be, since it is measured where they arrive.
	grace = 100 * time.Millisecond
)

// Admit takes note of a request, or refuses it. An admitted one is ended by calling done.
func (l *Limiter) Admit(r Request) (done func(), err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now, a := l.now(), l.actor(r.Actor)
	if refusal := l.refuse(a, r, now); refusal != nil {
		refusal.Usage = *a.used(r.resource(), l.limits.Primary, now)
		return nil, refusal
	}
	a.points[r.resource()] = append(a.points[r.resource()], spending{now, r.points()})
	if r.Content > 0 {
		a.content = append(a.content, spending{now, r.Content})
	}
	if r.Write {
		a.wrote = now
	}
	a.running++
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		a.running--
	}, nil
}

func (l *Limiter) refuse(a *actor, r Request, now time.Time) *Refusal {
	if u := a.used(r.resource(), l.limits.Primary, now); u.Limit > 0 && u.Used >= u.Limit {
		return &Refusal{Kind: ErrPrimary, Limit: "primary", After: u.Reset.Sub(now)}
	}
	secondary := func(limit string, after time.Duration) *Refusal {
		return &Refusal{Kind: ErrSecondary, Limit: limit, After: after}
	}
	points, name := l.limits.Points, "points"
	if r.GraphQL {
		points, name = l.limits.GraphQLPoints, "graphql-points"
	}
	a.points[r.resource()] = within(a.points[r.resource()], now, minute)
	a.content = within(a.content, now, hour)
	if wait := over(a.points[r.resource()], now, bound{points, minute, r.points()}); wait > 0 {
		return secondary(name, wait)
	}
	if l.limits.Concurrent > 0 && a.running >= l.limits.Concurrent {
		return secondary("concurrent", minute)
	}
	if wait := over(a.content, now, bound{l.limits.ContentHour, hour, r.Content}); wait > 0 {
		return secondary("content-hour", wait)
	}
	if wait := over(within(a.content, now, minute), now, bound{l.limits.Content, minute, r.Content}); wait > 0 {
		return secondary("content", wait)
	}
	if pause := now.Sub(a.wrote); r.Write && l.limits.WriteGap > 0 && pause < l.limits.WriteGap-grace {
		return secondary("write-gap", l.limits.WriteGap-pause)
	}
	return nil
}

// bound is a limit on what may be spent in a time, and what is to be spent now.
type bound struct {
	limit int
	span  time.Duration
	now   int
}

// over is how long to wait until the bound allows what is to be spent; 0: not at all.
func over(spent []spending, now time.Time, b bound) time.Duration {
	if b.limit == 0 || b.now == 0 {
		return 0
	}
	sum := b.now
	for _, s := range spent {
		sum += s.n
	}
	wait := time.Duration(0)
	for _, s := range spent {
		if sum <= b.limit {
			break
		}
		sum -= s.n
		wait = s.at.Add(b.span).Sub(now)
	}
	if sum > b.limit { // more at once than the limit
		return b.span
	}
	return wait
}

func within(spent []spending, now time.Time, span time.Duration) []spending {
	first := slices.IndexFunc(spent, func(s spending) bool { return now.Sub(s.at) < span })
	if first < 0 {
		return nil
	}
	return spent[first:]
}

func (l *Limiter) actor(name string) *actor {
	now := l.now()
	a, ok := l.actors[name]
	if !ok {
		maps.DeleteFunc(l.actors, func(_ string, old *actor) bool { return old.running == 0 && now.Sub(old.seen) > 2*hour })
		a = &actor{usage: map[string]*Usage{}, points: map[string][]spending{}}
		l.actors[name] = a
	}
	a.seen = now
	return a
}

func (a *actor) used(resource string, limit int, now time.Time) *Usage {
	u, ok := a.usage[resource]
	if !ok || !now.Before(u.Reset) {
		u = &Usage{Limit: limit, Reset: now.Add(hour).Truncate(time.Second)}
		a.usage[resource] = u
	}
	return u
}

// Count adds so many requests to what an actor has used of the primary limit, and tells it.
func (l *Limiter) Count(name, resource string, n int) Usage {
	l.mu.Lock()
	defer l.mu.Unlock()
	u := l.actor(name).used(resource, l.limits.Primary, l.now())
	u.Used += n
	return *u
}

// Push takes note of a push to a repository, or refuses it.
func (l *Limiter) Push(repository string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	spent := within(l.pushes[repository], now, minute)
	if wait := over(spent, now, bound{l.limits.Pushes, minute, 1}); wait > 0 {
		return &Refusal{Kind: ErrSecondary, Limit: "pushes", After: wait}
	}
	l.pushes[repository] = append(spent, spending{now, 1})
	return nil
}
