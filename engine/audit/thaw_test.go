package audit

import (
	"strings"
	"testing"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/pullbook/pullbook/engine/approval"
	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/journal"
)

func commander() approval.Person {
	return approval.Person{ID: 31, Login: "dora", Write: true, Teams: []string{"acme/lead"}}
}

// foreign is a commit of a person on the branch at hand. What it stands on, and brings, stays what the branch is.
func (l *ledger) foreign(name string, files map[string][]byte, more ...plumbing.Hash) {
	l.tb.Helper()
	l.branch = l.commit(name, draft{parents: append([]plumbing.Hash{l.branch.hash}, more...), tree: l.branch.tree, files: files,
		message: "A small fix\n", author: "Bob <bob@acme.test>"})
}

// thaw gives the branch back: the files are those of an earlier commit of the engine's, and one event.
func (l *ledger) thaw(good *tip, disowned ...string) {
	l.tb.Helper()
	d := incident.Thawed{Why: "a slip", Deed: incident.Deed{By: commander(), Via: "review", ID: 77, At: at(40), Words: "/thaw a slip"}}
	for _, name := range disowned {
		d.Disowned = append(d.Disowned, l.ids[name])
		d.On = l.ids[name]
	}
	l.thawAs(good, d)
}

func (l *ledger) thawAs(good *tip, d incident.Thawed) {
	l.tb.Helper()
	l.branch.tree = good.tree
	l.record("thaw", nil, d)
}

// thawedStory is an incident in which two foreign commits stand between the gate and the approval.
func (l *ledger) thawedStory() {
	l.begin()
	l.start("group one")
	l.inc.plan.Thaw = []string{"acme/lead"}
	l.opened("", "group one")
	l.gate("")
	good := l.branch
	l.foreign("f1", map[string][]byte{journal.PlanPath(l.inc.id.Dir()): []byte("{}"), "README.md": []byte("mine\n")})
	l.foreign("f2", map[string][]byte{l.inc.id.Dir() + "/journal/0/000099-ended.json": []byte("{}")}, l.main.hash) // a merge
	l.thaw(good, "f1", "f2")
	l.approve("")
	l.end("")
	l.close("")
	l.merge("merge")
	l.publish("")
}

func TestThawedBranchIsVerified(t *testing.T) {
	l := newLedger(t)
	l.thawedStory()
	r := verify(l, Options{Trust: trusting(1)})
	if !r.OK() || len(r.Incidents) != 1 || r.Incidents[0].Commits != 6 || r.Incidents[0].Events != 13 || r.Verdict() != "verified" {
		t.Errorf("%+v", r)
	}
}

// TestThawMutations: nothing but the whole truth about foreign commits makes up for them.
func TestThawMutations(t *testing.T) {
	person := func(change func(*approval.Person)) func(*ledger) {
		return say("thaw", func(_ *ledger, d *incident.Thawed) { change(&d.Deed.By) })
	}
	for _, c := range []struct {
		name   string
		change func(*ledger)
		at     string
		why    string
	}{
		{"by somebody who is not named", person(func(p *approval.Person) { p.Teams = []string{"acme/sre"} }), "thaw", "may not give the branch back"},
		{"by somebody who may not write", person(func(p *approval.Person) { p.Write = false }), "thaw", "may not give the branch back"},
		{"by an App", person(func(p *approval.Person) { p.Bot = true }), "thaw", "may not give the branch back"},
		{"in other words", say("thaw", func(_ *ledger, d *incident.Thawed) { d.Deed.Words = "> /thaw a slip" }), "thaw", "does not say /thaw"},
		{"for another reason", say("thaw", func(_ *ledger, d *incident.Thawed) { d.Why = "it was me" }), "thaw", "does not say /thaw"},
		{"on the first of them", say("thaw", func(_ *ledger, d *incident.Thawed) { d.On = d.Disowned[0] }), "thaw", "was given on"},
		{"one is not named", say("thaw", func(_ *ledger, d *incident.Thawed) { d.Disowned = d.Disowned[1:] }), "thaw", "not those before it"},
		{"another is named", say("thaw", func(l *ledger, d *incident.Thawed) { d.Disowned = append(d.Disowned, l.ids["gate"]) }), "thaw", "not those before it"},
		{"a foreign file stays", func(l *ledger) {
			l.edits["thaw"] = func(d *draft) { d.files["README.md"] = []byte("mine\n") }
		}, "thaw", "not its incident's"},
		{"a file of the incident is not as it was", func(l *ledger) {
			l.edits["thaw"] = func(d *draft) { d.files[journal.PlanPath(first)] = []byte("{}") }
		}, "thaw", "changes what an earlier commit wrote"},
		{"it is not the engine's", func(l *ledger) { l.edits["thaw"] = func(d *draft) { d.key = nil } }, "f1", ""},
		{"the trailers leave a commit out", func(l *ledger) {
			l.edits["thaw"] = func(d *draft) {
				i := strings.LastIndex(d.message, "Disowned: ")
				d.message = d.message[:i]
			}
		}, "thaw", "trailers"},
		{"nothing was foreign", func(l *ledger) {
			l.edits["f1"] = func(d *draft) { d.key = signerOf(1) }
		}, "f1", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLedger(t)
			c.change(l)
			l.thawedStory()
			expect(t, l, verify(l, Options{Trust: trusting(1)}), c.at, c.why)
		})
	}
}

// TestRestoredBranch: where the branch was deleted or moved back, the commit that gives it back follows the engine's own.
func TestRestoredBranch(t *testing.T) {
	story := func(t *testing.T, change func(*ledger, *incident.Thawed)) *ledger {
		l := newLedger(t)
		l.begin()
		l.start("group one")
		l.opened("", "group one")
		l.gate("")
		d := incident.Thawed{Why: "a slip", Restored: l.ids["gate"], Replaced: l.ids["open"], On: l.ids["open"],
			Deed: incident.Deed{By: commander(), Via: "review", ID: 77, At: at(40), Words: "/thaw a slip"}}
		change(l, &d)
		l.thawAs(l.branch, d)
		l.publish("refs/heads/" + l.inc.id.Branch())
		return l
	}
	for name, change := range map[string]func(*ledger, *incident.Thawed){
		"moved back": func(*ledger, *incident.Thawed) {},
		"deleted":    func(_ *ledger, d *incident.Thawed) { d.Replaced, d.On = "", d.Restored },
	} {
		if r := verify(story(t, change), Options{Trust: trusting(1)}); !r.OK() {
			t.Errorf("%s: %v", name, r.Findings)
		}
	}
	l := story(t, func(l *ledger, d *incident.Thawed) { d.Restored = l.ids["open"] })
	expect(t, l, verify(l, Options{Trust: trusting(1)}), "thaw", "is not the engine's commit before it")
	l = story(t, func(l *ledger, d *incident.Thawed) { d.On = l.ids["gate"] })
	expect(t, l, verify(l, Options{Trust: trusting(1)}), "thaw", "was given on")
}
