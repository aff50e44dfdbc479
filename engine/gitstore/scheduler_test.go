package gitstore

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// logbook stands for the hub: it notes who travelled when.
type logbook struct {
	mu     sync.Mutex
	start  time.Time
	lines  []string
	answer func(branches []string) map[string]outcome
	takes  time.Duration
}

func (l *logbook) push(ctx context.Context, branches []string) map[string]outcome {
	l.mu.Lock()
	l.lines = append(l.lines, time.Since(l.start).String()+" "+strings.Join(branches, " "))
	l.mu.Unlock()
	select {
	case <-time.After(l.takes):
	case <-ctx.Done():
		out := map[string]outcome{}
		for _, b := range branches {
			out[b] = outcome{err: ctx.Err()}
		}
		return out
	}
	if l.answer == nil {
		return nil
	}
	return l.answer(branches)
}

func (l *logbook) is(t *testing.T, want ...string) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	if !slices.Equal(l.lines, want) {
		t.Errorf("departures %q, want %q", l.lines, want)
	}
}

// flushing starts a flush and gives where its end will appear.
func flushing(s *scheduler, ctx context.Context, branch string, confirm func(context.Context) error) <-chan error {
	done := make(chan error, 1)
	go func() { done <- s.flush(ctx, FlushRequest{Branch: branch, Confirm: confirm}) }()
	synctest.Wait()
	return done
}

func TestFirstPushGoesAtOnceAndOthersShareTheNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &logbook{start: time.Now(), takes: time.Second}
		s := newScheduler(log.push, 10*time.Second)
		defer s.close()
		ends := []<-chan error{flushing(s, t.Context(), "a", nil), flushing(s, t.Context(), "b", nil), flushing(s, t.Context(), "c", nil), flushing(s, t.Context(), "b", nil)}
		for _, end := range ends {
			if err := <-end; err != nil {
				t.Error(err)
			}
		}
		log.is(t, "0s a", "10s b c", "20s b")
		time.Sleep(time.Hour)
		if err := <-flushing(s, t.Context(), "d", nil); err != nil {
			t.Error(err)
		}
		log.is(t, "0s a", "10s b c", "20s b", "1h0m21s d")
	})
}

func TestNoIntervalPushesOneAfterTheOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &logbook{start: time.Now(), takes: time.Second}
		s := newScheduler(log.push, 0)
		defer s.close()
		a, b := flushing(s, t.Context(), "a", nil), flushing(s, t.Context(), "b", nil)
		if err := errors.Join(<-a, <-b); err != nil {
			t.Error(err)
		}
		log.is(t, "0s a", "1s b")
	})
}

// Confirm is asked when the push departs, not before, and only its own branch
// stays behind.
func TestConfirmIsAskedAtDeparture(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &logbook{start: time.Now()}
		s := newScheduler(log.push, 10*time.Second)
		defer s.close()
		<-flushing(s, t.Context(), "a", nil)
		var asked time.Duration
		no := errors.New("no")
		b := flushing(s, t.Context(), "b", func(context.Context) error { asked = time.Since(log.start); return no })
		c := flushing(s, t.Context(), "c", func(context.Context) error { return nil })
		d := flushing(s, t.Context(), "d", func(context.Context) error { panic("bug") })
		if err := <-b; !errors.Is(err, no) || asked != 10*time.Second {
			t.Errorf("asked at %s, error %v", asked, err)
		}
		if err := <-c; err != nil {
			t.Error(err)
		}
		if err := <-d; err == nil {
			t.Error("a confirmation that panicked let the branch go")
		}
		log.is(t, "0s a", "10s c")
	})
}

// When everybody stays behind nothing departs, and the interval does not start.
func TestNobodyTravels(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &logbook{start: time.Now()}
		s := newScheduler(log.push, 10*time.Second)
		defer s.close()
		hangs := func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
		if err := <-flushing(s, t.Context(), "a", hangs); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error = %v", err)
		}
		<-flushing(s, t.Context(), "b", nil)
		log.is(t, confirmLimit.String()+" b")
	})
}

func TestRefusedTogetherTravelAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &logbook{start: time.Now(), takes: time.Second}
		bad := errors.New("bad")
		log.answer = func(branches []string) map[string]outcome {
			out := map[string]outcome{}
			for _, b := range branches {
				if len(branches) > 1 {
					out[b] = outcome{again: alonePush}
				} else if b == "b" {
					out[b] = outcome{err: bad}
				}
			}
			return out
		}
		s := newScheduler(log.push, 10*time.Second)
		defer s.close()
		a := flushing(s, t.Context(), "a", nil)
		b, c := flushing(s, t.Context(), "b", nil), flushing(s, t.Context(), "c", nil)
		if err := errors.Join(<-a, <-c); err != nil {
			t.Error(err)
		}
		if err := <-b; !errors.Is(err, bad) {
			t.Errorf("error = %v, want the server's", err)
		}
		log.is(t, "0s a", "10s b c", "20s b", "30s c")
	})
}

func TestCancelledFlush(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &logbook{start: time.Now(), takes: 5 * time.Second}
		s := newScheduler(log.push, 10*time.Second)
		defer s.close()
		ctx, cancel := context.WithCancel(t.Context())
		travelling, waiting := flushing(s, ctx, "a", nil), flushing(s, ctx, "b", nil)
		cancel()
		for _, end := range []<-chan error{travelling, waiting} {
			if err := <-end; !errors.Is(err, context.Canceled) {
				t.Errorf("error = %v, want cancelled", err)
			}
		}
		if err := <-flushing(s, t.Context(), "c", nil); err != nil {
			t.Error(err)
		}
		log.is(t, "0s a", "10s c")
	})
}

func TestCloseEndsEveryFlush(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &logbook{start: time.Now(), takes: time.Hour}
		s := newScheduler(log.push, 10*time.Second)
		travelling, waiting := flushing(s, t.Context(), "a", nil), flushing(s, t.Context(), "b", nil)
		s.close()
		if err := <-travelling; !errors.Is(err, context.Canceled) {
			t.Errorf("travelling: %v", err)
		}
		if err := <-waiting; !errors.Is(err, errClosed) {
			t.Errorf("waiting: %v", err)
		}
		if err := s.flush(t.Context(), FlushRequest{Branch: "c"}); !errors.Is(err, errClosed) {
			t.Errorf("after the end: %v", err)
		}
	})
}
