package render

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/pullbook/pullbook/engine/approval"
	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/runbook"
)

// sampleStart is when every sample incident opens.
func sampleStart() time.Time { return time.Date(2026, 11, 22, 3, 4, 5, 0, time.UTC) }

func digest(of string) string { return runbook.PageDigest([]byte(of)) }

func alice() approval.Person { return approval.Person{ID: 101, Login: "alice", Write: true} }

func bob() approval.Person {
	return approval.Person{ID: 102, Login: "bob", Write: true, Teams: []string{"acme/sre"}}
}

func samplePlan() runbook.Plan {
	ready := runbook.Resolution{Status: runbook.StatusReady}
	manual := runbook.Resolution{Status: runbook.StatusReady,
		Work: runbook.Work{Manual: &runbook.Manual{Task: "Tell support that checkout works again.", Owner: "acme/sre"}}}
	step := func(name string, kind runbook.Kind, risk runbook.Risk, title string, needs ...string) runbook.Step {
		return runbook.Step{Name: name, Kind: kind, Risk: risk, Title: title, Needs: needs, Timeout: time.Minute,
			OnFailure: runbook.FailureHalts, Now: ready}
	}
	rollback := step("rollback", runbook.KindHTTP, runbook.RiskChange, "Roll back from 2.1.0 to 2.0.9", "errors", "version")
	rollback.Approval = &runbook.Approval{From: []string{"acme/sre"}, Count: 1, Within: 15 * time.Minute}
	rollback.Why, rollback.ByHand = "The old release works.", "Run deploy rollback on web-1.\nTell @support."
	confirm := step("confirm", runbook.KindManual, runbook.RiskRead, "Tell support", "recovered")
	confirm.Now = manual
	return runbook.Plan{Name: "checkout", Title: "Checkout answers with errors", Severity: "sev2",
		Doc: "Rolls the checkout service back.", Command: []string{"acme/sre"}, Service: "checkout", Owners: []string{"acme/sre", "alice"},
		Affected: []string{"api", "shop"}, Why: "Customers cannot pay.", ByHand: "Call the release manager.",
		Steps: []runbook.Step{
			step("errors", runbook.KindHTTP, runbook.RiskRead, "Measure the error rate"),
			step("version", runbook.KindHTTP, runbook.RiskRead, "Ask which release runs"),
			rollback,
			step("recovered", runbook.KindProbe, runbook.RiskRead, "Wait until fewer than 1% fail", "rollback"),
			confirm,
		}}
}

func sampleAlert() incident.Alert {
	return incident.Alert{Name: "HighErrorRate", Source: "alertmanager", Status: incident.Firing, Fingerprint: "f00d", Group: "checkout",
		Labels:      map[string]string{"service": "checkout", "severity": "page", "instance": "web-1:9090"},
		Annotations: map[string]string{"summary": "12% of the requests fail"},
		StartsAt:    sampleStart().Add(-90 * time.Second), URL: "http://127.0.0.1:9093/alerts"}
}

func sampleOpened() incident.Opened {
	return incident.Opened{ID: "20261122-k3jq5zabcd", Group: "checkout", Alert: sampleAlert(), Runbook: "runbooks/checkout.cue",
		Why: "its match fits the alert", Commit: strings.Repeat("c0ffee12", 5), Plan: digest("plan")}
}

// script numbers events and dates them five seconds apart.
func script(data ...incident.Data) []incident.Event {
	events := make([]incident.Event, len(data))
	for i, d := range data {
		events[i] = incident.Event{Seq: i + 1, At: sampleStart().Add(time.Duration(i) * 5 * time.Second), Data: d}
	}
	return events
}

func finished(step string, attempt int, c runbook.Conclusion, after time.Duration) incident.StepEnded {
	begin := sampleStart().Add(after)
	e := incident.StepEnded{Step: step, Attempt: attempt, Conclusion: c, Started: begin, Ended: begin.Add(1200 * time.Millisecond), Evidence: digest(step)}
	if c == runbook.Succeeded {
		e.Output = []byte(`{"ok":true}`)
	} else {
		e.Error = "the server answered 500"
	}
	return e
}

// toGate are the events of a sample incident until its gate is open.
func toGate() []incident.Data {
	return []incident.Data{
		sampleOpened(),
		finished("errors", 1, runbook.Succeeded, 2*time.Second),
		finished("version", 1, runbook.Succeeded, 3*time.Second),
		incident.PullOpened{Number: 7, URL: "https://github.com/acme/ops/pull/7"},
		incident.GateOpened{Step: "rollback", Round: 1, Page: digest("page"), Rule: *samplePlan().Steps[2].Approval, Digest: digest("gate")},
	}
}

// toManual continues it until the manual step is asked for.
func toManual() []incident.Data {
	vote := approval.Vote{Review: 9001, By: bob(), Commit: strings.Repeat("ab", 20), At: sampleStart().Add(24 * time.Second)}
	return append(toGate(),
		incident.GateApproved{Step: "rollback", Page: digest("page"), Votes: []approval.Vote{vote}},
		incident.StepStarted{Step: "rollback", Attempt: 1, Work: runbook.KindHTTP, Risk: runbook.RiskChange, Gate: digest("page")},
		finished("rollback", 1, runbook.Succeeded, 30*time.Second),
		finished("recovered", 1, runbook.Succeeded, 36*time.Second),
		incident.Mitigated{How: "every probe of the plan has passed"},
		incident.StepStarted{Step: "confirm", Attempt: 1, Work: runbook.KindManual, Risk: runbook.RiskRead, Deadline: time.Date(2026, 11, 23, 3, 10, 0, 0, time.UTC)},
	)
}

func toEnd() []incident.Data {
	deed := incident.Deed{By: alice(), Via: "comment", ID: 55, At: sampleStart().Add(55 * time.Second), Words: "/done confirm"}
	done := incident.StepEnded{Step: "confirm", Attempt: 1, Conclusion: runbook.Succeeded, Started: sampleStart().Add(50 * time.Second),
		Ended: sampleStart().Add(55 * time.Second), Deed: &deed}
	return append(toManual(), done, incident.Ended{End: incident.EndResolved})
}

// gateView is what the hub says while the gate is open: one vote of somebody who is not named by the rule.
func gateView() incident.View {
	return incident.View{
		Reviews: []approval.Review{{ID: 9000, By: alice(), State: approval.Approved, Commit: "e1", At: sampleStart().Add(21 * time.Second)}},
		Branch:  incident.Branch{Head: "e1", Commits: map[string]int{"e1": 5}, Pushed: 5},
	}
}

func fold(t testing.TB, events []incident.Event) incident.State {
	t.Helper()
	s, err := incident.Fold(events)
	if err != nil {
		t.Fatalf("the sample is no journal: %v", err)
	}
	return s
}

// largePlan has n steps in layers of ten, each step needing two of the layer above; every fifth has a gate.
func largePlan(n int) runbook.Plan {
	p := runbook.Plan{Name: "large", Title: "A large runbook", Severity: "sev1"}
	for i := range n {
		s := runbook.Step{Name: fmt.Sprintf("step_%04d", i), Title: fmt.Sprintf("Do the part of the work that has the number %d, with care", i),
			Kind: runbook.KindExec, Risk: runbook.RiskChange, Timeout: time.Minute, OnFailure: runbook.FailureHalts,
			Now: runbook.Resolution{Status: runbook.StatusWaiting}}
		if i >= 10 {
			s.Needs = []string{fmt.Sprintf("step_%04d", i-10), fmt.Sprintf("step_%04d", i-10+(i+1)%10-i%10)}
		}
		if i%5 == 0 {
			s.Approval = &runbook.Approval{From: []string{"acme/sre"}, Count: 2}
		}
		p.Steps = append(p.Steps, s)
	}
	return p
}

// largeEvents ends the first done steps of a large plan and opens the gates of all others that have one.
func largeEvents(p runbook.Plan, done int) []incident.Event {
	data := []incident.Data{sampleOpened()}
	for i, s := range p.Steps {
		switch {
		case i < done:
			data = append(data, incident.StepStarted{Step: s.Name, Attempt: 1, Work: s.Kind, Risk: s.Risk}, finished(s.Name, 1, runbook.Succeeded, time.Minute))
		case s.Approval != nil:
			data = append(data, incident.GateOpened{Step: s.Name, Round: 1, Page: digest(s.Name), Rule: *s.Approval})
		}
	}
	return script(data...)
}
