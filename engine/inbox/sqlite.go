package inbox

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"time"

	"github.com/riverqueue/river/riverdriver/riversqlite"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// sqliteSchema is format 0 of the file. Times are Unix milliseconds. The constraints are there for the integrity check: it
// reports a row that breaks one, so a flipped bit in a state is found.
const sqliteSchema = `
CREATE TABLE IF NOT EXISTS message (
	id       INTEGER PRIMARY KEY AUTOINCREMENT,
	kind     TEXT NOT NULL,
	key      TEXT NOT NULL,
	body     BLOB NOT NULL,
	due      INTEGER NOT NULL,
	retry    INTEGER NOT NULL CHECK (retry >= due),
	failures INTEGER NOT NULL DEFAULT 0 CHECK (failures >= 0),
	sum      INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS message_by_key ON message (key, retry);
CREATE INDEX IF NOT EXISTS message_by_retry ON message (retry, key);
CREATE TABLE IF NOT EXISTS step (
	key         TEXT PRIMARY KEY,
	incident    TEXT NOT NULL,
	repeatable  INTEGER NOT NULL CHECK (repeatable IN (0, 1)),
	body        BLOB NOT NULL,
	sum         INTEGER NOT NULL,
	state       TEXT NOT NULL CHECK (state IN ('queued', 'running', 'ended', 'lost', 'cancelled')),
	cancel      INTEGER NOT NULL DEFAULT 0 CHECK (cancel IN (0, 1)),
	starts      INTEGER NOT NULL DEFAULT 0 CHECK (starts >= 0),
	ready       INTEGER NOT NULL,
	queued_at   INTEGER NOT NULL,
	started_at  INTEGER NOT NULL DEFAULT 0,
	ended_at    INTEGER NOT NULL DEFAULT 0,
	outcome     BLOB,
	outcome_sum INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS step_by_incident ON step (incident);
CREATE INDEX IF NOT EXISTS step_by_state ON step (state, ready);
CREATE TABLE IF NOT EXISTS spent (key TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS seen (id TEXT PRIMARY KEY, at INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS seen_by_time ON seen (at);
`

// minPage is the smallest page of SQLite in bytes: it takes a shorter file for a new database.
const minPage = 512

// openSQLite takes the lock beside the file, and then the file.
func openSQLite(ctx context.Context, path string, log *slog.Logger) (*database, string, error) {
	lock, existed, err := lockFile(path + ".lock")
	if err != nil {
		return nil, "", err
	}
	unread, err := unreadEnd(path+"-wal", leftOpen(lock))
	if err != nil {
		return nil, "", errors.Join(err, lock.Close())
	}
	db, recovered, err := openFile(ctx, path, existed, log)
	if err != nil {
		return nil, "", errors.Join(err, lock.Close())
	}
	if unread != "" && recovered == "" {
		// What was not read is not to be found again by the next engine. If this fails, it is told once more.
		_, _ = db.ExecContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)")
		unread = fmt.Sprintf("the end of the log %s-wal was not read: %s", path, unread)
	}
	if recovered != "" && existed {
		recovered += lastOpened(path + ".lock")
	}
	_, _ = lock.WriteAt([]byte(openMark), 0) // a loss is told with less, if this fails
	unlock := func() error { return errors.Join(lock.Truncate(0), lock.Close()) }
	return &database{DB: db, river: riversqlite.New(db), unlock: unlock, durably: synced, unread: unread,
		numbers: "SELECT value FROM json_each($1)", now: "datetime('now', 'subsec')", arrival: "rowid", line: make(chan struct{}, 1)}, recovered, nil
}

// openMark stands in the lock file as long as an engine has the inbox, and after it was killed.
const openMark = "open\n"

func leftOpen(lock *os.File) bool {
	file, err := lock.Stat()
	return err == nil && file.Size() > 0
}

// lastOpened says when an engine had the inbox last: when it opened it, if it was killed. The time is that of the lock file.
func lastOpened(lock string) string {
	file, err := os.Stat(lock)
	if err != nil {
		return ""
	}
	return "; an engine had it open last at " + file.ModTime().UTC().Format(time.RFC3339)
}

// synced is durably of a database, for SQLite.
func synced(ctx context.Context, db *sql.DB, f func(tx *sql.Tx) error) (err error) {
	conn, err := db.Conn(ctx)
	if err != nil {
		return fmt.Errorf("wait for the database: %w", err)
	}
	defer func() {
		// Left at FULL the connection would only be slower, so an error here is nobody's concern.
		_, _ = conn.ExecContext(context.WithoutCancel(ctx), "PRAGMA synchronous = NORMAL")
		if closeErr := conn.Close(); closeErr != nil && err == nil {
			err = fmt.Errorf("hand the database on: %w", closeErr)
		}
	}()
	if _, err := conn.ExecContext(ctx, "PRAGMA synchronous = FULL"); err != nil {
		return fmt.Errorf("make the next commit durable: %w", err)
	}
	return write(ctx, conn, f)
}

// openFile opens the file at path, or a fresh one after moving a damaged one aside; recovered then says why.
// expected means that an inbox has been opened here before, so that a missing file is a loss and not a first start.
func openFile(ctx context.Context, path string, expected bool, log *slog.Logger) (db *sql.DB, recovered string, err error) {
	opened := time.Now()
	if file, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) || err == nil && file.Size() < minPage {
		if expected {
			recovered = fmt.Sprintf("database %s was missing or empty", path)
		}
		// A log without its database would be played into the fresh file.
		moved, err := moveAside(path, opened)
		if err != nil {
			return nil, "", err
		}
		if moved != "" {
			recovered = fmt.Sprintf("database %s was missing or empty; what was left is kept as %s*", path, moved)
		}
	}
	db, err = connect(ctx, path)
	if err == nil || !isDamage(err) {
		return db, recovered, err
	}
	log.Error("inbox database is damaged; a fresh one takes its place", "path", path, "error", err)
	moved, moveErr := moveAside(path, opened)
	if moveErr != nil {
		return nil, "", errors.Join(moveErr, err)
	}
	recovered = fmt.Sprintf("database %s was damaged (%v); it is kept as %s", path, err, moved)
	db, err = connect(ctx, path)
	return db, recovered, err
}

// moveAside renames the database and then what SQLite keeps beside it. In this order a crash between the two leaves a log
// without a database, which the next start recognises, and never a database that silently lacks its log.
func moveAside(path string, now time.Time) (string, error) {
	base := path + ".corrupt-" + now.UTC().Format("20060102T150405.000000000")
	moved := ""
	for _, suffix := range []string{"", "-wal", "-shm"} {
		err := os.Rename(path+suffix, base+suffix)
		switch {
		case err == nil:
			moved = base
		case !errors.Is(err, fs.ErrNotExist):
			return "", fmt.Errorf("move damaged inbox aside: %w", err)
		}
	}
	return moved, nil
}

// dial prepares the one connection that serves everything. SQLite has one writer at a time and gives its lock to whoever
// asks at the right moment: of two connections, one that writes without a pause starves the other. Callers of one
// connection wait in line. Its commits are synced by the next durable one or checkpoint (synchronous=NORMAL); see durably.
func dial(path string) (*sql.DB, error) {
	query := url.Values{"_txlock": {"immediate"}, "_pragma": {
		"busy_timeout(10000)", "cell_size_check(1)", "journal_mode(wal)", "synchronous(normal)", "trusted_schema(0)",
	}}
	db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: path}).EscapedPath()+"?"+query.Encode())
	if err != nil {
		return nil, fmt.Errorf("open inbox database %s: %w", path, err)
	}
	db.SetMaxOpenConns(1)
	return db, nil
}

// connect opens, checks and migrates.
func connect(ctx context.Context, path string) (_ *sql.DB, err error) {
	db, err := dial(path)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = db.Close()
		}
	}()
	if err := checkPages(ctx, db); err != nil {
		return nil, fmt.Errorf("check inbox database %s: %w", path, err)
	}
	if _, err := db.ExecContext(ctx, sqliteSchema); err != nil {
		return nil, fmt.Errorf("prepare inbox tables in %s: %w", path, err)
	}
	if err := checkColumns(ctx, db); err != nil {
		return nil, fmt.Errorf("check inbox tables in %s: %w", path, err)
	}
	if err := checkRows(ctx, db); err != nil {
		return nil, fmt.Errorf("check inbox rows in %s: %w", path, err)
	}
	if err := migrateRiver(ctx, riversqlite.New(db)); err != nil {
		if _, said := errors.AsType[*sqlite.Error](err); !said && ctx.Err() == nil {
			err = fmt.Errorf("%w: %w", errDamaged, err) // SQLite has no complaint: what the tables hold cannot be read as what it was
		}
		return nil, fmt.Errorf("prepare queue tables in %s: %w", path, err)
	}
	return db, nil
}

func checkPages(ctx context.Context, db *sql.DB) error {
	var verdict string
	if err := db.QueryRowContext(ctx, "PRAGMA integrity_check(1)").Scan(&verdict); err != nil {
		return err
	}
	if verdict != "ok" {
		return fmt.Errorf("%w: %s", errDamaged, verdict)
	}
	var mode string
	if err := db.QueryRowContext(ctx, "PRAGMA journal_mode").Scan(&mode); err != nil {
		return err
	}
	if mode != "wal" {
		return fmt.Errorf("journal mode is %q: the file system does not support a write-ahead log", mode)
	}
	return nil
}

// isDamage tells a bad file from a bad day: a full disk, missing rights or a cancelled start must not cost the inbox.
func isDamage(err error) bool {
	if errors.Is(err, errDamaged) {
		return true
	}
	var failure *sqlite.Error
	if !errors.As(err, &failure) {
		return false
	}
	switch failure.Code() & 0xff { // the low byte is the primary result code, https://sqlite.org/rescode.html
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CONSTRAINT,
		sqlite3.SQLITE_MISMATCH, sqlite3.SQLITE_SCHEMA, sqlite3.SQLITE_FORMAT, sqlite3.SQLITE_RANGE:
		return true
	}
	return false
}
