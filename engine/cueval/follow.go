package cueval

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pullbook/pullbook/engine/runbook"
)

// told are the fields of a step that are for people alone: what they refer to has to have ended, and nothing else follows.
func told() []string { return []string{"title", "doc", "why", "byHand"} }

// tellsOnly lists the steps that a step comes after only because its words refer to them. It is skipped if all others that
// it comes after were; where there are no others, these are.
func (d *document) tellsOnly(s runbook.Step, explicit []string) (tells []string) {
	var does []string
	for _, e := range d.edges[s.Name] {
		if !slices.Contains(told(), e.field) {
			does = append(does, e.to)
		}
	}
	for _, need := range s.Needs {
		if !slices.Contains(does, need) && !slices.Contains(explicit, need) && need != s.Undoes {
			tells = append(tells, need)
		}
	}
	if len(tells) == len(s.Needs) {
		return nil
	}
	return tells
}

// halfSkipped reports steps that name only steps which may be skipped in their needs, and would run without them all the
// same, because they refer to another one as well: whoever writes needs expects otherwise.
func (d *document) halfSkipped(plan runbook.Plan, explicit map[string][]string) (ps []runbook.Problem) {
	may := map[string]bool{} // be skipped
	for _, s := range plan.Steps {
		v := d.step(d.static(), s.Name)
		may[s.Name] = field(v, "when").Exists() || len(s.Needs) > 0 && !s.JoinAny && !slices.ContainsFunc(s.Needs, func(n string) bool { return !may[n] && !slices.Contains(s.Tells, n) })
		if s.Stage != runbook.StageMain || s.Rehearses != "" || field(v, "join").Exists() {
			continue
		}
		refers := func(name string) bool {
			return slices.ContainsFunc(d.edges[s.Name], func(e edge) bool { return e.to == name })
		}
		needs := slices.DeleteFunc(slices.Clone(explicit[s.Name]), func(n string) bool { return refers(n) || n == s.Name+rehearsalSuffix })
		runs := slices.IndexFunc(s.Needs, func(n string) bool { return !may[n] && !slices.Contains(s.Tells, n) && refers(n) })
		if len(needs) == 0 || runs < 0 || slices.ContainsFunc(needs, func(n string) bool { return !may[n] }) {
			continue
		}
		p := d.placeIn(s.Name, "needs")
		p.Text = fmt.Sprintf("%s runs although %s may be skipped, since it refers to %s", s.Name, strings.Join(needs, " and "), s.Needs[runs])
		p.Hint = fmt.Sprintf("write when: %s.status != \"skipped\", or join: \"any\" where it is to run in any case", needs[0])
		ps = append(ps, p)
	}
	return ps
}
