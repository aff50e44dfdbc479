package main

import (
	"net/http"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/pullbook/pullbook/engine/incident"
)

// TestHubAway: an alert that was answered 202 while the hub was away becomes an incident when the hub comes back, also if
// the engine was killed in between. A hub that is slow or fails now and then only takes longer.
func TestHubAway(t *testing.T) {
	t.Parallel()
	s := newScene(t, stage{})
	h := newTroubledHub(s)
	s.serve(t)

	h.down.Store(true)
	group := s.raise(t, alarm{Name: "WhileDown", Labels: map[string]string{}})
	waitFor(t, "the engine has tried", func() bool { return h.refused.Load() >= 3 })
	h.down.Store(false)
	s.await(t, group, "the incident opens when the hub is back", func(v sight) bool { return has[incident.Opened](v) })

	h.down.Store(true)
	group = s.raise(t, alarm{Name: "WhileDownAndKilled", Labels: map[string]string{}})
	s.end(syscall.SIGKILL)
	h.down.Store(false)
	s.mu.Lock()
	s.start()
	s.mu.Unlock()
	s.awaitHealth(t)
	s.await(t, group, "the incident opens after a restart", func(v sight) bool { return has[incident.Opened](v) })

	h.slow.Store(true)
	group = s.raise(t, alarm{Name: "WhileSlow", Labels: map[string]string{}})
	seen := s.await(t, group, "the incident opens slowly", func(v sight) bool { return v.started("look") })
	if err := s.world.comment(t.Context(), "bob", seen.pull.GetNumber(), "/done look"); err != nil {
		t.Fatal(err)
	}
	s.await(t, group, "it is merged", sight.merged)
	if h.failed.Load() == 0 {
		t.Error("the slow hub never failed: the test shows nothing")
	}
	s.verify(t, 3)
}

// troubledHub stands between the engine and the hub.
type troubledHub struct {
	down, slow      atomic.Bool
	refused, failed atomic.Int32
	seen            atomic.Int32
}

// newTroubledHub makes the hub of a scene cut connections while it is down. While it is slow each answer to the engine takes
// 50 ms, and every fifth write that can be repeated fails with 502 after it was done.
func newTroubledHub(s *scene) *troubledHub {
	h := &troubledHub{}
	s.hooks.before.set(func(r *http.Request) bool {
		if !s.fromEngine(r) || !h.down.Load() {
			return false
		}
		h.refused.Add(1)
		return true
	})
	inner := s.world.server.Handler
	s.world.server.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !h.slow.Load() || !s.fromEngine(r) {
			inner.ServeHTTP(w, r)
			return
		}
		time.Sleep(50 * time.Millisecond) // the slowness itself
		if strings.HasSuffix(r.URL.Path, "/check-runs") && h.seen.Add(1)%3 == 0 {
			h.failed.Add(1)
			inner.ServeHTTP(&deaf{header: http.Header{}}, r)
			http.Error(w, "bad gateway", http.StatusBadGateway)
			return
		}
		inner.ServeHTTP(w, r)
	})
	return h
}

// deaf takes an answer that nobody will hear.
type deaf struct{ header http.Header }

func (d *deaf) Header() http.Header         { return d.header }
func (d *deaf) Write(p []byte) (int, error) { return len(p), nil }
func (d *deaf) WriteHeader(int)             {}
