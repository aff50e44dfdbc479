package render

import (
	"strings"
	"testing"
	"time"

	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/runbook"
)

// TestRehearsalIsMarked looks for the mark in all that people see of a rehearsal, and in its numbers, and for none in an incident.
func TestRehearsalIsMarked(t *testing.T) {
	now := time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)
	plan := runbook.Plan{Name: "checkout", Title: "Checkout", Severity: "sev2", Steps: []runbook.Step{{Name: "fix", Title: "fix", Kind: runbook.KindExec, Risk: runbook.RiskChange}}}
	for _, game := range []*incident.Rehearsal{nil, {NoReads: true}} {
		would := game != nil
		events := incident.State{}.Next([]incident.Data{
			incident.Opened{ID: "20261122-aaaaaaaaaa", Runbook: "runbooks/checkout.cue", Rehearsal: game},
			incident.StepStarted{Step: "fix", Attempt: 1, Work: runbook.KindExec, Risk: runbook.RiskChange, WouldRun: would},
			incident.StepEnded{Step: "fix", Attempt: 1, Conclusion: runbook.Succeeded, Started: now, Ended: now, WouldRun: would},
			incident.Ended{End: incident.EndResolved}}, now)
		state, err := incident.Fold(events)
		if err != nil {
			t.Fatal(err)
		}
		screen, check := Screen(plan, state, incident.View{}), Check(plan, state, "fix", "")
		var told []string
		for _, line := range Timeline(events) {
			told = append(told, line.What)
		}
		for name, x := range map[string]struct{ text, mark string }{
			"title":         {screen.Title, "Rehearsal: [sev2] Checkout"},
			"body":          {screen.Body, "**This is a rehearsal.**"},
			"step":          {screen.Body, "`fix`: would run"},
			"no reads":      {screen.Body, "only read are not run either"},
			"label":         {strings.Join(screen.Labels, ","), "rehearsal"},
			"check":         {check.Summary, "**This is a rehearsal.**"},
			"check's title": {check.Title, "would run: this is a rehearsal"},
			"rollup":        {InRehearsal(state, "It is open."), "Rehearsal: It is open."},
			"report":        {string(Report(plan, state, events)), "**This is a rehearsal.**"},
			"opening":       {told[0], "opened a rehearsal"},
			"start":         {told[1], "would have started fix"},
			"end":           {told[2], "fix: would run, in a rehearsal"},
			"numbers":       {Measure(plan, state, events).String(), "rehearsal            yes"},
		} {
			if strings.Contains(x.text, x.mark) != would {
				t.Errorf("%s of a rehearsal (%t):\n%s", name, would, x.text)
			}
		}
		if n := Measure(plan, state, events); n.Rehearsal != would || (n.WouldRun == 1) != would || (n.Automated == 1) == would {
			t.Errorf("numbers of a rehearsal (%t): %+v", would, n)
		}
	}
}
