package cueval

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/pullbook/pullbook/runbooks"
)

const routedAlert = `{"name": "Disk", "source": "alertmanager", "status": "firing", "fingerprint": "f", "group": "g",
	"labels": {"alertname": "Disk", "severity": "critical", "host": "web-1"}, "annotations": {}}`

func matching(match string) []byte {
	return fmt.Appendf(nil, "title: \"t\"\nalert: _\n%s\nsteps: a: manual: task: \"x\"\n", match)
}

type routeTest struct {
	name, want, why string
	files           map[string][]byte
	problems        []string // where they are
}

func rightRoutes() []routeTest {
	triageText := runbooks.Files()[triage]
	return []routeTest{
		{name: "one matches", want: "runbooks/a.cue", why: "1 constraint", files: map[string][]byte{
			"runbooks/a.cue": matching(`match: name: "Disk"`), triage: triageText}},
		{name: "the most constrained wins", want: "runbooks/b.cue", why: "runbooks/a.cue matches with 1 constraint", files: map[string][]byte{
			"runbooks/a.cue": matching(`match: name: "Disk"`),
			"runbooks/b.cue": matching(`match: {name: "Disk", labels: severity: =~"^crit"}`)}},
		{name: "ties go by name", want: "runbooks/a.cue", why: "comes later by name", files: map[string][]byte{
			"runbooks/b.cue": matching(`match: name: "Disk"`), "runbooks/a.cue": matching(`match: labels: host: =~"^web-"`)}},
		{name: "a label that the alert does not have matches nothing", want: triage, why: "no runbook matches", files: map[string][]byte{
			"runbooks/a.cue": matching(`match: labels: team: "x"`), triage: triageText}},
		{name: "another value does not match", want: triage, files: map[string][]byte{
			"runbooks/a.cue": matching(`match: labels: host: !~"^web-"`), triage: triageText}},
		{name: "without match a runbook answers nothing", want: triage, files: map[string][]byte{
			"runbooks/a.cue": matching(``), triage: triageText}},
		{name: "an empty match answers nothing", want: triage, files: map[string][]byte{
			"runbooks/a.cue": matching(`match: {}`), triage: triageText}},
		{name: "optional constraints are none", want: triage, files: map[string][]byte{
			"runbooks/a.cue": matching(`match: labels: {}`), triage: triageText}},
		{name: "no triage", want: "", why: "no runbook matches", files: map[string][]byte{}},
		{name: "a helper in match", want: "runbooks/a.cue", files: map[string][]byte{
			"runbooks/a.cue": matching("_name: \"Disk\"\nmatch: name: _name")}},
		{name: "helpers that refer to steps", want: "runbooks/a.cue", files: map[string][]byte{
			"runbooks/a.cue": matching("_left: [for x in _list {x}]\n_list: [steps.b.output.n]\nmatch: name: \"Disk\"\nsteps: b: {risk: \"read\", exec: command: [\"x\"], output: n: int}")}},
		{name: "a package that only the steps use", want: "runbooks/a.cue", files: map[string][]byte{"runbooks/a.cue": []byte(
			"import (\"strings\"\n\"list\")\ntitle: \"t\"\nalert: _\nmatch: name: strings.ToTitle(\"disk\")\nsteps: a: manual: task: list.Concat([[\"x\"]])[0]\n")}},
		{name: "other files are no runbooks", want: "", files: map[string][]byte{
			"runbooks/sub/deep/a.cue": matching(`match: name: "Disk"`), "a.cue": matching(`match: name: "Disk"`)}},
	}
}

func wrongRoutes() []routeTest {
	triageText := runbooks.Files()[triage]
	return []routeTest{
		{name: "a wrong runbook cannot match", want: "runbooks/b.cue", files: map[string][]byte{
			"runbooks/a.cue": []byte("title: \"t\"\nmatch: {name: \"Disk\", source: \"alertmanager\"}\nsteps: a: manual: tsak: \"x\"\n"),
			"runbooks/b.cue": matching(`match: name: "Disk"`)},
			problems: []string{"runbooks/a.cue:3:19"}},
		{name: "only wrong ones match", want: triage, why: "runbooks/a.cue matches the alert but is wrong", files: map[string][]byte{
			"runbooks/a.cue": []byte("title: \"t\"\nmatch: name: \"Disk\"\nsteps: a: manual: tsak: \"x\"\n"), triage: triageText},
			problems: []string{"runbooks/a.cue:3:19"}},
		{name: "a misspelled match is told", want: triage, files: map[string][]byte{
			"runbooks/a.cue": matching(`mtach: name: "Disk"`), "runbooks/c.cue": matching(`match: lables: x: "Disk"`),
			"runbooks/d.cue": []byte("title: \""), triage: triageText},
			problems: []string{"runbooks/a.cue:3:1", "runbooks/c.cue:3:8", "runbooks/d.cue:1:8"}},
		{name: "a match that looks at the steps is told", want: "", files: map[string][]byte{
			"runbooks/a.cue": matching(`match: name: steps.a.manual.task`)},
			problems: []string{"runbooks/a.cue:3:14"}},
		{name: "a wrong policy leaves nothing", want: "", files: map[string][]byte{
			"runbooks/a.cue": matching(`match: name: "Disk"`), organisationFile: []byte("comand: []\n")},
			problems: []string{"pullbook.cue:1:1"}},
	}
}

func TestRoute(t *testing.T) {
	for _, tt := range append(rightRoutes(), wrongRoutes()...) {
		t.Run(tt.name, func(t *testing.T) {
			r, err := route(tt.files, json.RawMessage(routedAlert))
			if err != nil {
				t.Fatal(err)
			}
			if r.Runbook != tt.want || !strings.Contains(r.Why, tt.why) {
				t.Errorf("runbook %q because %q, want %q because %q", r.Runbook, r.Why, tt.want, tt.why)
			}
			if len(r.Problems) != len(tt.problems) {
				t.Fatalf("problems: %v", r.Problems)
			}
			for i, p := range r.Problems {
				if !strings.HasPrefix(p.String(), tt.problems[i]+": ") {
					t.Errorf("problem %v, want one at %s", p, tt.problems[i])
				}
			}
		})
	}
	if _, err := route(nil, json.RawMessage(`{`)); err == nil {
		t.Error("an alert that is no JSON is routed")
	}
}
