package github

import (
	"encoding/json"
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

// EventOf is an event that the hub handed to a job, as a webhook brings it.
func EventOf(kind, id string, body []byte) (Event, error) {
	var p payload
	if err := json.Unmarshal(body, &p); err != nil {
		return Event{}, fmt.Errorf("read the event %s: %w", line(kind), err)
	}
	return Event{Delivery: id, Kind: kind, Repository: p.Repository.FullName, SenderID: p.Sender.ID, Sender: p.Sender.Login, Body: body}, nil
}
