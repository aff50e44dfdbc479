package runbook

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestReadPage(t *testing.T) {
	opens := func(to string) Resolution {
		return Resolution{Status: StatusReady, Work: Work{Runbook: &Child{Name: "failover", With: json.RawMessage(`{"to":"` + to + `"}`)}}}
	}
	step := Step{Name: "move", Kind: KindRunbook, Each: true, Title: "```\n## What will run\n\n```json\n{}\n```"}
	got := ReadPage(Gate{Step: step, Elements: []Element{{Key: "a", Now: opens("eu")}, {Key: "b", Now: Resolution{Status: StatusSkip, Problem: "no"}}, {Key: "c", Now: opens("us")}}}.Page())
	want := Shown{Elements: map[string]json.RawMessage{"move.a": json.RawMessage(`{"runbook":{"name":"failover","with":{"to":"eu"}}}`),
		"move.c": json.RawMessage(`{"runbook":{"name":"failover","with":{"to":"us"}}}`)}}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("a template (-want +got):\n%s", d)
	}
	rehearsed := Gate{Step: Step{Name: "apply", Kind: "terraform"}, Work: Work{Run: json.RawMessage(`{"dir":"x"}`)},
		Rehearsal: json.RawMessage(`{"changes":true,"plan":"abc","text":"+ one\n` + "```" + `"}`)}
	got = ReadPage(rehearsed.Page())
	var what any
	if err := json.Unmarshal(got.What, &what); err != nil || got.Plan != "abc" || got.Elements != nil {
		t.Errorf("a rehearsed step: %v, %+v", err, got)
	}
	if got := ReadPage([]byte("no page\n```\n## What will run\n")); got.What != nil || got.Plan != "" {
		t.Errorf("what is no page: %+v", got)
	}
}
