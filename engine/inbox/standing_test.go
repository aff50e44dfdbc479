package inbox

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"
)

// stands waits until what is left to do is as wanted.
func stands(t *testing.T, in *Inbox, want Standing) {
	t.Helper()
	var got Standing
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		var err error
		if got, err = in.Standing(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got == want {
			return
		}
	}
	t.Fatalf("left to do: %+v, want %+v", got, want)
}

func TestStandingCountsWhatIsLeft(t *testing.T) {
	in := fresh(t)
	stands(t, in, Standing{})
	later := time.Now().Add(time.Hour).UTC().Truncate(time.Millisecond)
	put(t, in, Message{Kind: "alert", Key: "a"})
	put(t, in, Message{Kind: "timer", Key: "b", Due: later.Add(time.Hour)})
	put(t, in, Message{Kind: "timer", Key: "c", Due: later})
	if err := in.StartStep(t.Context(), Step{Key: "s/1", Incident: "z"}); err != nil {
		t.Fatal(err)
	}
	stands(t, in, Standing{Messages: 1, Timers: 2, Next: later, Steps: 1})
	put(t, in, Message{Kind: "other", Key: "b", Due: later.Add(2 * time.Hour)})
	if due, err := in.Due(t.Context()); err != nil || len(due) != 3 || !due["b"].Equal(later.Add(time.Hour)) {
		t.Errorf("due %v, %v", due, err)
	}

	handled, finish := make(chan string), make(chan error)
	running, ended := make(chan bool), make(chan bool)
	start(t, in, script{
		handle: func(_ context.Context, m Message) error {
			if m.Kind == KindLook {
				return nil
			}
			handled <- m.Key
			return <-finish
		},
		step: func(context.Context, Step) (json.RawMessage, error) {
			running <- true
			<-ended
			return json.RawMessage("{}"), nil
		},
	})
	receive(t, running)
	receive(t, handled)
	stands(t, in, Standing{Messages: 1, Timers: 3, Next: later, Steps: 1}) // at work is not done
	ended <- true
	stands(t, in, Standing{Messages: 1, Timers: 3, Next: later})
	finish <- errors.New("not now")
	receive(t, handled) // it is tried again
	if left, err := in.Standing(t.Context()); err != nil || left.Idle() {
		t.Errorf("while it is tried again: %+v, %v", left, err)
	}
	finish <- nil
	stands(t, in, Standing{Timers: 3, Next: later})
}
