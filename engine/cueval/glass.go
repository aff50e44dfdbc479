package cueval

import (
	"slices"
	"strconv"

	"cuelang.org/go/cue"

	"github.com/pullbook/pullbook/engine/runbook"
)

// readGlass reads who may break the glass, and what is owed for it.
func (o *organisation) readGlass(v cue.Value) []runbook.Problem {
	x := field(v, "breakGlass")
	if !x.Exists() {
		return nil
	}
	r := &calendarReader{org: o}
	people := func(name string) (out []string) {
		for i, who := range textsOf(field(x, name)) {
			hub, known := o.who(who)
			if out = append(out, hub); !known {
				text, hint := o.unknownWho(who)
				r.problem(text, hint, "breakGlass", name, strconv.Itoa(i))
			}
		}
		return out
	}
	g := runbook.BreakGlass{By: people("by"), Notify: people("notify"), Review: r.rule(field(x, "review"), "breakGlass", "review")}
	if alone := g.Review.People(); len(g.By) == 1 && len(alone) == 1 && !isTeam(alone[0]) && slices.Equal(g.By, alone) {
		r.problem("nobody could review what the only person who may break the glass did", "name somebody else in review", "breakGlass", "review")
	}
	o.glass = &g
	return r.ps
}
