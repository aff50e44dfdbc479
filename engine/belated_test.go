package engine

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/journal"
)

// history is a default branch with merged incidents on it.
type history struct {
	Ledger
	files  map[string]File
	broken error
	reads  int
}

func (h *history) Files(_ context.Context, _ string, paths ...string) (map[string]File, error) {
	h.reads++
	out := map[string]File{}
	for path, f := range h.files {
		if strings.HasPrefix(path, paths[0]+"/") {
			out[path] = f
		}
	}
	return out, h.broken
}

// merge puts an incident on the branch that opened for an alert and ended a minute later.
func (h *history) merge(t *testing.T, a incident.Alert, previous incident.ID, at time.Time) incident.ID {
	t.Helper()
	id := incident.NewID(incident.Slot(a.Group, previous), at)
	var s incident.State
	opened := s.Next([]incident.Data{incident.Opened{ID: id, Group: a.Group, Previous: previous, Alert: a, Plan: "p"}}, at)
	s, err := incident.Fold(opened)
	if err != nil {
		t.Fatal(err)
	}
	events := append(opened, s.Next([]incident.Data{incident.Ended{End: incident.EndResolved}}, at.Add(time.Minute))...)
	files, _, err := journal.Encode(id.Dir(), journal.Head{}, events)
	if err != nil {
		t.Fatal(err)
	}
	for path, data := range files {
		h.files[path] = File{Data: data}
	}
	return id
}

// TestAlertsThatComeAgain: a message that the inbox gives again when its incident is over begins nothing. One that came later, or
// says something else, does.
func TestAlertsThatComeAgain(t *testing.T) {
	at := time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)
	one := incident.Alert{Name: "x", Source: "generic", Status: incident.Firing, Group: "g", Labels: map[string]string{"n": "1"}, Annotations: map[string]string{}}
	two, three := one, one
	two.Labels, three.Labels = map[string]string{"n": "2"}, map[string]string{"n": "3"}
	h := &history{files: map[string]File{}}
	first := h.merge(t, one, "", at)
	second := h.merge(t, two, first, at.Add(time.Hour))
	e := New(Config{Ledger: h, Log: slog.New(slog.DiscardHandler)})
	for name, c := range map[string]struct {
		alert incident.Alert
		after time.Duration // that it came after the first incident's opening
		in    incident.ID
		reads int
	}{
		"the latest has it":                              {two, time.Hour - time.Second, second, 1},
		"it was said again while that was open":          {two, time.Hour + 59*time.Second, second, 1},
		"it was said again just as it ended":             {two, time.Hour + time.Minute, "", 1},
		"it was said again later":                        {two, 2 * time.Hour, "", 1},
		"one before has it":                              {one, time.Second, first, 2},
		"it was said again between them":                 {one, 2 * time.Minute, "", 2},
		"it was said again when another one was open":    {one, time.Hour + time.Second, "", 1},
		"nobody has it, although one was open":           {three, time.Hour + time.Second, "", 1},
		"nobody has it, and it came before the first":    {three, -time.Second, "", 2},
		"it does not say when it came, as older ones do": {two, 0, "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			a := Arrival{Alert: c.alert}
			if c.reads > 0 {
				a.Received = at.Add(c.after)
			}
			h.reads = 0
			in, err := e.dealtWith(t.Context(), a, place{previous: second})
			if in != c.in || err != nil || h.reads != c.reads {
				t.Errorf("%q has dealt with it, want %q; %d journals were read, want %d; %v", in, c.in, h.reads, c.reads, err)
			}
		})
	}
	again := Arrival{Alert: two, Received: at.Add(time.Hour)}
	h.broken = errors.New("the hub is away")
	if _, err := e.dealtWith(t.Context(), again, place{previous: second}); !errors.Is(err, h.broken) {
		t.Errorf("the journal could not be read now, which decides nothing: %v", err)
	}
	h.broken = nil
	for path := range h.files {
		if strings.HasPrefix(path, journal.EventDir(second.Dir())) {
			h.files[path] = File{Data: []byte("{}")}
		}
	}
	if in, err := e.dealtWith(t.Context(), again, place{previous: second}); in != "" || err != nil {
		t.Errorf("a journal that says nothing keeps an alert from its incident: %q, %v", in, err)
	}
}
