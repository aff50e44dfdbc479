package main

import (
	"bytes"
	"errors"
	"net/http"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pullbook/pullbook/engine"
	"github.com/pullbook/pullbook/engine/inbox"
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
		if out, err := exec.Command("psql", server.URL, "-qc", `DROP SCHEMA IF EXISTS "pullbook acme/ops" CASCADE`).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	t.Run("what is done to branches between the two", func(t *testing.T) { twinNotices(t, server.URL) })
	t.Run("a bookmark of the one that was replaced", func(t *testing.T) { deposedMark(t, server.URL) })
}

// twinNotices: the engine that goes on knows where the one that was killed had left each branch, and nothing is kept of incidents that are
// over. The one that stands by is held still as long as nobody serves.
func twinNotices(t *testing.T, database string) {
	s := &killing{scene: newScene(t, stage{open: true, files: map[string]string{"runbooks/gated.cue": gated}})}
	s.inbox = database
	s.serve(t)
	s.standBy(t)
	still := func(sig syscall.Signal) { _ = s.twin.engine.Process.Signal(sig) } // it has not ended before the scene does
	t.Cleanup(func() { still(syscall.SIGCONT) })
	s.noticesMeanwhile(t, func() { still(syscall.SIGSTOP); s.handOver() }, func() { still(syscall.SIGCONT) })
	waitFor(t, "the bookmarks of what was merged are gone", func() bool {
		out, err := exec.Command("psql", database, "-XAtqc", `SELECT COUNT(*) FROM "pullbook acme/ops".bookmark`).CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return strings.TrimSpace(string(out)) == "0"
	})
}

// deposedMark: an engine whose place another one took is told that its bookmark is elsewhere, as one is whose bookmark was moved.
func deposedMark(t *testing.T, database string) {
	open := func() (in *inbox.Inbox) {
		waitFor(t, "the inbox is free", func() (ok bool) {
			var err error
			if in, err = inbox.Open(t.Context(), inbox.Config{URL: database, Schema: "deposed"}); err != nil && !errors.Is(err, inbox.ErrLocked) {
				t.Fatal(err)
			}
			return err == nil
		})
		t.Cleanup(func() { _ = in.Close() })
		return in
	}
	first := sharedBookmarks{open().Bookmarks()}
	if err := first.Mark("a", "", "1"); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("psql", database, "-qc", "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'pullbook'").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	second := sharedBookmarks{open().Bookmarks()}
	waitFor(t, "the engine that was replaced knows it", func() bool { // first it is told that its connection is gone
		err := first.Mark("a", "1", "2")
		if err == nil {
			t.Fatal("the engine that was replaced moves its bookmark")
		}
		return errors.Is(err, engine.ErrMoved)
	})
	if err := second.Mark("a", "0", "2"); !errors.Is(err, engine.ErrMoved) {
		t.Errorf("a bookmark is moved from where it is not: %v", err)
	}
	if kept, err := second.Marks(); err != nil || kept["a"] != "1" {
		t.Errorf("the bookmarks are %v, %v", kept, err)
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
