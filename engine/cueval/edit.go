package cueval

import (
	"cuelang.org/go/cue"

	"github.com/pullbook/pullbook/engine/runbook"
)

// readEdit reads who approves that the plan of a running incident is changed.
func (o *organisation) readEdit(v cue.Value) []runbook.Problem {
	x := field(v, "edit")
	if !x.Exists() {
		return nil
	}
	r := &calendarReader{org: o}
	rule := r.rule(x, "edit")
	o.edit = &rule
	return r.ps
}
