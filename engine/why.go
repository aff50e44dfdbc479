package engine

import (
	"context"
	"errors"
	"fmt"

	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/render"
)

// ErrNotOpen says that no open incident has this name, or that its plan has no such step.
var ErrNotOpen = errors.New("not found")

// Why explains what a step of an open incident waits for, with what the hub says now. It decides and writes nothing.
func (e *Engine) Why(ctx context.Context, id incident.ID, step string) (string, error) {
	heads, err := e.Ledger.Heads(ctx)
	if err != nil {
		return "", fmt.Errorf("look for incident %s: %w", id, err)
	}
	if heads[id.Branch()] == "" {
		return "", fmt.Errorf("incident %s is not open: %w", id, ErrNotOpen)
	}
	w := e.worker(id.Branch())
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := e.read(ctx, w); err != nil {
		return "", err
	}
	if w.ledger.state.Opened.ID != id {
		return "", fmt.Errorf("incident %s is not open: %w", id, ErrNotOpen)
	}
	if err := e.lookAtHub(ctx, w, true); err != nil {
		return "", err
	}
	plan, view, err := e.gather(ctx, w, nil)
	if err != nil {
		return "", err
	}
	text, known := render.Why(w.ledger.state.Expand(plan), w.ledger.state, view, step)
	if !known {
		return "", fmt.Errorf("the plan of %s has no step %q: %w", id, step, ErrNotOpen)
	}
	return text, nil
}
