package sim

import (
	"strings"
	"testing"
	"time"
)

// TestRestHasItsMinute: what is on its way when the law looks may come to its end within a minute, and no later.
func TestRestHasItsMinute(t *testing.T) {
	for _, c := range []struct {
		late time.Duration
		ok   bool
	}{{time.Second, true}, {50 * time.Second, true}, {70 * time.Second, false}, {time.Hour, false}} {
		looked := false
		err := Run(1, Options{Clean: true, witness: func(w *World) {
			if w.broken != nil || len(w.chronicle.records) == 0 {
				return
			}
			r := w.chronicle.records[0]
			w.calm, r.merged, looked = false, false, true // nobody else looks around now
			w.in(c.late, "", func() { r.merged = true })
			w.rest()
		}}).Err
		found := err != nil && strings.Contains(err.Error(), "has not come to rest")
		if !looked || found == c.ok || err != nil && !found {
			t.Errorf("over after %s: looked %t, found %v", c.late, looked, err)
		}
	}
}
