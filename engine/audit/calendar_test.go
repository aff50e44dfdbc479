package audit

import (
	"testing"
	"time"

	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/journal"
	"github.com/pullbook/pullbook/engine/runbook"
)

// freezing is a calendar with a freeze between two of the times of a story.
func freezing(from, to int) runbook.Calendar {
	return runbook.Calendar{Freezes: []runbook.Freeze{{From: at(from), To: at(to), Why: "sales", Rule: runbook.Approval{From: []string{"bob"}, Count: 1}}}}
}

func together(a, b runbook.Calendar) runbook.Calendar {
	return runbook.Calendar{Freezes: append(a.Freezes, b.Freezes...)}
}

// frozen writes an incident whose one step, without a rule of its own, starts behind the gate of a freeze.
func (l *ledger) frozen(calendar runbook.Calendar) {
	l.begin()
	l.start("group one")
	step := runbook.Step{Name: "rollback", Kind: runbook.KindExec, Title: "rollback", Risk: runbook.RiskChange, Timeout: time.Minute, OnFailure: runbook.FailureHalts}
	l.inc.plan.Steps, l.inc.plan.Calendar = []runbook.Step{step}, calendar
	l.opened("", "group one")
	dir := l.inc.id.Dir()
	opened := gateOpened()
	opened.Because = freezing(15, 90).InForce(at(20))
	opened.Rule = opened.Because[0].Rule
	l.record("gate", map[string][]byte{journal.GatePath(dir, "rollback", 0): []byte(page)}, opened)
	votes := l.approved("")
	votes.Votes = votes.Votes[1:]
	l.record("approve", nil, votes, l.started())
	log := journal.EvidencePath(dir, "rollback", 1, journal.LogName, 0)
	l.record("close", map[string][]byte{log: []byte(logText), journal.ReportPath(dir): []byte("# Report\n")}, l.ended(), incident.Ended{End: incident.EndResolved})
	l.merge("merge")
	l.publish("")
}

func TestFreezesAreVerified(t *testing.T) {
	drop := func(l *ledger, d *incident.GateOpened) { d.Because = nil }
	lifted := instead("approve", func(*ledger, []incident.Event) []any { return []any{incident.GateLifted{Step: "rollback"}} })
	ungated := instead("gate", func(l *ledger, _ []incident.Event) []any {
		start := l.started()
		start.Gate = ""
		return []any{start}
	})
	cases := []struct {
		name        string
		calendar    runbook.Calendar
		change      func(*ledger)
		commit, why string
	}{
		{"as it should be", freezing(15, 90), func(*ledger) {}, "", ""},
		{"a demand that is no part of the plan", freezing(16, 90), func(*ledger) {}, "gate", "does not have"},
		{"a freeze that began behind the gate", together(freezing(15, 90), freezing(20, 90)), func(*ledger) {}, "approve", "starts without what the calendar demands"},
		{"a gate without the demand", freezing(15, 90), say("gate", drop), "gate", "leaves out what the calendar demands"},
		{"a rule without the demand", freezing(15, 90), say("gate", func(_ *ledger, d *incident.GateOpened) { d.Rule.From = []string{"mallory"} }), "gate", "not that of the plan"},
		{"lifted in the freeze", freezing(15, 90), lifted, "approve", "is lifted although"},
		{"no gate in the freeze", freezing(15, 90), both(ungated, edit("gate", func(d *draft) { delete(d.files, journal.GatePath(first, "rollback", 0)) })), "gate", "without its approvals"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			l := newLedger(t)
			c.change(l)
			l.frozen(c.calendar)
			r := verify(l, Options{Trust: trusting(1)})
			if c.why != "" {
				expect(t, l, r, c.commit, c.why)
			} else if !r.OK() {
				t.Error(r.Findings)
			}
		})
	}
}
