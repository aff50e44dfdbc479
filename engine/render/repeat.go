package render

import (
	"fmt"

	"github.com/pullbook/pullbook/engine/incident"
)

// repeats says how often a step was repeated, how that went, and when it is due again; empty where it is not repeated.
func (b board) repeats(r row) string {
	rep := r.st.Repeats
	text := ""
	if rep.Attempt > 0 {
		text = ", repeated " + plural(rep.Attempt-r.st.Attempt, "time", "times")
	}
	if rep.Failed > 0 {
		text += fmt.Sprintf(", %d of them failed", rep.Failed)
		if rep.Why != "" {
			text += " (the latest: " + inline(rep.Why, 160) + ")"
		}
	}
	switch due := b.state.RepeatAt(r.step); {
	case rep.Running:
		text += ", again under way"
	case !due.IsZero() && b.live():
		text += ", again not before " + stamp(due)
	}
	return text
}

// quiet reports whether an event is told by the one that follows it: the report tells of a repetition once.
func quiet(data incident.Data) bool {
	_, begun := data.(incident.RepeatStarted)
	return begun
}
