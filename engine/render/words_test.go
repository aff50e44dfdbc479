package render

import (
	"strings"
	"testing"
	"time"

	"github.com/pullbook/pullbook/engine/approval"
	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/runbook"
)

func TestRollupWords(t *testing.T) {
	for status, want := range map[incident.RollupStatus][2]string{
		incident.RollupRunning: {"in_progress", ""},
		incident.RollupWaiting: {"completed", "action_required"},
		incident.RollupFailed:  {"completed", "failure"},
		incident.RollupDone:    {"completed", "success"},
		"a later word":         {"completed", "failure"},
	} {
		if state, conclusion := Rollup(status); [2]string{state, conclusion} != want {
			t.Errorf("%s: %s %s, want %v", status, state, conclusion, want)
		}
	}
}

func TestOnlyARecordedSuccessIsASuccess(t *testing.T) {
	ended := func(c runbook.Conclusion) incident.StepState {
		return incident.StepState{Phase: incident.PhaseEnded, Conclusion: c}
	}
	for _, c := range []struct {
		st   incident.StepState
		want string
	}{
		{ended(runbook.Succeeded), "success"}, {ended(runbook.Failed), "failure"}, {ended(runbook.TimedOut), "timed_out"},
		{ended(runbook.Cancelled), "cancelled"}, {ended(runbook.Unknown), "neutral"}, {ended(""), "neutral"},
		{incident.StepState{Phase: incident.PhaseByHand}, "neutral"}, {incident.StepState{Phase: incident.PhaseSkipped}, "skipped"},
		{incident.StepState{Phase: incident.PhaseBroken}, "failure"}, {incident.StepState{Phase: incident.PhaseRefused}, "failure"},
		{incident.StepState{Phase: incident.PhaseStarted, Conclusion: runbook.Succeeded}, "neutral"},
		{incident.StepState{Phase: incident.PhaseUnknown, Conclusion: runbook.Succeeded}, "neutral"}, {incident.StepState{}, "neutral"},
	} {
		if got := conclusion(c.st); got != c.want {
			t.Errorf("%q %q: %s, want %s", c.st.Phase, c.st.Conclusion, got, c.want)
		}
	}
}

func TestEveryEventIsTold(t *testing.T) {
	deed := incident.Deed{By: alice(), Via: "comment", ID: 1}
	vote := approval.Vote{Review: 5, By: bob(), Words: "/reject rollback not\nnow"}
	for want, data := range map[string]incident.Data{
		"03:04:05 engine: opened pull request 7":                                                          incident.PullOpened{Number: 7},
		"03:04:05 alert: the alert is resolved: HighErrorRate":                                            incident.AlertUpdated{Alert: incident.Alert{Name: "HighErrorRate", Status: incident.ResolvedNow}},
		"03:04:05 alice: took notice":                                                                     incident.Acknowledged{Deed: deed},
		"03:04:05 engine: asked for the approval of a: 1 of bob (round 2)":                                incident.GateOpened{Step: "a", Round: 2, Rule: runbook.Approval{From: []string{"bob"}, Count: 1}},
		"03:04:05 bob, bob: approved the gate of a (review 5, 5)":                                         incident.GateApproved{Step: "a", Votes: []approval.Vote{vote, vote}},
		"03:04:05 bob: rejected the gate of a (review 5): /reject rollback not now":                       incident.GateRejected{Step: "a", Vote: vote},
		"03:04:05 engine: the gate of a expired: nobody approved it in time":                              incident.GateExpired{Step: "a"},
		"03:04:05 bob: broke the glass of a (review 5): x":                                                incident.GlassBroken{Step: "a", Why: "x", Vote: vote},
		"03:04:05 bob: reviewed that the glass of a was broken (event 4)":                                 incident.GlassReviewed{Step: "a", Event: 4, Votes: []approval.Vote{vote}},
		"03:04:05 engine: reminded people of the gate of a":                                               incident.GateReminded{Step: "a"},
		"03:04:05 engine: asked more people about the gate of a (escalation 1): x":                        incident.GateEscalated{Step: "a", Level: 1, Why: "x"},
		"03:04:05 engine: the gate of a expired, and the incident is aborted: nobody approved it in time": incident.GateExpired{Step: "a", Abort: true},
		"03:04:05 engine: started a (attempt 2, risk change)":                                             incident.StepStarted{Step: "a", Attempt: 2, Risk: runbook.RiskChange},
		"03:04:05 engine: asked a person to do a":                                                         incident.StepStarted{Step: "a", Work: runbook.KindManual},
		"03:04:05 engine: errors: timed out (attempt 1, 1.2s): the server answered 500":                   finished("errors", 1, runbook.TimedOut, 0),
		"03:04:05 alice: finished a":                                                                      incident.StepEnded{Step: "a", Deed: &deed},
		"03:04:05 engine: skipped a: when is false":                                                       incident.StepSkipped{Step: "a", Why: "when is false"},
		"03:04:05 engine: could not work out the values of a: x":                                          incident.StepBroken{Step: "a", Problem: "x"},
		"03:04:05 engine: asked whether attempt 1 of a happened: its outcome is lost":                     incident.StepUnknown{Step: "a", Attempt: 1},
		"03:04:05 alice: did a by hand: pressed it":                                                       incident.StepByHand{Step: "a", What: "pressed it", Deed: deed},
		"03:04:05 alice: asked to try a again (round 2)":                                                  incident.RetryAsked{Step: "a", Round: 2, Deed: deed},
		"03:04:05 alice: cancelled the incident: wrong":                                                   incident.CancelAsked{Why: "wrong", Deed: deed},
		"03:04:05 alice: said that the problem is over":                                                   incident.Mitigated{Deed: &deed},
		"03:04:05 engine: the incident has ended: cancelled":                                              incident.Ended{End: incident.EndCancelled},
	} {
		if got := Progress(incident.Event{Seq: 1, At: sampleStart(), Data: data}); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

func TestMeasureKnowsWhatItCannotKnow(t *testing.T) {
	opened := sampleOpened()
	opened.Alert.StartsAt = sampleStart().Add(time.Hour) // the source's clock is ahead
	events := script(opened)
	n := Measure(samplePlan(), fold(t, events), events)
	if n.Detect != 0 || n.Resolve != 0 || n.Acknowledge != 0 || n.Steps != 5 || n.Events != 1 {
		t.Errorf("got %+v", n)
	}
	if !strings.Contains(n.String(), "time to detect       -\n") {
		t.Errorf("an unknown time is not shown as one:\n%s", n)
	}
}

func TestOnlyTheHubsAddressBecomesALink(t *testing.T) {
	for address, want := range map[string]bool{
		"https://github.com/acme/ops/pull/7": true, "http://127.0.0.1:8080/acme/ops/pull/7": true, "http://[::1]:8080/acme/ops/pull/7": true,
		"": false, "javascript:alert(1)": false, "https://user@github.com/x": false, "https://github.com/x)": false, "/acme/ops/pull/7": false,
		"https://github.com/x](y": false, "https://github.com/x y": false, "https://github.com/x\n": false, "ftp://github.com/x": false,
	} {
		if got := plainAddress(address); got != want {
			t.Errorf("%q: %v", address, got)
		}
	}
}

func TestRetriesSayWhen(t *testing.T) {
	p := samplePlan()
	p.Steps[0].Retry = runbook.Retry{Attempts: 3, Backoff: 10 * time.Second}
	s := fold(t, script(sampleOpened(), finished("errors", 1, runbook.Failed, 0)))
	if body := Body(p, s, incident.View{}); !strings.Contains(body, "next attempt not before 2026-11-22 03:04:16 UTC") || strings.Contains(body, "Halted") {
		t.Errorf("the body does not say when:\n%s", body)
	}
	again := incident.View{Attempts: []incident.Attempt{{Step: "errors", Number: 2, State: incident.AttemptQueued}}}
	if body := Body(p, s, again); !strings.Contains(body, "**Running:** `errors`.") {
		t.Errorf("the second attempt is with a runner, and the body does not say so:\n%s", body)
	}
}
