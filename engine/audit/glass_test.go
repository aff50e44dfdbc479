package audit

import (
	"strings"
	"testing"

	"github.com/pullbook/pullbook/engine/approval"
	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/journal"
	"github.com/pullbook/pullbook/engine/runbook"
)

// glassCase is an incident in which the glass of rollback was broken: what it says instead of what is right.
type glassCase struct {
	name        string
	broken      func(l *ledger, d *incident.GlassBroken)
	reviewed    func(l *ledger, d *incident.GlassReviewed)
	plan        func(p *runbook.Plan)
	commit, why string // empty: nothing is wrong
}

func caller() approval.Person {
	return approval.Person{ID: 13, Login: "carol", Write: true, Teams: []string{"acme/oncall"}}
}

func dora() approval.Person {
	return approval.Person{ID: 14, Login: "dora", Write: true, Teams: []string{"acme/leads"}}
}

// glass writes the incident. Without a review of what was broken it ends all the same.
func (l *ledger) glass(c glassCase, review, merged bool) {
	l.begin()
	l.start("group one")
	l.inc.plan.BreakGlass = &runbook.BreakGlass{By: []string{"acme/oncall"}, Review: runbook.Approval{From: []string{"acme/leads", "carol"}, Count: 1}}
	if c.plan != nil {
		c.plan(&l.inc.plan)
	}
	l.opened("", "group one")
	opened := gateOpened()
	opened.Rule = *l.inc.plan.Steps[1].Approval
	l.record("gate", map[string][]byte{journal.GatePath(l.inc.id.Dir(), "rollback", 1): []byte(page)}, opened)
	broken := incident.GlassBroken{Step: "rollback", Page: opened.Page, Why: "on fire",
		Vote: approval.Vote{Review: 30, By: caller(), Commit: l.ids["gate"], At: at(20), Words: "/break-glass rollback on fire"}}
	if c.broken != nil {
		c.broken(l, &broken)
	}
	l.record("break", nil, broken, l.started())
	event := l.inc.head.Seq - 1
	log := journal.EvidencePath(l.inc.id.Dir(), "rollback", 1, journal.LogName, 1)
	l.record("end", map[string][]byte{log: []byte(logText)}, l.ended())
	end := []incident.Data{incident.StepByHand{Step: "logs", What: "x", Deed: l.deed()}, incident.StepByHand{Step: "recovered", What: "x", Deed: l.deed()}, incident.StepByHand{Step: "note", What: "x", Deed: l.deed()}}
	if review {
		d := incident.GlassReviewed{Step: "rollback", Event: event, Votes: []approval.Vote{{Review: 31, By: dora(), Commit: l.ids["end"], At: at(40), Words: "/approve rollback"}}}
		if c.reviewed != nil {
			c.reviewed(l, &d)
		}
		end = append(end, d)
	}
	l.record("close", map[string][]byte{journal.ReportPath(l.inc.id.Dir()): []byte("# Report\n")}, append(end, incident.Ended{End: incident.EndResolved})...)
	if merged {
		l.merge("merge")
		l.publish("")
		return
	}
	l.publish("refs/heads/" + l.inc.id.Branch())
}

func (l *ledger) deed() incident.Deed {
	return incident.Deed{By: alice(), Via: "comment", ID: 77, At: at(30), Words: "/did-it-by-hand x"}
}

// TestBrokenGlassIsVerified: who may break it, of which page, and who has reviewed it before the end.
func TestBrokenGlassIsVerified(t *testing.T) {
	by := func(p approval.Person) func(*ledger, *incident.GlassReviewed) {
		return func(_ *ledger, d *incident.GlassReviewed) { d.Votes[0].By = p }
	}
	for _, c := range []glassCase{
		{name: "as it should be"},
		{"by somebody else", func(_ *ledger, d *incident.GlassBroken) { d.Vote.By = alice() }, nil, nil, "break", "may not break the glass"},
		{"by a bot", func(_ *ledger, d *incident.GlassBroken) { d.Vote.By.Bot = true }, nil, nil, "break", "may not break the glass"},
		{"without write permission", func(_ *ledger, d *incident.GlassBroken) { d.Vote.By.Write = false }, nil, nil, "break", "may not break the glass"},
		{"in other words", func(_ *ledger, d *incident.GlassBroken) { d.Vote.Words = "/approve rollback" }, nil, nil, "break", "does not break the glass"},
		{"for another reason", func(_ *ledger, d *incident.GlassBroken) { d.Why = "harmless" }, nil, nil, "break", "does not break the glass"},
		{"before the gate was open", func(l *ledger, d *incident.GlassBroken) { d.Vote.Commit = l.ids["open"] }, nil, nil, "break", "does not show"},
		{"of another page", func(_ *ledger, d *incident.GlassBroken) { d.Page = digest }, nil, nil, "break", "another page"},
		{"where the step allows nobody to", nil, nil, func(p *runbook.Plan) { p.Steps[1].Approval.NoGlass = true }, "break", "allows nobody"},
		{"where the organisation allows nobody to", nil, nil, func(p *runbook.Plan) { p.BreakGlass = nil }, "break", "allows nobody"},
		{"reviewed by somebody else", nil, by(alice()), nil, "close", "may not review"},
		{"reviewed by who broke it", nil, by(caller()), nil, "close", "who broke the glass has reviewed it"},
		{"reviewed beforehand", nil, func(l *ledger, d *incident.GlassReviewed) { d.Votes[0].Commit = l.ids["gate"] }, nil, "close", "does not show"},
		{"reviewed by too few", nil, nil, func(p *runbook.Plan) { p.BreakGlass.Review.Count = 2 }, "close", "do not meet their rule"},
		{"reviewed by nobody", nil, func(_ *ledger, d *incident.GlassReviewed) { d.Votes = nil }, nil, "close", "nobody has reviewed"},
		{"another event reviewed", nil, func(_ *ledger, d *incident.GlassReviewed) { d.Event = 2 }, nil, "close", "broke no glass"},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLedger(t)
			l.glass(c, true, true)
			r := verify(l, Options{})
			if c.why != "" {
				expect(t, l, r, c.commit, c.why)
			} else if !r.OK() {
				t.Errorf("%+v", r.Findings)
			}
		})
	}
	t.Run("it ends unreviewed", func(t *testing.T) {
		l := newLedger(t)
		l.glass(glassCase{}, false, true)
		expect(t, l, verify(l, Options{}), "close", "nobody has reviewed that the glass")
	})
}

// TestDebts: what is owed is found on open branches and among what was merged, until it was reviewed.
func TestDebts(t *testing.T) {
	for name, c := range map[string]struct {
		review, merged bool
		debts          int
	}{"open": {false, false, 1}, "merged": {false, true, 1}, "reviewed": {true, true, 0}} {
		t.Run(name, func(t *testing.T) {
			l := newLedger(t)
			l.glass(glassCase{}, c.review, c.merged)
			debts, err := Debts(l.open(), Options{})
			if err != nil || len(debts) != c.debts {
				t.Fatalf("%v %+v, want %d", err, debts, c.debts)
			}
			for _, d := range debts {
				if d.Merged != c.merged || d.Step != "rollback" || d.By != "carol" || d.Why != "on fire" || !strings.Contains(d.Owed, "1 of acme/leads") {
					t.Errorf("%+v", d)
				}
			}
		})
	}
}
