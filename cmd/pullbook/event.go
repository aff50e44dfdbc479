package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/pullbook/pullbook/engine"
	"github.com/pullbook/pullbook/engine/github"
)

const (
	maxEvent   = 1 << 20    // bytes of an event's file
	maxPayload = 64<<10 - 1 // characters of client_payload ("Create a repository dispatch event" in GitHub's description of its REST API)
)

// readEvent reads the file in which a job finds the event that started it ($GITHUB_EVENT_PATH).
func readEvent(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err == nil && info.Size() > maxEvent {
		err = fmt.Errorf("it has %d bytes, and an event has at most %d", info.Size(), maxEvent)
	}
	if err != nil {
		return nil, fmt.Errorf("read the event: %w", err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the event: %w", err)
	}
	return text, nil
}

// heed puts what the event says that the hub tells nowhere else, such as a button that was pressed. Everything else is looked up.
func (a *advance) heed(ctx context.Context) error {
	if a.flags.event == "" || a.flags.eventName == repositoryDispatch {
		return nil
	}
	text, err := readEvent(a.flags.event)
	if err != nil {
		return err
	}
	id := "run-" + cmp.Or(os.Getenv("GITHUB_RUN_ID"), rand.Text()) // a job that is run again tells of the same event
	config := a.svc.webhookConfig(nil)
	hint, err := github.ReadEvent(config, a.flags.eventName, id, text)
	if err != nil || hint.Press == nil && hint.Again == "" {
		return err
	}
	_, err = config.Once(ctx, id, hint)
	return err
}

// repositoryDispatch is the event that brings an alert.
const repositoryDispatch = "repository_dispatch"

// dispatched reads what a repository_dispatch brings: an order, in which a runbook may be missing where an alert is given.
func dispatched(path string) (engine.Arrival, error) {
	var a engine.Arrival
	text, err := readEvent(path)
	if err != nil {
		return a, err
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
