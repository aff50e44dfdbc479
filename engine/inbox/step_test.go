package inbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// looks returns a handle function that reports the incident of every look.
func looks(c chan<- string) func(context.Context, Message) error {
	return func(_ context.Context, m Message) error {
		if m.Kind == KindLook {
			c <- m.Key
		}
		return nil
	}
}

func startStep(t testing.TB, in *Inbox, s Step) {
	t.Helper()
	if err := in.StartStep(t.Context(), s); err != nil {
		t.Fatal(err)
	}
}

func TestStepRunsOnceAndIsLookedAt(t *testing.T) {
	in := fresh(t)
	s := Step{Key: "i1/rollback/1", Incident: "i1", Body: []byte(`{"command":["true"]}`)}
	looked := make(chan string, 10)
	var runs atomic.Int32
	for range 3 {
		startStep(t, in, s)
	}
	start(t, in, script{handle: looks(looked), step: func(_ context.Context, got Step) (json.RawMessage, error) {
		runs.Add(1)
		if diff := cmp.Diff(s, got); diff != "" {
			t.Errorf("step differs (-started +run):\n%s", diff)
		}
		return []byte(`{"exit":0}`), nil
	}})
	if got := receive(t, looked); got != "i1" {
		t.Errorf("look at %s, want i1", got)
	}
	startStep(t, in, s)
	records, err := in.Steps(t.Context(), "i1", 0)
	if err != nil {
		t.Fatal(err)
	}
	want := []StepRecord{{Step: s, State: StepEnded, Starts: 1, Outcome: []byte(`{"exit":0}`), Place: 1}}
	if diff := cmp.Diff(want, records, cmpopts.IgnoreTypes(time.Time{})); diff != "" {
		t.Errorf("records differ (-want +got):\n%s", diff)
	}
	if later, err := in.Steps(t.Context(), "i1", records[0].Place); err != nil || len(later) > 0 {
		t.Errorf("after the last place there are %v: %v", later, err)
	}
	if r := records[0]; r.Queued.IsZero() || r.Started.Before(r.Queued) || r.Ended.Before(r.Started) {
		t.Errorf("times are out of order: %+v", r)
	}
	if runs.Load() != 1 {
		t.Errorf("step ran %d times", runs.Load())
	}
}

func TestRunnerFailureLosesTheStep(t *testing.T) {
	for name, fail := range map[string]func() (json.RawMessage, error){
		"error":      func() (json.RawMessage, error) { return nil, errors.New("no runner") },
		"panic":      func() (json.RawMessage, error) { panic("runner is broken") },
		"no JSON":    func() (json.RawMessage, error) { return []byte("{"), nil },
		"big output": func() (json.RawMessage, error) { return make([]byte, MaxBody+1), nil },
	} {
		t.Run(name, func(t *testing.T) {
			in := fresh(t)
			looked := make(chan string, 10)
			startStep(t, in, Step{Key: "k", Incident: "i"})
			start(t, in, script{handle: looks(looked), step: func(context.Context, Step) (json.RawMessage, error) { return fail() }})
			receive(t, looked)
			if r := stepIn(t, in, "i", StepLost); r.Starts != 1 || r.Outcome != nil || r.Ended.IsZero() {
				t.Errorf("lost step is %+v", r)
			}
		})
	}
}

func TestRepeatableStepIsRepeated(t *testing.T) {
	in := fresh(t)
	looked := make(chan string, 10)
	var runs atomic.Int32
	startStep(t, in, Step{Key: "k", Incident: "i", Repeatable: true})
	start(t, in, script{handle: looks(looked), step: func(context.Context, Step) (json.RawMessage, error) {
		if runs.Add(1) < 3 {
			return nil, errors.New("no runner")
		}
		return nil, nil
	}})
	receive(t, looked)
	if r := stepIn(t, in, "i", StepEnded); r.Starts != 3 || string(r.Outcome) != "null" {
		t.Errorf("repeated step is %+v", r)
	}
}

func TestCancelQueuedStep(t *testing.T) {
	in := fresh(t)
	startStep(t, in, Step{Key: "k", Incident: "i"})
	for _, key := range []string{"k", "k", "unknown"} {
		if err := in.CancelStep(t.Context(), key); err != nil {
			t.Fatal(err)
		}
	}
	looked := make(chan string, 10)
	start(t, in, script{handle: looks(looked)})
	receive(t, looked)
	if r := stepIn(t, in, "i", StepCancelled); r.Starts != 0 || r.Ended.IsZero() {
		t.Errorf("cancelled step is %+v", r)
	}
}

func TestCancelRunningStep(t *testing.T) {
	for _, c := range []struct {
		repeatable bool
		err        error
		want       StepState
	}{
		{false, nil, StepEnded}, {true, nil, StepEnded},
		{false, errors.New("cannot tell"), StepLost}, {true, errors.New("cannot tell"), StepCancelled},
	} {
		t.Run(fmt.Sprint(c), func(t *testing.T) {
			in := fresh(t)
			begun, looked := make(chan bool, 1), make(chan string, 10)
			startStep(t, in, Step{Key: "k", Incident: "i", Repeatable: c.repeatable})
			start(t, in, script{handle: looks(looked), step: func(ctx context.Context, _ Step) (json.RawMessage, error) {
				begun <- true
				<-ctx.Done()
				if cause := context.Cause(ctx); !errors.Is(cause, ErrCancelled) {
					t.Errorf("step was cancelled because of %v, want ErrCancelled", cause)
				}
				return []byte(`{"killed":true}`), c.err
			}})
			receive(t, begun)
			if err := in.CancelStep(t.Context(), "k"); err != nil {
				t.Fatal(err)
			}
			receive(t, looked)
			stepIn(t, in, "i", c.want)
		})
	}
}

func TestForget(t *testing.T) {
	path := place(t)
	in := open(t, path)
	s := Step{Key: "k", Incident: "i"}
	startStep(t, in, s)
	startStep(t, in, Step{Key: "other", Incident: "j"})
	if err := in.Forget(t.Context(), "i"); err == nil {
		t.Error("an incident with a queued step was forgotten")
	}
	if err := in.CancelStep(t.Context(), "k"); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := in.Forget(t.Context(), "i"); err != nil {
			t.Fatal(err)
		}
	}
	startStep(t, in, s)
	if n := count(t, in, "SELECT count(*) FROM step"); n != 1 {
		t.Errorf("%d steps are known, want the other incident's only", n)
	}
}

func TestStepsRunBesideMessagesAndEachOther(t *testing.T) {
	in := fresh(t)
	const steps = 8
	begun, goOn, looked := make(chan string, steps), make(chan bool), make(chan string, steps)
	start(t, in, script{handle: looks(looked), step: func(_ context.Context, s Step) (json.RawMessage, error) {
		begun <- s.Key
		<-goOn
		return nil, nil
	}})
	for i := range steps {
		startStep(t, in, Step{Key: fmt.Sprint(i), Incident: fmt.Sprint("i", i)})
	}
	for range steps {
		receive(t, begun)
	}
	put(t, in, Message{Kind: KindLook, Key: "meanwhile"})
	if got := receive(t, looked); got != "meanwhile" {
		t.Errorf("look at %s while all steps run", got)
	}
	close(goOn)
	for range steps {
		receive(t, looked)
	}
}

func TestStopRecordsWhatACancelledStepReturns(t *testing.T) {
	in, err := Open(t.Context(), Config{Path: filepath.Join(t.TempDir(), "inbox.db"), Grace: 50 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	begun := make(chan bool, 2)
	startStep(t, in, Step{Key: "tells", Incident: "tells"})
	startStep(t, in, Step{Key: "cannot tell", Incident: "cannot tell"})
	stop := start(t, in, script{step: func(ctx context.Context, s Step) (json.RawMessage, error) {
		begun <- true
		<-ctx.Done()
		if s.Key == "tells" {
			return []byte(`"killed"`), nil
		}
		return nil, context.Cause(ctx)
	}})
	receive(t, begun)
	receive(t, begun)
	stop()
	stepIn(t, in, "tells", StepEnded)
	stepIn(t, in, "cannot tell", StepLost)
}
