package inbox

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// begun remembers, in a directory beside the file, which steps have begun that must not begin twice: an empty file a step. A log of
// SQLite that was cut or damaged is read as far as it is whole, so that a step which has begun may count as queued again, and
// nothing in the file says so. A mark is not synced: what a power cut leaves of the file is all that was synced, so it is not needed then.
//
// An inbox in PostgreSQL has none: the directory is empty then.
type begun struct{ dir string }

// errBegunBefore is what a step runs into that the inbox takes for queued, although it has begun.
var errBegunBefore = errors.New("it has begun before, and the inbox has forgotten it: its file was damaged or put back")

// note marks a step that is about to begin. errBegunBefore: it must not.
func (b begun) note(s Step) error {
	if b.dir == "" || s.Repeatable {
		return nil
	}
	open := func() (*os.File, error) { return os.OpenFile(b.mark(s.Key), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600) }
	f, err := open()
	if errors.Is(err, fs.ErrNotExist) {
		if err = os.Mkdir(b.dir, 0o700); err == nil || errors.Is(err, fs.ErrExist) {
			f, err = open()
		}
	}
	if errors.Is(err, fs.ErrExist) {
		return errBegunBefore
	}
	if err == nil {
		err = f.Close()
	}
	if err != nil {
		return fmt.Errorf("mark the step as one that has begun: %w", err)
	}
	return nil
}

func (b begun) mark(key string) string {
	sum := sha256.Sum256([]byte(key))
	return filepath.Join(b.dir, hex.EncodeToString(sum[:16]))
}

// forget removes the mark of a step that is over and forgotten. What cannot be removed is left for the next Open.
func (b begun) forget(key string) {
	if b.dir != "" {
		_ = os.Remove(b.mark(key))
	}
}

// tidyMarks removes the marks of steps that the inbox does not know: nobody can take them for queued.
func (in *Inbox) tidyMarks(ctx context.Context) error {
	if in.begun.dir == "" {
		return nil
	}
	marks, err := os.ReadDir(in.begun.dir)
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(marks) == 0 {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look for marks of steps: %w", err)
	}
	keys, err := texts(in.db.QueryContext(ctx, "SELECT key FROM step WHERE repeatable = 0"))
	if err != nil {
		return fmt.Errorf("look for steps with marks: %w", err)
	}
	known := map[string]bool{}
	for _, key := range keys {
		known[filepath.Base(in.begun.mark(key))] = true
	}
	for _, m := range marks {
		if !known[m.Name()] {
			_ = os.Remove(filepath.Join(in.begun.dir, m.Name())) // it is looked for again at the next start
		}
	}
	return nil
}

// texts are the values of rows with one column.
func texts(rows *sql.Rows, err error) (out []string, _ error) {
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, rows.Err()
}
