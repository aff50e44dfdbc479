package inbox

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestMessageArrivesWhole(t *testing.T) {
	in := fresh(t)
	handled := make(chan Message, 1)
	start(t, in, script{handle: func(_ context.Context, m Message) error { handled <- m; return nil }})
	due := time.Now().UTC().Truncate(time.Millisecond)
	want := Message{Kind: "alert", Key: "group 'ü' \" % \x01", Body: []byte(`{"labels": {"a": "<&>"}}`), Due: due}
	put(t, in, want)
	if diff := cmp.Diff(want, receive(t, handled)); diff != "" {
		t.Errorf("message differs (-put +handled):\n%s", diff)
	}
}

func TestDeliveryIsPutOnce(t *testing.T) {
	in := fresh(t)
	now := time.Now()
	for _, c := range []struct {
		id    string
		at    time.Time
		fresh bool
	}{
		{"a", now, true}, {"a", now, false}, {"b", now, true}, {"a", now.Add(rememberIDs - time.Minute), false},
		{"a", now.Add(rememberIDs + time.Minute), true}, {"a", now.Add(rememberIDs + 2*time.Minute), false},
	} {
		got, err := in.putOnce(t.Context(), c.id, Message{Kind: "hook", Key: "k"}, c.at)
		if err != nil || got != c.fresh {
			t.Errorf("delivery %s after %s: fresh %v, error %v; want fresh %v", c.id, c.at.Sub(now), got, err, c.fresh)
		}
	}
	if n := count(t, in, "SELECT count(*) FROM message"); n != 3 {
		t.Errorf("%d messages are stored, want 3", n)
	}
	if err := in.forgetIDs(t.Context(), now.Add(rememberIDs+2*time.Minute)); err != nil {
		t.Fatal(err)
	}
	if n := count(t, in, "SELECT count(*) FROM seen"); n != 1 {
		t.Errorf("%d delivery ids are remembered, want the renewed one", n)
	}
}

func TestConcurrentDeliveriesOfOneIDAreStoredOnce(t *testing.T) {
	in := fresh(t)
	var stored atomic.Int32
	var group sync.WaitGroup
	for range 20 {
		group.Go(func() {
			ok, err := in.PutOnce(t.Context(), "id", Message{Kind: "hook", Key: "k"})
			if err != nil {
				t.Error(err)
			}
			if ok {
				stored.Add(1)
			}
		})
	}
	group.Wait()
	if stored.Load() != 1 {
		t.Errorf("%d of 20 equal deliveries were fresh", stored.Load())
	}
}

func count(t *testing.T, in *Inbox, query string) (n int) {
	t.Helper()
	if err := in.db.QueryRowContext(t.Context(), query).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestTimersAreNeverEarlyAndSurviveReopen(t *testing.T) {
	path := place(t)
	in := open(t, path)
	begin := time.Now()
	for i := range 20 {
		put(t, in, Message{Kind: "timer", Key: fmt.Sprint(i % 7), Due: begin.Add(time.Duration(i) * 31337 * time.Microsecond)})
	}
	if err := in.Close(); err != nil {
		t.Fatal(err)
	}
	in = open(t, path)
	type arrival struct{ due, at time.Time }
	arrivals := make(chan arrival, 20)
	start(t, in, script{handle: func(_ context.Context, m Message) error {
		arrivals <- arrival{m.Due, time.Now()}
		return nil
	}})
	// How late they come is a matter of the disk here; BenchmarkTimer measures it.
	for range 20 {
		if a := receive(t, arrivals); a.at.Before(a.due) {
			t.Errorf("timer due %s came %s early", a.due, a.due.Sub(a.at))
		}
	}
}

// A timer in another state would wait for River's elected leader, for seconds, and after a kill for the end of its term.
func TestTimersDoNotWaitForRiversScheduler(t *testing.T) {
	in := fresh(t)
	put(t, in, Message{Kind: "timer", Key: "k", Due: time.Now().Add(time.Hour)})
	check := func() {
		t.Helper()
		if n := count(t, in, "SELECT count(*) FROM river_job WHERE state = 'available' AND scheduled_at > "+in.db.now); n != 1 {
			t.Errorf("%d timers are available later, want 1", n)
		}
	}
	check()
	if err := in.renewTriggers(t.Context()); err != nil {
		t.Fatal(err)
	}
	check()
}

func TestDueIsRoundedUp(t *testing.T) {
	due := time.Unix(1, 1_000_001)
	row, err := newMessageRow(Message{Kind: "timer", Key: "k", Due: due}, time.Unix(0, 0))
	if err != nil || row.due != 1002 {
		t.Errorf("due %d ms, error %v; want 1002", row.due, err)
	}
}

func TestKeyIsHandledInOrderAndAlone(t *testing.T) {
	in := fresh(t)
	const keys, each = 20, 10
	for i := range keys * each {
		put(t, in, Message{Kind: "alert", Key: fmt.Sprint(i % keys), Body: fmt.Append(nil, i)})
	}
	var busy [keys]atomic.Int32
	type handled struct{ key, number int }
	arrivals := make(chan handled, keys*each)
	start(t, in, script{handle: func(_ context.Context, m Message) error {
		var h handled
		if _, err := fmt.Sscan(m.Key+" "+string(m.Body), &h.key, &h.number); err != nil {
			return err
		}
		if busy[h.key].Add(1) != 1 {
			t.Errorf("key %d is handled twice at the same time", h.key)
		}
		defer busy[h.key].Add(-1)
		arrivals <- h
		return nil
	}})
	byKey := map[int][]int{}
	for range keys * each {
		h := receive(t, arrivals)
		byKey[h.key] = append(byKey[h.key], h.number)
	}
	for key, numbers := range byKey {
		if len(numbers) != each || !slices.IsSorted(numbers) {
			t.Errorf("key %d was handled as %v", key, numbers)
		}
	}
}

func TestKeysRunSideBySide(t *testing.T) {
	in := fresh(t)
	const keys = 10
	var all sync.WaitGroup
	all.Add(keys)
	done := make(chan bool, keys)
	start(t, in, script{handle: func(context.Context, Message) error {
		all.Done()
		all.Wait() // returns only if every key is being handled
		done <- true
		return nil
	}})
	for i := range keys {
		put(t, in, Message{Kind: "alert", Key: fmt.Sprint(i)})
	}
	for range keys {
		receive(t, done)
	}
}

func TestHintsCoalesce(t *testing.T) {
	in := fresh(t, "hint")
	for i := range 50 {
		put(t, in, Message{Kind: "hint", Key: "k", Body: fmt.Append(nil, i)})
		put(t, in, Message{Kind: "alert", Key: "k"})
	}
	put(t, in, Message{Kind: "hint", Key: "k", Body: []byte("99"), Due: time.Now().Add(time.Hour)})
	handled, goOn := make(chan Message), make(chan bool)
	start(t, in, script{handle: func(_ context.Context, m Message) error { handled <- m; <-goOn; return nil }})
	first := receive(t, handled)
	if first.Kind != "hint" || string(first.Body) != "49" {
		t.Fatalf("first came %s %s, want the newest hint that is due", first.Kind, first.Body)
	}
	put(t, in, Message{Kind: "hint", Key: "k", Body: []byte("50")})
	goOn <- true
	for i := range 50 {
		if m := receive(t, handled); m.Kind != "alert" {
			t.Errorf("message %d is a %s, want an alert", i, m.Kind)
		}
		goOn <- true
	}
	if m := receive(t, handled); m.Kind != "hint" || string(m.Body) != "50" {
		t.Errorf("got %s %s, want the hint that was put during the handling", m.Kind, m.Body)
	}
	goOn <- true
	waitUntil(t, func() bool { return count(t, in, "SELECT count(*) FROM message") == 1 })
}

// The clock was an hour ahead when handling began, and is right again: a timer that is set meanwhile is not taken with the others.
func TestTimersSetWhileTheClockGoesBackAreNotEarly(t *testing.T) {
	in := fresh(t, "hint")
	now := time.Now()
	soon, ahead := Message{Kind: "hint", Key: "k", Due: now.Add(time.Minute)}, now.Add(time.Hour).UnixMilli()
	put(t, in, soon)
	put(t, in, Message{Kind: "hint", Key: "k", Body: []byte("1")})
	m := moment{began: ahead, now: now.UnixMilli(), last: math.MaxInt64}
	row, found, err := in.nextMessage(t.Context(), "k", m)
	if err != nil || !found || row.last != 2 {
		t.Fatalf("%+v, %t, %v", row, found, err)
	}
	newest, ids, err := in.equalHints(t.Context(), row, ahead)
	if err != nil || len(ids) != 2 || string(newest.body) != "1" || !newest.message().Due.Equal(time.UnixMilli(ceilMilli(soon.Due))) {
		t.Fatalf("%+v of %v, %v; want the newest with the time of the timer, which is taken with it", newest, ids, err)
	}
	put(t, in, soon)
	if err := in.deleteMessages(t.Context(), ids); err != nil {
		t.Fatal(err)
	}
	m.last = row.last
	if row, found, err := in.nextMessage(t.Context(), "k", m); err != nil || found {
		t.Errorf("%+v, %v: the timer was set meanwhile, and comes before its time", row, err)
	}
	m.now = ahead
	if _, found, err := in.nextMessage(t.Context(), "k", m); err != nil || !found {
		t.Errorf("the timer does not come: %v", err)
	}
}

func waitUntil(t *testing.T, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("waited in vain")
		}
	}
}

// A message that fails until another one of its key has been handled: if it held that one up, neither would ever end.
func TestFailedMessageComesBackAndHoldsNobodyUp(t *testing.T) {
	in := fresh(t)
	failed, ended := make(chan bool, 100), make(chan string, 10)
	var others atomic.Int32
	var tries atomic.Int32
	start(t, in, script{handle: func(_ context.Context, m Message) error {
		switch {
		case m.Kind == "good":
			others.Add(1)
		case others.Load() == 0:
			failed <- true
			if tries.Add(1) == 2 {
				panic("one of the failures is a panic")
			}
			return errors.New("not now")
		}
		ended <- m.Kind
		return nil
	}})
	put(t, in, Message{Kind: "bad", Key: "k"})
	receive(t, failed)
	receive(t, failed)
	put(t, in, Message{Kind: "good", Key: "k"})
	if got := []string{receive(t, ended), receive(t, ended)}; !slices.Equal(got, []string{"good", "bad"}) {
		t.Errorf("ended %v", got)
	}
	waitUntil(t, func() bool { return count(t, in, "SELECT count(*) FROM message") == 0 })
}

func TestNewHintSatisfiesOneThatWaitsAfterAFailure(t *testing.T) {
	in := fresh(t)
	handled := make(chan Message)
	results := make(chan error)
	start(t, in, script{handle: func(_ context.Context, m Message) error { handled <- m; return <-results }})
	put(t, in, Message{Kind: KindLook, Key: "k", Body: []byte("1")})
	receive(t, handled)
	results <- errors.New("not now")
	put(t, in, Message{Kind: KindLook, Key: "k", Body: []byte("2")})
	if m := receive(t, handled); string(m.Body) != "2" {
		t.Errorf("got %s, want the newer hint", m.Body)
	}
	results <- nil
	waitUntil(t, func() bool { return count(t, in, "SELECT count(*) FROM message") == 0 })
}

func TestSweepReplacesALostTrigger(t *testing.T) {
	in := fresh(t)
	put(t, in, Message{Kind: "alert", Key: "k"})
	handled := make(chan Message, 1)
	w, err := in.newWorker(t.Context(), script{handle: func(_ context.Context, m Message) error { handled <- m; return nil }})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := in.db.ExecContext(t.Context(), "DELETE FROM river_job"); err != nil {
		t.Fatal(err)
	}
	if err := w.client.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := w.sweep(t.Context(), time.Now().Add(time.Minute)); err != nil {
		t.Error(err)
	}
	receive(t, handled)
	if err := w.stop(t.Context()); err != nil {
		t.Error(err)
	}
}
