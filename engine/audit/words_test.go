package audit

import (
	"testing"

	"github.com/pullbook/pullbook/engine/approval"
	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/journal"
	"github.com/pullbook/pullbook/engine/runbook"
)

// wordOf is what bob said in a comment.
func wordOf(id int64, words string) incident.Deed {
	return incident.Deed{By: bob(), Via: incident.ViaComment, ID: id, At: at(30), Words: words}
}

// spoken writes a ledger with one incident on which people say what there is to say: rollback is skipped by its approvers.
func (l *ledger) spoken() {
	l.begin()
	l.start("group one")
	l.inc.plan.Command = []string{"bob"}
	l.opened("", "group one")
	l.gate("")
	l.record("held", nil, incident.Paused{Why: "wait", Deed: wordOf(41, "/pause wait")}, incident.Noted{Text: "so", Deed: wordOf(42, "/note so")},
		incident.SeveritySet{Severity: "sev1", Deed: wordOf(43, "/severity sev1")},
		incident.CommandRefused{Why: "its severity is `sev1` already", Deed: wordOf(40, "/severity sev1")}, incident.Resumed{Deed: wordOf(44, "/resume")})
	early := wordOf(39, "/ack")
	early.By = alice()
	l.record("early", nil, incident.CommandRefused{Why: "it was there before", Deed: early, Before: true})
	on := l.ids["gate"]
	said := incident.Deed{By: alice(), Via: incident.ViaReview, ID: 101, At: at(31), Commit: on, Words: "/skip rollback so"}
	l.record("skipped", nil, incident.StepSkipped{Step: "rollback", Why: "so", Deed: &said, Votes: []approval.Vote{
		{Review: 101, By: alice(), Commit: on, At: at(31)}, {Review: 102, By: bob(), Commit: on, At: at(32)}}})
	l.record("asked", nil, l.note(),
		incident.Assigned{Step: "note", To: alice(), Deed: wordOf(45, "/assign note @alice")})
	l.close("")
	l.record("reopened", nil, incident.Reopened{Deed: wordOf(46, "/reopen")})
	said2 := wordOf(47, "/resolve")
	l.record("resolved", nil, incident.Mitigated{How: "said by bob", Deed: &said2})
	l.record("again", map[string][]byte{journal.ReportPath(l.inc.id.Dir()): []byte("# Another report\n")}, incident.Ended{End: incident.EndResolved})
	l.merge("merge")
	l.publish("")
}

func TestWordsAreVerified(t *testing.T) {
	l := newLedger(t)
	l.spoken()
	r := verify(l, Options{Trust: trusting(1)})
	if !r.OK() || len(r.Incidents) != 1 || r.Incidents[0].End != incident.EndResolved || r.Incidents[0].Votes != 2 {
		t.Errorf("%+v", r)
	}
}

// wordMutations: each is one word that nobody gave, or that somebody gave who might not.
func wordMutations() []mutation {
	skip := func(change func(l *ledger, d *incident.StepSkipped)) func(*ledger) { return say("skipped", change) }
	byHand := func(change func(l *ledger, d *incident.StepByHand)) func(*ledger) {
		return instead("skipped", func(l *ledger, due []incident.Event) []any {
			was := due[0].Data.(incident.StepSkipped)
			d := incident.StepByHand{Step: "rollback", What: "so", Deed: *was.Deed, Votes: was.Votes}
			change(l, &d)
			return []any{d}
		})
	}
	return []mutation{
		{"paused by nobody who may", say("held", func(_ *ledger, d *incident.Paused) { d.Deed.By = alice() }), "held", "may not command"},
		{"paused by an App", say("held", func(_ *ledger, d *incident.Paused) { d.Deed.By.Bot = true }), "held", "no person"},
		{"severity of nobody", say("held", func(_ *ledger, d *incident.SeveritySet) { d.Deed = incident.Deed{} }), "held", "no person"},
		{"noted by nobody who may", say("held", func(_ *ledger, d *incident.Noted) { d.Deed.By.Write = false }), "held", "may not command"},
		{"resumed without a place", say("held", func(_ *ledger, d *incident.Resumed) { d.Deed.Via = "mail" }), "held", "does not say where"},
		{"paused by a button", say("held", func(_ *ledger, d *incident.Paused) { d.Deed.Via, d.Deed.Delivery = incident.ViaButton, "d1" }), "held", "does not follow from a button"},
		{"refused to nobody", say("held", func(_ *ledger, d *incident.CommandRefused) { d.Deed.By.Write = false }), "held", "does not say who"},
		{"refused for no reason", say("held", func(_ *ledger, d *incident.CommandRefused) { d.Why = "" }), "held", "does not say who"},
		{"refused by a review", say("held", func(_ *ledger, d *incident.CommandRefused) { d.Deed.Via = incident.ViaReview }), "held", "is no comment"},
		{"refused after it was heard", say("held", func(_ *ledger, d *incident.CommandRefused) { d.Deed.ID = 42 }), "held", "heard or refused before"},
		{"heard after all before another one was refused", instead("early", func(_ *ledger, due []incident.Event) []any {
			d := due[0].Data.(incident.CommandRefused)
			d.Deed = wordOf(50, "/ack")
			return []any{d, incident.Noted{Text: "so", Deed: wordOf(49, "/note so")}}
		}), "early", "of which nothing was to be done"},
		{"refused with all before it, and once more", instead("early", func(_ *ledger, due []incident.Event) []any {
			again := due[0].Data.(incident.CommandRefused)
			again.Deed.ID, again.Before = 38, false
			return []any{due[0].Data, again}
		}), "early", "heard or refused before"},
		{"heard after it was refused", say("held", func(_ *ledger, d *incident.Resumed) { d.Deed.ID = 40 }), "held", "of which nothing was to be done"},
		{"started in a pause", instead("held", func(l *ledger, due []incident.Event) []any {
			return []any{due[0].Data, l.intent("note", runbook.KindManual, 99)}
		}), "held", "paused"},
		{"ended in a pause", instead("close", func(l *ledger, due []incident.Event) []any {
			return []any{due[0].Data, due[1].Data, due[2].Data, incident.Paused{Why: "x", Deed: wordOf(48, "/pause x")}, due[3].Data}
		}), "close", "paused"},
		{"gate skipped by a comment", skip(func(_ *ledger, d *incident.StepSkipped) { d.Votes, d.Deed.By = nil, bob() }), "skipped", "without its approvers"},
		{"gate skipped by one of two", skip(func(_ *ledger, d *incident.StepSkipped) { d.Votes = d.Votes[:1] }), "skipped", "do not meet its rule"},
		{"gate skipped by one person twice", skip(func(_ *ledger, d *incident.StepSkipped) { d.Votes[1].By = alice() }), "skipped", "may not override"},
		{"gate skipped by a stranger", skip(func(_ *ledger, d *incident.StepSkipped) {
			d.Votes[1].By = approval.Person{ID: 66, Login: "mallory", Write: true}
		}), "skipped", "may not override"},
		{"gate skipped before it opened", skip(func(l *ledger, d *incident.StepSkipped) { d.Votes[1].Commit = l.ids["open"] }), "skipped", "did not stand"},
		{"gate skipped on another commit", skip(func(l *ledger, d *incident.StepSkipped) { d.Votes[1].Commit = l.ids["root"] }), "skipped", "did not stand"},
		{"done by hand by one of those who confirm it", byHand(func(_ *ledger, d *incident.StepByHand) {}), "skipped", "did step rollback by hand"},
		{"done by hand without the approvers", byHand(func(_ *ledger, d *incident.StepByHand) { d.Votes, d.Deed.By = nil, bob() }), "skipped", "without its approvers"},
		{"assigned to an App", say("asked", func(_ *ledger, d *incident.Assigned) { d.To.Bot = true }), "asked", "no person that may write"},
		{"assigned by nobody who may", say("asked", func(_ *ledger, d *incident.Assigned) { d.Deed.By = alice() }), "asked", "may not command"},
		{"no manual step assigned", say("asked", func(_ *ledger, d *incident.Assigned) { d.Step = "recovered" }), "asked", "no step that a person does"},
		{"reopened by nobody who may", say("reopened", func(_ *ledger, d *incident.Reopened) { d.Deed.By = alice() }), "reopened", "may not command"},
		{"reopened for nothing", instead("held", func(_ *ledger, _ []incident.Event) []any {
			return []any{incident.Reopened{Deed: wordOf(48, "/reopen")}}
		}), "held", "nobody has said that it is over"},
		{"ended again on nobody's word", only("resolved", incident.Mitigated{How: "every probe of the plan has passed"}), "again", "reopened"},
		{"something after the end", only("reopened", incident.Noted{Text: "x", Deed: wordOf(49, "/note x")}), "reopened", "nothing may follow the end"},
	}
}

func TestWords(t *testing.T) {
	for _, m := range wordMutations() {
		t.Run(m.name, func(t *testing.T) {
			l := newLedger(t)
			m.change(l)
			l.spoken()
			expect(t, l, verify(l, Options{Trust: trusting(1)}), m.commit, m.why)
		})
	}
}
