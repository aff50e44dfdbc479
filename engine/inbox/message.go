package inbox

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Message is something to handle. Two messages of one Key are never handled at the same time.
type Message struct {
	Kind string          // what it is; kinds in Config.Hints coalesce
	Key  string          // what it is about, usually an incident
	Body json.RawMessage // JSON, null if empty; at most MaxBody bytes
	Due  time.Time       // not before this; zero means now. A handler gets it in UTC and whole milliseconds
}

// rememberIDs is how long PutOnce knows a delivery id. GitHub lets a delivery be sent again for three days, and the threat
// model asks for at least seven (S9).
const rememberIDs = 8 * 24 * time.Hour

// Put stores messages, all or none; they are on disk when Put returns nil. After an error they may or may not have been stored.
// Each is handled at least once, never before its Due, and again with growing pauses (at most a minute) until its handler
// returns nil.
func (in *Inbox) Put(ctx context.Context, messages ...Message) error {
	now := time.Now()
	rows, hands := make([]messageRow, len(messages)), make([]*handover, len(messages))
	for i, m := range messages {
		var err error
		if rows[i], err = newMessageRow(m, now); err != nil {
			return fmt.Errorf("put message: %w", err)
		}
	}
	for i, row := range rows {
		hands[i] = in.handoverOf(row)
	}
	err := in.durably(ctx, func(ctx context.Context, u *unit) error {
		for i, row := range rows {
			if err := insertMessage(ctx, u, row, hands[i]); err != nil {
				return fmt.Errorf("%s message for %q: %w", row.kind, row.key, err)
			}
		}
		return nil
	})
	for i, row := range rows {
		hands[i].wake(row.key, row.due)
	}
	if err != nil {
		return fmt.Errorf("put %s: %w", named(messages), err)
	}
	return nil
}

// named says which messages there are.
func named(messages []Message) string {
	if len(messages) == 1 {
		return fmt.Sprintf("%s message for %q", messages[0].Kind, messages[0].Key)
	}
	return fmt.Sprintf("%d messages", len(messages))
}

// PutOnce is Put for a delivery that may arrive more than once: the first call with an id stores m and remembers the id for
// 8 days in the same transaction; later ones store nothing and report false.
func (in *Inbox) PutOnce(ctx context.Context, id string, m Message) (fresh bool, err error) {
	return in.putOnce(ctx, id, m, time.Now())
}

func (in *Inbox) putOnce(ctx context.Context, id string, m Message, now time.Time) (fresh bool, err error) {
	row, err := newMessageRow(m, now)
	if err != nil {
		return false, fmt.Errorf("put message: %w", err)
	}
	if err := checkName("delivery id", id); err != nil {
		return false, fmt.Errorf("put message: %w", err)
	}
	hand := in.handoverOf(row)
	err = in.durably(ctx, func(ctx context.Context, u *unit) error {
		result, err := u.ExecContext(ctx, `
			INSERT INTO seen (id, at) VALUES ($1, $2)
			ON CONFLICT (id) DO UPDATE SET at = excluded.at WHERE seen.at < $3`,
			id, now.UnixMilli(), now.Add(-rememberIDs).UnixMilli())
		if err != nil {
			return fmt.Errorf("remember delivery: %w", err)
		}
		changed, err := result.RowsAffected()
		if err != nil {
			return fmt.Errorf("remember delivery: %w", err)
		}
		fresh = changed == 1
		if !fresh {
			return nil
		}
		return insertMessage(ctx, u, row, hand)
	})
	if fresh {
		hand.wake(row.key, row.due)
	} else {
		hand.leave()
	}
	if err != nil {
		return false, fmt.Errorf("put %s message for %q, delivery %q: %w", m.Kind, m.Key, id, err)
	}
	return fresh, nil
}

// forgetIDs drops the delivery ids that PutOnce need not know any more.
func (in *Inbox) forgetIDs(ctx context.Context, now time.Time) error {
	_, err := in.db.ExecContext(ctx, "DELETE FROM seen WHERE at < $1", now.Add(-rememberIDs).UnixMilli())
	if err != nil {
		return fmt.Errorf("forget old delivery ids: %w", err)
	}
	return nil
}

// messageRow is a message as the table has it, times in Unix milliseconds.
type messageRow struct {
	id       int64
	kind     string
	key      string
	body     []byte
	due      int64
	failures int
	last     int64 // id of the newest message that is stored
}

func newMessageRow(m Message, now time.Time) (messageRow, error) {
	body, err := checkBody(m.Body)
	if err := errors.Join(err, checkName("kind", m.Kind), checkName("key", m.Key)); err != nil {
		return messageRow{}, err
	}
	due := now.UnixMilli()
	if !m.Due.IsZero() {
		due = ceilMilli(m.Due)
	}
	return messageRow{kind: m.Kind, key: m.Key, body: body, due: due}, nil
}

// ceilMilli rounds up: a timer that is stored in milliseconds must not come early by a part of one.
func ceilMilli(t time.Time) int64 {
	return t.Add(time.Millisecond - time.Nanosecond).UnixMilli()
}

func (row messageRow) message() Message {
	return Message{Kind: row.kind, Key: row.key, Body: row.body, Due: time.UnixMilli(row.due).UTC()}
}

// handoverOf takes a seat for a message that is due; nil if it is not, or there is none.
func (in *Inbox) handoverOf(row messageRow) *handover {
	if !isNow(row.due) {
		return nil
	}
	return in.handover(messageSeats)
}

// insertMessage stores a message, and a trigger for it if it is not handed over.
func insertMessage(ctx context.Context, u *unit, row messageRow, h *handover) error {
	due := fmt.Sprint(row.due)
	_, err := u.ExecContext(ctx, "INSERT INTO message (kind, key, body, due, retry, sum) VALUES ($1, $2, $3, $4, $5, $6)",
		row.kind, row.key, row.body, row.due, row.due, checksum(row.kind, row.key, due, row.body))
	if err != nil {
		return fmt.Errorf("store message: %w", err)
	}
	if h == nil {
		u.trigger(wakeArgs{Key: row.key, At: row.due}, row.due)
	}
	return nil
}

// insertLook tells the engine that something about the incident's steps has changed.
func insertLook(ctx context.Context, u *unit, incident string, now time.Time, h *handover) error {
	return insertMessage(ctx, u, messageRow{kind: KindLook, key: incident, body: []byte("null"), due: now.UnixMilli()}, h)
}

// moment is when messages are handled: by the time that it was when that began, in Unix milliseconds, those that were stored
// then, up to last; by the time that it is now those that were stored since. The clock may have been set back in between, and a
// timer that is set anew because it came early must not come again at once.
type moment struct{ began, now, last int64 }

// nextMessage returns the key's first message that may be handled.
func (in *Inbox) nextMessage(ctx context.Context, key string, at moment) (row messageRow, found bool, err error) {
	row.key = key
	err = in.db.QueryRowContext(ctx, `
		SELECT id, kind, body, due, failures, (SELECT MAX(id) FROM message) FROM message
		WHERE key = $1 AND retry <= $2 AND (id <= $3 OR retry <= $4) ORDER BY due, id LIMIT 1`, key, at.began, at.last, at.now).
		Scan(&row.id, &row.kind, &row.body, &row.due, &row.failures, &row.last)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return messageRow{}, false, nil
	case err != nil:
		return messageRow{}, false, fmt.Errorf("read messages of %q: %w", key, err)
	}
	return row, true, nil
}

// equalHints returns every stored message that one handling of row satisfies, and the newest of them, with the latest of their
// times, if it begins now. Those that failed before and wait for their next turn are among them.
func (in *Inbox) equalHints(ctx context.Context, row messageRow, now int64) (newest messageRow, ids []int64, err error) {
	rows, err := in.db.QueryContext(ctx, `
		SELECT id, body, due, failures FROM message WHERE key = $1 AND kind = $2 AND due <= $3 ORDER BY id`, row.key, row.kind, now)
	if err != nil {
		return row, nil, fmt.Errorf("read hints of %q: %w", row.key, err)
	}
	defer rows.Close()
	for rows.Next() {
		found := messageRow{kind: row.kind, key: row.key}
		if err := rows.Scan(&found.id, &found.body, &found.due, &found.failures); err != nil {
			return row, nil, fmt.Errorf("read hints of %q: %w", row.key, err)
		}
		found.failures, found.due = max(found.failures, row.failures), max(found.due, row.due)
		row, ids = found, append(ids, found.id)
	}
	if err := rows.Err(); err != nil {
		return row, nil, fmt.Errorf("read hints of %q: %w", row.key, err)
	}
	return row, ids, nil
}

func (in *Inbox) deleteMessages(ctx context.Context, ids []int64) error {
	list, err := json.Marshal(ids)
	if err != nil {
		return err
	}
	_, err = in.db.ExecContext(ctx, "DELETE FROM message WHERE id IN ("+in.db.numbers+")", string(list))
	if err != nil {
		return fmt.Errorf("delete handled messages: %w", err)
	}
	return nil
}

// postpone makes the messages due again at retry, with a trigger for that time.
func (in *Inbox) postpone(ctx context.Context, row messageRow, ids []int64, retry int64) error {
	list, err := json.Marshal(ids)
	if err != nil {
		return err
	}
	err = in.durably(ctx, func(ctx context.Context, u *unit) error {
		_, err := u.ExecContext(ctx, `
			UPDATE message SET failures = $2, retry = $3 WHERE id IN (`+in.db.numbers+`)`, string(list), row.failures+1, retry)
		u.trigger(wakeArgs{Key: row.key, At: retry}, retry)
		return err
	})
	if err != nil {
		return fmt.Errorf("postpone messages of %q: %w", row.key, err)
	}
	return nil
}
