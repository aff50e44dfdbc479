package graphql

import (
	"fmt"
	"maps"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/pullbook/pullbook/engine/localhub/state"
)

// hourly is GitHub's points an hour. It is told and not enforced; what is left never reads 0, since clients stop by
// themselves at 0.
const hourly = 5000

// quota counts one actor's points in the current hour; every call costs one.
type quota struct {
	used  int
	reset time.Time
}

func (q quota) left() int { return max(hourly-q.used, 1) }

// write sets GitHub's rate-limit headers.
func (q quota) write(h http.Header) {
	h.Set("X-RateLimit-Limit", strconv.Itoa(hourly))
	h.Set("X-RateLimit-Remaining", strconv.Itoa(q.left()))
	h.Set("X-RateLimit-Used", strconv.Itoa(q.used))
	h.Set("X-RateLimit-Reset", strconv.FormatInt(q.reset.Unix(), 10))
	h.Set("X-RateLimit-Resource", "graphql")
}

type quotas struct {
	mu      sync.Mutex
	byActor map[string]*quota
}

func (all *quotas) count(a state.Actor, now time.Time) quota {
	key := fmt.Sprintf("%d/%d", a.User.ID, a.Installation)
	all.mu.Lock()
	defer all.mu.Unlock()
	q := all.byActor[key]
	if q == nil || !now.Before(q.reset) {
		maps.DeleteFunc(all.byActor, func(_ string, old *quota) bool { return !now.Before(old.reset) })
		q = &quota{reset: now.Add(time.Hour)}
		all.byActor[key] = q
	}
	q.used++
	return *q
}
