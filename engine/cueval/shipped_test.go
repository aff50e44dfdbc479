package cueval

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"testing"

	"cuelang.org/go/cue/format"

	"github.com/pullbook/pullbook/engine/runbook"
	"github.com/pullbook/pullbook/runbooks"
)

// vetRuled vets one step, or what else is put into a runbook, under the shipped policy.
func vetRuled(body string) []runbook.Problem {
	text := fmt.Sprintf("title: \"t\"\nalert: _\n%s\n", body)
	return Vet(runbook.Source{Runbook: "runbooks/x.cue", Files: map[string][]byte{
		"runbooks/x.cue": []byte(text), organisationFile: runbooks.Organisation()}})
}

// wellDone is a step that the policy lets pass, with a part that a test takes away.
func wellDone(without, with string) string {
	step := `steps: s: {risk: "destructive", timeout: "3m", approval: {from: ["acme/sre"], count: 2}, ` +
		`exec: command: ["x"], undo: {reversible: true, approval: from: ["sre"], exec: command: ["y"]}}`
	return strings.Replace(step, without, with, 1)
}

// TestShippedPolicyBites shows each demand of the policy that comes along: the error stands on the runbook's line and names
// the policy's.
func TestShippedPolicyBites(t *testing.T) {
	undo := `, undo: {reversible: true, approval: from: ["sre"], exec: command: ["y"]}`
	for _, c := range []struct{ name, body, place, rule string }{
		{"no timeout", wellDone(`timeout: "3m", `, ""), "3:8: steps.s.timeout: is missing", "timeout!:"},
		{"one approval", wellDone("count: 2", "count: 1"), "steps.s.approval.count: invalid value 1", "count!: >=2"},
		{"no count", wellDone(", count: 2", ""), "steps.s.approval.count: is missing", "count!: "},
		{"no approval", wellDone(`, approval: {from: ["acme/sre"], count: 2}`, ""), "steps.s.approval: is missing", "approval!: "},
		{"people and no team", wellDone(`["acme/sre"]`, `["alice", "bob"]`), "steps.s.approval.from.", `_team: `},
		{"neither undo nor words", wellDone(undo, ""), "steps.s.noUndo: is missing", "noUndo!:"},
		{"no words in noUndo", wellDone(undo, `, noUndo: "-"`), "steps.s.noUndo: invalid value", "noUndo!:"},
		{"irreversible change", wellDone(`risk: "destructive", timeout: "3m", `, ""), "steps.s.timeout: is missing", "timeout!:"},
		{"irreversible undo", wellDone("reversible: true, ", ""), "steps.s.undo.approval.count: is missing", "count!: "},
		{"unread undo", wellDone(`reversible: true, approval: from: ["sre"], `, "reversible: true, "), "steps.s.undo.approval: is missing", "approval!: "},
		{"change without approval", `steps: s: {reversible: true, exec: command: ["x"]}`, "steps.s.approval: is missing", "approval!: "},
		{"request without approval", `steps: s: {reversible: true, http: {method: "POST", url: "https://x.example"}}`, "steps.s.approval: is missing", "approval!: "},
		{"notice to a place of its own", `steps: s: notify: {webhook: url: "https://x.example", text: "y"}`, "steps.s.notify.channel: is missing", "notify?: {channel!"},
		{"playbook without approval", `steps: s: {reversible: true, ansible: {playbook: "p", inventory: "i"}}`, "steps.s.approval: is missing", "approval!: "},
		{"finally without approval", "steps: a: manual: task: \"x\"\nfinally: s: {risk: \"destructive\", exec: command: [\"x\"]}", "finally.s.", ""},
		{"command that is not listed", `steps: s: {risk: "read", exec: command: ["kubectl", "delete", "pod"]}`, "steps.s.risk: kubectl delete pod is not among", ""},
		{"first word of one that is listed", `steps: s: {risk: "read", exec: command: ["kubectl"]}`, "steps.s.risk: kubectl is not among", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			ps := vetRuled(c.body)
			found := false
			for _, p := range ps {
				if p.File != "runbooks/x.cue" || p.Line == 0 {
					t.Errorf("the error has no place in the runbook: %s", p)
				}
				found = found || strings.Contains(p.String(), c.place) && strings.Contains(lineOfRule(p), c.rule)
			}
			if !found {
				t.Errorf("%s\ngives %v\nwant %q by the rule %q", c.body, ps, c.place, c.rule)
			}
		})
	}
}

// TestShippedPolicyLetsPeopleBeTold: an issue needs nobody's approval.
func TestShippedPolicyLetsPeopleBeTold(t *testing.T) {
	if ps := vetRuled(`steps: s: ticket: title: "x"`); len(ps) > 0 {
		t.Error(ps)
	}
}

// lineOfRule returns the line of the policy that a problem names.
func lineOfRule(p runbook.Problem) string {
	if p.See == nil || p.See.At.File != organisationFile {
		return ""
	}
	return strings.Split(string(runbooks.Organisation()), "\n")[p.See.At.Line-1]
}

// TestShippedPolicyLetsPass shows what the policy that comes along is content with: of the library's runbooks all, under the race detector
// one in six.
func TestShippedPolicyLetsPass(t *testing.T) {
	for _, body := range []string{
		wellDone("", ""),
		wellDone(`["acme/sre"]`, `["sre"]`),
		`steps: s: {reversible: true, approval: any: [{from: ["alice"]}, {from: ["sre"], count: 2}], exec: command: ["x"]}`,
		wellDone(`, undo: {reversible: true, approval: from: ["sre"], exec: command: ["y"]}`, `, noUndo: "the data is gone"`),
		wellDone(`"destructive"`, `"change"`),
		`steps: s: {reversible: true, approval: from: ["alice"], exec: command: ["x"]}`,
		`steps: s: {risk: "read", exec: command: ["kubectl", "get", "pod", "--namespace=\(alert.labels.ns)", "--output=json", "--", alert.labels.pod]}`,
		"steps: a: manual: task: \"x\"\nfinally: s: {reversible: true, approval: from: [\"sre\"], exec: command: [\"x\"]}",
	} {
		if ps := vetRuled(body); len(ps) > 0 {
			t.Errorf("%s: %v", body, ps)
		}
	}
	text := runbooks.Organisation()
	if pretty, err := format.Source(text); err != nil || string(pretty) != string(text) {
		t.Errorf("pullbook.cue is not formatted: %v\n%s", err, pretty)
	}
	library := runbooks.Library()
	library[organisationFile] = runbooks.Organisation()
	for i, name := range slices.Sorted(maps.Keys(library)) {
		if path.Ext(name) != ".cue" || name == organisationFile || i%fewer > 0 {
			continue
		}
		text := library[name]
		src := runbook.Source{Runbook: name, Others: library, Files: map[string][]byte{name: text, organisationFile: runbooks.Organisation()}}
		_, plan, ps := load(src)
		if len(ps) > 0 {
			t.Errorf("%s: %v", name, ps)
			continue
		}
		if _, err := resolve(runbook.Query{Source: src, Alert: []byte(checkoutAlert)}, &plan); err != nil {
			t.Errorf("%s: what is read with its plan says otherwise than what is read to make it: %v", name, err)
		}
		if pretty, err := format.Source(text); err != nil || string(pretty) != string(text) {
			t.Errorf("%s is not formatted: %v\n%s", name, err, pretty)
		}
	}
}
