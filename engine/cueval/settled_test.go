package cueval

import (
	"strings"
	"testing"

	"github.com/pullbook/pullbook/engine/runbook"
)

// TestWhatRunsIsWhatWasKnown lets a plan stand for a source that says something else once there is an alert, as if vet had let that
// pass: when the step is ready nothing of it runs.
func TestWhatRunsIsWhatWasKnown(t *testing.T) {
	for name, c := range map[string]struct{ known, real, want string }{
		"method": {
			`http: {url: "http://x.example", method: "GET"}`,
			`http: {url: "http://x.example", method: [if len(alert.labels) > 0 {"DELETE"}, "GET"][0]}`,
			`with method "DELETE" a step is not of risk "read"`,
		},
		"secret": {
			`http: url: "http://x.example"`,
			`http: {url: "http://x.example", headers: A: "$TOKEN", secrets: [for k, v in alert.labels {"TOKEN"}]}`,
			"a step without an approval may not use the secret TOKEN",
		},
		"variable": {
			`risk: "read", exec: command: ["look"]`,
			`risk: "read", exec: {command: ["look"], secrets: [for k, v in alert.labels {"OPEN"}]}`,
			"OPEN is not among the variables",
		},
	} {
		src := func(step string) runbook.Source {
			return runbook.Source{Runbook: "runbooks/x.cue", Files: map[string][]byte{
				organisationFile: []byte("readCommands: [[\"look\"]]\nungatedSecrets: [\"OPEN\"]\n"),
				"runbooks/x.cue": []byte("title: \"t\"\nalert: _\nsteps: e: {" + step + "}\n"),
			}}
		}
		_, known, ps := load(src(c.known))
		if len(ps) > 0 {
			t.Fatal(name, ps)
		}
		q := runbook.Query{Source: src(c.real), Alert: []byte(`{"name":"a","source":"s","status":"firing","fingerprint":"f","group":"g","labels":{"a":"b"},"annotations":{}}`)}
		plan, err := resolve(q, &known)
		if err != nil {
			t.Fatal(name, err)
		}
		if now := plan.Steps[0].Now; now.Status != runbook.StatusBroken || !strings.Contains(now.Problem, c.want) {
			t.Errorf("%s: %s, %q; want it broken with %q", name, now.Status, now.Problem, c.want)
		}
	}
}
