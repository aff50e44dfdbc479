package gitstore

import (
	"slices"
	"testing"
)

func TestNames(t *testing.T) {
	h := newHub(t, map[string]string{"incidents/2026/11/22/a/x": "", "incidents/2026/11/22/b/y": "", "incidents/2026/12/01/c/z": "", "incidents/README": ""})
	s := h.open(t)
	names, err := s.Names(t.Context(), h.main, "incidents", 4)
	if want := []string{"a", "b", "c"}; err != nil || !slices.Equal(names, want) {
		t.Errorf("names %q, %v; want %q", names, err, want)
	}
	// Refs, commit, root, and one request for each of the four levels.
	if got := s.Stats().Reads; got != 7 {
		t.Errorf("%d reads, want 7", got)
	}
	if names, err := s.Names(t.Context(), h.main, "absent", 4); err != nil || len(names) != 0 {
		t.Errorf("absent prefix: %q, %v", names, err)
	}
}
