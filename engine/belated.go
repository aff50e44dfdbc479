package engine

import (
	"context"
	"fmt"

	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/journal"
)

// dealtWith returns the incident that has recorded an alert, and has ended since the alert came; empty: there is none. The inbox
// gives every message at least once: one whose handling could not be written down, since the engine was killed or its disk was
// full, comes again, perhaps when all is over. It is no news then. What the source says after the end comes after the end, word
// for word the same or not. A message that does not say when it came is taken for news.
func (e *Engine) dealtWith(ctx context.Context, a Arrival, p place) (incident.ID, error) {
	if a.Received.IsZero() {
		return "", nil
	}
	if p.open != nil {
		s := p.open.report.Load().state
		if s.Known[a.Alert.Digest()] || !a.Received.Before(s.OpenedAt) {
			return "", nil
		}
	}
	for id, s := p.previous, p.ended; id != ""; id, s = s.Opened.Previous, nil {
		if s == nil {
			var err error
			if s, err = e.merged(ctx, id, p.tip); s == nil {
				return "", err
			}
		}
		switch {
		case s.Known[a.Alert.Digest()] && a.Received.Before(s.EndedAt):
			return id, nil
		case !a.Received.Before(s.OpenedAt):
			return "", nil // those before it were over when the alert came
		}
	}
	return "", nil
}

// merged reads what the journal of an incident on the default branch says. One that says nothing that can be understood, which
// Verify names, keeps no alert from its incident: it is nil.
func (e *Engine) merged(ctx context.Context, id incident.ID, tip string) (*incident.State, error) {
	tree, err := e.Ledger.Files(ctx, tip, journal.EventDir(id.Dir()))
	if err != nil {
		return nil, fmt.Errorf("read the journal of the earlier incident %s: %w", id, err)
	}
	files := make(map[string][]byte, len(tree))
	for path, f := range tree {
		files[path] = f.Data
	}
	events, _, err := journal.Decode(id.Dir(), files)
	if err == nil {
		var s incident.State
		if s, err = incident.Fold(events); err == nil {
			return &s, nil
		}
	}
	e.Log.Warn("the journal of a merged incident cannot be read", "incident", id, "error", err)
	return nil, nil
}
