package localhub

import "github.com/pullbook/pullbook/engine/localhub/state"

// Store lets tests fill the hub without a request for each thing.
func (h *Hub) Store() *state.Store { return h.store }

// Verify compares what the hub has on disk with what it has in memory.
func (h *Hub) Verify() error { return h.store.Verify() }
