package cueval

import (
	"encoding/json"
	"os"
	"testing"
	"time"

	"github.com/pullbook/pullbook/engine/runbook"
)

// TestRehearsedForecast: before anything ran, what is rehearsed is known when its rehearsal has ended; and a rehearsal that fails
// takes back what came before it where something can be, and halts otherwise.
func TestRehearsedForecast(t *testing.T) {
	src := runbook.Source{Runbook: "runbooks/x.cue", Inputs: json.RawMessage("{}"), Files: map[string][]byte{"runbooks/x.cue": []byte(`
title: "t"
steps: {
	grow: {onFailure: "undo", terraform: dir: "infra", undo: exec: command: ["./shrink"]}
	site: {needs: ["grow"], onFailure: "undo", ansible: {playbook: "p.yaml", inventory: "i"}}
	none: {when: false, terraform: dir: "infra"}
}
`)}}
	e := New(Config{Child: []string{os.Args[0], "eval-child"}, Wall: time.Minute})
	plan, problems, err := e.Load(t.Context(), src)
	if err != nil || len(problems) > 0 {
		t.Fatal(err, problems)
	}
	q := runbook.Query{Source: src, Alert: json.RawMessage(`{"name":"A","source":"s","status":"firing","fingerprint":"f","group":"g","labels":{},"annotations":{}}`)}
	q.Source = src.Of(plan)
	if plan, err = e.Forecast(t.Context(), q); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]struct {
		status    runbook.Status
		problem   string
		onFailure runbook.OnFailure
	}{
		"grow_rehearsal": {runbook.StatusReady, "", runbook.FailureHalts},
		"grow":           {runbook.StatusWaiting, "grow_rehearsal", runbook.FailureUndoes},
		"site_rehearsal": {runbook.StatusReady, "", runbook.FailureUndoes},
		"site":           {runbook.StatusWaiting, "site_rehearsal", runbook.FailureUndoes},
		"none":           {runbook.StatusSkip, "only follows skipped steps", runbook.FailureHalts},
	} {
		s, ok := plan.Step(name)
		if !ok || s.Now.Status != want.status || s.Now.Problem != want.problem || s.OnFailure != want.onFailure {
			t.Errorf("%s: %v %s %q, on failure %s; want %+v", name, ok, s.Now.Status, s.Now.Problem, s.OnFailure, want)
		}
	}
}
