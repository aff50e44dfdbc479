package audit

import (
	"testing"

	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/runbook"
)

// TestAuthors: who wrote a step stands with its gate, and does not approve it unless the plan says so.
func TestAuthors(t *testing.T) {
	by := func(unmapped int, ids ...int64) *runbook.Authorship {
		a := &runbook.Authorship{Unmapped: unmapped}
		for _, id := range ids {
			a.People = append(a.People, runbook.Author{ID: id, Login: "somebody", By: "commit 1a2b3c4"})
		}
		return a
	}
	one := by(1, 99)
	for _, c := range []struct {
		name    string
		authors *runbook.Authorship
		rule    runbook.Approval
		may     []string
		commit  string // empty: nothing is wrong
		why     string
	}{
		{"somebody else wrote it", by(0, 99), *plan().Steps[1].Approval, nil, "", ""},
		{"nobody was asked", nil, *plan().Steps[1].Approval, nil, "gate", "does not say who wrote it"},
		{"an author votes", by(0, 99, alice().ID), *plan().Steps[1].Approval, nil, "approve", "wrote this step"},
		{"an author may vote, by login", by(0, bob().ID), *plan().Steps[1].Approval, []string{"bob"}, "", ""},
		{"an author may vote, by team", by(0, alice().ID), *plan().Steps[1].Approval, []string{"acme/sre"}, "", ""},
		{"others may", by(0, alice().ID), *plan().Steps[1].Approval, []string{"bob"}, "approve", "wrote this step"},
		{"nobody knows all, and no one more is asked for", one, *plan().Steps[1].Approval, nil, "gate", "not that of the plan"},
		{"one more is asked for, and not there", one, one.Rule(*plan().Steps[1].Approval, nil), nil, "approve", "2 of 3 approvals"},
		{"one more is asked for without need", by(0, 99), one.Rule(*plan().Steps[1].Approval, nil), nil, "gate", "not that of the plan"},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLedger(t)
			say("gate", func(_ *ledger, d *incident.GateOpened) { d.Authors, d.Rule = c.authors, c.rule })(l)
			l.begin()
			l.start("group one")
			l.inc.plan.Steps[1].Lines = []runbook.Lines{{File: runbookPath, From: 1, To: 2}}
			l.inc.plan.SelfApproval = c.may
			gatedToTheEnd(t, l, c.commit, c.why)
		})
	}
}

// gatedToTheEnd plays the incident that was started, and holds what verify says of it: this, of that commit, or nothing.
func gatedToTheEnd(t *testing.T, l *ledger, commit, why string) {
	t.Helper()
	l.opened("", "group one")
	l.gate("")
	l.approve("")
	l.end("")
	l.close("")
	l.merge("merge")
	l.publish("")
	r := verify(l, Options{})
	if commit != "" {
		expect(t, l, r, commit, why)
	} else if !r.OK() {
		t.Errorf("%+v", r.Findings)
	}
}
