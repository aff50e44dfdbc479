package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/pullbook/pullbook/engine"
)

const (
	maxEvent   = 1 << 20    // bytes of an event's file
	maxPayload = 64<<10 - 1 // characters of client_payload ("Create a repository dispatch event" in GitHub's description of its REST API)
)

// dispatched reads what a repository_dispatch brings ($GITHUB_EVENT_PATH): an order, in which a runbook may be missing where an
// alert is given.
func dispatched(path string) (engine.Arrival, error) {
	var a engine.Arrival
	info, err := os.Stat(path)
	if err == nil && info.Size() > maxEvent {
		err = fmt.Errorf("it has %d bytes, and an event has at most %d", info.Size(), maxEvent)
	}
	if err != nil {
		return a, fmt.Errorf("read the event: %w", err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return a, fmt.Errorf("read the event: %w", err)
	}
	var event struct {
		Payload json.RawMessage `json:"client_payload"`
	}
	if err := json.Unmarshal(text, &event); err != nil {
		return a, fmt.Errorf("read the event: %w", err)
	}
	if len(event.Payload) > maxPayload {
		return a, fmt.Errorf("the client_payload of the event has %d characters, and GitHub takes at most %d", len(event.Payload), maxPayload)
	}
	o, err := decodeOrder(strings.NewReader(string(event.Payload)))
	if err == nil && o.Runbook == "" && len(o.Alert) == 0 {
		err = errors.New("it holds neither an alert nor a runbook")
	}
	if err != nil {
		return a, withHint(fmt.Errorf("the client_payload of the event: %w", err), `it is {"alert": {"name": ...}}, with runbook and inputs beside it where a person chose them`)
	}
	return o.arrival()
}

// appendOutputs sets the outputs of a job's step: numbers and a time, nothing of what anybody wrote.
func appendOutputs(path string, s summary) error {
	next := ""
	if !s.Next.IsZero() {
		next = s.Next.UTC().Format(time.RFC3339)
	}
	return appendSummary(path, fmt.Sprintf("did=%d\nopen=%d\nnext=%s\n", len(s.Done), len(s.Open), next))
}
