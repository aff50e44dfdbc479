package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/pullbook/pullbook/engine/incident"
)

// TestKill kills `pullbook serve` with SIGKILL at ten moments of the demonstration's incident and starts it again. Each
// time the incident ends merged and verified, and the rollback, which is not idempotent, happens a second time only if a
// person said so.
func TestKill(t *testing.T) {
	for _, m := range moments() {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			s := newKilling(t, m)
			s.serve(t)
			s.sendAlert(t)
			s.playPeople(t)
			s.check(t)
		})
	}
}

// moment is when to kill. Before and after see a request to the hub; rolled sees the rollback's effect. Each says
// whether this is the moment.
type moment struct {
	name   string
	before func(r *http.Request, s *killing) bool // the hub never sees the request
	after  func(r *http.Request, s *killing) bool // the hub has done it, the engine never sees the answer
	rolled bool                                   // the service has rolled back, the engine never sees the answer
}

func moments() []moment {
	push := func(n int32) func(*http.Request, *killing) bool {
		return func(r *http.Request, s *killing) bool { return s.armed.Load() && isPush(r) && s.pushes.Add(1) == n }
	}
	method := func(method, suffix string) func(*http.Request, *killing) bool {
		return func(r *http.Request, _ *killing) bool {
			return r.Method == method && strings.HasSuffix(r.URL.Path, suffix)
		}
	}
	return []moment{
		{name: "after the opening push", after: push(1)},
		{name: "between intent and effect", after: push(3)},
		{name: "between effect and outcome", rolled: true},
		{name: "after an approval", after: func(r *http.Request, s *killing) bool {
			return r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/reviews") && !s.fromEngine(r)
		}},
		{name: "before the merge", before: method(http.MethodPut, "/merge")},
		{name: "after the merge", after: method(http.MethodPut, "/merge")},
		{name: "before the opening push", before: func(r *http.Request, s *killing) bool { return s.armed.Load() && isPush(r) }},
		{name: "after the pull request", after: method(http.MethodPost, "/pulls")},
		{name: "at the first check run", before: method(http.MethodPost, "/check-runs")},
		{name: "after the push of the gate", after: push(2)},
	}
}

// killing is a scene in which the engine is killed at one moment.
type killing struct {
	*scene
	moment moment
	pushes atomic.Int32

	armed  atomic.Bool // the alert is on its way: pushes before it take the ledger
	once   sync.Once
	killed atomic.Bool
	asked  bool // "did it happen?" was asked of the people
	again  bool // a person said that it did not
	twin   *twin
}

func newKilling(t *testing.T, m moment) *killing {
	t.Helper()
	k := &killing{scene: newScene(t, stage{}), moment: m}
	k.startToy(t)
	k.hooks.before.set(func(r *http.Request) bool { return m.before != nil && m.before(r, k) && k.kill() })
	k.hooks.after.set(func(r *http.Request) {
		if m.after != nil && m.after(r, k) {
			k.kill()
		}
	})
	k.hooks.rolled.set(func() {
		if m.rolled {
			k.kill()
		}
	})
	return k
}

// kill ends the engine once, waits until it is gone, and starts another.
func (s *killing) kill() (now bool) {
	s.once.Do(func() {
		now = true
		s.killed.Store(true)
		if s.twin == nil {
			s.restart()
		} else {
			s.handOver()
		}
	})
	return now
}

// sendAlert sends until the engine has taken it, as Alertmanager does.
func (s *killing) sendAlert(t *testing.T) {
	t.Helper()
	s.armed.Store(true)
	d := &show{toy: s.toy, out: io.Discard, svc: &service{listener: addressOf{s.world.hooks.Addr()}}}
	waitFor(t, "the alert is taken", func() bool { return d.sendAlert(t.Context()) == nil })
}

// addressOf is a listener of which only the address is used.
type addressOf struct{ addr net.Addr }

func (a addressOf) Accept() (net.Conn, error) { return nil, net.ErrClosed }
func (a addressOf) Close() error              { return nil }
func (a addressOf) Addr() net.Addr            { return a.addr }

// playPeople answers gates, questions and requests until the pull request is merged.
func (s *killing) playPeople(t *testing.T) {
	t.Helper()
	answered := map[string]bool{}
	once := func(key string, do func() error) {
		if answered[key] {
			return
		}
		answered[key] = true
		if err := do(); err != nil {
			t.Fatal(err)
		}
	}
	waitFor(t, "the incident is merged", func() bool {
		seen := s.seeSlot(t, "")
		if seen.pull == nil || seen.merged() {
			return seen.pull != nil
		}
		ctx, n := t.Context(), seen.pull.GetNumber()
		for _, e := range seen.events {
			switch d := e.Data.(type) {
			case incident.GateOpened:
				once("gate"+d.Page, func() error { return s.world.review(ctx, "alice", n, "/approve "+d.Step) })
			case incident.StepUnknown:
				once(fmt.Sprint("unknown", d.Attempt), func() error { return s.answer(ctx, n, d) })
			case incident.StepStarted:
				if d.Step == "confirm" {
					once(d.Key, func() error { return s.world.comment(ctx, "bob", n, "/done confirm") })
				}
			}
		}
		return false
	})
}

// answer says what a person finds who looks at the service: the release that runs tells whether it happened.
func (s *killing) answer(ctx context.Context, number int, d incident.StepUnknown) error {
	s.asked = true
	s.toy.mu.Lock()
	happened := s.toy.current == goodRelease
	s.toy.mu.Unlock()
	if happened {
		return s.world.comment(ctx, "bob", number, "/did-it-by-hand "+d.Step+" the good release runs")
	}
	s.again = true
	return s.world.comment(ctx, "bob", number, "/retry "+d.Step)
}

// check demands what must hold whatever happened.
func (s *killing) check(t *testing.T) {
	t.Helper()
	waitFor(t, "the moment comes", s.killed.Load) // the merge can be seen a little before the engine is killed after it
	s.awaitHealth(t)
	if n := s.effect.Load(); n != 1 && !s.again {
		t.Errorf("the service was rolled back %d times, and nobody asked for it", n)
	}
	s.verify(t, 1)
	wantsQuestion := s.moment.rolled || s.moment.name == "between intent and effect"
	if s.asked != wantsQuestion {
		t.Errorf("people were asked whether it happened: %t, want %t", s.asked, wantsQuestion)
	}
}
