package cueval

import (
	"encoding/json"
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

// allEnded is a long runbook of n steps at its end, with the outputs that some of them left.
func allEnded(n int, outputs map[string]runbook.Ended) map[string]runbook.Ended {
	all := map[string]runbook.Ended{}
	for i := range n {
		name := fmt.Sprintf("s%d", i)
		all[name] = runbook.Ended{Conclusion: runbook.Succeeded, Output: outputs[name].Output}
	}
	return all
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

// looped is a runbook with a template for n hosts that a step put out.
func looped(t testing.TB, n int) (runbook.Query, runbook.Plan) {
	t.Helper()
	src := runbook.Source{Runbook: "runbooks/x.cue", Files: map[string][]byte{organisationFile: []byte("limits: each: 5000\n"), "runbooks/x.cue": []byte(`title: "t"
steps: {
	find: {risk: "read", exec: command: ["./find"], output: hosts: [...{name: string, port: int}]}
	restart: {each: find.output.hosts, key: item.name, exec: {command: ["restart", item.name], env: PORT: "\(item.port)"}, output: [string]: ok: bool}
}
`)}}
	_, made, ps := load(src)
	if len(ps) > 0 {
		t.Fatal(ps)
	}
	type host struct {
		Name string `json:"name"`
		Port int    `json:"port"`
	}
	hosts := make([]host, n)
	for i := range hosts {
		hosts[i] = host{fmt.Sprintf("web-%d", i), i}
	}
	output, err := json.Marshal(map[string]any{"hosts": hosts})
	if err != nil {
		t.Fatal(err)
	}
	return runbook.Query{Source: src, Ended: map[string]runbook.Ended{"find": {Conclusion: runbook.Succeeded, Output: output}}}, made
}

func allocations(t *testing.T, q runbook.Query, made runbook.Plan) float64 {
	t.Helper()
	return testing.AllocsPerRun(1, func() {
		if _, err := resolve(q, &made); err != nil {
			t.Fatal(err)
		}
	})
}

// within demands that the dearest costs at most half as much again as the cheapest.
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
