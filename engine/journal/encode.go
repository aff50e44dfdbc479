package journal

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/runbook"
)

// Version is the version of the event file that this package writes.
const Version = 1

// timeForm is the time of an event: UTC, whole milliseconds, always the same length.
const timeForm = "2006-01-02T15:04:05.000Z"

// Head is the loose end of a journal.
type Head struct {
	Seq int    // of the last event; 0 before the first
	Sum string // SHA-256 of the last event file's bytes, hex; empty before the first
}

// stored is an event file.
type stored struct {
	Version int             `json:"version"`
	Seq     int             `json:"seq"`
	Prev    string          `json:"prev"` // Head.Sum before this event
	Time    string          `json:"time"`
	Kind    string          `json:"kind"`
	Data    json.RawMessage `json:"data"`
}

// toStore is an event file before it is written: its data is encoded with the rest of it.
type toStore struct {
	Version int           `json:"version"`
	Seq     int           `json:"seq"`
	Prev    string        `json:"prev"`
	Time    string        `json:"time"`
	Kind    string        `json:"kind"`
	Data    incident.Data `json:"data"`
}

// Encode makes the event files that follow head. dir is the incident's directory, incident.ID.Dir. It refuses a gap in the
// numbers, and events that are not in the form that Normal gives.
func Encode(dir string, head Head, events []incident.Event) (files map[string][]byte, next Head, err error) {
	files = make(map[string][]byte, len(events))
	for _, e := range events {
		if e.Data == nil {
			return nil, Head{}, fmt.Errorf("encode event %d: it says nothing", e.Seq)
		}
		path := Path(dir, e.Seq, e.Data.Kind())
		b, err := encodeEvent(head, e)
		if err != nil {
			return nil, Head{}, fmt.Errorf("encode event %d (%s): %w", e.Seq, e.Data.Kind(), err)
		}
		if _, err := decodeEvent(dir, head, b); err != nil {
			return nil, Head{}, fmt.Errorf("encode event %d (%s): it could not be read back: %w", e.Seq, e.Data.Kind(), err)
		}
		files[path], head = b, Head{Seq: e.Seq, Sum: sum(b)}
	}
	return files, head, nil
}

func encodeEvent(head Head, e incident.Event) ([]byte, error) {
	switch {
	case e.Seq != head.Seq+1:
		return nil, fmt.Errorf("it does not follow event %d", head.Seq)
	case e.At.Location() != time.UTC || !e.At.Equal(e.At.Truncate(time.Millisecond)):
		return nil, fmt.Errorf("its time %s is not in whole milliseconds of UTC", e.At.Format(time.RFC3339Nano))
	case e.At.Year() < 0 || e.At.Year() > 9999:
		return nil, fmt.Errorf("its time is in the year %d", e.At.Year())
	}
	if ended, ok := e.Data.(incident.StepEnded); ok && len(ended.Output) > 0 {
		compact, err := compacted(ended.Output)
		if err != nil {
			return nil, fmt.Errorf("output of step %s: %w", ended.Step, err)
		}
		if !bytes.Equal(compact, ended.Output) {
			return nil, fmt.Errorf("output of step %s is not compact JSON", ended.Step)
		}
	}
	return canonical(toStore{Version: Version, Seq: e.Seq, Prev: head.Sum, Time: e.At.Format(timeForm), Kind: e.Data.Kind(), Data: e.Data})
}

// Normal returns the event as Decode would return it: its time in whole milliseconds of UTC, the output of a step and what
// is given to a child as compact JSON. Digests of outputs are taken from this form, so the state in memory and the state in git agree.
func Normal(e incident.Event) (incident.Event, error) {
	e.At = e.At.UTC().Truncate(time.Millisecond)
	if ended, ok := e.Data.(incident.StepEnded); ok && len(ended.Output) > 0 {
		compact, err := compacted(ended.Output)
		if err != nil {
			return incident.Event{}, fmt.Errorf("output of step %s: %w", ended.Step, err)
		}
		ended.Output = compact
		e.Data = ended
	}
	if child, ok := e.Data.(incident.ChildOpened); ok && len(child.Inputs) > 0 {
		compact, err := compacted(child.Inputs)
		if err != nil {
			return incident.Event{}, fmt.Errorf("inputs of %s: %w", child.Incident, err)
		}
		child.Inputs = compact
		e.Data = child
	}
	return e, nil
}

func compacted(raw []byte) ([]byte, error) {
	var b bytes.Buffer
	if err := json.Compact(&b, raw); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// identity is incident.json.
type identity struct {
	Version  int               `json:"version"`
	ID       incident.ID       `json:"id"`
	Group    string            `json:"group"`
	Previous incident.ID       `json:"previous,omitempty"`
	Runbook  string            `json:"runbook"`
	Commit   string            `json:"commit"`
	Plan     string            `json:"plan"`
	Versions map[string]string `json:"versions"`

	Rehearsal bool `json:"rehearsal,omitempty"` // nothing is changed
}

// Identity is the content of incident.json: what the incident is, and what it was frozen at.
func Identity(opened incident.Opened) []byte {
	b, err := canonical(identity{Version: Version, ID: opened.ID, Group: opened.Group, Previous: opened.Previous,
		Runbook: opened.Runbook, Commit: opened.Commit, Plan: opened.Plan, Versions: opened.Versions, Rehearsal: opened.Rehearsal != nil})
	if err != nil {
		panic(fmt.Sprintf("journal: an identity is always JSON: %v", err)) // unreachable: strings only, made valid by the encoder
	}
	return b
}

var errNotUTF8 = errors.New("it is not valid UTF-8")

// canonical is indented JSON without HTML escapes and with a newline at its end: equal values give equal bytes.
func canonical(v any) ([]byte, error) {
	b, err := runbook.Canonical(v)
	if err != nil {
		return nil, err
	}
	if !utf8.Valid(b) {
		return nil, errNotUTF8
	}
	return append(b, '\n'), nil
}
