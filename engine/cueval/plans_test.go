package cueval

import (
	"fmt"
	"testing"

	"github.com/pullbook/pullbook/engine/runbook"
)

// TestPlans keeps a plan for exactly the bytes that it was made of, and not more plans than allowed.
func TestPlans(t *testing.T) {
	var p plans
	src := func(text, policy string) runbook.Source {
		s := runbook.Source{Runbook: "a", Files: map[string][]byte{"a": []byte(text)}}
		if policy != "" {
			s.Files[organisationFile] = []byte(policy)
		}
		return s
	}
	plan := runbook.Plan{Name: "a", Steps: []runbook.Step{{Name: "s"}}}
	p.keep(src("x", "y"), plan)
	plan.Steps[0].Name = "changed"
	if got := p.of(src("x", "y")); got == nil || got.Steps[0].Name != "s" {
		t.Errorf("kept %+v", got)
	}
	for _, other := range []runbook.Source{src("x", ""), src("x", "z"), src("z", "y"), {Runbook: "b", Files: src("x", "y").Files}} {
		if p.of(other) != nil {
			t.Errorf("the plan is given for %v", other)
		}
	}
	for i := range 3 * maxPlans {
		p.keep(src(fmt.Sprint(i), ""), plan)
	}
	if len(p.by) != maxPlans || p.of(src(fmt.Sprint(3*maxPlans-1), "")) == nil {
		t.Errorf("%d plans are kept", len(p.by))
	}
}

// TestKnownPlanPolicy shows that the policy holds for a known plan as well, also for values that come from outputs.
func TestKnownPlanPolicy(t *testing.T) {
	src := runbook.Source{Runbook: "runbooks/x.cue", Files: map[string][]byte{
		organisationFile: []byte("policy: steps: [_]: {\n\trisk: _\n\tif risk == \"change\" {\n\t\thttp?: url?: =~\"^https://\"\n\t}\n}\n"),
		"runbooks/x.cue": []byte("title: \"t\"\nsteps: {\n\ta: {risk: \"read\", exec: command: [\"x\"], output: url: string}\n" +
			"\tb: http: {method: \"POST\", url: a.output.url}\n}\n"),
	}}
	_, known, ps := load(src)
	if len(ps) > 0 {
		t.Fatal(ps)
	}
	for url, want := range map[string]runbook.Status{"https://x": runbook.StatusReady, "http://x": runbook.StatusBroken} {
		q := runbook.Query{Source: src, Ended: map[string]runbook.Ended{
			"a": {Conclusion: runbook.Succeeded, Output: fmt.Appendf(nil, `{"url": %q}`, url)}}}
		for _, k := range []*runbook.Plan{nil, &known} {
			plan, err := resolve(q, k)
			if err != nil {
				t.Fatal(err)
			}
			if s, _ := plan.Step("b"); s.Now.Status != want {
				t.Errorf("%s, known %v: %+v", url, k != nil, s.Now)
			}
		}
	}
}
