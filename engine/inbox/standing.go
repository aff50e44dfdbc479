package inbox

import (
	"context"
	"fmt"
	"time"
)

// Standing counts what an inbox still has to do.
type Standing struct {
	Messages int       // due now, or being handled
	Failing  int       // failed before and wait for their next turn
	Timers   int       // not due yet
	Next     time.Time // when the first of the timers is due; zero: there are none
	Steps    int       // queued or running
}

// Idle tells whether nothing would happen before the next timer.
func (s Standing) Idle() bool { return s.Messages+s.Failing+s.Steps == 0 }

// Standing counts what is left to do at this moment. A handler that is at work counts until its message is gone.
func (in *Inbox) Standing(ctx context.Context) (Standing, error) {
	now := time.Now().UnixMilli()
	var s Standing
	var next int64
	err := in.db.QueryRowContext(ctx, `
		SELECT COUNT(*) FILTER (WHERE retry <= $1), COUNT(*) FILTER (WHERE retry > $1 AND failures > 0),
			COUNT(*) FILTER (WHERE retry > $1 AND failures = 0), COALESCE(MIN(retry) FILTER (WHERE retry > $1 AND failures = 0), 0),
			(SELECT COUNT(*) FROM step WHERE state IN ('queued', 'running'))
		FROM message`, now).Scan(&s.Messages, &s.Failing, &s.Timers, &next, &s.Steps)
	if err != nil {
		return Standing{}, fmt.Errorf("count what the inbox has to do: %w", err)
	}
	if s.Timers > 0 {
		s.Next = time.UnixMilli(next).UTC()
	}
	return s, nil
}

// Due tells when the first message of each key is due.
func (in *Inbox) Due(ctx context.Context) (map[string]time.Time, error) {
	rows, err := in.db.QueryContext(ctx, "SELECT key, MIN(retry) FROM message GROUP BY key")
	if err != nil {
		return nil, fmt.Errorf("read when messages are due: %w", err)
	}
	defer rows.Close()
	out := map[string]time.Time{}
	for rows.Next() {
		var key string
		var at int64
		if err := rows.Scan(&key, &at); err != nil {
			return nil, fmt.Errorf("read when messages are due: %w", err)
		}
		out[key] = time.UnixMilli(at).UTC()
	}
	return out, rows.Err()
}
