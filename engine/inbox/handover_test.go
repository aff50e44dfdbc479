package inbox

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"
)

// triggers counts the triggers that were ever made since the Run began.
func triggers(t *testing.T, in *Inbox) int { return count(t, in, "SELECT count(*) FROM river_job") }

// running starts an inbox and returns when work can be handed over.
func running(t *testing.T, in *Inbox, h Handler) (stop func()) {
	t.Helper()
	stop = start(t, in, h)
	waitUntil(t, func() bool {
		in.mu.Lock()
		w := in.running
		in.mu.Unlock()
		if w == nil {
			return false
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		return w.fetching
	})
	return stop
}

// freshWith is fresh, with so many seats for messages and for steps.
func freshWith(t *testing.T, messages, steps int) *Inbox {
	t.Helper()
	config := at(place(t))
	config.MessageWorkers, config.StepWorkers, config.Grace = messages, steps, 5*time.Second
	in, err := Open(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = in.Close() })
	return in
}

func TestWorkIsHandedOverWithoutATrigger(t *testing.T) {
	in := fresh(t)
	looked, handled := make(chan string, 10), make(chan Message, 10)
	running(t, in, script{
		handle: func(_ context.Context, m Message) error {
			if m.Kind == KindLook {
				looked <- m.Key
			} else {
				handled <- m
			}
			return nil
		},
		step: func(context.Context, Step) (json.RawMessage, error) { return nil, nil },
	})
	for i := range 20 {
		startStep(t, in, Step{Key: fmt.Sprint(i), Incident: "i", Repeatable: i%2 == 0})
		receive(t, looked)
	}
	put(t, in, Message{Kind: "alert", Key: "k"})
	receive(t, handled)
	fresh, err := in.PutOnce(t.Context(), "delivery", Message{Kind: "alert", Key: "k"})
	if err != nil || !fresh {
		t.Fatal(fresh, err)
	}
	receive(t, handled)
	if fresh, err = in.PutOnce(t.Context(), "delivery", Message{Kind: "alert", Key: "k"}); err != nil || fresh {
		t.Error("stored twice", err)
	}
	if n := triggers(t, in); n != 0 {
		t.Errorf("%d triggers were made for what was due at once and had a seat", n)
	}
	put(t, in, Message{Kind: "timer", Key: "k", Due: time.Now().Add(time.Hour)})
	if n := triggers(t, in); n != 1 {
		t.Errorf("%d triggers for a timer, want 1", n)
	}
}

// TestHandoversAndTriggersShareTheSeats begins more work than there are seats, before Run and while it goes on.
func TestHandoversAndTriggersShareTheSeats(t *testing.T) {
	in := freshWith(t, 2, 3)
	const all = 12
	var messages, steps, mostMessages, mostSteps atomic.Int64
	busy := func(now, most *atomic.Int64) {
		n := now.Add(1)
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
		}
	}
	release, done := make(chan struct{}), make(chan string, 10*all)
	h := script{
		handle: func(_ context.Context, m Message) error {
			if m.Kind == KindLook {
				return nil
			}
			busy(&messages, &mostMessages)
			<-release
			messages.Add(-1)
			done <- m.Key
			return nil
		},
		step: func(_ context.Context, s Step) (json.RawMessage, error) {
			busy(&steps, &mostSteps)
			<-release
			steps.Add(-1)
			done <- s.Key
			return nil, nil
		},
	}
	begin := func(from, to int) {
		for i := from; i < to; i++ {
			put(t, in, Message{Kind: "alert", Key: fmt.Sprint("m", i)})
			startStep(t, in, Step{Key: fmt.Sprint("s", i), Incident: fmt.Sprint("i", i)})
		}
	}
	begin(0, all/2)
	running(t, in, h)
	begin(all/2, all)
	waitUntil(t, func() bool { return messages.Load() == 2 && steps.Load() == 3 })
	close(release)
	seen := map[string]int{}
	for range 2 * all {
		seen[receive(t, done)]++
	}
	for key, n := range seen {
		if n != 1 {
			t.Errorf("%s was done %d times", key, n)
		}
	}
	if mostMessages.Load() != 2 || mostSteps.Load() != 3 {
		t.Errorf("%d messages and %d steps at once, want 2 and 3", mostMessages.Load(), mostSteps.Load())
	}
}

// TestStopWaitsForWhatWasHandedOver ends a Run while a step works that no trigger brought.
func TestStopWaitsForWhatWasHandedOver(t *testing.T) {
	in := fresh(t)
	begun, release := make(chan struct{}), make(chan struct{})
	stop := running(t, in, script{step: func(context.Context, Step) (json.RawMessage, error) {
		close(begun)
		<-release
		return json.RawMessage(`{"n": 1}`), nil
	}})
	startStep(t, in, Step{Key: "s", Incident: "i"})
	receive(t, begun)
	stopped := make(chan struct{})
	go func() {
		stop()
		close(stopped)
	}()
	waitUntil(t, func() bool { return in.running.isStopping() })
	put(t, in, Message{Kind: "alert", Key: "k"}) // nothing is handed to a Run that is stopping
	if n := triggers(t, in); n != 1 {
		t.Errorf("%d triggers, want 1: the Run is stopping", n)
	}
	close(release)
	receive(t, stopped)
	if r := stepIn(t, in, "i", StepEnded); string(r.Outcome) != `{"n": 1}` {
		t.Errorf("the outcome is %s", r.Outcome)
	}
}

// TestWhatWaitsForASeatHasNoTrigger puts messages while the only seat is taken: they are handled in the order in which they came, those
// of one key one after the other, and none of them needs a trigger. Beyond a bound the triggers bring what comes.
func TestWhatWaitsForASeatHasNoTrigger(t *testing.T) {
	in := freshWith(t, 1, 1)
	begun, release, handled := make(chan string), make(chan struct{}), make(chan string, 100)
	running(t, in, script{handle: func(_ context.Context, m Message) error {
		if m.Key == "first" {
			begun <- m.Key
			<-release
		}
		handled <- m.Key + m.Kind
		return nil
	}})
	const most = 30
	in.running.mu.Lock()
	in.running.messages.most = most
	in.running.mu.Unlock()
	put(t, in, Message{Kind: "alert", Key: "first"})
	receive(t, begun)
	want := []string{"firstalert"}
	for i := range 20 {
		put(t, in, Message{Kind: "alert", Key: fmt.Sprint(i)})
		want = append(want, fmt.Sprint(i, "alert"), fmt.Sprint(i, "again"))
	}
	for i := range 20 {
		put(t, in, Message{Kind: "again", Key: fmt.Sprint(i)})
	}
	if n := triggers(t, in); n != 0 {
		t.Errorf("%d triggers were made for what waits in memory", n)
	}
	const many = 25
	for i := range many {
		put(t, in, Message{Kind: "alert", Key: fmt.Sprint("many", i)})
	}
	if n := triggers(t, in); n != many-(most-20) {
		t.Errorf("%d triggers, want one for each of the %d messages that found the line full", n, many-(most-20))
	}
	close(release)
	var got []string
	for range len(want) + many {
		got = append(got, receive(t, handled))
	}
	if !slices.Equal(got[:len(want)], want) {
		t.Errorf("handled %v, want first %v", got[:len(want)], want)
	}
	slices.Sort(got)
	if n := len(slices.Compact(got)); n != len(want)+many {
		t.Errorf("%d messages were handled, want %d", n, len(want)+many)
	}
}
