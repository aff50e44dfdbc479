package audit

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/pullbook/pullbook/engine/approval"
	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/journal"
	"github.com/pullbook/pullbook/engine/runbook"
)

const eachPage = "# Gate: restart\n\n```text\nrestart.a  {\"exec\":{}}\nrestart.b  {\"exec\":{}}\nrestart.c  {\"exec\":{}}\n```\n"

// eachPlan has a template behind a gate, which is undone, and a step whose failure does so.
func eachPlan() runbook.Plan {
	step := func(name string) runbook.Step {
		return runbook.Step{Name: name, Kind: runbook.KindExec, Title: name, Risk: runbook.RiskChange, Timeout: time.Minute, OnFailure: runbook.FailureHalts}
	}
	restart, undo, check := step("restart"), step("restart_undo"), step("check")
	restart.Each, restart.HasOutput, undo.Each = true, true, true
	restart.Approval = &runbook.Approval{From: []string{"acme/sre"}, Count: 1}
	restart.OnFailure = runbook.FailureContinues
	undo.Stage, undo.Undoes = runbook.StageUndo, "restart"
	check.OnFailure = runbook.FailureUndoes
	return runbook.Plan{Name: "checkout", Title: "Restart them all", Command: []string{}, Steps: []runbook.Step{restart, check, undo}}
}

// each writes a ledger with one incident of that plan: of three elements one fails, and the other two are undone.
func (l *ledger) each() {
	l.begin()
	l.start("group one")
	l.inc.plan = eachPlan()
	l.opened("", "group one")
	keys, dir := []string{"a", "b", "c"}, l.inc.id.Dir()
	digestOf := runbook.PageDigest([]byte(eachPage))
	l.record("gate", map[string][]byte{journal.GatePath(dir, "restart", 0): []byte(eachPage)}, incident.GateOpened{Step: "restart", Round: 1,
		Page: digestOf, Rule: *eachPlan().Steps[0].Approval, Digest: digest, Elements: keys})
	votes := []approval.Vote{{Review: 101, By: alice(), Commit: l.ids["gate"], At: at(15), Words: "/approve restart"}}
	intents := []incident.Data{incident.GateApproved{Step: "restart", Page: digestOf, Votes: votes}, incident.EachExpanded{Step: "restart", Keys: keys}}
	for _, key := range keys {
		intent := l.intent("restart."+key, runbook.KindExec, 99)
		intent.Gate = digestOf
		intents = append(intents, intent)
	}
	l.record("approve", nil, intents...)
	a, output := outcome("restart.a", runbook.Succeeded, 20), []byte(`{"n":1}`)
	a.Output = output
	l.record("first", map[string][]byte{journal.EvidencePath(dir, "restart.a", 1, journal.OutputName, 0): output}, a)
	whole := outcome("restart", runbook.Failed, 30)
	whole.Output, whole.Error = json.RawMessage(`{"a":{"n":1}}`), "1 of 3 elements did not succeed: b"
	l.record("others", nil, outcome("restart.b", runbook.Failed, 28), outcome("restart.c", runbook.Succeeded, 29), whole, l.intent("check", runbook.KindExec, 99))
	l.record("failed", nil, outcome("check", runbook.Failed, 40))
	l.record("undo", nil, incident.UndoBegun{Why: "step check failed"}, incident.EachExpanded{Step: "restart_undo", Keys: []string{"a", "c"}}, l.intent("restart_undo.c", runbook.KindExec, 99))
	l.record("undone c", nil, outcome("restart_undo.c", runbook.Succeeded, 50), l.intent("restart_undo.a", runbook.KindExec, 99))
	l.record("undone a", nil, outcome("restart_undo.a", runbook.Succeeded, 60), outcome("restart_undo", runbook.Succeeded, 60))
	l.record("close", map[string][]byte{journal.ReportPath(dir): []byte("# Report\n")}, incident.Ended{End: incident.EndUndone})
	l.merge("merge")
	l.publish("")
}

func TestElementsAreVerified(t *testing.T) {
	l := newLedger(t)
	l.each()
	r := verify(l, Options{Trust: trusting(1)})
	if !r.OK() || len(r.Incidents) != 1 || r.Incidents[0].End != incident.EndUndone || r.Incidents[0].Votes != 1 {
		t.Errorf("%+v", r)
	}
}

// TestElements: each is one thing that is wrong with that incident.
func TestElements(t *testing.T) {
	page := func(l *ledger) string { return journal.GatePath(l.inc.id.Dir(), "restart", 0) }
	for _, m := range []mutation{
		{"a page without an element", func(l *ledger) {
			short := "restart.a  {}\nrestart.b  {}\n"
			edit("gate", func(d *draft) { d.files[page(l)] = []byte(short) })(l)
			say("gate", func(_ *ledger, d *incident.GateOpened) { d.Page = runbook.PageDigest([]byte(short)) })(l)
		}, "gate", "does not show what runs for the element c"},
		{"a gate that says nothing of elements", say("gate", func(_ *ledger, d *incident.GateOpened) { d.Elements = nil }), "gate", "disagree on whether it has elements"},
		{"more elements than the page has", say("approve", func(_ *ledger, d *incident.EachExpanded) { d.Keys = append(d.Keys, "d") }), "approve", "not those that were approved"},
		{"an intent that was not approved", say("approve", func(_ *ledger, d *incident.StepStarted) { d.Digest = runbook.PageDigest(nil) }), "approve", "another digest than was approved"},
		{"an intent without the gate", say("approve", func(_ *ledger, d *incident.StepStarted) { d.Gate = "" }), "approve", "without the gate of restart"},
		{"elements of a step that has none", instead("others", func(_ *ledger, due []incident.Event) []any {
			return []any{due[0].Data, due[1].Data, due[2].Data, incident.EachExpanded{Step: "check", Keys: []string{"x"}}}
		}), "others", "the plan says nothing of that"},
		{"another output than was collected", say("others", func(_ *ledger, d *incident.StepEnded) {
			d.Step, d.Output = "restart.b", json.RawMessage(`{"n":2}`)
			d.Conclusion = runbook.Succeeded
		}), "others", "its elements say"},
		{"undone although it had failed", say("undo", func(_ *ledger, d *incident.EachExpanded) { d.Keys = []string{"a", "b", "c"} }), "undo", "not those of restart that had succeeded"},
		{"not undone although it had succeeded", say("undo", func(_ *ledger, d *incident.EachExpanded) { d.Keys = []string{"c"} }), "undo", "not those of restart that had succeeded"},
		{"undone out of turn", instead("undo", func(l *ledger, due []incident.Event) []any {
			return []any{due[0].Data, due[1].Data, l.intent("restart_undo.a", runbook.KindExec, 99)}
		}), "undo", "out of turn"},
	} {
		t.Run(m.name, func(t *testing.T) {
			l := newLedger(t)
			m.change(l)
			l.each()
			expect(t, l, verify(l, Options{Trust: trusting(1)}), m.commit, m.why)
		})
	}
}
