package cueval

import (
	"strings"
	"testing"

	"github.com/pullbook/pullbook/engine/runbook"
)

// TestContradiction: of two values that exclude each other, each of which could stand there alone, neither is called wrong.
func TestContradiction(t *testing.T) {
	for body, want := range map[string][]string{
		`steps: {a: manual: task: "t", b: {needs: ["a"], manual: task: "t"}, b: needs: ["ab"]}`:                    {"conflicting values", `"a"`, `"ab"`},
		"steps: a: {risk: \"read\", exec: command: [\"x\"]}\nsteps: a: risk: \"change\"":                           {"steps.a.risk", `"read"`, `"change"`},
		"steps: a: {timeout: \"1m\", exec: command: [\"x\"], approval: from: [\"al\"]}\nsteps: a: timeout: \"2m\"": {"conflicting values", `"1m"`, `"2m"`},
	} {
		ps := Vet(runbook.Source{Runbook: "runbooks/x.cue", Files: map[string][]byte{"runbooks/x.cue": []byte("title: \"x\"\n" + body + "\n")}})
		if len(ps) != 1 {
			t.Errorf("%s: %v", body, ps)
			continue
		}
		for _, word := range want {
			if !strings.Contains(ps[0].String(), word) || strings.Contains(ps[0].Text, "is not") {
				t.Errorf("%s: %s", body, ps[0])
			}
		}
	}
}
