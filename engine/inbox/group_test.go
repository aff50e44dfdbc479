package inbox

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
)

// TestOneTransactionForAllThatWait has many callers commit while the connection is taken: they share a transaction, one of them fails
// after it has written, one panics, one has gone, and none of that is the others'.
func TestOneTransactionForAllThatWait(t *testing.T) {
	in := fresh(t)
	conn, err := in.db.DB.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	wrong := errors.New("wrong")
	gone, leave := context.WithCancel(t.Context())
	leave()
	row := func(key string) messageRow { return messageRow{kind: "alert", key: key, body: []byte("null")} }
	asks := map[string]func() error{
		"wrong": func() error {
			return in.durably(t.Context(), func(ctx context.Context, u *unit) error {
				return errors.Join(insertMessage(ctx, u, row("wrong"), nil), wrong)
			})
		},
		"panic": func() error {
			return in.durably(t.Context(), func(context.Context, *unit) error { panic("at the disk") })
		},
		"gone": func() error { return in.Put(gone, Message{Kind: "alert", Key: "gone"}) },
	}
	const good = 20
	for i := range good {
		asks[fmt.Sprint(i)] = func() error { return in.Put(t.Context(), Message{Kind: "alert", Key: "good"}) }
	}
	var mu sync.Mutex
	var done sync.WaitGroup
	failed := map[string]error{}
	ask := func(name string, f func() error) {
		done.Go(func() {
			if err := f(); err != nil {
				mu.Lock()
				defer mu.Unlock()
				failed[name] = err
			}
		})
	}
	waits := func(n int) func() bool {
		return func() bool {
			in.group.mu.Lock()
			defer in.group.mu.Unlock()
			return in.group.busy && len(in.group.waiting) == n
		}
	}
	ask("first", asks["0"])
	delete(asks, "0")
	waitUntil(t, waits(0)) // it has the first turn, alone
	for name, f := range asks {
		ask(name, f)
	}
	waitUntil(t, waits(len(asks)))
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
	done.Wait()
	if len(failed) != 3 || !errors.Is(failed["wrong"], wrong) || failed["panic"] == nil || !errors.Is(failed["gone"], context.Canceled) {
		t.Errorf("what failed: %v", failed)
	}
	if n := count(t, in, "SELECT count(*) FROM message"); n != good {
		t.Errorf("%d messages are stored, want %d", n, good)
	}
	if n := count(t, in, "SELECT count(*) FROM river_job"); n != good {
		t.Errorf("%d triggers are stored, want %d", n, good)
	}
}
