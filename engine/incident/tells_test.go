package incident

import (
	"testing"
	"time"
)

// TestTells: of what fires nothing is news that the last notification told, whatever it told besides.
func TestTells(t *testing.T) {
	at := time.Date(2026, 11, 22, 20, 0, 0, 123456789, time.UTC)
	a := Member{Status: Firing, Fingerprint: "a", StartsAt: at}
	b := Member{Status: Firing, Fingerprint: "b", StartsAt: at}
	s := State{Alert: Alert{Status: Firing, Alerts: []Member{a, b}}}
	rounded := a
	rounded.StartsAt = at.Truncate(time.Millisecond)
	if !s.Tells(Alert{Status: Firing, Alerts: []Member{rounded}}) {
		t.Error("a member whose time was rounded is news")
	}
	over, later, other := a, a, a
	over.Status, later.StartsAt, other.Fingerprint = ResolvedNow, at.Add(time.Second), "c"
	for _, m := range []Member{over, later, other} {
		if s.Tells(Alert{Status: Firing, Alerts: []Member{rounded, m}}) {
			t.Errorf("%+v is no news", m)
		}
	}
	s.Alert.Status = ResolvedNow
	if s.Tells(Alert{Status: Firing, Alerts: []Member{rounded}}) {
		t.Error("that it fires again is no news")
	}
}
