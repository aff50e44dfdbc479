package render

import (
	"fmt"

	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/runbook"
)

// waitsForRun reports whether the row is a step whose workflow runs on the hub.
func (r row) waitsForRun() bool {
	return r.st.Phase == incident.PhaseStarted && r.st.Kind == runbook.KindActions && !r.st.WouldRun
}

// runStands says how the run stands that a step waits for.
func (b board) runStands(r row) (class, string) {
	if r.st.Run == 0 {
		return classRunning, "its workflow is being dispatched"
	}
	which := fmt.Sprintf("run %d", r.st.Run)
	if plainAddress(r.st.RunURL) {
		which = "[" + which + "](" + r.st.RunURL + ")"
	}
	seen := b.view.Runs[r.step.Name]
	switch {
	case seen.ID != r.st.Run || seen.Status == "":
		which += " goes on"
	case seen.Status == "queued":
		which += " waits for a runner"
	default:
		which += " is " + inline(seen.Status, 40)
	}
	if seen.ID == r.st.Run && seen.Runs > 1 {
		which += fmt.Sprintf(", run again by hand (attempt %d)", seen.Runs)
	}
	return classRunning, which
}
