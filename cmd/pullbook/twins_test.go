package main

import (
	"bytes"
	"net/http"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/pullbook/pullbook/engine/inbox/postgrestest"
)

// TestTwins runs two engines of one ledger on two machines, as far as an engine can tell: they share nothing but the hub and an
// inbox in PostgreSQL. The one that serves is killed, and the other one goes on: nothing is lost, and nothing happens twice.
func TestTwins(t *testing.T) {
	t.Parallel()
	server := postgrestest.Start(t)
	for _, m := range moments() {
		if m.name != "between intent and effect" && !m.rolled && m.name != "after the push of the gate" {
			continue
		}
		t.Run(m.name, func(t *testing.T) {
			s := newKilling(t, m)
			s.inbox = server.URL
			s.serve(t)
			s.standBy(t)
			s.sendAlert(t)
			s.playPeople(t)
			s.check(t)
			t.Logf("the other engine answered %s after the kill", (<-s.twin.answered).Round(time.Millisecond))
		})
		// The next ledger has the same name, and is another one.
		if out, err := exec.Command("psql", server.URL, "-qc", `DROP SCHEMA "pullbook acme/ops" CASCADE`).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
}

// twin is the engine that stands by.
type twin struct {
	engine   *exec.Cmd
	exited   chan struct{}
	log      bytes.Buffer       // read only when it has exited
	answered chan time.Duration // how long after the kill it answered
}

// standBy starts the twin.
func (s *killing) standBy(t *testing.T) {
	t.Helper()
	s.twin = &twin{answered: make(chan time.Duration, 1)}
	s.twin.engine, s.twin.exited = s.launch("twin", &s.twin.log)
	t.Cleanup(func() {
		if s.engine != s.twin.engine {
			_ = s.twin.engine.Process.Kill()
			<-s.twin.exited
		}
		if t.Failed() {
			t.Logf("the other engine's log:\n%s", s.twin.log.String())
		}
	})
}

// handOver kills the engine that serves: the one that stands by is the scene's engine from then on.
func (s *killing) handOver() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.signal(syscall.SIGKILL)
	s.engine, s.exited = s.twin.engine, s.twin.exited
	killed := time.Now()
	go func() {
		for {
			resp, err := http.Get(s.address() + "/healthz")
			if err == nil {
				_ = resp.Body.Close()
				s.twin.answered <- time.Since(killed)
				return
			}
			select {
			case <-s.twin.exited:
				close(s.twin.answered)
				return
			case <-time.After(20 * time.Millisecond):
			}
		}
	}()
}
