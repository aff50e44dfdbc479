package audit

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/journal"
)

func verify(l *ledger, o Options) Report {
	l.tb.Helper()
	return Verify(l.open(), o)
}

func trusting(n ...byte) Trust {
	t := Trust{fingerprints: map[string]bool{}}
	for _, k := range n {
		t.fingerprints[fingerprint(signerOf(k))] = true
	}
	return t
}

func TestGoodLedgerIsVerified(t *testing.T) {
	l := newLedger(t)
	l.whole()
	got := verify(l, Options{Trust: trusting(1)})
	id := func(group string) incident.ID { return incident.NewID(incident.Slot(group, ""), at(0)) }
	want := Report{Branch: "main", Tip: l.ids["later"], Commits: 5, Trusted: true, Keys: []string{fingerprint(signerOf(1))}, Findings: []Finding{},
		Incidents: []Incident{
			{ID: id("group one"), Runbook: runbookPath, End: incident.EndResolved, Merge: l.ids["merge"], Commits: 5, Events: 12, Votes: 2},
			{ID: id("group two"), Runbook: runbookPath, End: incident.EndResolved, Merge: l.ids["2-merge"], Commits: 5, Events: 12, Votes: 2}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got.Verdict() != "verified" {
		t.Errorf("verdict %q", got.Verdict())
	}
}

// A verifier that dies has not found that nothing is wrong.
func TestPanicIsAFinding(t *testing.T) {
	if r := Verify(nil, Options{}); r.OK() || r.Verdict() != "wrong" {
		t.Errorf("%+v", r)
	}
}

// The engine's own runbook is not on the default branch: the frozen plan alone has it.
func TestIncidentOfTheEnginesOwnRunbook(t *testing.T) {
	l := newLedger(t)
	l.says["open"] = func(due []incident.Event) []any {
		opened := due[0].Data.(incident.Opened)
		opened.Runbook = embedded + "runbooks/triage.cue"
		l.edits["open"] = func(d *draft) { d.files[journal.IdentityPath(first)] = journal.Identity(opened) }
		return []any{opened}
	}
	l.whole()
	if r := verify(l, Options{Trust: trusting(1)}); !r.OK() || r.Incidents[0].Runbook != "embedded:runbooks/triage.cue" {
		t.Errorf("%+v", r)
	}
}
