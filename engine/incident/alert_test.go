package incident

import (
	"strings"
	"testing"
	"time"
)

func TestIDs(t *testing.T) {
	late := time.Date(2026, 11, 22, 23, 59, 59, 0, time.FixedZone("", -3600)) // the 23rd in UTC
	slot := Slot("group", "")
	id := NewID(slot, late)
	if want := ID("20261123-" + slot); id != want {
		t.Errorf("%s, want %s", id, want)
	}
	if got, err := ParseID(string(id)); err != nil || got != id || got.Slot() != slot {
		t.Errorf("%s does not come back: %s, %v", id, got, err)
	}
	if got := id.Branch(); got != "incident/"+slot {
		t.Errorf("branch %s", got)
	}
	if got := id.Dir(); got != "incidents/2026/11/23/"+string(id) {
		t.Errorf("directory %s", got)
	}
}

func TestParseIDRefuses(t *testing.T) {
	good := "20261122-k3jq5zabcd"
	if _, err := ParseID(good); err != nil {
		t.Error(err)
	}
	for _, s := range []string{"", "20261122", good + "e", good[:18], strings.ToUpper(good), "2026112a-k3jq5zabcd", "20261122-k3jq5zabc1",
		"20261122_k3jq5zabcd", "../" + good, good + "\n", "\n" + good, good + "/..", "20261122-k3jq5zabc%"} {
		if id, err := ParseID(s); err == nil {
			t.Errorf("%q is accepted as %s", s, id)
		}
	}
}

// TestSlots: two openings of one problem collide, whatever the day; different problems and later incidents do not.
func TestSlots(t *testing.T) {
	first := Slot("group", "")
	if first != Slot("group", "") {
		t.Error("one problem has two slots")
	}
	seen := map[string]string{first: "the first"}
	next := NewID(first, time.Unix(0, 0))
	for name, slot := range map[string]string{"another group": Slot("groups", ""), "the next incident": Slot("group", next),
		"a group that spells both": Slot("group"+string(next), ""), "an empty group": Slot("", "")} {
		if other, ok := seen[slot]; ok {
			t.Errorf("%s takes the slot of %s", name, other)
		}
		seen[slot] = name
		if _, err := ParseID(string(NewID(slot, time.Unix(0, 0)))); err != nil {
			t.Error(err)
		}
	}
	if NewID(first, time.Unix(0, 0)).Branch() != NewID(first, time.Unix(1e9, 0)).Branch() {
		t.Error("two openings around midnight have two branches")
	}
}

func TestAlertDigest(t *testing.T) {
	base := Alert{Name: "A", Status: Firing, Labels: map[string]string{"x": "1", "y": "2"}, Alerts: []Member{{Fingerprint: "1"}}}
	again := Alert{Name: "A", Status: Firing, Labels: map[string]string{"y": "2", "x": "1"}, Alerts: []Member{{Fingerprint: "1"}}}
	if base.Digest() != again.Digest() || len(base.Digest()) != 64 {
		t.Error("a repeat has another digest")
	}
	for name, change := range map[string]func(*Alert){
		"status": func(a *Alert) { a.Status = ResolvedNow },
		"label":  func(a *Alert) { a.Labels = map[string]string{"x": "1"} },
		"time":   func(a *Alert) { a.StartsAt = time.Unix(1, 0) },
		"member": func(a *Alert) { a.Alerts = []Member{{Fingerprint: "2"}} },
		"cut":    func(a *Alert) { a.Cut = 1 },
	} {
		other := base
		change(&other)
		if other.Digest() == base.Digest() {
			t.Errorf("%s: same digest", name)
		}
	}
}

func TestConcerns(t *testing.T) {
	over := time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)
	known := Alert{Name: "known", Status: Firing}
	s := State{MitigatedAt: over, Known: map[string]bool{known.Digest(): true}}
	for _, c := range []struct {
		name  string
		alert Alert
		want  bool
	}{
		{"resolved", Alert{Status: ResolvedNow, StartsAt: over.Add(time.Hour)}, true},
		{"an exact repeat", known, true},
		{"fires since before the problem was over", Alert{Status: Firing, StartsAt: over.Add(-time.Second)}, true},
		{"fires since afterwards", Alert{Status: Firing, StartsAt: over.Add(time.Second)}, false},
		{"fires since it was over", Alert{Status: Firing, StartsAt: over}, false},
		{"fires and does not say since when", Alert{Status: Firing}, false},
	} {
		if got := s.Concerns(c.alert); got != c.want {
			t.Errorf("%s: concerns %t, want %t", c.name, got, c.want)
		}
	}
}
