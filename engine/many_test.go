package engine

import (
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pullbook/pullbook/engine/incident"
)

// TestSweepReadsTogether: an engine that has just started reads all open incidents with one request, once. It leaves to their looks
// one that cannot be read so, and one that does not lead to where the engine left it; what is merged already is not read.
func TestSweepReadsTogether(t *testing.T) {
	now := time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)
	b := &branches{of: map[string]Branch{}}
	var ids []incident.ID
	var open, looks []string
	for i := range 5 {
		id := incident.NewID(incident.Slot(fmt.Sprint("group ", i), ""), now)
		ids, looks = append(ids, id), append(looks, "hub "+id.Branch())
		b.of[id.Branch()] = incidentBranch(t, id)
		if i < 4 {
			open = append(open, id.Branch())
		}
	}
	slices.Sort(looks)
	slices.Sort(open)
	b.broken, b.merged = ids[2].Branch(), ids[4:]
	e := New(Config{Ledger: b, Inbox: b, DefaultBranch: "main", Log: slog.New(slog.DiscardHandler)})
	e.marks[ids[0].Branch()] = "h"
	e.marks[ids[1].Branch()] = "elsewhere"
	e.ReadOpen(t.Context())
	for range 2 {
		if err := e.Handle(t.Context(), Message{Kind: KindSweep, Key: "ledger"}); err != nil {
			t.Fatal(err)
		}
	}
	again := []string{ids[1].Branch(), ids[2].Branch()}
	slices.Sort(again)
	if d := cmp.Diff([][]string{open, again, again}, b.together); d != "" {
		t.Errorf("read: %s", d)
	}
	if d := cmp.Diff(append(looks, looks...), b.puts); d != "" {
		t.Errorf("woken: %s", d)
	}
	for i, id := range ids {
		if w := e.known(id.Branch()); (w != nil && w.ledger != nil) != (i == 0 || i == 3) {
			t.Errorf("incident %d is remembered, or is not", i)
		}
	}
	if len(b.reads) > 0 {
		t.Errorf("read one by one: %v", b.reads)
	}
}
