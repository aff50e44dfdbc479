package gitstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// hook installs a server-side hook, a shell script.
func (h *hub) hook(t testing.TB, name, script string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(h.dir, "hooks", name), []byte("#!/bin/sh\n"+script), 0o755); err != nil {
		t.Fatal(err)
	}
}

func TestConcurrentOpeningsHaveOneWinner(t *testing.T) {
	h := newHub(t, ledger(t))
	const engines = 6
	var won atomic.Int64
	var all sync.WaitGroup
	for i := range engines {
		s := h.open(t)
		mustCreate(t, s, "incident/a", h.main, one(incident+"/incident.json", fmt.Sprint(i)))
		all.Add(1)
		go func() {
			defer all.Done()
			err := s.Flush(t.Context(), FlushRequest{Branch: "incident/a"})
			var lost *PushError
			switch {
			case err == nil:
				won.Add(1)
			case !errors.Is(err, ErrMoved) || !errors.As(err, &lost) || lost.Branch != "incident/a" || lost.At.IsZero():
				t.Errorf("loser's error = %v, want ErrMoved with the branch and its place", err)
			}
		}()
	}
	all.Wait()
	if won.Load() != 1 {
		t.Errorf("%d winners, want 1", won.Load())
	}
}

func TestStaleAppendLosesAndDiscardStartsAgain(t *testing.T) {
	h := newHub(t, ledger(t))
	s, other := h.open(t), h.open(t)
	base := mustCreate(t, s, "incident/a", h.main, one(incident+"/incident.json", "{}"))
	mustFlush(t, s, "incident/a")
	theirs := mustAppend(t, other, "incident/a", base, one(incident+"/theirs", "x"))
	mustFlush(t, other, "incident/a")
	mustAppend(t, s, "incident/a", base, one(incident+"/ours", "x"))
	if err := s.Flush(t.Context(), FlushRequest{Branch: "incident/a"}); !errors.Is(err, ErrMoved) {
		t.Fatalf("error = %v, want ErrMoved", err)
	}
	if _, err := s.Append(t.Context(), "incident/a", theirs, one("a", "")); !errors.Is(err, ErrMoved) {
		t.Errorf("append beside pending commits: %v, want ErrMoved", err)
	}
	s.Discard("incident/a")
	ours := mustAppend(t, s, "incident/a", theirs, one(incident+"/ours", "x"))
	mustFlush(t, s, "incident/a")
	if got := h.head(t, "incident/a"); got != ours {
		t.Errorf("hub is at %s, want %s", got, ours)
	}
}

// Two engines with one key that decide alike in the same moment make the same
// commit. Only one of them may act on it.
func TestEqualCommitsOfTwoEnginesHaveOneWinner(t *testing.T) {
	h := newHub(t, ledger(t))
	s, twin := h.open(t), h.open(t)
	base := mustCreate(t, s, "incident/a", h.main, one(incident+"/incident.json", "{}"))
	mustFlush(t, s, "incident/a")
	ours := mustAppend(t, s, "incident/a", base, one(incident+"/intent", "x"))
	if theirs := mustAppend(t, twin, "incident/a", base, one(incident+"/intent", "x")); theirs != ours {
		t.Fatalf("commits %s and %s, want one and the same", ours, theirs)
	}
	mustFlush(t, s, "incident/a")
	if err := twin.Flush(t.Context(), FlushRequest{Branch: "incident/a"}); !errors.Is(err, ErrMoved) {
		t.Errorf("error of the second = %v, want ErrMoved", err)
	}
}

// together flushes the branches in one departure: the first push is held at
// the server until all others wait.
func together(t *testing.T, h *hub, s *Store, branches ...string) map[string]error {
	t.Helper()
	mustCreate(t, s, "incident/first", h.main, one(incident+"/first", "x"))
	arrived, release := make(chan bool), make(chan bool)
	var once sync.Once
	h.setGate(func(w http.ResponseWriter, r *http.Request, serve http.Handler) {
		if r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, receivePack) {
			once.Do(func() { close(arrived); <-release })
		}
		serve.ServeHTTP(w, r)
	})
	waiters := map[string]*waiter{}
	for _, branch := range append([]string{"incident/first"}, branches...) {
		w := &waiter{ctx: t.Context(), req: FlushRequest{Branch: branch}, done: make(chan error, 1)}
		if !s.sched.enqueue(w) {
			t.Fatal("the store is closed")
		}
		waiters[branch] = w
		if branch == "incident/first" {
			<-arrived
		}
	}
	close(release)
	errs := map[string]error{}
	for branch, w := range waiters {
		errs[branch] = <-w.done
	}
	if errs["incident/first"] != nil {
		t.Fatal(errs["incident/first"])
	}
	return errs
}

func TestOneOfSeveralBranchesIsStale(t *testing.T) {
	h := newHub(t, ledger(t))
	s := h.open(t)
	tips := map[string]Hash{}
	for _, b := range []string{"incident/a", "incident/b", "incident/c"} {
		tips[b] = mustCreate(t, s, b, h.main, one("incidents/"+b+"/incident.json", b))
	}
	taken := h.commit(t, "incident/b", h.main, map[string]string{"x": "by hand"})
	errs := together(t, h, s, "incident/a", "incident/b", "incident/c")
	if errs["incident/a"] != nil || errs["incident/c"] != nil || !errors.Is(errs["incident/b"], ErrMoved) {
		t.Errorf("errors = %v, want ErrMoved for b alone", errs)
	}
	if h.head(t, "incident/a") != tips["incident/a"] || h.head(t, "incident/c") != tips["incident/c"] || h.head(t, "incident/b") != taken {
		t.Error("the hub's branches are not where they should be")
	}
	if got := s.Stats().Pushes; got != 2 {
		t.Errorf("%d pushes, want 2: the first, and one for the three that waited", got)
	}
}

func TestRefusedByHook(t *testing.T) {
	h := newHub(t, ledger(t))
	h.hook(t, "update", "echo 'frozen by rule' >&2; exit 1\n")
	s := h.open(t)
	mustCreate(t, s, "incident/a", h.main, one(incident+"/incident.json", "{}"))
	err := s.Flush(t.Context(), FlushRequest{Branch: "incident/a"})
	var refused *PushError
	if !errors.Is(err, ErrRefused) || !errors.As(err, &refused) || refused.Branch != "incident/a" || refused.Reason == "" {
		t.Fatalf("error = %v, want ErrRefused with branch and reason", err)
	}
	// The commits are still there for when the rule is gone.
	h.hook(t, "update", "exit 0\n")
	mustFlush(t, s, "incident/a")
	if h.head(t, "incident/a").IsZero() {
		t.Error("nothing arrived after the rule was lifted")
	}
}

// A pre-receive hook refuses the whole push because of one branch: the others
// get through alone.
func TestWholePushRefusedGoesAlone(t *testing.T) {
	h := newHub(t, ledger(t))
	h.hook(t, "pre-receive", "while read old new ref; do case $ref in */bad) exit 1;; esac; done\n")
	s := h.open(t)
	for _, b := range []string{"incident/a", "incident/bad", "incident/c"} {
		mustCreate(t, s, b, h.main, one("incidents/"+b+"/incident.json", b))
	}
	errs := together(t, h, s, "incident/a", "incident/bad", "incident/c")
	if errs["incident/a"] != nil || errs["incident/c"] != nil || !errors.Is(errs["incident/bad"], ErrRefused) {
		t.Errorf("errors = %v, want ErrRefused for bad alone", errs)
	}
	if got := s.Stats().Pushes; got != 5 {
		t.Errorf("%d pushes, want 5: first, together, and three alone", got)
	}
}

// cutReply lets the server do the next push and loses its answer.
func (h *hub) cutReply() {
	var once sync.Once
	h.setGate(func(w http.ResponseWriter, r *http.Request, serve http.Handler) {
		cut := false
		if r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, receivePack) {
			once.Do(func() { cut = true })
		}
		if !cut {
			serve.ServeHTTP(w, r)
			return
		}
		serve.ServeHTTP(httptest.NewRecorder(), r)
		panic(http.ErrAbortHandler)
	})
}

func TestLostReplyOfAPushThatArrived(t *testing.T) {
	h := newHub(t, ledger(t))
	s := h.open(t)
	tip := mustCreate(t, s, "incident/a", h.main, one(incident+"/incident.json", "{}"))
	h.cutReply()
	mustFlush(t, s, "incident/a")
	if h.head(t, "incident/a") != tip {
		t.Error("success was reported, but nothing arrived")
	}
	if err := s.Flush(t.Context(), FlushRequest{Branch: "incident/a"}); err != nil || s.Stats().Pushes != 1 {
		t.Errorf("flush of nothing: %v, %d pushes", err, s.Stats().Pushes)
	}
}

func TestLostPushThatDidNotArriveMayBeFlushedAgain(t *testing.T) {
	h := newHub(t, ledger(t))
	s := h.open(t)
	tip := mustCreate(t, s, "incident/a", h.main, one(incident+"/incident.json", "{}"))
	h.setGate(func(w http.ResponseWriter, r *http.Request, serve http.Handler) {
		if r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, receivePack) {
			_, _ = io.Copy(io.Discard, r.Body)
			panic(http.ErrAbortHandler)
		}
		serve.ServeHTTP(w, r)
	})
	err := s.Flush(t.Context(), FlushRequest{Branch: "incident/a"})
	if err == nil || errors.Is(err, ErrMoved) || errors.Is(err, ErrRefused) {
		t.Fatalf("error = %v, want one that may pass", err)
	}
	h.setGate(nil)
	mustFlush(t, s, "incident/a")
	if h.head(t, "incident/a") != tip {
		t.Error("the second flush did not bring it")
	}
}

// The reply is lost, the second look fails as well, and a commit is stacked on
// top: the next flush finds the first commit there and says so.
func TestUnknownOutcomeIsFoundOutLater(t *testing.T) {
	h := newHub(t, ledger(t))
	s := h.open(t)
	first := mustCreate(t, s, "incident/a", h.main, one(incident+"/incident.json", "{}"))
	var down atomic.Bool
	h.setGate(func(w http.ResponseWriter, r *http.Request, serve http.Handler) {
		if down.Load() {
			http.Error(w, "down", http.StatusBadGateway)
			return
		}
		if r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, receivePack) {
			down.Store(true)
			serve.ServeHTTP(httptest.NewRecorder(), r)
			panic(http.ErrAbortHandler)
		}
		serve.ServeHTTP(w, r)
	})
	if err := s.Flush(t.Context(), FlushRequest{Branch: "incident/a"}); err == nil {
		t.Fatal("success was reported although nothing is known")
	}
	h.setGate(nil)
	second := mustAppend(t, s, "incident/a", first, one(incident+"/more", "x"))
	err := s.Flush(t.Context(), FlushRequest{Branch: "incident/a"})
	if err == nil || errors.Is(err, ErrMoved) {
		t.Fatalf("error = %v, want one that may pass", err)
	}
	mustFlush(t, s, "incident/a")
	if h.head(t, "incident/a") != second {
		t.Error("the second commit is not there")
	}
}

func TestUnconfirmedBranchStaysHome(t *testing.T) {
	h := newHub(t, ledger(t))
	s := h.open(t)
	mustCreate(t, s, "incident/a", h.main, one(incident+"/incident.json", "{}"))
	withdrawn := errors.New("approval withdrawn")
	err := s.Flush(t.Context(), FlushRequest{Branch: "incident/a", Confirm: func(context.Context) error { return withdrawn }})
	if !errors.Is(err, withdrawn) {
		t.Errorf("error = %v, want the one of Confirm", err)
	}
	if !h.head(t, "incident/a").IsZero() || s.Stats().Pushes != 0 {
		t.Error("it was pushed all the same")
	}
}

// Commits that are discarded while a flush waits for its turn are not on the
// hub, and the flush does not say that they are.
func TestDiscardedWhileWaiting(t *testing.T) {
	h := newHub(t, ledger(t))
	s := h.open(t)
	mustCreate(t, s, "incident/a", h.main, one(incident+"/incident.json", "{}"))
	err := s.Flush(t.Context(), FlushRequest{Branch: "incident/a", Confirm: func(context.Context) error {
		s.Discard("incident/a")
		mustCreate(t, s, "incident/a", h.main, one(incident+"/other.json", "{}"))
		return nil
	}})
	if err == nil {
		t.Error("success was reported for commits that were discarded")
	}
}

// Two flushes of one branch both end well: the second finds its commit there.
func TestTwoFlushesOfOneBranch(t *testing.T) {
	h := newHub(t, ledger(t))
	s := h.open(t)
	mustCreate(t, s, "incident/a", h.main, one(incident+"/incident.json", "{}"))
	ends := make(chan error, 2)
	for range 2 {
		go func() { ends <- s.Flush(t.Context(), FlushRequest{Branch: "incident/a"}) }()
	}
	if err := errors.Join(<-ends, <-ends); err != nil || s.Stats().Pushes != 1 {
		t.Errorf("error %v, %d pushes; want none and 1", err, s.Stats().Pushes)
	}
}
