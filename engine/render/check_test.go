package render

import (
	"fmt"
	"reflect"
	"testing"

	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/runbook"
)

// TestOneRowIsThatOfTheBoard: a check is drawn from its own step, and says what a drawing of all steps would.
func TestOneRowIsThatOfTheBoard(t *testing.T) {
	for _, of := range []struct {
		plan    runbook.Plan
		moments []moment
	}{{samplePlan(), moments()}, {eachPlan(5), eachMoments()}, {stagedPlan(), stagedMoments()}} {
		for _, m := range of.moments {
			s := fold(t, script(m.data...))
			whole := newBoard(of.plan, s, m.view)
			shown := map[string]row{}
			for _, r := range whole.rows {
				shown[r.step.Name] = r
			}
			for _, step := range s.Expand(of.plan).Steps {
				want, matters := shown[step.Name]
				if got, ok := blank(of.plan, s, m.view).only(step.Name); ok != matters || !reflect.DeepEqual(got, want) {
					t.Errorf("%s: %s is %+v, want %+v", m.name, step.Name, got, want)
				}
			}
		}
	}
	s := fold(t, script(eachBegun(5)...))
	for _, name := range []string{"nothing", "restart.web-1", "restart.web-9", "find.web-1"} {
		if c := Check(eachPlan(5), s, name, ""); c.Title != "not a step of this plan" {
			t.Errorf("a check of %s says %q", name, c.Title)
		}
	}
}

// TestCheckOfALongIncidentIsCheap: what a check costs does not depend on how many other steps there are.
func TestCheckOfALongIncidentIsCheap(t *testing.T) {
	cost := func(n int) float64 {
		p := largePlan(n)
		s := fold(t, largeEvents(p, n))
		last := p.Steps[n-1].Name
		elements := eachPlan(n)
		each := fold(t, script(append(eachBegun(n), incident.GateApproved{Step: "restart", Page: digest("page"), Votes: toManual()[5].(incident.GateApproved).Votes[:1]},
			incident.EachExpanded{Step: "restart", Keys: hosts(n)}, incident.StepSkipped{Step: fmt.Sprintf("restart.web-%d", n), Why: "it is off"})...))
		return testing.AllocsPerRun(10, func() {
			Check(p, s, last, "")
			Check(elements, each, fmt.Sprintf("restart.web-%d", n), "")
		})
	}
	if few, many := cost(100), cost(1_600); many > 1.2*few {
		t.Errorf("%.0f allocations among 1,600 steps, %.0f among 100", many, few)
	}
}
