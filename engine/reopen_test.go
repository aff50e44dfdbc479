package engine

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"testing"

	"github.com/pullbook/pullbook/engine/incident"
)

// two is a hub on which a branch has two pull requests.
type two struct {
	Hub
	open map[int]bool
}

func (h *two) Look(_ context.Context, q incident.HubQuery) (view incident.HubView, err error) {
	for n := range h.open {
		if q.Pull == n || q.Pull == 0 && (h.open[n] || view.Pull == nil) {
			view.Pull = &incident.Pull{Number: n, Open: h.open[n]}
		}
	}
	return view, nil
}

func (h *two) Publish(_ context.Context, p incident.Publication) error {
	if p.Reopen && (h.open[1] || h.open[2]) {
		return errors.New("there is one open already")
	}
	h.open[p.Pull] = p.Reopen
	return nil
}

// TestReopenedBesideASecond: a person closed a pull request before the hub showed it, so that the branch has a second one.
func TestReopenedBesideASecond(t *testing.T) {
	hub := &two{open: map[int]bool{1: false, 2: true}}
	e := New(Config{Hub: hub, Log: slog.New(slog.NewTextHandler(io.Discard, nil))})
	w := &worker{branch: "incident/k3jq5zabcd", mu: e.newLock(), hub: &incident.HubView{Pull: &incident.Pull{Number: 1}}}
	if err := e.reopen(t.Context(), w); err != nil || !hub.open[1] || hub.open[2] || !w.hub.Pull.Open {
		t.Errorf("open: %v, remembered as open: %t, %v", hub.open, w.hub.Pull.Open, err)
	}
	w.hub.Pull.Open = false
	if err := e.reopen(t.Context(), w); err == nil || w.hub.Pull.Open || !hub.open[1] {
		t.Errorf("what the hub refuses is remembered as open, or the pull request was closed: %v, %v", hub.open, err)
	}
}
