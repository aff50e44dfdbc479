package render

import (
	"strings"
	"testing"

	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/runbook"
)

// TestBodySaysThatAuthorsAreLookedUp: a gate that is closed because the hub has not answered is no riddle.
func TestBodySaysThatAuthorsAreLookedUp(t *testing.T) {
	step := runbook.Step{Name: "a", Kind: runbook.KindExec, Approval: &runbook.Approval{From: []string{"bob"}, Count: 1}, Lines: []runbook.Lines{{File: "runbooks/x.cue", From: 1, To: 2}}}
	step.Now.Status = runbook.StatusReady
	plan := runbook.Plan{Title: "t", Steps: []runbook.Step{step}}
	const says = "**Waits for the hub** to say who wrote `a`"
	if body := Body(plan, incident.State{}, incident.View{}); !strings.Contains(body, says) {
		t.Errorf("nothing of it in\n%s", body)
	}
	known := incident.View{Authors: map[string]runbook.Authorship{"a": {}}}
	if body := Body(plan, incident.State{}, known); strings.Contains(body, says) {
		t.Errorf("it is known, and\n%s", body)
	}
	for _, edited := range []bool{true, false} { // of an open gate it has been said, unless an edit has changed its step
		open := incident.State{Opened: incident.Opened{ID: "20261122-k3jq5zabcd"}, Steps: map[string]*incident.StepState{"a": {Phase: incident.PhaseGate, Gate: incident.Gate{Rule: *step.Approval, Edited: edited}}}}
		if body := Body(plan, open, incident.View{}); strings.Contains(body, says) != edited {
			t.Errorf("edited %t, and\n%s", edited, body)
		}
	}
}
