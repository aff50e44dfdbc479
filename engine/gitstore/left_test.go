package gitstore

import (
	"errors"
	"testing"
)

// TestLeftIsForTheNext leaves a note with the lease: it is there until the lease is taken, and only whoever knows the key
// believes it.
func TestLeftIsForTheNext(t *testing.T) {
	h, w := newHub(t, map[string]string{"a": "1"}), newWatch()
	s := h.open(t)
	known := w.request(t, "first").Signers
	if _, err := s.Left(t.Context(), known, w.Now()); !errors.Is(err, ErrNothingLeft) {
		t.Fatalf("before anybody came: %v", err)
	}
	tenure := mustTake(t, s, w.request(t, "first"))
	if _, err := h.open(t).Left(t.Context(), known, w.Now()); !errors.Is(err, ErrHeld) || !errors.Is(err, ErrNothingLeft) {
		t.Errorf("while somebody serves the ledger: %v", err)
	}
	if err := errors.Join(tenure.Leave([]byte("note")), tenure.Release(t.Context())); err != nil {
		t.Fatal(err)
	}
	next := h.open(t)
	before := next.Stats().Reads
	left, err := next.Left(t.Context(), known, w.Now())
	if err != nil || string(left.Note) != "note" || left.Heads["main"].IsZero() {
		t.Errorf("left %q beside %v: %v", left.Note, left.Heads, err)
	}
	if n := next.Stats().Reads - before; n != 2 {
		t.Errorf("it took %d requests", n)
	}
	other := signersOf(t, testSigner(t, 2).AllowedLine("pullbook@acme.test"))
	if left, err := next.Left(t.Context(), other, w.Now()); !errors.Is(err, ErrNothingLeft) || left.Note != nil {
		t.Errorf("of a key that is not known it believed %q: %v", left.Note, err)
	}
	second := mustTake(t, next, w.request(t, "second"))
	if err := second.Release(t.Context()); err != nil {
		t.Fatal(err)
	}
	if left, err := h.open(t).Left(t.Context(), known, w.Now()); !errors.Is(err, ErrNothingLeft) {
		t.Errorf("after another one had the ledger it believed %q: %v", left.Note, err)
	}
	if err := second.Leave(make([]byte, maxLeft+1)); err == nil {
		t.Error("a note of more than 1 MiB was taken")
	}
}
