package engine

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pullbook/pullbook/engine/approval"
	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/render"
)

// TestDrawnOnce: what people see is drawn again if and only if it could be another thing, and is then what it would be without what
// was drawn before.
func TestDrawnOnce(t *testing.T) {
	at := time.Date(2026, 11, 22, 3, 4, 5, 0, time.UTC)
	e, w := longList(t, 20, at)
	plan := w.plan.whole
	draw := func(name string) float64 {
		t.Helper()
		got := w.draw(plan)
		if diff := cmp.Diff(render.Screen(plan, w.ledger.state, w.view(nil, nil)), got); diff != "" {
			t.Errorf("%s (-drawn anew +kept):\n%s", name, diff)
		}
		return testing.AllocsPerRun(1, func() { w.draw(plan) })
	}
	first := testing.AllocsPerRun(1, func() { w.drawn = drawn{}; w.draw(plan) })
	if again := draw("nothing happened"); again > first/5 {
		t.Errorf("what is the same is drawn again: %.0f allocations of %.0f", again, first)
	}
	changes := map[string]func(){
		"another answer of the hub": func() { hub := *w.hub; w.hub = &hub },
		"a comment": func() {
			w.hub.Comments = append(w.hub.Comments, incident.Comment{ID: 7, Body: "hello"})
		},
		"heard":         func() { w.hub.Comments[0].Seen = true },
		"a check":       func() { w.hub.Checks["x"] = true },
		"review wanted": func() { w.hub.Pull.Asked = append(w.hub.Pull.Asked, "ann") },
	}
	for _, name := range []string{"another answer of the hub", "a comment", "heard", "a check", "review wanted"} {
		if changes[name](); draw(name) > first/5 || w.drawn.seq != w.ledger.state.Seq {
			t.Errorf("%s: drawn again", name)
		}
	}
	seen := w.drawn.screen.Body
	differs := func(name string, change func()) {
		t.Helper()
		change()
		draw(name)
		if w.drawn.screen.Body == seen {
			t.Errorf("%s: nobody sees it", name)
		}
		seen = w.drawn.screen.Body
	}
	differs("a foreign commit", func() { w.ledger.foreign = &incident.Foreign{Commit: "f", Why: "it is not signed"} })
	differs("another one", func() { w.ledger.foreign = &incident.Foreign{Commit: "g", Why: "it is not signed"} })
	differs("given back", func() { w.ledger.foreign = nil })
	differs("an event", func() {
		note := incident.Event{Seq: w.ledger.state.Seq + 1, At: e.Clock.Now(), Data: incident.Acknowledged{Deed: incident.Deed{By: approval.Person{ID: 3, Login: "ann"}, At: e.Clock.Now()}}}
		state, err := w.ledger.state.With(note)
		if err != nil {
			t.Fatal(err)
		}
		w.ledger.state = state
	})
	differs("another plan", func() { plan.Title, plan.Steps = "Another runbook", append(plan.Steps[:0:0], plan.Steps...) })
}
