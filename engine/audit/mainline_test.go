package audit

import (
	"strings"
	"testing"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/journal"
)

func TestMerges(t *testing.T) {
	report := journal.ReportPath(first)
	runMutations(t, []mutation{
		{"merge that touches another path", write("merge", "README.md", "x"), "merge", "not the incident's"},
		{"merge that changes the keys", write("merge", keysPath, string(allowing(signerOf(9)))), "merge", "not the incident's"},
		{"merge that adds another incident", write("merge", "incidents/2026/11/22/20261122-aaaaaaaaaa/report.md", "x"), "merge", "not the incident's"},
		{"merge that changes the report", write("merge", report, "# All was well\n"), "merge", "not the one at the end of the branch"},
		{"merge that drops a file", edit("merge", func(d *draft) { d.drop = []string{report} }), "merge", "not the one at the end of the branch"},
		{"merge that leaves the incident out", func(l *ledger) {
			l.edits["merge"] = func(d *draft) { d.tree = l.main.tree }
		}, "merge", "leaves the incident out"},
		{"squashed", edit("merge", func(d *draft) { d.parents = d.parents[:1] }), "merge", "not the merge of an incident"},
		{"merge of three", edit("merge", func(d *draft) { d.parents = append(d.parents, d.parents[0]) }), "merge", "not the merge of an incident"},
		{"merge the wrong way round", edit("merge", func(d *draft) { d.parents[0], d.parents[1] = d.parents[1], d.parents[0] }), "open", "not the merge of an incident"},
		{"report edited after the merge", write("later", report, "# All was well\n"), "later", "not the merge of an incident"},
		{"incident removed after the merge", edit("later", func(d *draft) { d.drop = []string{report} }), "later", "not the merge of an incident"},
		{"incidents as a file", write("later", "incidents/README.md", "x"), "later", "not the merge of an incident"},
		{"later merge edits an earlier incident", write("2-merge", report, "# All was well\n"), "2-merge", "not the incident's"},
	})
}

// A merge brings in exactly the branch that it names: merging a part of it, or the same incident again, is found.
func TestMergeBeforeTheEnd(t *testing.T) {
	l := newLedger(t)
	l.begin()
	l.start("group one")
	l.opened("", "group one")
	l.gate("")
	l.merge("merge")
	l.publish("")
	expect(t, l, verify(l, Options{}), "merge", "before its end")
}

func TestIncidentMergedTwice(t *testing.T) {
	l := newLedger(t)
	l.begin()
	l.incident("", "group one")
	l.main.tree = l.main.tree.put(journal.ReportPath(first), "", plumbing.ZeroHash)
	l.edits["merge"] = nil
	l.merge("again")
	l.publish("")
	expect(t, l, verify(l, Options{}), "again", "merged before")
}

func TestOnlyTheIncidentAskedFor(t *testing.T) {
	one, two := incident.NewID(incident.Slot("group one", ""), at(0)), incident.NewID(incident.Slot("group two", ""), at(0))
	l := newLedger(t)
	l.edits["end"] = func(d *draft) { d.key = nil }
	l.whole()
	if r := verify(l, Options{Incident: two}); !r.OK() || len(r.Incidents) != 1 || r.Incidents[0].ID != two {
		t.Errorf("the good incident: %+v", r)
	}
	expect(t, l, verify(l, Options{Incident: one}), "end", "not signed")
	r := verify(l, Options{Incident: "20261122-aaaaaaaaaa"})
	if r.OK() || !strings.Contains(r.Findings[0].Why, "no such incident") {
		t.Errorf("an incident that is not there: %+v", r)
	}
}

// Even when one incident is asked for, the merges of the others may not touch it.
func TestOtherMergesMayNotTouchTheIncidentAskedFor(t *testing.T) {
	l := newLedger(t)
	l.edits["2-merge"] = func(d *draft) { d.files = map[string][]byte{journal.ReportPath(first): []byte("x")} }
	l.whole()
	one := incident.NewID(incident.Slot("group one", ""), at(0))
	expect(t, l, verify(l, Options{Incident: one}), "2-merge", "not the incident's")
}

func TestPeopleMayMerge(t *testing.T) {
	l := newLedger(t)
	l.begin()
	side := l.commit("side", draft{parents: []plumbing.Hash{l.main.hash}, tree: l.main.tree, files: map[string][]byte{"docs/a.md": []byte("a")}, message: "docs\n"})
	l.incident("", "group one")
	l.main = l.commit("people's merge", draft{parents: []plumbing.Hash{l.main.hash, side.hash}, tree: l.main.tree,
		files: map[string][]byte{"docs/a.md": []byte("a")}, message: "Merge docs\n"})
	l.publish("")
	if r := verify(l, Options{Trust: trusting(1)}); !r.OK() || len(r.Incidents) != 1 {
		t.Errorf("%+v", r)
	}
}

// openLedger has one merged incident and one that waits at its gate.
func openLedger(t *testing.T, changes ...func(*ledger)) *ledger {
	t.Helper()
	l := newLedger(t)
	for _, change := range changes {
		change(l)
	}
	l.begin()
	l.incident("", "group one")
	l.start("group two")
	l.opened("2-", "group two")
	l.gate("2-")
	return l
}

func TestOpenIncidents(t *testing.T) {
	branch := incident.NewID(incident.Slot("group two", ""), at(0)).Branch()
	for _, ref := range []string{"refs/heads/" + branch, "refs/remotes/origin/" + branch} {
		l := openLedger(t)
		l.publish(ref)
		r := verify(l, Options{Trust: trusting(1)})
		if !r.OK() || len(r.Incidents) != 2 || r.Incidents[1].Merge != "" || r.Incidents[1].End != "" || r.Incidents[1].Events != 4 {
			t.Errorf("%s: %+v", ref, r)
		}
	}
}

func TestStaleCopyOfABranchIsNotASecondIncident(t *testing.T) {
	l := openLedger(t)
	branch := l.inc.id.Branch()
	l.must(l.storage.SetReference(plumbing.NewHashReference(plumbing.ReferenceName("refs/heads/"+branch), plumbing.NewHash(l.ids["2-open"]))))
	l.must(l.storage.SetReference(plumbing.NewHashReference("refs/heads/incident/merged", plumbing.NewHash(l.ids["close"]))))
	l.publish("refs/remotes/origin/" + branch)
	if r := verify(l, Options{}); !r.OK() || len(r.Incidents) != 2 {
		t.Errorf("%+v", r)
	}
}

func TestOpenIncidentsThatAreWrong(t *testing.T) {
	branch := "refs/heads/" + incident.NewID(incident.Slot("group two", ""), at(0)).Branch()
	foreign := func(l *ledger) {
		l.branch = l.commit("foreign", draft{parents: []plumbing.Hash{l.branch.hash}, tree: l.branch.tree,
			files: map[string][]byte{"x": []byte("x")}, message: "Oops\n"})
	}
	for _, test := range []struct {
		name, ref string
		after     func(*ledger)
		commit    string
		why       string
	}{
		{"foreign commit", branch, foreign, "foreign", "not signed"},
		{"branch of another name", "refs/heads/incident/aaaaaaaaaa", func(*ledger) {}, "2-gate", "not that of incident"},
		{"branch without commits", branch, func(l *ledger) { l.branch = l.main }, "merge", "no commit of its own"},
	} {
		t.Run(test.name, func(t *testing.T) {
			l := openLedger(t)
			test.after(l)
			l.publish(test.ref)
			expect(t, l, verify(l, Options{Trust: trusting(1)}), test.commit, test.why)
		})
	}
}

func TestDefaultBranchIsTheRemotesWhereThereIsOne(t *testing.T) {
	l := newLedger(t)
	l.whole()
	l.must(l.storage.SetReference(plumbing.NewHashReference("refs/remotes/origin/main", l.main.hash)))
	l.must(l.storage.SetReference(plumbing.NewSymbolicReference("refs/remotes/origin/HEAD", "refs/remotes/origin/main")))
	l.must(l.storage.SetReference(plumbing.NewHashReference("refs/heads/main", plumbing.NewHash(l.ids["root"]))))
	if r := verify(l, Options{}); !r.OK() || r.Branch != "origin/HEAD" || len(r.Incidents) != 2 {
		t.Errorf("%+v", r)
	}
}

func TestHeadOnAnIncidentIsRefused(t *testing.T) {
	l := openLedger(t)
	l.publish("refs/heads/incident/aaaaaaaaaa")
	l.must(l.storage.SetReference(plumbing.NewSymbolicReference(plumbing.HEAD, "refs/heads/incident/aaaaaaaaaa")))
	if r := verify(l, Options{}); r.OK() || !strings.Contains(r.Findings[0].Why, "check out the default branch") {
		t.Errorf("%+v", r)
	}
}

func TestEmptyRepositoryIsNotVerified(t *testing.T) {
	if r := verify(newLedger(t), Options{}); r.OK() || r.Verdict() != "wrong" {
		t.Errorf("%+v", r)
	}
}
