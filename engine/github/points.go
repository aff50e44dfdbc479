package github

import (
	"slices"
	"sync"
	"time"
)

// What a request costs of the points of a minute ("Rate limits for the REST API", section "Calculating points for the
// secondary rate limit"). Whether an answer 304 costs one is not documented; it is counted.
const (
	readPoints  = 1
	writePoints = 5
)

// points keeps the requests of a minute below a bound. Nothing waits here: what is over the bound is told when it may be
// asked, since a look that has begun reads many things.
type points struct {
	limit int
	now   func() time.Time

	mu    sync.Mutex
	spent []spending // within the last minute, oldest first
}

type spending struct {
	at     time.Time
	points int
}

// take spends points for one request. A fifth is kept for writes.
func (p *points) take(op string, cost int) error {
	if p.limit <= 0 {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	now, limit, sum := p.now(), p.limit, cost
	if cost == readPoints {
		limit -= limit / 5
	}
	p.spent = slices.DeleteFunc(p.spent, func(s spending) bool { return now.Sub(s.at) >= time.Minute })
	for _, s := range p.spent {
		sum += s.points
	}
	for _, s := range p.spent {
		if sum <= limit {
			break
		}
		if sum -= s.points; sum <= limit {
			return &LimitedError{Op: op, Until: s.at.Add(time.Minute), Why: "the budget for requests is used up"}
		}
	}
	p.spent = append(p.spent, spending{now, cost})
	return nil
}
