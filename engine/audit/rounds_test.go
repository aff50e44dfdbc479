package audit

import (
	"strings"
	"testing"

	"github.com/pullbook/pullbook/engine/approval"
	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/journal"
	"github.com/pullbook/pullbook/engine/runbook"
)

// rounds writes an incident in which a page changes while people look at it, the step fails, a person asks for another
// round, and its outcome is lost. on says which commit the votes of the second round were given on.
func (l *ledger) rounds(voters []approval.Person, on string) {
	gate := journal.GatePath(l.inc.id.Dir(), "rollback", 1)
	changed, second := []byte(page+"for 2 services\n"), []byte(page+"round 2\n")
	l.record("changed", map[string][]byte{gate: changed}, reopened(1, changed))
	l.record("approve", nil, l.votes(changed, "changed", []approval.Person{alice(), bob()}), l.start2(1, changed))
	path := journal.EvidencePath(l.inc.id.Dir(), "rollback", 1, journal.LogName, 1)
	failed := l.ended()
	failed.Conclusion, failed.Error = runbook.Failed, "exit status 1"
	l.record("fail", map[string][]byte{path: []byte(logText)}, failed)
	deed := incident.Deed{By: carol(), Via: "comment", ID: 33, At: at(50), Words: "/retry rollback"}
	l.record("retry", map[string][]byte{gate: second}, incident.RetryAsked{Step: "rollback", Round: 2, Deed: deed}, reopened(2, second))
	l.record("approve2", nil, l.votes(second, on, voters), l.start2(2, second))
	l.record("lost", nil, incident.StepUnknown{Step: "rollback", Attempt: 2})
	deed = incident.Deed{By: bob(), Via: "comment", ID: 34, At: at(60), Words: "/did-it-by-hand rollback it had happened"}
	l.record("by hand", nil, incident.StepByHand{Step: "rollback", What: "it had happened", Deed: deed})
	l.record("close", map[string][]byte{journal.ReportPath(l.inc.id.Dir()): []byte("# Report\n")},
		incident.CancelAsked{Why: "over", Deed: deed}, incident.Ended{End: incident.EndCancelled})
	l.merge("merge")
	l.publish("")
}

func carol() approval.Person {
	return approval.Person{ID: 13, Login: "carol", Write: true, Teams: []string{"ACME/sre"}}
}

func reopened(round int, page []byte) incident.GateOpened {
	d := gateOpened()
	d.Round, d.Page = round, runbook.PageDigest(page)
	return d
}

func (l *ledger) votes(page []byte, on string, voters []approval.Person) incident.GateApproved {
	d := incident.GateApproved{Step: "rollback", Page: runbook.PageDigest(page)}
	for i, by := range voters {
		d.Votes = append(d.Votes, approval.Vote{Review: int64(200 + i), By: by, Commit: l.ids[on], At: at(55)})
	}
	return d
}

func (l *ledger) start2(attempt int, page []byte) incident.StepStarted {
	d := l.started()
	d.Attempt, d.Gate, d.Key = attempt, runbook.PageDigest(page), runbook.AttemptKey(string(l.inc.id), "rollback", attempt)
	return d
}

// onTheWordOf changes who is said to have done the step by hand.
func onTheWordOf(change func(*incident.Deed)) func(*ledger) {
	return func(l *ledger) {
		l.says["by hand"] = func(due []incident.Event) []any {
			d := due[0].Data.(incident.StepByHand)
			change(&d.Deed)
			return []any{d}
		}
	}
}

func TestRounds(t *testing.T) {
	for _, test := range []struct {
		name   string
		voters []approval.Person
		on     string
		change func(*ledger)
		commit string // empty: nothing is wrong
		why    string
	}{
		{"good", []approval.Person{alice(), bob()}, "retry", func(*ledger) {}, "", ""},
		{"who asked votes", []approval.Person{carol(), bob()}, "retry", func(*ledger) {}, "approve2", "asked for this attempt"},
		{"votes of the first round", []approval.Person{alice(), bob()}, "changed", func(*ledger) {}, "approve2", "not open with this page"},
		{"votes after the gate closed", []approval.Person{alice(), bob()}, "fail", func(*ledger) {}, "approve2", "not open with this page"},
		{"votes on the page before", []approval.Person{alice(), bob()}, "retry", func(l *ledger) {
			l.says["approve"] = func(due []incident.Event) []any {
				d := due[0].Data.(incident.GateApproved)
				for i := range d.Votes {
					d.Votes[i].Commit = l.ids["gate"]
				}
				return []any{d, due[1]}
			}
		}, "approve", "not open with this page"},
		{"page of round two written silently", []approval.Person{alice(), bob()}, "retry",
			write("fail", journal.GatePath(first, "rollback", 1), page), "fail", "no event of this commit"},
		{"done by a bot", []approval.Person{alice(), bob()}, "retry", onTheWordOf(func(d *incident.Deed) { d.By.Bot = true }), "by hand", "no person"},
		{"done by nobody", []approval.Person{alice(), bob()}, "retry", onTheWordOf(func(d *incident.Deed) { d.By = approval.Person{} }), "by hand", "no person"},
		{"done by a reader", []approval.Person{alice(), bob()}, "retry", onTheWordOf(func(d *incident.Deed) { d.By.Write = false }), "by hand", "may not command"},
		{"done and said nowhere", []approval.Person{alice(), bob()}, "retry", onTheWordOf(func(d *incident.Deed) { d.ID = 0 }), "by hand", "where and when"},
		{"third start", []approval.Person{alice(), bob()}, "retry", func(l *ledger) {
			l.says["by hand"] = func([]incident.Event) []any { return []any{l.start2(3, []byte(page+"round 2\n"))} }
		}, "by hand", "cannot start while"},
	} {
		t.Run(test.name, func(t *testing.T) {
			l := newLedger(t)
			test.change(l)
			l.begin()
			l.start("group one")
			l.opened("", "group one")
			l.gate("")
			l.rounds(test.voters, test.on)
			r := verify(l, Options{Trust: trusting(1)})
			if test.commit != "" {
				expect(t, l, r, test.commit, test.why)
			} else if !r.OK() || r.Incidents[0].End != incident.EndCancelled || r.Incidents[0].Votes != 4 {
				t.Errorf("%+v", r)
			}
		})
	}
}

func TestFindingsArePlainLines(t *testing.T) {
	f := Finding{Commit: strings.Repeat("a", 40), Incident: "20261122-aaaaaaaaaa", Path: "x\x1b[2J\n", Why: "it is not signed"}
	want := "commit " + strings.Repeat("a", 40) + `: 20261122-aaaaaaaaaa: "x\x1b[2J\n": it is not signed`
	if f.String() != want {
		t.Errorf("got %q", f)
	}
}

func TestFindingNamesTheFileOfTheEvent(t *testing.T) {
	l := newLedger(t)
	votes(func(_ *ledger, v []approval.Vote) []approval.Vote { v[1].By.Bot = true; return v })(l)
	l.whole()
	r := verify(l, Options{})
	if want := journal.Path(first, 5, "gate-approved"); len(r.Findings) != 1 || r.Findings[0].Path != want {
		t.Errorf("%+v, want %s", r.Findings, want)
	}
}
