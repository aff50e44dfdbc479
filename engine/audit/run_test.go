package audit

import (
	"testing"
	"time"

	"github.com/pullbook/pullbook/engine/approval"
	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/journal"
	"github.com/pullbook/pullbook/engine/runbook"
)

const runPage = "# Gate: deploy\n\n## The workflow's file, by git blob id\n\n```text\nb10b\n```\n"

// workflow writes a ledger with one incident whose step runs a workflow behind a gate.
func (l *ledger) workflow() {
	deploy := runbook.Step{Name: "deploy", Kind: runbook.KindActions, Title: "deploy", Risk: runbook.RiskChange, Timeout: time.Hour, OnFailure: runbook.FailureHalts,
		Workflow: &runbook.Workflow{File: "deploy.yml", Ref: "main"}, Approval: &runbook.Approval{From: []string{"acme/sre"}, Count: 1}}
	l.begin()
	l.start("group one")
	l.inc.plan = runbook.Plan{Name: "checkout", Title: "Deploy", Command: []string{}, Steps: []runbook.Step{deploy}}
	l.opened("", "group one")
	dir, shown := l.inc.id.Dir(), runbook.PageDigest([]byte(runPage))
	l.record("gate", map[string][]byte{journal.GatePath(dir, "deploy", 0): []byte(runPage)}, incident.GateOpened{Step: "deploy", Round: 1, Page: shown,
		Rule: *deploy.Approval, Digest: digest})
	votes := []approval.Vote{{Review: 101, By: alice(), Commit: l.ids["gate"], At: at(15), Words: "/approve deploy"}}
	intent := l.intent("deploy", runbook.KindActions, 3600)
	intent.Gate, intent.Workflow = shown, "b10b"
	l.record("approve", nil, incident.GateApproved{Step: "deploy", Page: shown, Votes: votes}, intent)
	l.record("run", nil, incident.RunDispatched{Step: "deploy", Attempt: 1, Run: 7, URL: "https://hub.test/runs/7"})
	ended := outcome("deploy", runbook.Succeeded, 40)
	ended.Facts = map[string]string{"run": "7", "workflow": "b10b", "run_attempt": "1"}
	l.record("end", nil, ended)
	l.record("close", map[string][]byte{journal.ReportPath(dir): []byte("# Report\n")}, incident.Ended{End: incident.EndResolved})
	l.merge("merge")
	l.publish("")
}

func TestRunsAreVerified(t *testing.T) {
	l := newLedger(t)
	l.workflow()
	if r := verify(l, Options{Trust: trusting(1)}); !r.OK() || len(r.Incidents) != 1 {
		t.Errorf("%+v", r)
	}
}

// TestRuns: each is one thing that is wrong with that incident.
func TestRuns(t *testing.T) {
	ended := func(change func(*incident.StepEnded)) func(*ledger) {
		return say("end", func(_ *ledger, d *incident.StepEnded) { change(d) })
	}
	ran := func(change func(*incident.RunDispatched)) func(*ledger) {
		return say("run", func(_ *ledger, d *incident.RunDispatched) { change(d) })
	}
	for _, m := range []mutation{
		{"another file than was shown", say("approve", func(_ *ledger, d *incident.StepStarted) { d.Workflow = "bad" }), "approve", `its gate page showed "b10b"`},
		{"no file", say("approve", func(_ *ledger, d *incident.StepStarted) { d.Workflow = "" }), "approve", "does not name the file of its workflow"},
		{"no run", instead("run", func(*ledger, []incident.Event) []any { return []any{incident.Mitigated{How: "so"}} }), "end", "no run of its workflow is recorded"},
		{"another run", ended(func(d *incident.StepEnded) { d.Facts = map[string]string{"run": "8", "workflow": "b10b"} }), "end", "run 7 was dispatched"},
		{"another file than was to run", ended(func(d *incident.StepEnded) { d.Facts = map[string]string{"run": "7", "workflow": "bad"} }), "end", "its intent names b10b"},
		{"a run of no number", ran(func(d *incident.RunDispatched) { d.Run = 0 }), "run", "the run has no number"},
		{"a run of another attempt", ran(func(d *incident.RunDispatched) { d.Attempt = 2 }), "run", "does not wait for a workflow run"},
		{"told to stop for nothing", instead("run", func(_ *ledger, due []incident.Event) []any {
			return []any{due[0].Data, incident.RunStopAsked{Step: "deploy", Attempt: 1}}
		}), "run", "told to stop before its time is over"},
		{"what does not run is told to stop", instead("run", func(*ledger, []incident.Event) []any { return []any{incident.RunStopAsked{Step: "deploy", Attempt: 1}} }), "run", "no workflow run that could be told"},
		{"intent and run at once", func(l *ledger) {
			l.says["approve"] = func(due []incident.Event) []any {
				return []any{due[0].Data, due[1].Data, incident.RunDispatched{Step: "deploy", Attempt: 1, Run: 7}}
			}
		}, "approve", "in the same commit as its run"},
	} {
		t.Run(m.name, func(t *testing.T) {
			l := newLedger(t)
			m.change(l)
			l.workflow()
			expect(t, l, verify(l, Options{Trust: trusting(1)}), m.commit, m.why)
		})
	}
}
