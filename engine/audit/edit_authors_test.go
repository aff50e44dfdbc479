package audit

import (
	"testing"

	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/journal"
	"github.com/pullbook/pullbook/engine/runbook"
)

// TestAuthorsAfterAnEdit: an edit made a step of what others had written before. Its gate asks again and names them, and their
// approvals count no more; those that were given before the edit were for another page.
func TestAuthorsAfterAnEdit(t *testing.T) {
	by := func(ids ...int64) *runbook.Authorship {
		a := &runbook.Authorship{}
		for _, id := range ids {
			a.People = append(a.People, runbook.Author{ID: id, Login: "somebody", By: "commit 1a2b3c4"})
		}
		return a
	}
	for name, c := range map[string]struct {
		authors *runbook.Authorship // of the second asking
		early   bool                // the votes are from before the edit
		why     string              // empty: nothing is wrong
	}{
		"somebody else wrote it": {by(98, 99), false, ""},
		"an author votes":        {by(98, alice().ID), false, "wrote this step"},
		"nobody was asked":       {nil, false, "does not say who wrote it"},
		"votes of before":        {by(98, 99), true, "was not open with this page"},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLedger(t)
			say("gate", func(_ *ledger, d *incident.GateOpened) { d.Authors = by(98) })(l)
			l.begin()
			l.start("group one")
			l.inc.plan.Edit = &runbook.Approval{From: []string{"acme/sre"}, Count: 1}
			l.inc.plan.Steps[1].Lines = []runbook.Lines{{File: runbookPath, From: 1, To: 2}}
			l.opened("", "group one")
			l.gate("")
			l.edit(rewriting{plan: func(p *runbook.Plan) { p.Steps[1].Title = "Roll it back" },
				event: func(_ *ledger, d *incident.PlanEdited) { d.Changed = []string{"rollback", "note"} }})
			again := gateOpened()
			text := []byte(page + "again\n")
			again.Page, again.Authors = runbook.PageDigest(text), c.authors
			l.record("again", map[string][]byte{journal.GatePath(l.inc.id.Dir(), "rollback", 1): text}, again)
			approved, started := l.approved(""), l.started()
			approved.Page, started.Gate = again.Page, again.Page
			for i := range approved.Votes {
				if !c.early {
					approved.Votes[i].Commit = l.ids["again"]
				}
			}
			l.record("approve", nil, approved, started)
			l.end("")
			l.close("")
			l.merge("merge")
			l.publish("")
			at := "approve"
			if c.authors == nil {
				at = "again"
			}
			if r := verify(l, Options{Trust: trusting(1)}); c.why != "" {
				expect(t, l, r, at, c.why)
			} else if !r.OK() {
				t.Errorf("%+v", r.Findings)
			}
		})
	}
}
