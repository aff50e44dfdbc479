package scenario

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pullbook/pullbook/engine/approval"
	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/runbook"
)

// happened is a journal in which everything happens that a story can say.
func happened() []incident.Event {
	alice := approval.Person{ID: 1, Login: "alice", Write: true, Teams: []string{"acme/sre"}}
	mallory := approval.Person{ID: 6, Login: "mallory"}
	alert := incident.Alert{Name: "Down", Labels: map[string]string{"host": "web-1"}}
	resolved := alert
	resolved.Status = incident.ResolvedNow
	deed := func(id int64, words string) incident.Deed {
		return incident.Deed{By: alice, Via: "comment", ID: id, Words: words}
	}
	done := deed(2, "quoted:\n> /ack\n\n/done ask\n/retry fix")
	at := time.Date(2026, 3, 1, 9, 0, 0, 400e6, time.UTC)
	var out []incident.Event
	add := func(after time.Duration, data ...incident.Data) {
		at = at.Add(after)
		for _, d := range data {
			out = append(out, incident.Event{Seq: len(out) + 1, At: at, Data: d})
		}
	}
	add(0, incident.Opened{Alert: alert, Why: byPerson, Inputs: []byte(`{"region":"eu"}`)}, incident.PullOpened{Number: 1})
	add(2*time.Second, incident.StepEnded{Step: "look", Attempt: 1, Conclusion: runbook.Succeeded, Output: []byte(`{"x":1}`)},
		incident.GateOpened{Step: "fix", Authors: &runbook.Authorship{People: []runbook.Author{{ID: 9, Login: "dora"}}}})
	add(20*time.Second, incident.GateRejected{Step: "fix", Vote: approval.Vote{By: mallory, Words: "no\n/reject fix too risky"}})
	add(40*time.Minute, incident.GateExpired{Step: "other"})
	add(time.Second, incident.Acknowledged{Deed: deed(1, "/ack")}, incident.AlertUpdated{Alert: resolved})
	add(0, incident.StepEnded{Step: "ask", Attempt: 1, Deed: &done}, incident.RetryAsked{Step: "fix", Deed: done})
	add(time.Second, incident.GateApproved{Step: "fix", Votes: []approval.Vote{{By: alice}}}, incident.StepStarted{Step: "fix", Attempt: 1, Work: runbook.KindExec},
		incident.StepStarted{Step: "pause", Attempt: 1, Work: runbook.KindWait})
	add(time.Second, incident.StepUnknown{Step: "fix", Attempt: 1}, incident.StepByHand{Step: "fix", Deed: deed(3, "/did-it-by-hand fix so")})
	add(10*time.Second, incident.StepEnded{Step: "pause", Conclusion: runbook.Succeeded})
	add(time.Second, incident.RepeatEnded{Step: "look", Conclusion: runbook.Failed, Error: "no\nanswer"}, incident.StepEnded{Step: "slow", Conclusion: runbook.TimedOut},
		incident.StepEnded{Step: "all", Conclusion: runbook.Succeeded}, incident.StepEnded{Step: "stopped", Conclusion: runbook.Cancelled},
		incident.StepEnded{Step: "all.one", Conclusion: runbook.Succeeded})
	add(time.Second, incident.Mitigated{How: "said so", Deed: &incident.Deed{By: alice, Via: "comment", ID: 4, Words: "/resolve"}},
		incident.CancelAsked{Why: "enough", Deed: deed(5, "/cancel enough")}, incident.Ended{End: incident.EndCancelled})
	return out
}

// TestRecord shows how a journal becomes a story: what was recorded at one moment happens at one, comments are said once, the
// waits are long enough, and what the engine itself did is left out.
func TestRecord(t *testing.T) {
	got, err := Record("It went badly", runbook.Plan{Steps: []runbook.Step{{Name: "all", Each: true}}}, happened())
	if err != nil {
		t.Fatal(err)
	}
	const want = `case It went badly

clock 2026-03-01T09:00:00Z
dora wrote fix
person mallory read-only
person alice acme/sre
inputs {"region":"eu"}
open {"name":"Down","labels":{"host":"web-1"}}

look succeeds {"x":1}

mallory rejects fix too risky

wait 40m23s

alice says /ack
resolved
alice says /done ask
alice says /retry fix

alice approves fix

fix is lost
alice says /did-it-by-hand fix so

wait 13s

look fails no answer
slow times out
all.one succeeds

alice says /resolve
alice says /cancel enough
`
	if d := cmp.Diff(want, string(got)); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
	if f, err := Parse("x", got); err != nil || len(f.Cases) != 1 {
		t.Errorf("it cannot be read: %v", err)
	}
	if _, err := Record("x", runbook.Plan{}, nil); err == nil {
		t.Error("an empty journal became a story")
	}
}
