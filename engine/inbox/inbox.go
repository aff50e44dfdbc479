package inbox

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"
)

const (
	// KindLook is the kind of the messages that this package puts itself, with the incident as their key. It is always a hint.
	KindLook = "look"

	// MaxBody bounds a message's body, a step's body and an outcome, in bytes.
	MaxBody = 8 << 20

	maxName = 1 << 10 // bytes of a kind, a key, an incident or a delivery id
)

// Config says where the inbox is and how much it does at once. Zero values take the defaults that are given here.
type Config struct {
	Path           string        // the SQLite file; its directory must exist, and Path+".lock" and Path+".begun" are kept beside it
	URL            string        // of a PostgreSQL database, instead of Path: postgres://… or the key=value form of libpq
	Schema         string        // the schema of that database that holds this inbox, made when there is none; at most 63 bytes
	StepWorkers    int           // steps that run at once: 16
	MessageWorkers int           // keys that are handled at once: 16
	Hints          []string      // kinds whose messages only say "look again", besides KindLook
	Grace          time.Duration // how long Run waits for handlers before it cancels them, and then again: 10 s
	Logger         *slog.Logger  // none: nothing is logged
}

// Inbox is an open inbox. Its methods may be called from any goroutine.
type Inbox struct {
	config    Config
	db        *database
	queue     *river.Client[*sql.Tx] // inserts only; each Run has a client of its own that works
	hints     map[string]bool
	recovered string
	group     group
	begun     begun
	bookmarks *Bookmarks // nil: it is a file

	mu      sync.Mutex
	running *worker // the Run in progress
}

// Open takes the inbox at config.Path or config.URL, or fails with ErrLocked while another engine has it. Steps that a dead engine left
// running are taken back: a repeatable one is queued again, any other is lost, and its incident gets a look.
// ctx bounds the opening only.
func Open(ctx context.Context, config Config) (_ *Inbox, err error) {
	if (config.Path == "") == (config.URL == "") {
		return nil, errors.New("open inbox: want a path or a URL, and one of them only")
	}
	config = config.withDefaults()
	in := &Inbox{config: config, hints: map[string]bool{KindLook: true}}
	in.group.in = in
	defer func() {
		if err != nil {
			_ = in.Close()
		}
	}()
	for _, kind := range config.Hints {
		in.hints[kind] = true
	}
	if config.URL != "" {
		if in.db, in.recovered, err = openPostgres(ctx, config.URL, config.Schema); err == nil {
			in.bookmarks, err = readBookmarks(ctx, in.db)
		}
	} else {
		in.begun.dir = config.Path + ".begun"
		in.db, in.recovered, err = openSQLite(ctx, config.Path, config.Logger)
	}
	if err != nil {
		return nil, fmt.Errorf("open inbox: %w", err)
	}
	in.queue, err = river.NewClient(in.db.river, &river.Config{Hooks: timersAreAvailable(), Logger: config.Logger})
	if err != nil {
		return nil, fmt.Errorf("open inbox: prepare queue: %w", err)
	}
	if err := errors.Join(in.takeBack(ctx), in.tidyMarks(ctx)); err != nil {
		return nil, fmt.Errorf("open inbox: %w", err)
	}
	return in, nil
}

func (c Config) withDefaults() Config {
	if c.StepWorkers <= 0 {
		c.StepWorkers = 16
	}
	if c.MessageWorkers <= 0 {
		c.MessageWorkers = 16
	}
	if c.Grace <= 0 {
		c.Grace = 10 * time.Second
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// Recovered says in one sentence what was lost if Open found the database damaged or gone, and is empty otherwise.
// After a loss the caller asks git and the hub what the inbox would have known.
func (in *Inbox) Recovered() string { return in.recovered }

// Unread says in one sentence what Open did not read of the end of a file's log, and is empty otherwise or when Recovered says more. Where
// an engine was killed while it wrote, nothing is missing that was acknowledged; where the file was damaged, the latest of it
// is. The caller asks again as after a loss.
func (in *Inbox) Unread() string {
	if in.recovered != "" {
		return ""
	}
	return in.db.unread
}

// Name is a random name that an inbox in PostgreSQL has had since it was made, the same for every engine that ever has it
// open. A file has none: the engines that can open it are those of its directory.
func (in *Inbox) Name() string { return in.db.name }

// Close gives the database and the lock back. It is called after Run has returned.
func (in *Inbox) Close() error {
	if in.db == nil {
		return nil
	}
	if err := errors.Join(in.db.Close(), in.db.unlock()); err != nil {
		return fmt.Errorf("close inbox: %w", err)
	}
	return nil
}

// timersAreAvailable keeps a job with a future time in River's state "available", as River does for its own short retries.
// In "scheduled" it would wait for the elected leader's scheduler, which looks every 5 s and, after a kill, only once the
// dead leader's term has run out. River fetches an available job no earlier than its time.
func timersAreAvailable() []rivertype.Hook {
	return []rivertype.Hook{river.HookInsertBeginFunc(func(_ context.Context, job *rivertype.JobInsertParams) error {
		job.State = rivertype.JobStateAvailable
		return nil
	})}
}

const (
	messageQueue = "messages"
	stepQueue    = "steps"
)

// wakeArgs is the trigger for messages: at At, Key has something due.
type wakeArgs struct {
	Key string `json:"key"`
	At  int64  `json:"at"` // Unix milliseconds
}

func (wakeArgs) Kind() string                 { return "wake" }
func (wakeArgs) InsertOpts() river.InsertOpts { return river.InsertOpts{Queue: messageQueue} }

// stepArgs is the trigger for a step: at At, the step of that attempt key is ready.
type stepArgs struct {
	Key string `json:"key"`
	At  int64  `json:"at"` // Unix milliseconds
}

func (stepArgs) Kind() string                 { return "step" }
func (stepArgs) InsertOpts() river.InsertOpts { return river.InsertOpts{Queue: stepQueue} }

// durably runs f in a transaction that is on disk, with all before it, when durably returns nil; others may have a part in it. After an error of the commit
// itself it is unknown whether the transaction took place, so whatever f does must bear being done again.
// What only takes triggers and handled messages away, or moves them, may go without the sync: if a power cut takes it back, a
// trigger is made anew and a message is handled again.
func (in *Inbox) durably(ctx context.Context, f func(ctx context.Context, u *unit) error) error {
	return in.group.do(ctx, f)
}

// beginner is a *sql.DB or one of its connections.
type beginner interface {
	BeginTx(ctx context.Context, opts *sql.TxOptions) (*sql.Tx, error)
}

func write(ctx context.Context, db beginner, f func(tx *sql.Tx) error) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	if err := f(tx); err != nil {
		return errors.Join(err, rollback(tx))
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}

// rollback has nothing to add when the transaction has ended already, as it does when its context ends.
func rollback(tx *sql.Tx) error {
	if err := tx.Rollback(); err != nil && !errors.Is(err, sql.ErrTxDone) {
		return fmt.Errorf("roll back: %w", err)
	}
	return nil
}

// checkName bounds a name. PostgreSQL's texts hold no NUL and nothing but UTF-8.
func checkName(what, name string) error {
	if !utf8.ValidString(name) || strings.ContainsRune(name, 0) {
		return fmt.Errorf("%s %q is not UTF-8, or has a zero byte in it", what, name)
	}
	if name == "" || len(name) > maxName {
		return fmt.Errorf("%s has %d bytes, want 1 to %d", what, len(name), maxName)
	}
	return nil
}

// checkBody returns what is stored for a body: JSON, and null for none.
func checkBody(body json.RawMessage) (json.RawMessage, error) {
	if len(body) == 0 {
		return json.RawMessage("null"), nil
	}
	if len(body) > MaxBody {
		return nil, fmt.Errorf("body has %d bytes, want at most %d", len(body), MaxBody)
	}
	if !json.Valid(body) {
		return nil, errors.New("body is not JSON")
	}
	return body, nil
}

// backoff is the wait after the given number of failures in a row: 250 ms, doubled each time, at most one minute.
func backoff(failures int) time.Duration {
	const first, most = 250 * time.Millisecond, time.Minute
	if failures > 8 {
		return most
	}
	return min(first<<max(failures-1, 0), most)
}
