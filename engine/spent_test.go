package engine

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/runbook"
)

// queue is a step queue of which it is known where it was read from.
type queue struct {
	Inbox
	all   []incident.Attempt
	after []int64
}

func (q *queue) Attempts(_ context.Context, _ string, after int64) (out []incident.Attempt, err error) {
	q.after = append(q.after, after)
	for _, a := range q.all {
		if a.Place > after {
			out = append(out, a)
		}
	}
	return out, nil
}

// TestSpentAttemptsAreNotReadAgain: what the journal has done with is left in the step queue, up to the first attempt of which that is
// not so, and notes that are made anew begin at the front.
func TestSpentAttemptsAreNotReadAgain(t *testing.T) {
	at := time.Date(2026, 11, 22, 3, 4, 5, 0, time.UTC)
	_, events := longPlan(4, at)
	q := &queue{}
	for i, state := range []incident.AttemptState{incident.AttemptEnded, incident.AttemptEnded, incident.AttemptRunning, incident.AttemptEnded} {
		name := fmt.Sprintf("step_%03d", i)
		q.all = append(q.all, incident.Attempt{Step: name, Number: 1, State: state, Place: int64(10 + i)})
		if state == incident.AttemptEnded {
			events = append(events, incident.Event{Seq: len(events) + 1, At: at, Data: incident.StepEnded{Step: name, Attempt: 1, Conclusion: runbook.Succeeded}})
		}
	}
	state, err := incident.Fold(events)
	if err != nil {
		t.Fatal(err)
	}
	older, err := incident.Fold(events[:2])
	if err != nil {
		t.Fatal(err)
	}
	e, w := New(Config{Inbox: q}), &worker{ledger: &notes{state: state}}
	for i, want := range []struct {
		left  int
		after int64
	}{{2, 0}, {2, 11}, {3, 0}} {
		if i == 2 {
			w.ledger = &notes{state: older}
		}
		got, err := e.attempts(t.Context(), w)
		if err != nil || len(got) != want.left || q.after[i] != want.after {
			t.Errorf("read %d: %v after %d: %v", i, got, q.after[i], err)
		}
	}
}
