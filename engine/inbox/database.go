package inbox

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"hash/crc32"
	"log/slog"
	"strconv"

	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/rivermigrate"
)

// database is the SQL database of an inbox: one connection, and what SQLite and PostgreSQL do differently. All other
// statements are the same for both, with parameters as $1.
type database struct {
	*sql.DB
	name    string // see Inbox.Name
	river   riverdriver.Driver[*sql.Tx]
	unlock  func() error                                                          // lets the next engine in; after Close of DB
	durably func(ctx context.Context, db *sql.DB, f func(tx *sql.Tx) error) error // see Inbox.durably
	numbers string                                                                // rows of the numbers in the JSON list $1
	now     string                                                                // the time, as River writes it
	arrival string                                                                // the column that orders steps as they were queued
	unread  string                                                                // see Inbox.Unread
	line    chan struct{}                                                         // holds one: who of this package's readers asks for the connection next
}

// The one connection is given to a random one of those who wait for it. So that a group of asks, on which alerts wait, never stands
// among all the workers of an engine, these ask for it one after the other, in order, and the group beside them.

func (db *database) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	if err := db.standInLine(ctx); err != nil {
		return nil, err
	}
	defer db.next()
	return db.DB.QueryContext(ctx, query, args...)
}

func (db *database) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	if err := db.standInLine(ctx); err == nil {
		defer db.next()
	} // else ctx is over, and the row says so
	return db.DB.QueryRowContext(ctx, query, args...)
}

func (db *database) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	if err := db.standInLine(ctx); err != nil {
		return nil, err
	}
	defer db.next()
	return db.DB.ExecContext(ctx, query, args...)
}

func (db *database) BeginTx(ctx context.Context, opts *sql.TxOptions) (*sql.Tx, error) {
	if err := db.standInLine(ctx); err != nil {
		return nil, err
	}
	defer db.next()
	return db.DB.BeginTx(ctx, opts)
}

func (db *database) standInLine(ctx context.Context) error {
	select {
	case db.line <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for the database: %w", context.Cause(ctx))
	}
}

func (db *database) next() { <-db.line }

// errDamaged marks findings of this package's own checks.
var errDamaged = errors.New("database is damaged")

// checkColumns looks whether every column is there: a changed letter in the name of one is not damage to SQLite.
func checkColumns(ctx context.Context, db *sql.DB) error {
	for _, list := range []string{
		"id, kind, key, body, due, retry, failures, sum FROM message",
		"key, incident, repeatable, body, sum, state, cancel, starts, ready, queued_at, started_at, ended_at, outcome, outcome_sum FROM step",
		"key FROM spent", "id, at FROM seen",
	} {
		if _, err := db.ExecContext(ctx, "SELECT "+list+" LIMIT 0"); err != nil {
			return err
		}
	}
	return nil
}

// checkRows compares every row's checksum. It reads everything: an inbox holds what is pending, not history.
func checkRows(ctx context.Context, db *sql.DB) error {
	rows, err := db.QueryContext(ctx, `
		SELECT 'message ' || id, sum, kind, key, CAST(due AS TEXT), body FROM message
		UNION ALL SELECT 'step ' || key, sum, key, incident, CAST(repeatable AS TEXT), body FROM step
		UNION ALL SELECT 'outcome ' || key, outcome_sum, key, '', '', outcome FROM step WHERE state = 'ended'`)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var name, a, b, c string
		var sum int64
		var body []byte
		if err := rows.Scan(&name, &sum, &a, &b, &c, &body); err != nil {
			return fmt.Errorf("%w: %w", errDamaged, err)
		}
		if sum != checksum(a, b, c, body) {
			return fmt.Errorf("%w: checksum of %q differs", errDamaged, name)
		}
	}
	return rows.Err()
}

// checksum covers what a caller gave for one row. It finds decay, not malice.
func checksum(a, b, c string, body []byte) int64 {
	table := crc32.MakeTable(crc32.Castagnoli)
	head := strconv.Quote(a) + strconv.Quote(b) + strconv.Quote(c)
	return int64(crc32.Update(crc32.Checksum([]byte(head), table), table, body))
}

func migrateRiver(ctx context.Context, driver riverdriver.Driver[*sql.Tx]) error {
	migrator, err := rivermigrate.New(driver, &rivermigrate.Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	if _, err := migrator.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
		return err
	}
	state, err := migrator.Validate(ctx)
	if err != nil {
		return err
	}
	if !state.OK {
		return fmt.Errorf("%w: %v", errDamaged, state.Messages)
	}
	return nil
}
