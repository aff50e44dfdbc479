package audit

import (
	"testing"
	"time"

	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/journal"
	"github.com/pullbook/pullbook/engine/runbook"
)

// TestTimesOfGates: reminders, escalations and refusals come when the rule of the gate says so, and as it says.
func TestTimesOfGates(t *testing.T) {
	ladder := runbook.Approval{From: []string{"acme/sre", "bob"}, Count: 2, Within: 15 * time.Minute, Remind: 5 * time.Minute,
		OnTimeout: runbook.TimeoutEscalates, Escalate: []runbook.Approval{{From: []string{"bob"}, Count: 1, Within: 10 * time.Minute, OnTimeout: runbook.TimeoutAborts}}}
	plain := *plan().Steps[1].Approval
	type said struct {
		after time.Duration // since the gate opened
		data  incident.Data
	}
	remind, escalate := incident.GateReminded{Step: "rollback"}, incident.GateEscalated{Step: "rollback", Level: 1, Why: incident.EscalatedInTime}
	expire, abort := incident.GateExpired{Step: "rollback"}, incident.GateExpired{Step: "rollback", Abort: true}
	left := escalate
	left.Why = "too few are left who may approve it (acme/sre: 0)"
	for _, c := range []struct {
		name string
		rule runbook.Approval
		says []said
		why  string // of the last; empty: nothing is wrong
	}{
		{"refused in time", plain, []said{{15 * time.Minute, expire}}, ""},
		{"refused early", plain, []said{{15*time.Minute - time.Second, expire}}, "before its time is over"},
		{"aborted without a rule that says so", plain, []said{{15 * time.Minute, abort}}, "in another way"},
		{"reminded without a rule that says so", plain, []said{{14 * time.Minute, remind}}, "before it is time"},
		{"escalated without a list", plain, []said{{15 * time.Minute, escalate}}, "no list of people 1"},
		{"whole ladder", ladder, []said{{10 * time.Minute, remind}, {15 * time.Minute, escalate}, {25 * time.Minute, abort}}, ""},
		{"reminded early", ladder, []said{{9 * time.Minute, remind}}, "before it is time"},
		{"reminded twice", ladder, []said{{10 * time.Minute, remind}, {11 * time.Minute, remind}}, "reminded of step rollback already"},
		{"refused instead of escalated", ladder, []said{{15 * time.Minute, expire}}, "in another way"},
		{"escalated early", ladder, []said{{14 * time.Minute, escalate}}, "escalated before its time"},
		{"nobody was left", ladder, []said{{time.Minute, left}}, ""},
		{"the second time counts from the escalation", ladder, []said{{time.Minute, left}, {10 * time.Minute, abort}}, "before its time is over"},
		{"refused instead of aborted", ladder, []said{{15 * time.Minute, escalate}, {25 * time.Minute, expire}}, "in another way"},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLedger(t)
			l.begin()
			l.start("group one")
			l.inc.plan.Steps[1].Approval = &c.rule
			l.opened("", "group one")
			opened := gateOpened()
			opened.Rule = c.rule
			l.record("gate", map[string][]byte{journal.GatePath(l.inc.id.Dir(), "rollback", 1): []byte(page)}, opened)
			began := l.inc.state.At
			for _, s := range c.says {
				for at(l.inc.clock).Before(began.Add(s.after)) {
					l.inc.clock++
				}
				l.record("last", nil, s.data)
			}
			l.publish("refs/heads/" + l.inc.id.Branch())
			r := verify(l, Options{})
			if c.why != "" {
				expect(t, l, r, "last", c.why)
			} else if !r.OK() {
				t.Errorf("%+v", r.Findings)
			}
		})
	}
}
