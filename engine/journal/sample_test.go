package journal

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/pullbook/pullbook/engine/approval"
	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/runbook"
)

const sampleID = incident.ID("20261122-k3jq5zabcd")

var sampleDir = sampleID.Dir()

func clock(n int) time.Time {
	return time.Date(2026, 11, 22, 3, 4, 5, 678*int(time.Millisecond), time.UTC).Add(time.Duration(n) * time.Second)
}

func alert() incident.Alert {
	return incident.Alert{Name: "HighErrorRate", Source: "alertmanager", Status: incident.Firing, Fingerprint: "f00d", Group: "{}:{service=\"checkout\"}",
		Labels:      map[string]string{"service": "checkout", "note": "<b>&\u2028@everyone closes #1"},
		Annotations: map[string]string{}, StartsAt: clock(-60), URL: "https://prometheus.example/graph?a=1&b=2"}
}

func deed(id int64) incident.Deed {
	return incident.Deed{By: approval.Person{ID: 583231, Login: "alice", Write: true, Teams: []string{"acme/sre"}}, Via: "comment", ID: id, At: clock(1), Words: "/ack\nlooking"}
}

func vote(review, by int64, login string) approval.Vote {
	return approval.Vote{Review: review, By: approval.Person{ID: by, Login: login, Write: true}, Commit: "6f2a0c7a1a0f7ddf3b1f1c0a5b2f8b7c9d0e1f23", At: clock(2), Words: "/approve rollback"}
}

// everyKind returns one event of each kind, in the order of events.go.
func everyKind() []incident.Event {
	d := deed(31)
	said := deed(32)
	page := runbook.PageDigest([]byte("page"))
	data := []incident.Data{
		incident.Opened{ID: sampleID, Group: "{}:{service=\"checkout\"}", Alert: alert(), Runbook: "runbooks/checkout.cue", Why: "it answers the label service=checkout",
			Commit: "6f2a0c7a1a0f7ddf3b1f1c0a5b2f8b7c9d0e1f23", Plan: PlanDigest(nil), Versions: map[string]string{"cue": "v0.17.1", "pullbook": "v0.1.0"}},
		incident.PullOpened{Number: 12, URL: "https://github.com/acme/ops/pull/12"},
		incident.AlertUpdated{Alert: alert()},
		incident.Acknowledged{Deed: d},
		incident.GateOpened{Step: "rollback", Round: 1, Page: page, Rule: runbook.Approval{From: []string{"acme/sre"}, Count: 2, Within: 15 * time.Minute}, Digest: page},
		incident.GateApproved{Step: "rollback", Page: page, Votes: []approval.Vote{vote(1234, 583231, "alice"), vote(1240, 583232, "bob")}},
		incident.GateRejected{Step: "rollback", Vote: vote(1250, 583233, "carol")},
		incident.GateExpired{Step: "rollback"},
		incident.StepStarted{Step: "rollback", Attempt: 1, Key: "20261122-k3jq5zabcd/rollback/1", Work: runbook.KindExec, Risk: runbook.RiskChange, Digest: page, Gate: page, Deadline: clock(300)},
		incident.StepEnded{Step: "rollback", Attempt: 1, Conclusion: runbook.Succeeded, Started: clock(10), Ended: clock(14).Add(200 * time.Millisecond),
			Output: json.RawMessage(`{"version":"1.4.1","errors":1.50,"html":"<a>\u003c"}`), Evidence: page,
			Cut: []runbook.Cut{{Name: "stdout", Bytes: 1 << 33, SHA256: page}}, Facts: map[string]string{"exit": "0"}, Deed: &said},
		incident.StepSkipped{Step: "scale", Why: "its when is false"},
		incident.StepBroken{Step: "scale", Problem: "runbooks/checkout.cue:12:3: steps.scale: conflicting values"},
		incident.StepUnknown{Step: "rollback", Attempt: 1},
		incident.StepByHand{Step: "rollback", What: "turned it off at the console", Deed: d},
		incident.RetryAsked{Step: "rollback", Round: 2, Deed: d},
		incident.CancelAsked{Why: "wrong service", Deed: d},
		incident.Mitigated{How: "every probe of the plan has passed"},
		incident.Ended{End: incident.EndResolved},
	}
	return numbered(data)
}

// stagedKinds returns a journal of the kinds and fields that came with waits, choices, undo and finally steps.
func stagedKinds() []incident.Event {
	d, page := deed(31), runbook.PageDigest([]byte("page"))
	asked := func(step string, work runbook.Kind) incident.StepStarted {
		return incident.StepStarted{Step: step, Attempt: 1, Key: runbook.AttemptKey(string(sampleID), step, 1), Work: work, Risk: runbook.RiskRead, Digest: page, Deadline: clock(300)}
	}
	freeze := runbook.Demand{What: runbook.DemandFreeze, From: clock(0), To: clock(900), Why: "sales <week>", Rule: runbook.Approval{From: []string{"acme/leads"}, Count: 2}}
	locked := asked("swap", runbook.KindExec)
	locked.Locks = []string{"dns", "service/checkout"}
	return numbered([]incident.Data{
		everyKind()[0].Data,
		asked("soak", runbook.KindWait),
		asked("which", runbook.KindChoose),
		incident.StepEnded{Step: "which", Attempt: 1, Conclusion: runbook.Succeeded, Started: clock(10), Ended: clock(14), Output: json.RawMessage(`{"choice":"restart"}`), Deed: &d},
		incident.UndoBegun{Why: "step rollback failed"},
		incident.UndoBegun{Why: "the incident was cancelled", Deed: &d},
		incident.CancelAsked{Why: "leave it", Deed: d, During: runbook.StageUndo},
		incident.FinallyBegun{End: incident.EndUndone},
		incident.CancelAsked{Why: "no time", Deed: d, During: runbook.StageFinally},
		incident.EachExpanded{Step: "restart", Keys: []string{"web-1", "web-2"}},
		incident.EachExpanded{Step: "purge", Keys: []string{}},
		asked("restart.web-1", runbook.KindExec),
		asked("restart.gh-12", runbook.KindExec),
		incident.GateOpened{Step: "swap", Round: 1, Page: page, Digest: page, Rule: runbook.Approval{All: []runbook.Approval{
			{From: []string{"acme/sre"}, Count: 1}, {Any: []runbook.Approval{freeze.Rule, {From: []string{"bob"}, Count: 1}}}}}, Because: []runbook.Demand{freeze}},
		incident.GateLifted{Step: "swap"},
		incident.GateReminded{Step: "swap"},
		incident.GateEscalated{Step: "swap", Level: 1, Why: incident.EscalatedInTime},
		incident.GateReminded{Step: "swap", Level: 1},
		incident.GateExpired{Step: "swap", Abort: true},
		incident.GlassBroken{Step: "swap", Page: page, Why: "no time", Vote: vote(41, 583233, "carol")},
		incident.GlassReviewed{Step: "swap", Event: 20, Votes: []approval.Vote{vote(42, 583231, "alice")}},
		locked,
		incident.Ended{End: incident.EndUndone},
	})
}

// kinKinds returns a journal of the kinds and fields that came with runbooks that open others, and with repetitions.
func kinKinds() []incident.Event {
	d, page := deed(31), runbook.PageDigest([]byte("page"))
	opened := everyKind()[0].Data.(incident.Opened)
	opened.Parent = &incident.Parent{Incident: "20261121-pppppppppp", Step: "failover", Attempt: 2, Pull: "https://github.com/acme/ops/pull/11",
		Runbooks: []string{"runbooks/checkout.cue"}}
	review := deed(33)
	again := deed(34)
	review.Via, again.Via = "review", "review"
	key := runbook.AttemptKey(string(sampleID), "deeper", 1)
	asked := func(step string, work runbook.Kind) incident.StepStarted {
		return incident.StepStarted{Step: step, Attempt: 1, Key: runbook.AttemptKey(string(sampleID), step, 1), Work: work, Risk: runbook.RiskChange, Digest: page, Deadline: clock(300)}
	}
	runs := asked("deploy", runbook.KindActions)
	runs.Workflow = "6f2a0c7a1a0f7ddf3b1f1c0a5b2f8b7c9d0e1f23"
	return numbered([]incident.Data{
		opened,
		asked("deeper", runbook.KindRunbook),
		incident.ChildOpened{Step: "deeper", Attempt: 1, Incident: incident.NewID(incident.ChildSlot(key), clock(3)), Inputs: json.RawMessage(`{"region":"eu"}`)},
		asked("told", runbook.KindExec),
		incident.StepEnded{Step: "told", Attempt: 1, Conclusion: runbook.Succeeded, Started: clock(1), Ended: clock(4)},
		incident.RepeatStarted{Step: "told", Attempt: 2, Key: runbook.AttemptKey(string(sampleID), "told", 2), Digest: page, Deadline: clock(2100)},
		incident.RepeatEnded{Step: "told", Attempt: 2, Conclusion: runbook.Failed, Started: clock(1801), Ended: clock(1802), Evidence: page,
			Cut: []runbook.Cut{{Name: "answer", Bytes: 1 << 20, SHA256: page}}, Facts: map[string]string{"status": "503"}, Error: "the channel board: 503"},
		runs,
		incident.RunDispatched{Step: "deploy", Attempt: 1, Run: 4711, URL: "https://github.com/acme/shop/actions/runs/4711", Found: true},
		incident.RunStopAsked{Step: "deploy", Attempt: 1},
		incident.Recalled{Why: "alice cancelled 20261121-pppppppppp: wrong service", Deed: &d},
		incident.Thawed{Why: "a slip", Disowned: []string{opened.Commit, opened.Commit}, On: opened.Commit, Deed: review},
		incident.PlanEdited{Pull: 12, Head: opened.Commit, Authors: []runbook.Author{{ID: 583231, Login: "alice", By: "opened it"}}, Was: opened.Plan, Plan: page,
			Changed: []string{"deeper"}, Added: []string{"check"}, Removed: []string{"wait"}, Diff: "--- a/x\n+++ b/x\n@@ -1,1 +1,1 @@\n-a & b\n+<c>\n",
			Votes: []approval.Vote{{Review: 35, By: approval.Person{ID: 583232, Login: "bob", Write: true}, Commit: opened.Commit, At: clock(9), Words: "good"}}},
		incident.Thawed{Why: "a slip", Restored: opened.Commit, Replaced: opened.Commit, On: opened.Commit, Deed: again},
		incident.StepEnded{Step: "deeper", Attempt: 1, Conclusion: runbook.Cancelled, Started: clock(1), Ended: clock(5), Error: "told not to go on"},
		incident.Ended{End: incident.EndCancelled},
	})
}

// spokenKinds returns a journal of the kinds and fields that came with what people say on a running incident.
func spokenKinds() []incident.Event {
	d, said, page := deed(31), deed(32), runbook.PageDigest([]byte("page"))
	d.Commit = "6f2a0c7a1a0f7ddf3b1f1c0a5b2f8b7c9d0e1f23"
	said.Via, said.Words = incident.ViaReview, "/skip rollback not needed"
	asked := incident.StepStarted{Step: "confirm", Attempt: 1, Key: runbook.AttemptKey(string(sampleID), "confirm", 1), Work: runbook.KindManual,
		Risk: runbook.RiskChange, Digest: page, Deadline: clock(300)}
	return numbered([]incident.Data{
		everyKind()[0].Data,
		incident.Paused{Why: "wait for the <network> team", Deed: d},
		incident.Resumed{Deed: deed(33)},
		incident.SeveritySet{Severity: "sev1", Deed: d},
		incident.Noted{Text: "the graph looks better", Deed: deed(34)},
		incident.CommandRefused{Why: "`purge` has not begun", Deed: deed(35)},
		asked,
		incident.Assigned{Step: "confirm", To: approval.Person{ID: 583232, Login: "bob", Write: true}, Deed: d},
		incident.StepEnded{Step: "confirm", Attempt: 1, Conclusion: runbook.Succeeded, Started: clock(5), Ended: clock(7), Output: json.RawMessage(`{"version":"1.4"}`), Deed: &d},
		incident.StepSkipped{Step: "scale", Why: "not needed", Deed: &d},
		incident.GateOpened{Step: "rollback", Round: 1, Page: page, Rule: runbook.Approval{From: []string{"acme/sre"}, Count: 2}, Digest: page},
		incident.StepSkipped{Step: "rollback", Why: "not needed", Deed: &said, Votes: []approval.Vote{vote(32, 583231, "alice"), vote(1240, 583232, "bob")}},
		incident.GateOpened{Step: "purge", Round: 1, Page: page, Rule: runbook.Approval{From: []string{"acme/sre"}, Count: 1}, Digest: page},
		incident.StepByHand{Step: "purge", What: "at the console", Deed: said, Votes: []approval.Vote{vote(1241, 583232, "bob")}},
		incident.Mitigated{How: "said by alice", Deed: &d},
		incident.Reopened{Deed: d},
		incident.Mitigated{How: "said by alice", Deed: &d},
		incident.Ended{End: incident.EndResolved},
		incident.Reopened{Deed: d},
		incident.CommandRefused{Why: "it was there before", Deed: deed(36), Before: true},
	})
}

func numbered(data []incident.Data) []incident.Event {
	events := make([]incident.Event, len(data))
	for i, d := range data {
		events[i] = incident.Event{Seq: i + 1, At: clock(i), Data: d}
	}
	return events
}

func encoded(t testing.TB, events []incident.Event) (map[string][]byte, Head) {
	t.Helper()
	files, head, err := Encode(sampleDir, Head{}, events)
	if err != nil {
		t.Fatalf("encode: %v", err)
	}
	return files, head
}
