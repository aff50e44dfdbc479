package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-github/v60/github"

	"github.com/pullbook/pullbook/engine/audit"
	"github.com/pullbook/pullbook/engine/gitstore"
	"github.com/pullbook/pullbook/engine/incident"
)

// TestKill kills `pullbook serve` with SIGKILL at ten moments of the demonstration's incident and starts it again. Each
// time the incident ends merged and verified, and the rollback, which is not idempotent, happens a second time only if a
// person said so.
func TestKill(t *testing.T) {
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("git is not installed")
	}
	for _, m := range moments() {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t, m)
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
	before func(r *http.Request, s *scene) bool // the hub never sees the request
	after  func(r *http.Request, s *scene) bool // the hub has done it, the engine never sees the answer
	rolled bool                                 // the service has rolled back, the engine never sees the answer
}

func moments() []moment {
	push := func(n int32) func(*http.Request, *scene) bool {
		return func(r *http.Request, s *scene) bool { return isPush(r) && s.pushes.Add(1) == n }
	}
	method := func(method, suffix string) func(*http.Request, *scene) bool {
		return func(r *http.Request, _ *scene) bool {
			return r.Method == method && strings.HasSuffix(r.URL.Path, suffix)
		}
	}
	return []moment{
		{name: "after the opening push", after: push(1)},
		{name: "between intent and effect", after: push(3)},
		{name: "between effect and outcome", rolled: true},
		{name: "after an approval", after: func(r *http.Request, s *scene) bool {
			return r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/reviews") && !s.fromEngine(r)
		}},
		{name: "before the merge", before: method(http.MethodPut, "/merge")},
		{name: "after the merge", after: method(http.MethodPut, "/merge")},
		{name: "before the opening push", before: func(r *http.Request, s *scene) bool { return isPush(r) }},
		{name: "after the pull request", after: method(http.MethodPost, "/pulls")},
		{name: "at the first check run", before: method(http.MethodPost, "/check-runs")},
		{name: "after the push of the gate", after: push(2)},
	}
}

func isPush(r *http.Request) bool {
	return r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/git-receive-pack")
}

// scene is a hub and a service in this process, and an engine in another that can be killed.
type scene struct {
	world  *world
	toy    *toy
	moment moment
	pushes atomic.Int32
	log    *bytes.Buffer

	mu     sync.Mutex
	engine *exec.Cmd
	exited chan struct{}
	killed bool
	asked  bool // "did it happen?" was asked of the people
	again  bool // a person said that it did not
	effect atomic.Int32
}

func newScene(t *testing.T, m moment) *scene {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	s := &scene{moment: m, log: &bytes.Buffer{}}
	var err error
	if s.toy, err = startToy(ctx); err != nil {
		t.Fatal(err)
	}
	s.watchToy(t)
	if s.world, err = newWorld(ctx, t.TempDir(), "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.world.close)
	s.world.server.Handler = s.watch(s.world.server.Handler)
	return s
}

// watchToy counts rollbacks and kills the engine after the effect where the moment says so.
func (s *scene) watchToy(t *testing.T) {
	t.Helper()
	inner := s.toy.server.Handler
	s.toy.server.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		inner.ServeHTTP(w, r)
		if r.URL.Path == "/rollback" {
			s.effect.Add(1)
			if s.moment.rolled {
				s.kill()
			}
		}
	})
}

// watch kills the engine before or after a request to the hub.
func (s *scene) watch(inner http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.moment.before != nil && s.moment.before(r, s) && s.kill() {
			panic(http.ErrAbortHandler)
		}
		inner.ServeHTTP(w, r)
		if s.moment.after != nil && s.moment.after(r, s) {
			s.kill()
		}
	})
}

func (s *scene) fromEngine(r *http.Request) bool {
	for _, token := range s.world.tokens {
		if strings.HasSuffix(r.Header.Get("Authorization"), token) {
			return false
		}
	}
	return true
}

// kill ends the engine once, waits until it is gone, and starts another.
func (s *scene) kill() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.killed || s.engine == nil {
		return false
	}
	s.killed = true
	_ = s.engine.Process.Kill() // SIGKILL
	<-s.exited
	s.start()
	return true
}

// serve starts the engine and waits until it answers.
func (s *scene) serve(t *testing.T) {
	t.Helper()
	s.world.hooks.Close() // the address is the engine's from here on
	s.mu.Lock()
	s.start()
	s.mu.Unlock()
	t.Cleanup(func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		_ = s.engine.Process.Kill()
		<-s.exited
		if t.Failed() {
			t.Logf("the engine's log:\n%s", s.log)
		}
	})
	s.waitFor(t, "the engine answers", func() bool {
		resp, err := http.Get("http://" + s.world.hooks.Addr().String() + "/healthz")
		if err != nil {
			return false
		}
		defer resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
}

// start runs this test binary as pullbook serve. The caller holds the lock.
func (s *scene) start() {
	dir := s.world.dir
	cmd := exec.Command(os.Args[0], "serve", "--hub", s.world.url+"/api/v3", "--repo", demoOwner+"/"+demoName, "--app-id", fmt.Sprint(demoAppID),
		"--app-key", filepath.Join(dir, "app.pem"), "--data", filepath.Join(dir, "engine"), "--listen", s.world.hooks.Addr().String(),
		"--webhook-secret-file", filepath.Join(dir, "webhook.secret"), "--signing-key", filepath.Join(dir, "signing_key"),
		"--private-networks", "--limits", "off", "--sweep", "1s")
	cmd.Args[0] = "pullbook"
	cmd.Stdout, cmd.Stderr = s.log, s.log
	s.engine, s.exited = cmd, make(chan struct{})
	if err := cmd.Start(); err != nil {
		panic(err) // unreachable: the binary is this one
	}
	exited := s.exited
	go func() { _ = cmd.Wait(); close(exited) }()
}

func (s *scene) waitFor(t *testing.T, what string, good func() bool) {
	t.Helper()
	deadline := time.Now().Add(90 * time.Second)
	for !good() {
		if time.Now().After(deadline) {
			t.Fatalf("waited too long until %s", what)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// sendAlert sends until the engine has taken it, as Alertmanager does.
func (s *scene) sendAlert(t *testing.T) {
	t.Helper()
	d := &show{toy: s.toy, out: io.Discard, svc: &service{listener: addressOf{s.world.hooks.Addr()}}}
	s.waitFor(t, "the alert is taken", func() bool { return d.sendAlert(t.Context()) == nil })
}

// addressOf is a listener of which only the address is used.
type addressOf struct{ addr net.Addr }

func (a addressOf) Accept() (net.Conn, error) { return nil, net.ErrClosed }
func (a addressOf) Close() error              { return nil }
func (a addressOf) Addr() net.Addr            { return a.addr }

// playPeople answers gates, questions and requests until the pull request is merged.
func (s *scene) playPeople(t *testing.T) {
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
	s.waitFor(t, "the incident is merged", func() bool {
		pull, journal := s.look(t)
		if pull == nil || pull.MergedAt != nil {
			return pull != nil
		}
		ctx, n := t.Context(), pull.GetNumber()
		for _, e := range journal {
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
func (s *scene) answer(ctx context.Context, number int, d incident.StepUnknown) error {
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

// look reads the pull request and the journal on its branch. Both may be missing.
func (s *scene) look(t *testing.T) (*github.PullRequest, []incident.Event) {
	t.Helper()
	c, err := s.world.client("carol")
	if err != nil {
		t.Fatal(err)
	}
	pulls, _, err := c.PullRequests.List(t.Context(), demoOwner, demoName, &github.PullRequestListOptions{State: "all"})
	if err != nil || len(pulls) == 0 {
		return nil, nil
	}
	if len(pulls) > 1 {
		t.Fatalf("%d pull requests for one problem", len(pulls))
	}
	clone, err := gitstore.OpenClone(s.world.bareRepo())
	if err != nil {
		t.Fatal(err)
	}
	defer clone.Close()
	return pulls[0], journalOf(clone, pulls[0].GetHead().GetSHA())
}

// check demands what must hold whatever happened.
func (s *scene) check(t *testing.T) {
	t.Helper()
	if !s.killed {
		t.Fatal("the moment never came: nothing was killed")
	}
	if n := s.effect.Load(); n != 1 && !s.again {
		t.Errorf("the service was rolled back %d times, and nobody asked for it", n)
	}
	clone, err := gitstore.OpenClone(s.world.bareRepo())
	if err != nil {
		t.Fatal(err)
	}
	defer clone.Close()
	trust, err := audit.TrustKey(s.world.fingerprint)
	if err != nil {
		t.Fatal(err)
	}
	report := audit.Verify(clone, audit.Options{Trust: trust})
	if !report.OK() || report.Verdict() != "verified" || len(report.Incidents) != 1 || report.Incidents[0].End == "" {
		text, _ := json.MarshalIndent(report, "", "  ")
		t.Errorf("the history does not verify: %s", text)
	}
	wantsQuestion := s.moment.rolled || s.moment.name == "between intent and effect"
	if s.asked != wantsQuestion {
		t.Errorf("people were asked whether it happened: %t, want %t", s.asked, wantsQuestion)
	}
}
