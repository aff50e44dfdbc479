package cueval

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/pullbook/pullbook/engine/runbook"
)

// TestElementAlone shows that a question about one element does not work out the others: it takes about as much for one of
// 2,000 as for one of 200, but for the list itself, which is read as data.
func TestElementAlone(t *testing.T) {
	costs := map[string]float64{}
	for _, n := range []int{200, 2_000} {
		q, made := looped(t, n)
		costs[fmt.Sprintf("one of %d", n)] = testing.AllocsPerRun(1, func() {
			out, err := output(q, &made, "restart.web-117", json.RawMessage(`{"ok": true, "more": 1}`))
			if err != nil || string(out) != `{"ok":true}` {
				t.Fatal(string(out), err)
			}
		})
	}
	t.Log(costs)
	if a, b := costs["one of 200"], costs["one of 2000"]; (b-a)/1_800 > 40 {
		t.Errorf("each further element costs %.0f allocations: it is evaluated", (b-a)/1_800)
	}
}

// TestElementsOfOneProbe asks for the conditions of elements that have them in common, and of those that have their own.
func TestElementsOfOneProbe(t *testing.T) {
	src := runbook.Source{Runbook: "runbooks/x.cue", Files: map[string][]byte{"runbooks/x.cue": []byte(`title: "t"
steps: {
	find: {risk: "read", exec: command: ["./find"], output: hosts: [...{name: string, most: int}]}
	same: {each: find.output.hosts, key: item.name, probe: {http: url: "http://x", answer: body: n: int, until: answer.body.n < 1}}
	own:  {each: find.output.hosts, key: item.name, probe: {http: url: "http://x", answer: body: n: int, until: answer.body.n < item.most}}
}
`)}}
	_, made, ps := load(src)
	if len(ps) > 0 {
		t.Fatal(ps)
	}
	q := runbook.Query{Source: src, Ended: map[string]runbook.Ended{"find": {Conclusion: runbook.Succeeded,
		Output: json.RawMessage(`{"hosts": [{"name": "a", "most": 1}, {"name": "b", "most": 5}]}`)}}}
	for _, c := range []struct {
		name string
		n    int
		want string
	}{{"same.a", 0, "true"}, {"same.b", 3, "false"}, {"own.a", 3, "false"}, {"own.b", 3, "true"},
		{"same.c", 0, "there is none called c"}, {"own.c", 0, "there is none called c"}} {
		for _, known := range []*runbook.Plan{nil, &made} {
			holds, err := until(q, known, c.name, fmt.Appendf(nil, `{"body": {"n": %d}}`, c.n))
			got := fmt.Sprint(holds)
			if err != nil {
				got = err.Error()
			}
			if got != c.want && got != "work out the elements of "+c.name[:len(c.name)-2]+": "+c.want {
				t.Errorf("%s with %d, known %t: %s", c.name, c.n, known != nil, got)
			}
		}
	}
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

// TestMostElements resolves a list with as many elements as there can be, in a child with the usual memory.
func TestMostElements(t *testing.T) {
	n := runbook.MostElements
	if instrumented {
		n /= 10 // every access costs ten times as much
	}
	e := inChild(t, Config{Wall: 5 * time.Minute})
	q, made := looped(t, n)
	q.Frozen = &made
	for range 3 { // the first look, one that learns, and one that needs no evaluation
		plan, err := e.Resolve(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		all := plan.Steps[1].Now.Elements
		if len(all) != n || all[n-1].Key != fmt.Sprint("web-", n-1) || all[n-1].Now.Status != runbook.StatusReady {
			t.Fatalf("%d elements: %+v", len(all), plan.Steps[1].Now.Problem)
		}
	}
	if e.Evaluations() != 2 {
		t.Errorf("three looks took %d evaluations", e.Evaluations())
	}
}
