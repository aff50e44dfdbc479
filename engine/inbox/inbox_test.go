package inbox

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// patience is how long a test waits for what must happen; nothing is decided by it when all is well.
const patience = 20 * time.Second

// script is a Handler made of functions.
type script struct {
	handle func(context.Context, Message) error
	step   func(context.Context, Step) (json.RawMessage, error)
}

func (s script) Handle(ctx context.Context, m Message) error {
	if s.handle == nil {
		return nil
	}
	return s.handle(ctx, m)
}

func (s script) RunStep(ctx context.Context, step Step) (json.RawMessage, error) {
	if s.step == nil {
		return nil, errors.New("no step was expected")
	}
	return s.step(ctx, step)
}

// place is where a new inbox of a test is: a file, or a schema of a database.
func place(t testing.TB) string {
	if url := os.Getenv(onPostgres); url != "" {
		return url + "#" + strings.ToLower(rand.Text())
	}
	return filepath.Join(t.TempDir(), "inbox.db")
}

// at is the configuration of an inbox at a place.
func at(place string) Config {
	if url, schema, found := strings.Cut(place, "#"); found {
		return Config{URL: url, Schema: schema}
	}
	return Config{Path: place}
}

func open(t testing.TB, place string, hints ...string) *Inbox {
	t.Helper()
	config := at(place)
	config.Hints, config.Grace, config.Logger = hints, 5*time.Second, slog.New(slog.DiscardHandler)
	in, err := Open(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = in.Close() })
	return in
}

func fresh(t testing.TB, hints ...string) *Inbox {
	t.Helper()
	return open(t, place(t), hints...)
}

// start runs the inbox until the returned function is called, or the test ends.
func start(t testing.TB, in *Inbox, h Handler) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- in.Run(ctx, h) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("run: %v", err)
		}
	})
	t.Cleanup(stop)
	return stop
}

func put(t testing.TB, in *Inbox, m Message) {
	t.Helper()
	if err := in.Put(t.Context(), m); err != nil {
		t.Fatal(err)
	}
}

func receive[T any](t testing.TB, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patience):
		t.Fatal("nothing came")
		panic("unreachable: Fatal ends the test")
	}
}

// stepIn waits until the incident's only step is in the state.
func stepIn(t testing.TB, in *Inbox, incident string, want StepState) StepRecord {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		records, err := in.Steps(t.Context(), incident, 0)
		if err != nil {
			t.Fatal(err)
		}
		if len(records) == 1 && records[0].State == want {
			return records[0]
		}
		if time.Now().After(deadline) {
			t.Fatalf("steps of %s are %+v, want one that is %s", incident, records, want)
		}
	}
}

func TestSecondEngineIsKeptOut(t *testing.T) {
	path := place(t)
	first := open(t, path)
	if _, err := Open(t.Context(), at(path)); !errors.Is(err, ErrLocked) {
		t.Fatalf("second engine got %v, want ErrLocked", err)
	}
	put(t, first, Message{Kind: "alert", Key: "a"})
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	second := open(t, path)
	if got := second.Recovered(); got != "" {
		t.Errorf("recovered %q from a sound database", got)
	}
}

func TestOnlyOneRun(t *testing.T) {
	in := fresh(t)
	handled := make(chan Message)
	start(t, in, script{handle: func(_ context.Context, m Message) error { handled <- m; return nil }})
	put(t, in, Message{Kind: "alert", Key: "a"})
	receive(t, handled)
	if err := in.Run(t.Context(), script{}); err == nil {
		t.Error("a second Run began beside the first")
	}
}

func TestRunAgain(t *testing.T) {
	in := fresh(t)
	handled := make(chan string, 4)
	for i := range 2 {
		stop := start(t, in, script{handle: func(_ context.Context, m Message) error { handled <- m.Key; return nil }})
		put(t, in, Message{Kind: "alert", Key: fmt.Sprint(i)})
		if got := receive(t, handled); got != fmt.Sprint(i) {
			t.Errorf("run %d handled %s", i, got)
		}
		stop()
	}
}

func TestStopCancelsWhatOutlivesTheGrace(t *testing.T) {
	in, err := Open(t.Context(), Config{Path: filepath.Join(t.TempDir(), "inbox.db"), Grace: 50 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	begun, causes := make(chan bool), make(chan error, 1)
	stop := start(t, in, script{handle: func(ctx context.Context, _ Message) error {
		begun <- true
		<-ctx.Done()
		causes <- context.Cause(ctx)
		return ctx.Err()
	}})
	put(t, in, Message{Kind: "alert", Key: "a"})
	receive(t, begun)
	stop()
	if cause := receive(t, causes); !errors.Is(cause, ErrStopping) {
		t.Errorf("handler was cancelled because of %v, want ErrStopping", cause)
	}
	again := make(chan Message, 1)
	start(t, in, script{handle: func(_ context.Context, m Message) error { again <- m; return nil }})
	receive(t, again)
}

func TestBadInputIsRefused(t *testing.T) {
	in := fresh(t)
	long := strings.Repeat("x", maxName+1)
	big := json.RawMessage(`"` + string(make([]byte, MaxBody)) + `"`)
	for name, m := range map[string]Message{
		"no kind": {Key: "k"}, "no key": {Kind: "k"}, "long key": {Kind: "k", Key: long}, "zero byte": {Kind: "k", Key: "a\x00b"}, "no UTF-8": {Kind: "k", Key: "a\xff"},
		"no JSON": {Kind: "k", Key: "k", Body: []byte("{")}, "big": {Kind: "k", Key: "k", Body: big},
	} {
		if err := in.Put(t.Context(), m); err == nil {
			t.Errorf("%s: message was stored", name)
		}
		s := Step{Key: m.Key, Incident: m.Kind, Body: m.Body}
		if err := in.StartStep(t.Context(), s); err == nil {
			t.Errorf("%s: step was stored", name)
		}
	}
	if _, err := in.PutOnce(t.Context(), "", Message{Kind: "k", Key: "k"}); err == nil {
		t.Error("a delivery without an id was stored")
	}
	if _, err := Open(t.Context(), Config{}); err == nil {
		t.Error("an inbox without a path was opened")
	}
}

func TestBackoffGrowsToAMinute(t *testing.T) {
	last := time.Duration(0)
	for failures := 1; failures < 100; failures++ {
		pause := backoff(failures)
		if pause < last || pause < 250*time.Millisecond || pause > time.Minute {
			t.Errorf("pause after %d failures is %s after %s", failures, pause, last)
		}
		last = pause
	}
	if last != time.Minute {
		t.Errorf("longest pause is %s", last)
	}
}

// TestRunToldToStopAtOnce: a stop that comes while Run starts is orderly, and loses nothing.
func TestRunToldToStopAtOnce(t *testing.T) {
	in := fresh(t)
	put(t, in, Message{Kind: "alert", Key: "a"})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := in.Run(ctx, script{}); err != nil {
		t.Errorf("run: %v", err)
	}
	got := make(chan Message, 1)
	start(t, in, script{handle: func(_ context.Context, m Message) error { got <- m; return nil }})
	if m := receive(t, got); m.Key != "a" {
		t.Errorf("got the message %+v, want the one that was put", m)
	}
}
