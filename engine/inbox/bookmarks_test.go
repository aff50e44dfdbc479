package inbox

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"testing"
	"time"

	"github.com/pullbook/pullbook/engine/inbox/postgrestest"
)

// TestPostgresBookmarks: a bookmark is moved only from where it is, and the next engine finds all of them.
func TestPostgresBookmarks(t *testing.T) {
	server := postgrestest.Start(t)
	in := postgresInbox(t, server, "acme/ops")
	steps := []struct {
		branch, from, to string
		elsewhere        bool
	}{
		{"a", "1", "2", true}, // there is none
		{"a", "", "1", false},
		{"a", "", "2", true},
		{"a", "3", "2", true},
		{"a", "1", "2", false},
		{"a", "2", "2", false},
		{"a", "1", "2", false}, // it was moved, and the answer was lost
		{"b", "", "1", false},
		{"a", "1", "1", true},
		{"c", "", "1", false},
		{"c", "nowhere", "", false}, // to take it out, it may be anywhere
		{"c", "", "", false},
		{"c", "1", "2", true},
	}
	for _, s := range steps {
		if err := in.Bookmarks().Move(t.Context(), s.branch, s.from, s.to); errors.Is(err, ErrElsewhere) != s.elsewhere || err != nil && !s.elsewhere {
			t.Errorf("%q from %q to %q: %v", s.branch, s.from, s.to, err)
		}
	}
	want := map[string]string{"a": "2", "b": "1"}
	if got := in.Bookmarks().All(); !maps.Equal(got, want) {
		t.Errorf("the bookmarks are %v, want %v", got, want)
	}
	for _, s := range []struct{ branch, to string }{{"", "1"}, {"a\x00", "1"}, {"a", "\xff"}} {
		if err := in.Bookmarks().Move(t.Context(), s.branch, "", s.to); err == nil || errors.Is(err, ErrElsewhere) {
			t.Errorf("%q to %q: %v", s.branch, s.to, err)
		}
	}
	if err := in.Close(); err != nil {
		t.Fatal(err)
	}
	if got := postgresInbox(t, server, "acme/ops").Bookmarks().All(); !maps.Equal(got, want) {
		t.Errorf("the next engine has the bookmarks %v, want %v", got, want)
	}
	if other := postgresInbox(t, server, "acme/infra").Bookmarks().All(); len(other) != 0 {
		t.Errorf("another ledger has the bookmarks %v", other)
	}
	t.Run("a statement each is not asked for", func(t *testing.T) { bookmarksThatStay(t, postgresInbox(t, server, "acme/many")) })
	t.Run("an inbox from before they were kept there", func(t *testing.T) { olderInbox(t, server) })
	t.Run("damage", func(t *testing.T) { damagedBookmark(t, server) })
}

// bookmarksThatStay: of a thousand open incidents, each of which a start finds where it was left, none costs a statement. With a context that is over
// nothing can be asked.
func bookmarksThatStay(t *testing.T, in *Inbox) {
	place := func(n int) (branch, at string) { return fmt.Sprintf("incident/%d", n), fmt.Sprint(n) }
	for n := range 1000 {
		branch, at := place(n)
		in.bookmarks.note(branch, at)
	}
	over, end := context.WithCancel(t.Context())
	end()
	for n := range 1000 {
		branch, at := place(n)
		if in.Bookmarks().All()[branch] != at {
			t.Fatalf("%s is not at %s", branch, at)
		}
		if err := in.Bookmarks().Move(over, branch, at, at); err != nil {
			t.Fatalf("%s stays at %s: %v", branch, at, err)
		}
	}
	if err := in.Bookmarks().Move(over, "incident/0", "0", "1"); !errors.Is(err, context.Canceled) {
		t.Errorf("what is asked with a context that is over: %v", err)
	}
}

// olderInbox has no table of bookmarks: it gets one, and keeps what it has.
func olderInbox(t *testing.T, server *postgrestest.Server) {
	in := postgresInbox(t, server, "acme/older")
	put(t, in, Message{Kind: "alert", Key: "a", Due: time.Now().Add(time.Hour)})
	if _, err := in.db.ExecContext(t.Context(), "DROP TABLE bookmark"); err != nil {
		t.Fatal(err)
	}
	if err := in.Close(); err != nil {
		t.Fatal(err)
	}
	in = postgresInbox(t, server, "acme/older")
	if err := in.Bookmarks().Move(t.Context(), "a", "", "1"); err != nil || in.Recovered() != "" {
		t.Errorf("%v, recovered: %q", err, in.Recovered())
	}
	if s, err := in.Standing(t.Context()); err != nil || s.Timers != 1 {
		t.Errorf("the inbox has %+v, %v", s, err)
	}
}

// damagedBookmark: what somebody else has written is refused, as everything of a schema that does not check.
func damagedBookmark(t *testing.T, server *postgrestest.Server) {
	in := postgresInbox(t, server, "acme/damaged")
	if err := in.Bookmarks().Move(t.Context(), "a", "", "1"); err != nil {
		t.Fatal(err)
	}
	if _, err := in.db.ExecContext(t.Context(), "UPDATE bookmark SET at = '2'"); err != nil {
		t.Fatal(err)
	}
	if err := in.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), Config{URL: server.URL, Schema: "acme/damaged"}); !errors.Is(err, errDamaged) {
		t.Errorf("a damaged bookmark was taken: %v", err)
	}
}

// A file has no bookmarks: what destroys it must leave them.
func TestFileHasNoBookmarks(t *testing.T) {
	if in := open(t, t.TempDir()+"/inbox.db"); in.Bookmarks() != nil {
		t.Error("the bookmarks are in the file")
	}
}

// deposedBookmarks: an engine whose place another one took moves no bookmark any more, whatever it believes.
func deposedBookmarks(t *testing.T, first, second *Inbox, admin *sql.DB) {
	t.Helper()
	if got := second.Bookmarks().All()["i"]; got != "1" {
		t.Errorf("the second engine has the bookmark at %q", got)
	}
	for _, to := range []string{"2", ""} {
		if err := first.Bookmarks().Move(t.Context(), "i", "1", to); !errors.Is(err, ErrLocked) {
			t.Errorf("the deposed engine moves a bookmark to %q: %v", to, err)
		}
	}
	if err := second.Bookmarks().Move(t.Context(), "i", "1", "3"); err != nil {
		t.Error(err)
	}
	var at string
	if err := admin.QueryRowContext(t.Context(), `SELECT at FROM "acme/ops".bookmark WHERE branch = 'i'`).Scan(&at); err != nil || at != "3" {
		t.Errorf("the bookmark is at %q, %v", at, err)
	}
}
