package gitstore

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// watch is a clock that a test sets.
type watch struct{ at atomic.Int64 }

func newWatch() *watch {
	w := &watch{}
	w.at.Store(at.Unix())
	return w
}

func (w *watch) Now() time.Time          { return time.Unix(w.at.Load(), 0) }
func (w *watch) advance(d time.Duration) { w.at.Add(int64(d / time.Second)) }

func (w *watch) request(t testing.TB, holder string) LeaseRequest {
	return LeaseRequest{Holder: holder, For: 3 * time.Minute, Now: w.Now, Signers: signersOf(t, testSigner(t, 1).AllowedLine("pullbook@acme.test"))}
}

func mustTake(t testing.TB, s *Store, r LeaseRequest) *Tenure {
	t.Helper()
	tenure, err := s.TakeLease(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	return tenure
}

func TestLeaseIsHeldByOne(t *testing.T) {
	h, w := newHub(t, map[string]string{"a": "1"}), newWatch()
	one, two := h.open(t), h.open(t)
	first := mustTake(t, one, w.request(t, "first"))
	_, err := two.TakeLease(t.Context(), w.request(t, "second"))
	var held *HeldError
	if !errors.As(err, &held) || !errors.Is(err, ErrHeld) || held.Lease != first.Lease() {
		t.Fatalf("the second engine was told %v, want that the first one has %+v", err, first.Lease())
	}
	if err := first.Release(t.Context()); err != nil {
		t.Fatal(err)
	}
	if second := mustTake(t, two, w.request(t, "second")); second.Lease().Epoch != 2 {
		t.Errorf("epoch %d after a second taking", second.Lease().Epoch)
	}
	if err := first.Err(); !errors.Is(err, ErrLeaseLost) {
		t.Errorf("who gave it back still holds it: %v", err)
	}
}

func TestLeaseEndsByItself(t *testing.T) {
	h, w := newHub(t, map[string]string{"a": "1"}), newWatch()
	one, two := h.open(t), h.open(t)
	first := mustTake(t, one, w.request(t, "first"))
	w.advance(3*time.Minute - leaseSkew)
	if err := first.Err(); !errors.Is(err, ErrLeaseLost) {
		t.Errorf("shortly before its end the holder may still act: %v", err)
	}
	if _, err := two.TakeLease(t.Context(), w.request(t, "second")); !errors.Is(err, ErrHeld) {
		t.Errorf("a lease was taken before its end: %v", err)
	}
	w.advance(2*leaseSkew - time.Second)
	if _, err := two.TakeLease(t.Context(), w.request(t, "second")); !errors.Is(err, ErrHeld) {
		t.Errorf("a lease was taken while clocks may differ: %v", err)
	}
	w.advance(time.Second)
	mustTake(t, two, w.request(t, "second"))
}

func TestRestartTakesItsOwnLease(t *testing.T) {
	h, w := newHub(t, map[string]string{"a": "1"}), newWatch()
	before := mustTake(t, h.open(t), w.request(t, "first"))
	after := mustTake(t, h.open(t), w.request(t, "first"))
	if before.Lease().Epoch == after.Lease().Epoch {
		t.Error("a restart is not told from the engine before it")
	}
	w.advance(time.Second)
	if err := before.Renew(t.Context()); !errors.Is(err, ErrLeaseLost) {
		t.Errorf("the engine before the restart renewed its lease: %v", err)
	}
}

func TestNothingIsPushedWithoutTheLease(t *testing.T) {
	h, w := newHub(t, map[string]string{"a": "1"}), newWatch()
	one, two := h.open(t), h.open(t)
	first := mustTake(t, one, w.request(t, "first"))
	mustCreate(t, one, "incident/1", h.main, file("x"))
	w.advance(4 * time.Minute)
	mustTake(t, two, w.request(t, "second"))
	if err := one.Flush(t.Context(), FlushRequest{Branch: "incident/1"}); !errors.Is(err, ErrLeaseLost) {
		t.Errorf("an engine whose time was over pushed: %v", err)
	}
	if got := h.head(t, "incident/1"); !got.IsZero() {
		t.Errorf("the branch is at %s", got)
	}
	if err := first.Renew(t.Context()); !errors.Is(err, ErrLeaseLost) {
		t.Errorf("it took its lease back: %v", err)
	}
	mustCreate(t, two, "incident/1", h.main, file("y"))
	mustFlush(t, two, "incident/1")
}

// file is a change of one file.
func file(content string) Change { return one("incidents/f", content) }

func TestRenewalTravelsWithWhatWaits(t *testing.T) {
	h, w := newHub(t, map[string]string{"a": "1"}), newWatch()
	s := h.open(t)
	tenure := mustTake(t, s, w.request(t, "first"))
	before := s.Stats().Pushes
	mustCreate(t, s, "incident/1", h.main, file("x"))
	arrived := make(chan struct{})
	h.setGate(func(rw http.ResponseWriter, r *http.Request, serve http.Handler) {
		if strings.HasSuffix(r.URL.Path, receivePack) && r.Method == http.MethodPost {
			<-arrived
		}
		serve.ServeHTTP(rw, r)
	})
	var all sync.WaitGroup
	all.Add(1)
	go func() { defer all.Done(); mustFlushAsync(t, s, "incident/1") }() // departs alone, and is held up
	waitFor(t, func() bool { return s.Stats().Pushes == before+1 })
	w.advance(time.Minute)
	mustCreate(t, s, "incident/2", h.main, file("y"))
	all.Add(2)
	go func() { defer all.Done(); mustFlushAsync(t, s, "incident/2") }()
	go func() {
		defer all.Done()
		if err := tenure.Renew(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	}()
	waitFor(t, func() bool { s.sched.mu.Lock(); defer s.sched.mu.Unlock(); return len(s.sched.queue) == 2 })
	close(arrived)
	all.Wait()
	if got := s.Stats().Pushes - before; got != 2 {
		t.Errorf("%d pushes, want that the renewal travels with the second", got)
	}
	if !tenure.Lease().Until.Equal(w.Now().Add(3 * time.Minute)) {
		t.Errorf("the lease ends at %s", tenure.Lease().Until)
	}
}

func mustFlushAsync(t *testing.T, s *Store, branch string) {
	if err := s.Flush(context.WithoutCancel(t.Context()), FlushRequest{Branch: branch}); err != nil {
		t.Error(err)
	}
}

func waitFor(t *testing.T, ok func() bool) {
	t.Helper()
	for range 2000 {
		if ok() {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Fatal("waited 10 s in vain")
}

func TestForeignLeaseIsNotFree(t *testing.T) {
	h, w := newHub(t, map[string]string{"a": "1"}), newWatch()
	git(t, h.dir, "update-ref", string(leaseRef), h.main.String())
	if _, err := h.open(t).TakeLease(t.Context(), w.request(t, "first")); err == nil || errors.Is(err, ErrHeld) || !strings.Contains(err.Error(), leaseRef) {
		t.Errorf("a lease that a stranger wrote: %v", err)
	}
}

func TestLeaseOfAnUnknownKey(t *testing.T) {
	h, w := newHub(t, map[string]string{"a": "1"}), newWatch()
	other := h.open(t, func(c *Config) { c.Signer = testSigner(t, 2) })
	r := w.request(t, "other")
	r.Signers = signersOf(t, testSigner(t, 2).AllowedLine("pullbook@acme.test"))
	mustTake(t, other, r)
	w.advance(time.Hour)
	if _, err := h.open(t).TakeLease(t.Context(), w.request(t, "first")); !errors.Is(err, ErrNoSigner) {
		t.Errorf("the lease of a key that nobody allowed: %v", err)
	}
}

func TestBadLeases(t *testing.T) {
	good := Lease{Holder: "host-1", Epoch: 3, Until: at}
	if got, err := parseLease(good.message()); err != nil || got != good {
		t.Fatalf("%+v, %v", got, err)
	}
	for _, message := range []string{"", "host-1 serves this ledger\n", good.message() + "\nmore\n", strings.Replace(good.message(), "3", "03", 1),
		strings.Replace(good.message(), "3", "-3", 1), strings.Replace(good.message(), "2026", "never", 1)} {
		if got, err := parseLease(message); err == nil {
			t.Errorf("%q was read as %+v", message, got)
		}
	}
	s := newHub(t, map[string]string{"a": "1"}).open(t)
	for _, r := range []LeaseRequest{{Holder: "", For: time.Hour}, {Holder: "two words", For: time.Hour}, {Holder: "line\nbreak", For: time.Hour}, {Holder: "short", For: time.Minute}} {
		if _, err := s.TakeLease(t.Context(), r); err == nil {
			t.Errorf("%+v was granted", r)
		}
	}
}

func TestTwoTakeItAtOnce(t *testing.T) {
	h, w := newHub(t, map[string]string{"a": "1"}), newWatch()
	var won atomic.Int32
	var all sync.WaitGroup
	for _, name := range []string{"a", "b", "c", "d"} {
		s := h.open(t)
		all.Add(1)
		go func() {
			defer all.Done()
			switch _, err := s.TakeLease(context.WithoutCancel(t.Context()), w.request(t, name)); {
			case err == nil:
				won.Add(1)
			case !errors.Is(err, ErrHeld):
				t.Error(err)
			}
		}()
	}
	all.Wait()
	if won.Load() != 1 {
		t.Errorf("%d engines hold the lease", won.Load())
	}
}
