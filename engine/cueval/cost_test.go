//go:build !race

// The race detector allocates for itself, and finds nothing in a count of allocations.

package cueval

import (
	"fmt"
	"testing"

	"github.com/pullbook/pullbook/engine/runbook"
)

// TestResolvingIsLinear counts what resolving takes, in allocations: for each step of the plan about as much at 100 and at
// 1,000 steps, with no outputs and with all of them.
func TestResolvingIsLinear(t *testing.T) {
	costs := map[string]float64{}
	for _, n := range []int{100, 1_000} {
		q, _ := long(n)
		_, made, ps := load(q.Source)
		if len(ps) > 0 {
			t.Fatal(ps)
		}
		for name, ended := range map[string]map[string]runbook.Ended{"none": nil, "all": allEnded(n, q.Ended)} {
			q.Ended = ended
			costs[fmt.Sprintf("%d steps with %s", n, name)] = allocations(t, q, made) / float64(n)
		}
	}
	alike(t, costs)
}

// TestElementsAreLinear is the same for the elements of one template: the list is not evaluated anew for each.
func TestElementsAreLinear(t *testing.T) {
	costs := map[string]float64{}
	for _, n := range []int{200, 2_000} {
		q, made := looped(t, n)
		if plan, err := resolve(q, &made); err != nil || len(plan.Steps[1].Now.Elements) != n {
			t.Fatalf("%d elements: %v", n, err)
		}
		costs[fmt.Sprintf("%d elements", n)] = allocations(t, q, made) / float64(n)
	}
	alike(t, costs)
}

func allocations(t *testing.T, q runbook.Query, made runbook.Plan) float64 {
	t.Helper()
	return testing.AllocsPerRun(1, func() {
		if _, err := resolve(q, &made); err != nil {
			t.Fatal(err)
		}
	})
}

// alike demands that the dearest costs at most half as much again as the cheapest.
func alike(t *testing.T, costs map[string]float64) {
	t.Helper()
	for a, dear := range costs {
		t.Logf("%s: %.0f allocations each", a, dear)
		for b, cheap := range costs {
			if dear > 1.5*cheap {
				t.Errorf("%s: %.0f allocations each; %s: %.0f", a, dear, b, cheap)
			}
		}
	}
}
