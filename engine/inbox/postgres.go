package inbox

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/riverqueue/river/riverdriver/riverdatabasesql"
)

// postgresSchema is format 0 of the tables in PostgreSQL; see sqliteSchema.
const postgresSchema = `
CREATE TABLE IF NOT EXISTS message (
	id       BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	kind     TEXT NOT NULL,
	key      TEXT NOT NULL,
	body     BYTEA NOT NULL,
	due      BIGINT NOT NULL,
	retry    BIGINT NOT NULL CHECK (retry >= due),
	failures BIGINT NOT NULL DEFAULT 0 CHECK (failures >= 0),
	sum      BIGINT NOT NULL
);
CREATE INDEX IF NOT EXISTS message_by_key ON message (key, retry);
CREATE INDEX IF NOT EXISTS message_by_retry ON message (retry, key);
CREATE TABLE IF NOT EXISTS step (
	key         TEXT PRIMARY KEY,
	number      BIGINT GENERATED ALWAYS AS IDENTITY,
	incident    TEXT NOT NULL,
	repeatable  BIGINT NOT NULL CHECK (repeatable IN (0, 1)),
	body        BYTEA NOT NULL,
	sum         BIGINT NOT NULL,
	state       TEXT NOT NULL CHECK (state IN ('queued', 'running', 'ended', 'lost', 'cancelled')),
	cancel      BIGINT NOT NULL DEFAULT 0 CHECK (cancel IN (0, 1)),
	starts      BIGINT NOT NULL DEFAULT 0 CHECK (starts >= 0),
	ready       BIGINT NOT NULL,
	queued_at   BIGINT NOT NULL,
	started_at  BIGINT NOT NULL DEFAULT 0,
	ended_at    BIGINT NOT NULL DEFAULT 0,
	outcome     BYTEA,
	outcome_sum BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS step_by_incident ON step (incident);
CREATE INDEX IF NOT EXISTS step_by_state ON step (state, ready);
CREATE TABLE IF NOT EXISTS spent (key TEXT PRIMARY KEY);
CREATE TABLE IF NOT EXISTS seen (id TEXT PRIMARY KEY, at BIGINT NOT NULL);
CREATE INDEX IF NOT EXISTS seen_by_time ON seen (at);
CREATE TABLE IF NOT EXISTS engine (name TEXT NOT NULL, term BIGINT NOT NULL DEFAULT 0);
`

const (
	longestIdentifier = 63 // bytes, https://www.postgresql.org/docs/current/sql-syntax-lexical.html
	// lastSession is how long a new connection waits for the server to see that the last one is gone, and to release its lock.
	lastSession = 2 * time.Second
	lockPause   = 50 * time.Millisecond
	connectTime = 10 * time.Second
)

// openPostgres opens the inbox in a schema of a database. recovered says that there was none.
//
// The one connection takes an advisory lock before anything else: no statement of this package ever runs without it, and
// the server gives the lock to the next engine when the connection ends, whatever ended it. A term is counted at each
// opening, so that an engine that lost its connection finds out whether another one had the inbox since.
func openPostgres(ctx context.Context, url, schema string) (_ *database, recovered string, err error) {
	if schema == "" || len(schema) > longestIdentifier || strings.ContainsRune(schema, 0) {
		return nil, "", fmt.Errorf("schema %q has %d bytes, want 1 to %d", schema, len(schema), longestIdentifier)
	}
	config, err := pgx.ParseConfig(url)
	if err != nil {
		return nil, "", fmt.Errorf("read the database's address: %w", err) // pgx leaves the password out
	}
	server := fmt.Sprintf("schema %s of database %s on %s", schema, config.Database, config.Host)
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = connectTime
	}
	for name, value := range map[string]string{
		"application_name": "pullbook", "search_path": pgx.Identifier{schema}.Sanitize(), "synchronous_commit": "on",
		// A machine that vanished must not hold the lock for the hours that are usual.
		"tcp_keepalives_idle": "3", "tcp_keepalives_interval": "1", "tcp_keepalives_count": "3", "tcp_user_timeout": "6000",
	} {
		config.RuntimeParams[name] = value
	}
	var term atomic.Int64
	var deposed atomic.Bool
	db := stdlib.OpenDB(*config, stdlib.OptionBeforeConnect(func(context.Context, *pgx.ConnConfig) error {
		if deposed.Load() {
			return fmt.Errorf("this engine's term is over: %w", ErrLocked)
		}
		return nil
	}), stdlib.OptionAfterConnect(func(ctx context.Context, conn *pgx.Conn) error {
		err := admit(ctx, conn, schema, term.Load())
		if err == nil {
			return nil
		}
		if term.Load() > 0 && errors.Is(err, ErrLocked) {
			deposed.Store(true)
		}
		return errors.Join(err, conn.Close(context.WithoutCancel(ctx)))
	}))
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("%s: %w", server, err), db.Close())
		}
	}()
	db.SetMaxOpenConns(1)
	db.SetMaxIdleConns(1)
	if recovered, err = preparePostgres(ctx, db, schema); err != nil {
		return nil, "", err
	}
	name := strings.ToLower(rand.Text()[:16])
	if _, err := db.ExecContext(ctx, "INSERT INTO engine (name) SELECT CAST($1 AS TEXT) WHERE NOT EXISTS (SELECT 1 FROM engine)", name); err != nil {
		return nil, "", fmt.Errorf("name the inbox: %w", err)
	}
	var number int64
	if err := db.QueryRowContext(ctx, "UPDATE engine SET term = term + 1 RETURNING name, term").Scan(&name, &number); err != nil {
		return nil, "", fmt.Errorf("count the opening: %w", err)
	}
	term.Store(number)
	return &database{DB: db, name: name, river: riverdatabasesql.New(db), unlock: func() error { return nil },
		durably: func(ctx context.Context, db *sql.DB, f func(tx *sql.Tx) error) error { return write(ctx, db, f) },
		numbers: "SELECT CAST(value AS BIGINT) FROM json_array_elements_text(CAST(CAST($1 AS TEXT) AS JSON))",
		now:     "now()", arrival: "number", line: make(chan struct{}, 1)}, recovered, nil
}

// admit takes the lock of a schema for a new connection, and refuses it when an engine of a later term has been here.
func admit(ctx context.Context, conn *pgx.Conn, schema string, term int64) error {
	for until := time.Now().Add(lastSession); ; {
		var ours bool
		if err := conn.QueryRow(ctx, "SELECT pg_try_advisory_lock(hashtextextended($1, 0))", "pullbook inbox "+schema).Scan(&ours); err != nil {
			return fmt.Errorf("take the lock: %w", err)
		}
		if term > 0 {
			var now int64
			if err := conn.QueryRow(ctx, "SELECT term FROM engine").Scan(&now); err != nil {
				return fmt.Errorf("compare terms: %w", err)
			}
			if now != term {
				return fmt.Errorf("this engine's term %d is over, that of another one is %d: %w", term, now, ErrLocked)
			}
		}
		if ours {
			return nil
		}
		if !time.Now().Before(until) {
			if term > 0 {
				return errors.New("take the lock: the server has not noticed yet that this engine's last connection is gone")
			}
			return fmt.Errorf("take the lock: %w", ErrLocked)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("take the lock: %w", context.Cause(ctx))
		case <-time.After(lockPause):
		}
	}
}

// preparePostgres makes what is missing and checks what is there. A damaged database is for its administrators to restore:
// nothing is moved aside.
func preparePostgres(ctx context.Context, db *sql.DB, schema string) (recovered string, err error) {
	var there bool
	if err := db.QueryRowContext(ctx, "SELECT to_regclass('engine') IS NOT NULL").Scan(&there); err != nil {
		return "", fmt.Errorf("look for the inbox: %w", err)
	}
	if !there {
		recovered = fmt.Sprintf("schema %s was empty", schema)
		if _, err := db.ExecContext(ctx, "CREATE SCHEMA IF NOT EXISTS "+pgx.Identifier{schema}.Sanitize()); err != nil {
			return "", fmt.Errorf("make the schema: %w", err)
		}
	}
	if _, err := db.ExecContext(ctx, postgresSchema+bookmarkSchema); err != nil {
		return "", fmt.Errorf("prepare the inbox tables: %w", err)
	}
	if err := checkColumns(ctx, db); err != nil {
		return "", fmt.Errorf("check the inbox tables: %w", err)
	}
	if err := checkRows(ctx, db); err != nil {
		return "", fmt.Errorf("check the inbox rows: %w", err)
	}
	if err := migrateRiver(ctx, riverdatabasesql.New(db)); err != nil {
		return "", fmt.Errorf("prepare the queue tables: %w", err)
	}
	return recovered, nil
}
