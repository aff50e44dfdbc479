package inbox

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"
)

// Step is one run of a command.
type Step struct {
	Key        string          // the attempt key, chosen by the caller: one run for ever
	Incident   string          // who is told of the end, by a look
	Repeatable bool            // running it again does no harm
	Body       json.RawMessage // what to run; JSON, at most MaxBody bytes
}

// StepState says how far a step has come.
type StepState string

// A step goes from queued to running to one of the three ends; a repeatable one may go back to queued.
const (
	StepQueued    StepState = "queued"    // will be started
	StepRunning   StepState = "running"   // was started and has no outcome yet
	StepEnded     StepState = "ended"     // has an outcome
	StepLost      StepState = "lost"      // was started, and nobody can say how it went
	StepCancelled StepState = "cancelled" // will not be started (again); with no Starts it had no effect at all
)

// StepRecord is what is known about a step. Times are in UTC, and zero if it has not come to that.
type StepRecord struct {
	Step
	State   StepState
	Starts  int             // how often RunStep was called
	Outcome json.RawMessage // what RunStep returned, if State is StepEnded
	Queued  time.Time       // when StartStep was called
	Started time.Time       // when RunStep was last called
	Ended   time.Time       // when State became ended, lost or cancelled
	Place   int64           // in the queue, from 1: larger than that of what was queued before
}

// StartStep queues s and returns; the step and its place in the queue are on disk. A second call with a known key does
// nothing, whatever became of the first, also after Forget.
func (in *Inbox) StartStep(ctx context.Context, s Step) error {
	body, err := checkBody(s.Body)
	if err := errors.Join(err, checkName("attempt key", s.Key), checkName("incident", s.Incident)); err != nil {
		return fmt.Errorf("start step: %w", err)
	}
	now := time.Now().UnixMilli()
	repeatable := 0
	if s.Repeatable {
		repeatable = 1
	}
	hand, added := in.handover(stepSeats), false
	err = in.durably(ctx, func(ctx context.Context, u *unit) error {
		var spent bool
		err := u.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM spent WHERE key = $1)", s.Key).Scan(&spent)
		if err != nil || spent {
			return err
		}
		result, err := u.ExecContext(ctx, `
			INSERT INTO step (key, incident, repeatable, body, sum, state, ready, queued_at)
			VALUES ($1, $2, $3, $4, $5, 'queued', $6, $6) ON CONFLICT (key) DO NOTHING`,
			s.Key, s.Incident, repeatable, []byte(body), checksum(s.Key, s.Incident, strconv.Itoa(repeatable), body), now)
		if err != nil {
			return err
		}
		n, err := result.RowsAffected()
		if added = n > 0; err != nil || !added || hand != nil {
			return err
		}
		u.trigger(stepArgs{Key: s.Key, At: now}, now)
		return nil
	})
	if added {
		hand.begin(s.Key, now, func(ctx context.Context, w *worker, at int64) error {
			return w.step(ctx, stepArgs{Key: s.Key, At: at}, s.Repeatable)
		})
	} else {
		hand.leave()
	}
	if err != nil {
		return fmt.Errorf("start step %q of %q: %w", s.Key, s.Incident, err)
	}
	return nil
}

// CancelStep ends a queued step as cancelled, with a look for its incident. A running one has its context cancelled with
// ErrCancelled as the cause, and what RunStep then returns decides; should the engine die first, a repeatable step is not
// run again. A step that has ended, or that the inbox does not know, is left alone.
func (in *Inbox) CancelStep(ctx context.Context, key string) error {
	now, hand := time.Now(), in.handover(messageSeats)
	var incident string
	err := in.durably(ctx, func(ctx context.Context, u *unit) error {
		err := u.QueryRowContext(ctx, `
			UPDATE step SET state = 'cancelled', cancel = 1, ended_at = $1 WHERE key = $2 AND state = 'queued' RETURNING incident`,
			now.UnixMilli(), key).Scan(&incident)
		if errors.Is(err, sql.ErrNoRows) {
			_, err := u.ExecContext(ctx, "UPDATE step SET cancel = 1 WHERE key = $1 AND state = 'running'", key)
			return err
		}
		if err != nil {
			return err
		}
		return insertLook(ctx, u, incident, now, hand)
	})
	if incident != "" {
		hand.wake(incident, now.UnixMilli())
	} else {
		hand.leave()
	}
	if err != nil {
		return fmt.Errorf("cancel step %q: %w", key, err)
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.running != nil {
		in.running.cancelStep(key)
	}
	return nil
}

// Steps returns what is known about the incident's steps that were queued after a place, in the order in which they were queued.
// After 0 these are all.
func (in *Inbox) Steps(ctx context.Context, incident string, after int64) ([]StepRecord, error) {
	rows, err := in.db.QueryContext(ctx, fmt.Sprintf(`
		SELECT key, repeatable, body, state, starts, outcome, queued_at, started_at, ended_at, %[1]s
		FROM step WHERE incident = $1 AND %[1]s > $2 ORDER BY %[1]s`, in.db.arrival), incident, after)
	if err != nil {
		return nil, fmt.Errorf("read steps of %q: %w", incident, err)
	}
	defer rows.Close()
	var records []StepRecord
	for rows.Next() {
		record := StepRecord{Step: Step{Incident: incident}}
		var body, outcome []byte
		var queued, started, ended int64
		if err := rows.Scan(&record.Key, &record.Repeatable, &body, &record.State, &record.Starts, &outcome,
			&queued, &started, &ended, &record.Place); err != nil {
			return nil, fmt.Errorf("read steps of %q: %w", incident, err)
		}
		record.Body, record.Outcome = body, outcome
		record.Queued, record.Started, record.Ended = fromMilli(queued), fromMilli(started), fromMilli(ended)
		records = append(records, record)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read steps of %q: %w", incident, err)
	}
	return records, nil
}

func fromMilli(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// Forget drops everything about the incident's steps but their keys. It refuses while one of them is queued or running.
func (in *Inbox) Forget(ctx context.Context, incident string) error {
	var gone []string
	err := in.durably(ctx, func(ctx context.Context, u *unit) (err error) {
		var open int
		if err := u.QueryRowContext(ctx,
			"SELECT count(*) FROM step WHERE incident = $1 AND state IN ('queued', 'running')", incident).Scan(&open); err != nil {
			return err
		}
		if open > 0 {
			return fmt.Errorf("%d of its steps are queued or running", open)
		}
		if _, err := u.ExecContext(ctx, "INSERT INTO spent SELECT key FROM step WHERE incident = $1", incident); err != nil {
			return err
		}
		gone, err = texts(u.QueryContext(ctx, "DELETE FROM step WHERE incident = $1 RETURNING key", incident))
		return err
	})
	if err != nil {
		return fmt.Errorf("forget incident %q: %w", incident, err)
	}
	for _, key := range gone {
		in.begun.forget(key)
	}
	return nil
}

// beginStep moves a step from queued to running. Only the caller that is told true may run it. Of a step that is known to be
// repeatable that need not be on disk: if a power cut takes it back, the step is queued and runs again, as it would in any case.
func (in *Inbox) beginStep(ctx context.Context, key string, now int64, repeatable bool) (s Step, starts int, begun bool, err error) {
	s.Key = key
	var body []byte
	do := in.durably
	if repeatable {
		do = func(ctx context.Context, f func(ctx context.Context, u *unit) error) error {
			return write(ctx, in.db, func(tx *sql.Tx) error { return f(ctx, &unit{Tx: tx}) })
		}
	}
	err = do(ctx, func(ctx context.Context, u *unit) error {
		return u.QueryRowContext(ctx, `
			UPDATE step SET state = 'running', starts = starts + 1, started_at = $1
			WHERE key = $2 AND state = 'queued' AND ready <= $1 RETURNING incident, repeatable, body, starts`, now, key).
			Scan(&s.Incident, &s.Repeatable, &body, &starts)
	})
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return Step{}, 0, false, nil
	case err != nil:
		return Step{}, 0, false, fmt.Errorf("begin step %q: %w", key, err)
	}
	s.Body = body
	return s, starts, true, nil
}

// endStep stores the outcome together with a look for the incident.
func (in *Inbox) endStep(ctx context.Context, s Step, outcome json.RawMessage) error {
	now, hand := time.Now(), in.handover(messageSeats)
	err := in.durably(ctx, func(ctx context.Context, u *unit) error {
		_, err := u.ExecContext(ctx, `
			UPDATE step SET state = 'ended', outcome = $1, outcome_sum = $2, ended_at = $3 WHERE key = $4 AND state = 'running'`,
			[]byte(outcome), checksum(s.Key, "", "", outcome), now.UnixMilli(), s.Key)
		if err != nil {
			return err
		}
		return insertLook(ctx, u, s.Incident, now, hand)
	})
	hand.wake(s.Incident, now.UnixMilli())
	if err != nil {
		return fmt.Errorf("store outcome of step %q: %w", s.Key, err)
	}
	return nil
}

// giveUpStep takes back a step that was started and has no outcome. It becomes queued after pause if it may be repeated and
// nobody has cancelled it; otherwise cancelled or lost, with a look for the incident.
func (in *Inbox) giveUpStep(ctx context.Context, s Step, pause time.Duration) error {
	now, hand := time.Now(), in.handover(messageSeats)
	ready := ceilMilli(now.Add(pause))
	err := in.durably(ctx, func(ctx context.Context, u *unit) error {
		var state StepState
		err := u.QueryRowContext(ctx, `
			UPDATE step SET
				state = CASE WHEN repeatable = 0 THEN 'lost' WHEN cancel = 1 THEN 'cancelled' ELSE 'queued' END,
				ended_at = CASE WHEN repeatable = 1 AND cancel = 0 THEN 0 ELSE CAST($1 AS BIGINT) END,
				ready = $2
			WHERE key = $3 AND state = 'running' RETURNING state`, now.UnixMilli(), ready, s.Key).Scan(&state)
		switch {
		case errors.Is(err, sql.ErrNoRows):
			return nil // an earlier try was committed although its answer was an error
		case err != nil:
			return err
		case state == StepQueued:
			u.trigger(stepArgs{Key: s.Key, At: ready}, ready)
			return nil
		}
		return insertLook(ctx, u, s.Incident, now, hand)
	})
	hand.wake(s.Incident, now.UnixMilli())
	if err != nil {
		return fmt.Errorf("take back step %q: %w", s.Key, err)
	}
	return nil
}

// takeBack gives up every step that is marked running although nothing runs.
func (in *Inbox) takeBack(ctx context.Context) error {
	rows, err := in.db.QueryContext(ctx, "SELECT key, incident FROM step WHERE state = 'running'")
	if err != nil {
		return fmt.Errorf("find steps left running: %w", err)
	}
	defer rows.Close()
	var left []Step
	for rows.Next() {
		var s Step
		if err := rows.Scan(&s.Key, &s.Incident); err != nil {
			return fmt.Errorf("find steps left running: %w", err)
		}
		left = append(left, s)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return fmt.Errorf("find steps left running: %w", err)
	}
	for _, s := range left {
		if err := in.giveUpStep(ctx, s, 0); err != nil {
			return err
		}
		in.config.Logger.Warn("took back a step that was left running", "step", s.Key, "incident", s.Incident)
	}
	return nil
}
