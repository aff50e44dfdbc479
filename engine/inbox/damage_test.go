package inbox

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// contents is what a caller gave or was told, and must never find changed.
type contents struct {
	Messages []string
	Steps    []string
}

func read(t *testing.T, in *Inbox) (c contents) {
	t.Helper()
	rows, err := in.db.QueryContext(t.Context(), "SELECT kind || ' ' || key || ' ' || body || ' ' || due FROM message ORDER BY id")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var m string
		if err := rows.Scan(&m); err != nil {
			t.Fatal(err)
		}
		c.Messages = append(c.Messages, m)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	_ = rows.Close() // one connection: it is needed for the next query
	for _, incident := range []string{"i0", "i1", "i2"} {
		records, err := in.Steps(t.Context(), incident, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range records {
			c.Steps = append(c.Steps, fmt.Sprintln(r.Key, r.Incident, r.Repeatable, string(r.Body), r.State, string(r.Outcome)))
		}
	}
	return c
}

// filled returns the directory of an inbox with some of everything in it, and what that is.
func filled(t *testing.T) (dir string, in *Inbox, want contents) {
	t.Helper()
	dir = t.TempDir()
	in = open(t, filepath.Join(dir, "inbox.db"))
	for i := range 12 {
		put(t, in, Message{Kind: "alert", Key: fmt.Sprint(i), Body: fmt.Appendf(nil, `{"text":"%0*d"}`, 50*i, i)})
		startStep(t, in, Step{Key: fmt.Sprint(i), Incident: fmt.Sprint("i", i%3), Repeatable: i%2 == 0, Body: []byte(`{"a":1}`)})
	}
	s, _, begun, err := in.beginStep(t.Context(), "0", 1<<60, false)
	if err != nil || !begun {
		t.Fatalf("step was not begun: %v", err)
	}
	if err := in.endStep(t.Context(), s, []byte(`{"exit":0}`)); err != nil {
		t.Fatal(err)
	}
	return dir, in, read(t, in)
}

func copyFile(t *testing.T, from, to string, change func([]byte) []byte) {
	t.Helper()
	data, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, change(data), 0o600); err != nil {
		t.Fatal(err)
	}
}

func unchanged(data []byte) []byte { return data }

// opensAfter opens a copy of the database, with one of its files changed, that must be sound or say that it is not.
func opensAfter(t *testing.T, dir, name string, change func([]byte) []byte) (*Inbox, string) {
	t.Helper()
	scratch := t.TempDir()
	path := filepath.Join(scratch, "inbox.db")
	for _, file := range []string{"inbox.db", "inbox.db-wal", "inbox.db.lock"} {
		if _, err := os.Stat(filepath.Join(dir, file)); err != nil {
			continue
		}
		f := unchanged
		if file == name {
			f = change
		}
		copyFile(t, filepath.Join(dir, file), filepath.Join(scratch, file), f)
	}
	return open(t, path), path
}

// soundOrRecovered is the promise: what is there is what was stored, or the loss is told and the damaged file is kept.
func soundOrRecovered(t *testing.T, in *Inbox, path string, want contents) {
	t.Helper()
	got := read(t, in)
	if in.Recovered() == "" {
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("damage went unnoticed (-stored +found):\n%s", diff)
		}
		return
	}
	if len(got.Messages)+len(got.Steps) != 0 {
		t.Errorf("fresh database is not empty: %v", got)
	}
	if kept, err := filepath.Glob(path + ".corrupt-*"); err != nil || len(kept) == 0 {
		t.Errorf("damaged database was not kept: %v, %v", kept, err)
	}
	put(t, in, Message{Kind: "alert", Key: "k"})
}

func TestTruncatedDatabase(t *testing.T) {
	dir, in, want := filled(t)
	if err := in.Close(); err != nil {
		t.Fatal(err)
	}
	file, err := os.Stat(filepath.Join(dir, "inbox.db"))
	if err != nil {
		t.Fatal(err)
	}
	size := int(file.Size())
	for _, length := range []int{0, 1, 15, 16, 99, 100, 512, 4095, 4096, 4097, size / 2, size / 2 / 4096 * 4096, size - 4096, size - 1} {
		t.Run(fmt.Sprint(length), func(t *testing.T) {
			in, path := opensAfter(t, dir, "inbox.db", func(data []byte) []byte { return data[:length] })
			soundOrRecovered(t, in, path, want)
		})
	}
}

var flips = flag.Int("flips", 40, "at how many places of the file TestFlippedBit flips a bit")

func TestFlippedBit(t *testing.T) {
	dir, in, want := filled(t)
	if err := in.Close(); err != nil {
		t.Fatal(err)
	}
	file, err := os.Stat(filepath.Join(dir, "inbox.db"))
	if err != nil {
		t.Fatal(err)
	}
	var positions []int
	for i := 0; i < 100; i += 5 { // the header
		positions = append(positions, i)
	}
	for i := 100; i < int(file.Size()); i += max(1, int(file.Size()) / *flips) {
		positions = append(positions, i)
	}
	for i, position := range positions {
		t.Run(fmt.Sprint(position), func(t *testing.T) {
			in, path := opensAfter(t, dir, "inbox.db", func(data []byte) []byte {
				data[position] ^= 1 << (i % 8)
				return data
			})
			soundOrRecovered(t, in, path, want)
		})
	}
}

// A changed byte inside a value is what SQLite's own check does not see.
func TestFlippedBitInAValue(t *testing.T) {
	dir, in, want := filled(t)
	if err := in.Close(); err != nil {
		t.Fatal(err)
	}
	for _, value := range []string{`{"text":"`, `{"a":1}`, `{"exit":0}`} {
		t.Run(value, func(t *testing.T) {
			in, path := opensAfter(t, dir, "inbox.db", func(data []byte) []byte {
				flipped := []byte(value)
				flipped[2] ^= 1
				return bytes.ReplaceAll(data, []byte(value), flipped)
			})
			soundOrRecovered(t, in, path, want)
			if in.Recovered() == "" {
				t.Error("the change went unnoticed")
			}
		})
	}
}

// The log of an engine that was killed may be cut or damaged: what is left of it is a beginning of what was stored.
func TestDamagedLog(t *testing.T) {
	dir, in, want := filled(t)
	_ = in // stays open, so that nothing is moved from the log to the database
	file, err := os.Stat(filepath.Join(dir, "inbox.db-wal"))
	if err != nil {
		t.Fatal(err)
	}
	size := int(file.Size())
	for i := range 16 {
		position := i * (size - 1) / 15
		for name, change := range map[string]func([]byte) []byte{
			"cut":  func(data []byte) []byte { return data[:position] },
			"flip": func(data []byte) []byte { data[position] ^= 1 << (i % 8); return data },
		} {
			t.Run(fmt.Sprint(name, position), func(t *testing.T) {
				in, _ := opensAfter(t, dir, "inbox.db-wal", change)
				got := read(t, in)
				if cmp.Diff(want, got) != "" && in.Unread() == "" && in.Recovered() == "" {
					t.Error("the loss was not told")
				}
				if n := len(got.Messages); n > len(want.Messages) || n > 0 && cmp.Diff(want.Messages[:n], got.Messages) != "" {
					t.Errorf("messages are %v, want a beginning of %v", got.Messages, want.Messages)
				}
				put(t, in, Message{Kind: "alert", Key: "k"})
			})
		}
	}
}

func TestMissingDatabase(t *testing.T) {
	for _, lost := range []string{"inbox.db", "inbox.db-wal"} {
		t.Run(lost, func(t *testing.T) {
			dir, in, _ := filled(t)
			scratch := t.TempDir()
			copyFile(t, filepath.Join(dir, "inbox.db.lock"), filepath.Join(scratch, "inbox.db.lock"), unchanged)
			if lost == "inbox.db" {
				copyFile(t, filepath.Join(dir, "inbox.db-wal"), filepath.Join(scratch, "inbox.db-wal"), unchanged)
			}
			if err := in.Close(); err != nil {
				t.Fatal(err)
			}
			again := open(t, filepath.Join(scratch, "inbox.db"))
			if again.Recovered() == "" {
				t.Error("the loss was not told")
			}
			if got := read(t, again); len(got.Messages)+len(got.Steps) != 0 {
				t.Errorf("a log without its database was played: %v", got)
			}
		})
	}
}

func TestRecoveredInboxWorks(t *testing.T) {
	path := filepath.Join(t.TempDir(), "inbox.db")
	if err := os.WriteFile(path, []byte("this has never been a database, but it is long enough to look like one"), 0o600); err != nil {
		t.Fatal(err)
	}
	in := open(t, path)
	if in.Recovered() == "" {
		t.Error("the loss was not told")
	}
	handled := make(chan Message, 1)
	start(t, in, script{
		handle: func(_ context.Context, m Message) error { handled <- m; return nil },
		step:   func(context.Context, Step) (json.RawMessage, error) { return nil, nil },
	})
	put(t, in, Message{Kind: "alert", Key: "k"})
	receive(t, handled)
}

func TestUnreadablePlaceIsNoDamage(t *testing.T) {
	path := filepath.Join(t.TempDir(), "inbox.db")
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	if in, err := Open(t.Context(), Config{Path: path}); err == nil {
		_ = in.Close()
		t.Error("a directory was opened as a database")
	}
	if _, err := os.Stat(path); err != nil {
		t.Errorf("what could not be opened was moved: %v", err)
	}
}

// A log that was cut is read as far as it is whole, wherever that is. A step that must not begin twice, and that counts as queued
// again, is lost.
func TestCutLogBeginsNoStepTwice(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "inbox.db")
	killed(t, path, func(lines []string) bool { return has(lines, "running once") && has(lines, "running repeatable") })
	log, err := os.ReadFile(path + "-wal")
	if err != nil {
		t.Fatal(err)
	}
	const header, frame = 32, 24 + 4096 // https://sqlite.org/fileformat2.html#the_write_ahead_log
	forgotten := 0
	for length := header; length < len(log) && forgotten < 3; length += frame {
		scratch := t.TempDir()
		if err := os.CopyFS(scratch, os.DirFS(dir)); err != nil {
			t.Fatal(err)
		}
		cut := filepath.Join(scratch, "inbox.db")
		if err := errors.Join(os.Truncate(cut+"-wal", int64(length)), os.Remove(cut+"-shm")); err != nil {
			t.Fatal(err)
		}
		if stateOf(t, cut, "once") != StepQueued {
			continue
		}
		forgotten++
		in := open(t, cut)
		start(t, in, script{handle: looks(make(chan string, 100)), step: func(_ context.Context, s Step) (json.RawMessage, error) {
			if s.Key == "once" {
				t.Errorf("with %d bytes of the log the step begins once more", length)
			}
			return nil, nil
		}})
		stepIn(t, in, "once", StepLost)
	}
	if forgotten == 0 {
		t.Error("nowhere does the cut log take the step for queued: the test shows nothing")
	}
}

// stateOf is what a file says of a step; empty: nothing.
func stateOf(t *testing.T, path, key string) (state StepState) {
	t.Helper()
	db, err := bare(path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	_ = db.QueryRowContext(t.Context(), "SELECT state FROM step WHERE key = $1", key).Scan(&state) // the table may not be there yet
	return state
}

func TestMarksGoWithTheirSteps(t *testing.T) {
	path := filepath.Join(t.TempDir(), "inbox.db")
	in := open(t, path)
	marks := func() int {
		files, err := filepath.Glob(path + ".begun/*")
		if err != nil {
			t.Fatal(err)
		}
		return len(files)
	}
	stop := start(t, in, script{handle: looks(make(chan string, 100)), step: func(context.Context, Step) (json.RawMessage, error) { return nil, nil }})
	for i, s := range []Step{{Key: "a", Incident: "i"}, {Key: "b", Incident: "j"}, {Key: "c", Incident: "i", Repeatable: true}} {
		startStep(t, in, s)
		waitUntil(t, func() bool { return count(t, in, "SELECT count(*) FROM step WHERE state = 'ended'") == i+1 })
	}
	if n := marks(); n != 2 {
		t.Errorf("%d marks, want those of two steps", n)
	}
	if err := in.Forget(t.Context(), "i"); err != nil {
		t.Fatal(err)
	}
	if n := marks(); n != 1 {
		t.Errorf("%d marks after the first was forgotten", n)
	}
	stop()
}
