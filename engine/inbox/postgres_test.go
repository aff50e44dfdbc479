package inbox

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/pullbook/pullbook/engine/inbox/postgrestest"
)

// onPostgres makes the tests of this package keep their inboxes in the PostgreSQL database of that address.
const onPostgres = "PULLBOOK_INBOX_TEST_POSTGRES"

// ofFiles are the tests of what only files have: damage, and a place that cannot be read.
const ofFiles = "TestTruncatedDatabase|TestFlippedBit|TestDamagedLog|TestMissingDatabase|TestRecoveredInboxWorks|TestUnreadablePlaceIsNoDamage|TestPostgres"

// TestPostgres runs this package's tests once more, with every inbox in PostgreSQL.
func TestPostgres(t *testing.T) {
	server := postgrestest.Start(t)
	again := exec.CommandContext(t.Context(), os.Args[0], "-test.v", "-test.skip", ofFiles)
	again.Env = append(os.Environ(), onPostgres+"="+server.URL)
	out, err := again.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if n := strings.Count(string(out), "\n--- PASS: "); n < 25 {
		t.Errorf("only %d tests were run:\n%s", n, out)
	}
}

func postgresInbox(t *testing.T, server *postgrestest.Server, schema string) *Inbox {
	t.Helper()
	return open(t, server.URL+"#"+schema)
}

// An inbox for each ledger in one database, and nothing of one in another.
func TestPostgresKeepsLedgersApart(t *testing.T) {
	server := postgrestest.Start(t)
	one, other := postgresInbox(t, server, `acme/ops`), postgresInbox(t, server, `acme/"ops"`)
	put(t, one, Message{Kind: "alert", Key: "a", Due: time.Now().Add(time.Hour)})
	s, err := other.Standing(t.Context())
	if err != nil || s.Timers != 0 {
		t.Errorf("the other ledger's inbox has %+v, %v", s, err)
	}
	if one.Name() == other.Name() || one.Name() == "" {
		t.Errorf("names %q and %q", one.Name(), other.Name())
	}
	for _, schema := range []string{"", strings.Repeat("x", 64), "a\x00b"} {
		if _, err := Open(t.Context(), Config{URL: server.URL, Schema: schema}); err == nil {
			t.Errorf("schema %q was taken", schema)
		}
	}
}

// What was stored is there after the server crashed, and the engine goes on by itself.
func TestPostgresRestart(t *testing.T) {
	server := postgrestest.Start(t)
	in := postgresInbox(t, server, "acme/ops")
	handled := make(chan string, 10)
	start(t, in, script{handle: func(_ context.Context, m Message) error { handled <- m.Key; return nil }})
	put(t, in, Message{Kind: "alert", Key: "before"})
	if got := receive(t, handled); got != "before" {
		t.Fatal(got)
	}
	put(t, in, Message{Kind: "alert", Key: "timer", Due: time.Now().Add(3 * time.Second)})
	if err := in.Bookmarks().Move(t.Context(), "i", "", "before"); err != nil {
		t.Fatal(err)
	}
	server.Restart(t)
	for deadline := time.Now().Add(patience); in.Put(t.Context(), Message{Kind: "alert", Key: "after"}) != nil; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the inbox did not find its server again")
		}
	}
	if err := in.Bookmarks().Move(t.Context(), "i", "before", "after"); err != nil { // the table still has it
		t.Error(err)
	}
	got := map[string]bool{receive(t, handled): true, receive(t, handled): true}
	if !got["timer"] || !got["after"] {
		t.Errorf("handled %v", got)
	}
}

// An engine whose connection was cut, and whose place another one took meanwhile, writes nothing more and stops.
func TestPostgresDeposed(t *testing.T) {
	server := postgrestest.Start(t)
	first := postgresInbox(t, server, "acme/ops")
	if _, err := Open(t.Context(), Config{URL: server.URL, Schema: "acme/ops"}); !errors.Is(err, ErrLocked) {
		t.Fatalf("a second engine got %v", err)
	}
	running, outcome := make(chan string, 1), make(chan struct{})
	ended := make(chan error, 1)
	go func() {
		ended <- first.Run(t.Context(), script{step: func(ctx context.Context, s Step) (json.RawMessage, error) {
			running <- s.Key
			<-outcome
			return json.RawMessage(`"done"`), nil
		}})
	}()
	if err := first.StartStep(t.Context(), Step{Key: "k", Incident: "i"}); err != nil {
		t.Fatal(err)
	}
	receive(t, running)
	if err := first.Bookmarks().Move(t.Context(), "i", "", "1"); err != nil {
		t.Fatal(err)
	}
	// The server's administrator ends the connection; the next engine is there at once.
	admin, err := sql.Open("pgx", server.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	second := takeOver(t, admin, server.URL)
	close(outcome)
	if err := receive(t, ended); !errors.Is(err, ErrLocked) {
		t.Errorf("the deposed engine's run ended with %v", err)
	}
	if err := first.Put(t.Context(), Message{Kind: "alert", Key: "a"}); !errors.Is(err, ErrLocked) {
		t.Errorf("the deposed engine's write: %v", err)
	}
	deposedBookmarks(t, first, second, admin)
	stepIn(t, second, "i", StepLost) // its outcome came after its incident was told that it is lost
}

// takeOver cuts the connections of the engine that has the inbox until another engine gets it.
func takeOver(t *testing.T, admin *sql.DB, url string) *Inbox {
	t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		if _, err := admin.ExecContext(t.Context(), "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'pullbook'"); err != nil {
			t.Fatal(err)
		}
		in, err := Open(t.Context(), Config{URL: url, Schema: "acme/ops"})
		if err == nil {
			t.Cleanup(func() { _ = in.Close() })
			return in
		}
		if !errors.Is(err, ErrLocked) {
			t.Fatal(err)
		}
	}
	t.Fatal("nobody got the inbox")
	panic("unreachable: Fatal ends the test")
}
