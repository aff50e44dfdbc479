package github

import (
	"fmt"
	"time"
)

// ReadEvent reads what an event says that the hub tells nowhere else: a button that was pressed, a check that is asked for again.
// Nobody signed it: the hub itself handed it to a job that runs on the default branch (GITHUB_EVENT_PATH). id is the same when
// the job is run again. Of any other event the hint is empty.
func ReadEvent(c WebhookConfig, kind, id string, body []byte) (Hint, error) {
	c.InstallationID = 0 // jobs are not told it
	h := &webhook{WebhookConfig: c}
	hint, outcome, err := h.hint(kind, body)
	switch {
	case err != nil:
		return Hint{}, fmt.Errorf("read the event %s: %w", line(kind), err)
	case outcome != "":
		return Hint{}, nil
	case hint.Press != nil:
		hint.Press.Delivery, hint.Press.At = id, time.Now().UTC().Truncate(time.Millisecond)
	case hint.Again == "":
		return Hint{}, nil
	}
	return hint, nil
}
