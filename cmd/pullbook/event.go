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
	"github.com/pullbook/pullbook/engine/intake"
)

const (
	maxEvent   = 1 << 20    // bytes of an event's file: a webhook of that size is refused, too
	maxPayload = 64<<10 - 1 // characters of client_payload ("Create a repository dispatch event" in GitHub's description of its REST API)
)

// errLargeEvent is for events with a long text of somebody's, such as the message of a commit.
var errLargeEvent = errors.New("it is too large")

// readEvent reads the file in which a job finds the event that started it ($GITHUB_EVENT_PATH).
func readEvent(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err == nil && info.Size() > maxEvent {
		err = fmt.Errorf("%w: %d bytes, and at most %d are taken", errLargeEvent, info.Size(), maxEvent)
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

// brought is what the event that started a job says and the hub tells nowhere else.
type brought struct {
	id    string
	hint  github.Hint  // of a button that was pressed, or a check that is asked for again
	event github.Event // of which an alert may be made
}

// brings reads what the event brings; nil where the hub can be asked for everything in it.
func (a *advance) brings() (*brought, error) {
	f := a.flags
	if f.event == "" || a.ordered {
		return nil, nil
	}
	text, err := readEvent(f.event)
	if errors.Is(err, errLargeEvent) { // a look is due all the same, and whoever wrote so much keeps nobody from it
		a.svc.log.Warn("nothing of the event is taken", "event", f.eventName, "error", err)
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	b := &brought{id: "run-" + cmp.Or(os.Getenv("GITHUB_RUN_ID"), rand.Text())} // a job that is run again tells of the same event
	if b.hint, err = github.ReadEvent(github.WebhookConfig{Repository: a.svc.settings.repo, AppID: a.svc.settings.appID}, f.eventName, b.id, text); err != nil {
		return nil, err
	}
	alert, err := intake.Event(f.eventName, text)
	if err != nil { // a look is due all the same
		a.svc.log.Warn("the event can be no alert", "event", f.eventName, "error", err)
		alert, err = nil, nil
	}
	if alert != nil {
		b.event, err = github.EventOf(f.eventName, b.id, text)
	}
	if err != nil || b.hint.Press == nil && b.hint.Again == "" && alert == nil {
		return nil, err
	}
	return b, nil
}

// heed makes durable what an event brings. What the App itself has caused makes no alert: a workflow that a step ran and that
// failed is that step's failure.
func (a *advance) heed(ctx context.Context, b *brought) error {
	if b == nil {
		return nil
	}
	var err error
	if b.event.Kind != "" && !strings.EqualFold(b.event.Sender, a.svc.hub.Bot()) {
		_, err = a.svc.takeEvent(ctx, b.event)
	}
	if b.hint.Press != nil || b.hint.Again != "" {
		_, more := a.svc.webhookConfig(nil).Once(ctx, b.id, b.hint)
		err = errors.Join(err, more)
	}
	return err
}

// What the workflows of a ledger are sent an alert with: the event, and its type.
const (
	repositoryDispatch = "repository_dispatch"
	dispatchType       = "pullbook"
)

// dispatched reads what a repository_dispatch of type pullbook brings: an order, in which a runbook may be missing where an
// alert is given. Of another type it is nil: the intakes of pullbook.cue decide on it.
func dispatched(path string) (*engine.Arrival, error) {
	text, err := readEvent(path)
	if err != nil {
		return nil, err
	}
	var event struct {
		Type    string          `json:"action"`
		Payload json.RawMessage `json:"client_payload"`
	}
	if err := json.Unmarshal(text, &event); err != nil {
		return nil, fmt.Errorf("read the event: %w", err)
	}
	if event.Type != dispatchType {
		return nil, nil
	}
	if len(event.Payload) > maxPayload {
		return nil, fmt.Errorf("the client_payload of the event has %d characters, and GitHub takes at most %d", len(event.Payload), maxPayload)
	}
	o, err := decodeOrder(strings.NewReader(string(event.Payload)))
	if err == nil && o.Runbook == "" && len(o.Alert) == 0 {
		err = errors.New("it holds neither an alert nor a runbook")
	}
	if err != nil {
		return nil, withHint(fmt.Errorf("the client_payload of the event: %w", err), `it is {"alert": {"name": ...}}, with runbook and inputs beside it where a person chose them`)
	}
	a, err := o.arrival()
	return &a, err
}

// appendOutputs sets the outputs of a job's step: numbers and a time, nothing of what anybody wrote.
func appendOutputs(path string, s summary) error {
	next := ""
	if !s.Next.IsZero() {
		next = s.Next.UTC().Format(time.RFC3339)
	}
	return appendSummary(path, fmt.Sprintf("did=%d\nopen=%d\nnext=%s\n", len(s.Done), len(s.Open), next))
}
