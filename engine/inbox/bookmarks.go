package inbox

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"sync"
)

// ErrElsewhere says that a bookmark is not where the caller believes it to be.
var ErrElsewhere = errors.New("the bookmark is elsewhere")

// bookmarkSchema is what an inbox in PostgreSQL has besides the tables of every inbox.
const bookmarkSchema = `
CREATE TABLE IF NOT EXISTS bookmark (
	branch TEXT PRIMARY KEY,
	at     TEXT NOT NULL CHECK (at <> ''),
	sum    BIGINT NOT NULL
);
`

// Bookmarks are a text for each of some names: how far the engine knows each branch to have got. They belong to the engine that has
// the inbox, and the next one finds them wherever it runs. Nobody else moves them meanwhile, so they are read once, at the opening.
// Methods may be called from any goroutine.
type Bookmarks struct {
	db *database

	mu    sync.Mutex
	known map[string]string
}

// Bookmarks returns those of an inbox in PostgreSQL, and nil for a file: beside a file they are kept by themselves, so that what
// destroys it leaves them (decision 0040).
func (in *Inbox) Bookmarks() *Bookmarks { return in.bookmarks }

// readBookmarks reads what the engine before has left.
func readBookmarks(ctx context.Context, db *database) (*Bookmarks, error) {
	b := &Bookmarks{db: db, known: map[string]string{}}
	rows, err := db.QueryContext(ctx, "SELECT branch, at, sum FROM bookmark")
	if err != nil {
		return nil, fmt.Errorf("read the bookmarks: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var branch, at string
		var sum int64
		if err := rows.Scan(&branch, &at, &sum); err != nil {
			return nil, fmt.Errorf("read the bookmarks: %w", err)
		}
		if sum != checksum(branch, at, "", nil) {
			return nil, fmt.Errorf("%w: checksum of the bookmark of %q differs", errDamaged, branch)
		}
		b.known[branch] = at
	}
	return b, rows.Err()
}

// All returns the bookmarks, by branch. It asks nobody.
func (b *Bookmarks) All() map[string]string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return maps.Clone(b.known)
}

// Move moves a bookmark from one place to another; an empty text is none. To take it out, it may be anywhere. What it has moved is
// on disk when it returns nil. ErrElsewhere: it was somewhere else, and stays there. ErrLocked: another engine has the inbox, and
// nothing is moved. After any other error it may have been moved: the next Move finds out. One that stays where it is costs no statement.
func (b *Bookmarks) Move(ctx context.Context, branch, from, to string) error {
	if to == "" {
		return b.takeOut(ctx, branch)
	}
	if err := errors.Join(checkName("branch", branch), checkName("place", to)); err != nil {
		return fmt.Errorf("move a bookmark: %w", err)
	}
	if from == to && b.at(branch) == to {
		return nil
	}
	done, err := b.db.ExecContext(ctx, `
		INSERT INTO bookmark (branch, at, sum) SELECT CAST($1 AS TEXT), CAST($3 AS TEXT), CAST($4 AS BIGINT)
		WHERE CAST($2 AS TEXT) = '' OR EXISTS (SELECT 1 FROM bookmark WHERE branch = $1)
		ON CONFLICT (branch) DO UPDATE SET at = excluded.at, sum = excluded.sum WHERE bookmark.at = $2`,
		branch, from, to, checksum(branch, to, "", nil))
	if err != nil {
		return fmt.Errorf("move the bookmark of %s: %w", branch, err)
	}
	moved, err := done.RowsAffected()
	if err != nil {
		return fmt.Errorf("move the bookmark of %s: %w", branch, err)
	}
	if moved == 0 {
		return b.find(ctx, branch, from, to)
	}
	b.note(branch, to)
	return nil
}

// find reads where a bookmark is that was not where it was believed to be. Only this engine can have moved it to the new place already: it
// did so, and was not told.
func (b *Bookmarks) find(ctx context.Context, branch, from, to string) error {
	var at string
	err := b.db.QueryRowContext(ctx, "SELECT at FROM bookmark WHERE branch = $1", branch).Scan(&at)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return fmt.Errorf("find the bookmark of %s: %w", branch, err)
	}
	if b.note(branch, at); at == to {
		return nil
	}
	return fmt.Errorf("the bookmark of %s is at %q and not at %q: %w", branch, at, from, ErrElsewhere)
}

func (b *Bookmarks) takeOut(ctx context.Context, branch string) error {
	if _, err := b.db.ExecContext(ctx, "DELETE FROM bookmark WHERE branch = $1", branch); err != nil {
		return fmt.Errorf("take out the bookmark of %s: %w", branch, err)
	}
	b.note(branch, "")
	return nil
}

func (b *Bookmarks) at(branch string) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.known[branch]
}

// note keeps what the table has.
func (b *Bookmarks) note(branch, at string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if at == "" {
		delete(b.known, branch)
		return
	}
	b.known[branch] = at
}
