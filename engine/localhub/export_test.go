package localhub

// Verify compares what the hub has on disk with what it has in memory.
func (h *Hub) Verify() error { return h.store.Verify() }
