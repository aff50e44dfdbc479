package render

import (
	"strings"
	"testing"
	"time"

	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/runbook"
)

// kinState is an incident that was opened by another one, waits for a child of its own, and tells people every half hour.
func kinState(t *testing.T, more ...incident.Data) (runbook.Plan, incident.State, []incident.Event) {
	t.Helper()
	start := time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)
	plan := runbook.Plan{Title: "Fail over", Steps: []runbook.Step{
		{Name: "told", Kind: "update", Title: "told", Risk: runbook.RiskChange, Every: 30 * time.Minute},
		{Name: "deeper", Kind: runbook.KindRunbook, Title: "deeper", Risk: runbook.RiskChange, Runbook: "other"}}}
	opened := incident.Opened{ID: "20261122-aaaaaaaaaa", Runbook: "runbooks/x.cue", Parent: &incident.Parent{Incident: "20261121-bbbbbbbbbb", Step: "move", Attempt: 2,
		Pull: "https://github.com/acme/ops/pull/11", Runbooks: []string{"runbooks/first.cue"}}}
	var empty incident.State
	events := empty.Next(append([]incident.Data{opened,
		incident.StepStarted{Step: "told", Attempt: 1, Work: "update", Risk: runbook.RiskChange},
		incident.StepEnded{Step: "told", Attempt: 1, Conclusion: runbook.Succeeded, Started: start, Ended: start},
		incident.StepStarted{Step: "deeper", Attempt: 1, Work: runbook.KindRunbook, Risk: runbook.RiskChange, Deadline: start.Add(time.Hour)},
	}, more...), start)
	state, err := incident.Fold(events)
	if err != nil {
		t.Fatal(err)
	}
	return plan, state, events
}

func childID() incident.ID {
	key := runbook.AttemptKey("20261122-aaaaaaaaaa", "deeper", 1)
	return incident.NewID(incident.ChildSlot(key), time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC))
}

func wants(t *testing.T, text string, all ...string) {
	t.Helper()
	for _, want := range all {
		if !strings.Contains(text, want) {
			t.Errorf("it does not say %q:\n%s", want, text)
		}
	}
}

func TestBodyOfKin(t *testing.T) {
	opened := incident.ChildOpened{Step: "deeper", Attempt: 1, Incident: childID()}
	body := func(c incident.Child, more ...incident.Data) string {
		plan, state, _ := kinState(t, more...)
		c.Attempt = 1
		return Body(plan, state, incident.View{Children: map[string]incident.Child{"deeper": c}})
	}
	id := string(childID())
	url := "https://github.com/acme/ops/pull/13"
	wants(t, body(incident.Child{}), "**Opened by** the step `move` of incident `20261121-bbbbbbbbbb` ([pull request](https://github.com/acme/ops/pull/11))",
		"**its own incident is being opened**", "further notifications of the alert go there")
	wants(t, body(incident.Child{Incident: childID(), Pull: 13, URL: url, Asks: true}, opened),
		"**Goes on elsewhere:** `deeper`: incident `"+id+"` ([pull request 13]("+url+")) waits for people.")
	for want, c := range map[string]incident.Child{
		"` is open":                               {},
		"` is being undone":                       {Stage: runbook.StageUndo},
		"` was told not to go on":                 {Recalled: true},
		"` has ended: resolved":                   {End: incident.EndResolved},
		"nothing runs on incident `" + id + "`: ": {Stuck: "so it is"},
	} {
		c.Incident, c.URL = childID(), "javascript:alert(1)" // no address of a pull request
		if text := body(c, opened); !strings.Contains(text, want) || strings.Contains(text, "javascript") {
			t.Errorf("it does not say %q:\n%s", want, text)
		}
	}
	wants(t, body(incident.Child{}, opened), "nothing runs on", "its branch was deleted")
	wants(t, body(incident.Child{}, opened, incident.Recalled{Why: "alice @team cancelled it"}), "**Called off** by the incident that opened it: alice", "What still runs is being stopped.")
	ended := incident.StepEnded{Step: "deeper", Attempt: 1, Conclusion: runbook.Succeeded, Facts: map[string]string{"pull": url}}
	wants(t, body(incident.Child{}, opened, ended), "succeeded", "incident `"+id+"` ([pull request]("+url+"))")
}

func TestRepetitionsAreShown(t *testing.T) {
	again := func(n int) incident.RepeatStarted { return incident.RepeatStarted{Step: "told", Attempt: n} }
	over := func(n int, how runbook.Conclusion, why string) incident.RepeatEnded {
		return incident.RepeatEnded{Step: "told", Attempt: n, Conclusion: how, Error: why, Evidence: "aa"}
	}
	plan, state, events := kinState(t, again(2), over(2, runbook.Failed, "the channel board: 503"), again(3))
	wants(t, Body(plan, state, incident.View{}), "repeated 2 times, 1 of them failed (the latest: the channel board: 503), again under way")
	plan, state, _ = kinState(t, again(2), over(2, runbook.Succeeded, ""))
	wants(t, Body(plan, state, incident.View{}), "repeated 1 time, again not before 2026-11-22 03:30:00 UTC")
	report := string(Report(plan, state, events))
	wants(t, report, "repeated told: failed (attempt 2, 0s): the channel board: 503", "told/2/log.txt")
	if strings.Contains(report, "began to repeat") {
		t.Error("the report tells twice of a repetition")
	}
	plan, state, _ = kinState(t, incident.Mitigated{How: "so"})
	if text := Body(plan, state, incident.View{}); strings.Contains(text, "not before") {
		t.Errorf("what is mitigated is repeated:\n%s", text)
	}
}
