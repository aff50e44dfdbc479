package audit

import (
	"github.com/pullbook/pullbook/engine/incident"
)

// rehearsed checks that what an outcome says of the rehearsal is what follows from the plan and the opening: in a rehearsal no
// step that changes something was run, and outside of one every step was. Of an intent the fold has checked it.
func (t *trail) rehearsed(m moment, d incident.StepEnded) *Finding {
	switch would := t.state.WouldRun(m.step); {
	case would && !d.WouldRun:
		return m.wrong("", "step %s was run in a rehearsal, which changes nothing", d.Step)
	case d.WouldRun && !would:
		return m.wrong("", "step %s is said to have been rehearsed, and was to be run", d.Step)
	}
	return nil
}
