package state

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// tables hold every entity as JSON under its kind and key, in the order in which they were made, the events whose
// webhooks are still to be sent, and the log of webhooks.
const tables = `
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS entity (id INTEGER PRIMARY KEY, kind TEXT NOT NULL, key TEXT NOT NULL, body BLOB NOT NULL, UNIQUE (kind, key)) STRICT;
CREATE TABLE IF NOT EXISTS event (id INTEGER PRIMARY KEY, body BLOB NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS delivery (
	id INTEGER PRIMARY KEY AUTOINCREMENT, app INTEGER NOT NULL, guid TEXT NOT NULL, at INTEGER NOT NULL,
	body BLOB NOT NULL, payload BLOB NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS delivery_app ON delivery (app, id);
CREATE INDEX IF NOT EXISTS delivery_guid ON delivery (guid, app);
CREATE INDEX IF NOT EXISTS delivery_at ON delivery (at);
`

// database is the file behind a store. Its one connection keeps the file's lock for as long as it is open, so that a
// second hub cannot write into the same directory.
type database struct {
	db *sql.DB
	statements
}

type statements struct {
	put, drop, setMeta, addEvent, dropEvent, addDelivery *sql.Stmt
}

// ErrInUse says that another hub has the directory open.
var ErrInUse = errors.New("another hub is using it")

// openDatabase opens or creates the file; an empty path keeps everything in memory.
func openDatabase(path string) (_ *database, err error) {
	name := "file::memory:"
	if path != "" {
		name = "file:" + (&url.URL{Path: path}).EscapedPath()
	}
	// A transaction that was committed survives the end of the process, SIGKILL included; the power may not go away.
	query := url.Values{"_txlock": {"immediate"}, "_pragma": {
		"busy_timeout(3000)", "locking_mode(exclusive)", "journal_mode(wal)", "synchronous(normal)", "trusted_schema(0)",
	}}
	db, err := sql.Open("sqlite", name+"?"+query.Encode())
	if err != nil {
		return nil, fmt.Errorf("open the state in %s: %w", path, err)
	}
	db.SetMaxOpenConns(1)
	d := &database{db: db}
	if _, err := db.Exec(tables); err != nil {
		return nil, errors.Join(fmt.Errorf("open the state in %s: %w", path, explain(err)), db.Close())
	}
	if err := d.prepare(); err != nil {
		return nil, errors.Join(fmt.Errorf("open the state in %s: %w", path, err), db.Close())
	}
	return d, nil
}

func explain(err error) error {
	var failure *sqlite.Error
	if errors.As(err, &failure) && failure.Code()&0xff == sqlite3.SQLITE_BUSY {
		return fmt.Errorf("%w (%w)", ErrInUse, err)
	}
	return err
}

func (d *database) prepare() (err error) {
	for _, s := range []struct {
		to   **sql.Stmt
		text string
	}{
		{&d.put, "INSERT INTO entity (kind, key, body) VALUES (?, ?, ?) ON CONFLICT (kind, key) DO UPDATE SET body = excluded.body"},
		{&d.drop, "DELETE FROM entity WHERE kind = ? AND key = ?"},
		{&d.setMeta, "INSERT INTO meta (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value"},
		{&d.addEvent, "INSERT INTO event (id, body) VALUES (?, ?)"},
		{&d.dropEvent, "DELETE FROM event WHERE id = ?"},
		{&d.addDelivery, "INSERT INTO delivery (app, guid, at, body, payload) VALUES (?, ?, ?, ?, ?)"},
	} {
		if *s.to, err = d.db.Prepare(s.text); err != nil {
			return err
		}
	}
	return nil
}

// within runs f in one transaction.
func (d *database) within(f func(*sql.Tx) error) error {
	tx, err := d.db.BeginTx(context.Background(), nil)
	if err != nil {
		return err
	}
	if err := f(tx); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Commit()
}

func (d *database) meta(name string) (string, error) {
	var value string
	err := d.db.QueryRow("SELECT value FROM meta WHERE name = ?", name).Scan(&value)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	return value, err
}

// place names one entity's row.
type place struct{ kind, key string }

// changes are what one mutation has to write. A nil entity is deleted. Entities are encoded when they are written, so
// the last state of each counts.
type changes struct {
	order    []place
	entities map[place]any
	events   []Event
}

func (c *changes) set(at place, entity any) {
	if c.entities == nil {
		c.entities = map[place]any{}
	}
	if _, known := c.entities[at]; !known {
		c.order = append(c.order, at)
	}
	c.entities[at] = entity
}

func (c *changes) empty() bool { return len(c.order) == 0 && len(c.events) == 0 }

// save writes the changes and what is noted besides in one transaction.
func (d *database) save(c changes, notes map[string]string) error {
	return d.within(func(tx *sql.Tx) error {
		for _, at := range c.order {
			if err := d.saveOne(tx, at, c.entities[at]); err != nil {
				return fmt.Errorf("write %s %s: %w", at.kind, at.key, err)
			}
		}
		for _, e := range c.events {
			if e.ID == 0 {
				continue // nobody listens
			}
			body, err := json.Marshal(e)
			if err != nil {
				return fmt.Errorf("encode a %s event: %w", e.Name, err)
			}
			if _, err := tx.Stmt(d.addEvent).Exec(e.ID, body); err != nil {
				return fmt.Errorf("write a %s event: %w", e.Name, err)
			}
		}
		for name, value := range notes {
			if _, err := tx.Stmt(d.setMeta).Exec(name, value); err != nil {
				return fmt.Errorf("write %s: %w", name, err)
			}
		}
		return nil
	})
}

func (d *database) saveOne(tx *sql.Tx, at place, entity any) error {
	if entity == nil {
		_, err := tx.Stmt(d.drop).Exec(at.kind, at.key)
		return err
	}
	body, err := json.Marshal(entity)
	if err != nil {
		return err
	}
	_, err = tx.Stmt(d.put).Exec(at.kind, at.key, body)
	return err
}

// each calls f with the key and body of every entity of a kind, in the order in which they were made.
func (d *database) each(kind string, f func(key string, body []byte) error) error {
	rows, err := d.db.Query("SELECT key, body FROM entity WHERE kind = ? ORDER BY id", kind)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var key string
		var body []byte
		if err := rows.Scan(&key, &body); err != nil {
			return err
		}
		if err := f(key, body); err != nil {
			return fmt.Errorf("%s %s: %w", kind, key, err)
		}
	}
	return rows.Err()
}

func (d *database) close() error { return d.db.Close() }
