package audit

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/pullbook/pullbook/engine/approval"
	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/journal"
	"github.com/pullbook/pullbook/engine/runbook"
)

// shownPlan has a step that is rehearsed, one that is repeated and one that opens another incident, each behind a gate.
func shownPlan() runbook.Plan {
	asks := &runbook.Approval{From: []string{"acme/sre"}, Count: 1}
	step := func(name string, kind runbook.Kind) runbook.Step {
		return runbook.Step{Name: name, Kind: kind, Title: name, Risk: runbook.RiskChange, Timeout: time.Hour, OnFailure: runbook.FailureHalts, Approval: asks}
	}
	tried, apply, told, opens := step("apply_rehearsal", "terraform"), step("apply", "terraform"), step("told", "update"), step("failover", runbook.KindRunbook)
	tried.Risk, tried.Approval, tried.Rehearses, tried.HasOutput = runbook.RiskRead, nil, "apply", true
	told.Every, told.Idempotent, opens.Runbook = time.Minute, true, "failover"
	return runbook.Plan{Name: "checkout", Title: "Apply", Command: []string{}, Steps: []runbook.Step{tried, apply, told, opens}}
}

const tfPlan = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

// pageOf is the gate page of a step of shownPlan, as the engine writes it. In its title somebody pretends to be a page.
func pageOf(l *ledger, name string) []byte {
	step, _, _ := l.inc.plan.Written(name)
	step.Title = "x\n## What will run\n\n```json\n{\"runbook\":{\"name\":\"failover\",\"with\":{\"to\":\"mars\"}}}\n```\n"
	g := runbook.Gate{Incident: string(l.inc.id), Step: step, Round: 1, Work: runbook.Work{Run: json.RawMessage(`{}`)}}
	switch name {
	case "apply":
		g.Rehearsal = json.RawMessage(`{"changes":true,"plan":"` + tfPlan + `","text":"+ one"}`)
	case "failover":
		g.Work = runbook.Work{Runbook: &runbook.Child{Name: "failover", With: json.RawMessage(`{"to":"eu","hosts":2}`)}}
	}
	return g.Page()
}

// shows writes a ledger with one open incident of that plan.
func (l *ledger) shows() {
	l.begin()
	l.start("group one")
	l.inc.plan = shownPlan()
	l.opened("", "group one")
	dir, files := l.inc.id.Dir(), map[string][]byte{}
	output := json.RawMessage(`{"changes":true,"plan":"` + tfPlan + `","text":"+ one"}`)
	tried := outcome("apply_rehearsal", runbook.Succeeded, 12)
	tried.Output = output
	files[journal.EvidencePath(dir, "apply_rehearsal", 1, journal.OutputName, 0)] = output
	gates := []incident.Data{tried}
	for i, step := range l.inc.plan.Steps[1:] {
		text := pageOf(l, step.Name)
		if edit := l.edits["page of "+step.Name]; edit != nil {
			d := draft{files: map[string][]byte{"": text}}
			edit(&d)
			text = d.files[""]
		}
		files[journal.GatePath(dir, step.Name, i+1)] = text
		gates = append(gates, incident.GateOpened{Step: step.Name, Round: 1, Page: runbook.PageDigest(text), Rule: *step.Approval, Digest: digest})
	}
	l.record("gates", files, gates...)
	var passed []incident.Data
	for i, d := range gates[1:] {
		g := d.(incident.GateOpened)
		step := l.inc.plan.Steps[i+1]
		vote := approval.Vote{Review: int64(101 + i), By: alice(), Commit: l.ids["gates"], At: at(15), Words: "/approve " + g.Step}
		intent := l.intent(g.Step, step.Kind, 0)
		intent.Gate, intent.Risk = g.Page, step.Risk
		passed = append(passed, incident.GateApproved{Step: g.Step, Page: g.Page, Votes: []approval.Vote{vote}}, intent)
	}
	l.record("starts", nil, passed...)
	applied := outcome("apply", runbook.Succeeded, 29)
	applied.Facts = map[string]string{factPlan: tfPlan}
	key := runbook.AttemptKey(string(l.inc.id), "failover", 1)
	l.record("ends", nil, applied, outcome("told", runbook.Succeeded, 30),
		incident.ChildOpened{Step: "failover", Attempt: 1, Incident: incident.NewID(incident.ChildSlot(key), at(26)), Inputs: json.RawMessage(`{"to":"eu","hosts":2}`)})
	l.inc.clock = 120
	again := incident.RepeatStarted{Step: "told", Attempt: 2, Key: runbook.AttemptKey(string(l.inc.id), "told", 2), Digest: digest,
		Gate: gates[2].(incident.GateOpened).Page, Deadline: at(200)}
	l.record("again", nil, again)
	l.publish("refs/remotes/origin/" + l.inc.id.Branch())
}

// TestWhatRanIsWhatWasShown shows that audit compares what ran, and what was given on, with the pages that people approved.
func TestWhatRanIsWhatWasShown(t *testing.T) {
	onPage := func(step, old, now string) func(*ledger) {
		return func(l *ledger) {
			l.edits["page of "+step] = func(d *draft) { d.files[""] = []byte(strings.ReplaceAll(string(d.files[""]), old, now)) }
		}
	}
	applied := func(change func(*incident.StepEnded)) func(*ledger) {
		return say("ends", func(_ *ledger, d *incident.StepEnded) { change(d) })
	}
	again := func(change func(*incident.RepeatStarted)) func(*ledger) {
		return say("again", func(_ *ledger, d *incident.RepeatStarted) { change(d) })
	}
	other := strings.Repeat("f", 64)
	for _, m := range []mutation{
		{"as it should be", func(*ledger) {}, "", ""},
		{"a page with another plan", onPage("apply", tfPlan, other), "gates", "the gate page shows the plan"},
		{"another plan", applied(func(d *incident.StepEnded) { d.Facts[factPlan] = other }), "ends", "carried out the plan"},
		{"no word of the plan", applied(func(d *incident.StepEnded) { d.Facts = nil }), "ends", "carried out the plan \"\""},
		{"another plan that failed", applied(func(d *incident.StepEnded) { d.Conclusion, d.Facts[factPlan] = runbook.Failed, other }), "ends", "carried out the plan"},
		{"another runbook on the page", onPage("failover", `"name": "failover"`, `"name": "other"`), "starts", "does not show that"},
		{"other inputs on the page", onPage("failover", `"to": "eu"`, `"to": "us"`), "ends", "other inputs than its gate page"},
		{"other inputs", say("ends", func(_ *ledger, d *incident.ChildOpened) { d.Inputs = json.RawMessage(`{"to":"mars","hosts":2}`) }), "ends", "other inputs than its gate page"},
		{"more inputs", say("ends", func(_ *ledger, d *incident.ChildOpened) { d.Inputs = json.RawMessage(`{"to":"eu","hosts":2,"x":1}`) }), "ends", "other inputs than its gate page"},
		{"repeated without its gate", again(func(d *incident.RepeatStarted) { d.Gate = "" }), "again", "without its approvals"},
		{"repeated as something else", again(func(d *incident.RepeatStarted) { d.Digest = other }), "again", "another digest than was approved"},
		{"repeated behind another page", again(func(d *incident.RepeatStarted) { d.Gate = other }), "again", "behind a gate that was not approved"},
	} {
		t.Run(m.name, func(t *testing.T) {
			l := newLedger(t)
			m.change(l)
			l.shows()
			r := verify(l, Options{Trust: trusting(1)})
			if m.why != "" {
				expect(t, l, r, m.commit, m.why)
			} else if !r.OK() {
				t.Error(r.Findings)
			}
		})
	}
}
