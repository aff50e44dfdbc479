package render

import (
	"strings"
	"testing"
	"time"

	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/runbook"
)

// TestDemandsAreShown: who is asked because of a freeze learns why, and a rule of several lists is written out.
func TestDemandsAreShown(t *testing.T) {
	p := samplePlan()
	demand := runbook.Demand{What: runbook.DemandFreeze, From: sampleStart(), To: sampleStart().Add(time.Hour), Why: "sales @team <b>",
		Rule: runbook.Approval{From: []string{"acme/leads"}, Count: 1}}
	data := toGate()
	for i, d := range data {
		if opened, ok := d.(incident.GateOpened); ok {
			opened.Because = []runbook.Demand{demand}
			opened.Rule = *runbook.Under(&opened.Rule, opened.Because)
			data[i] = opened
		}
	}
	events := script(data...)
	body := Body(p, fold(t, events), gateView())
	for _, want := range []string{"demands a part of the rule: change freeze from 2026-11-22 03:04:05 to", "1 of acme/leads"} {
		if !strings.Contains(body, want) {
			t.Errorf("no %q in:\n%s", want, body)
		}
	}
	if strings.Contains(body, "@team") || strings.Contains(body, "<b>") {
		t.Errorf("the reason mentions or formats:\n%s", body)
	}
	told := ""
	for _, e := range events {
		told += Progress(e) + "\n"
	}
	lifted := Progress(incident.Event{Data: incident.GateLifted{Step: "rollback"}})
	if !strings.Contains(told, "change freeze from") || !strings.Contains(lifted, "not needed any more") {
		t.Errorf("%s\n%s", told, lifted)
	}
}
