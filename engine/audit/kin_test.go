package audit

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/journal"
	"github.com/pullbook/pullbook/engine/runbook"
)

const childPath, childText = "runbooks/failover.cue", "steps: {}\n"

// kinPlan tells people each minute, and opens another runbook.
func kinPlan() runbook.Plan {
	told := runbook.Step{Name: "told", Kind: "update", Title: "told", Risk: runbook.RiskChange, Timeout: time.Minute, Idempotent: true, Every: time.Minute,
		OnFailure: runbook.FailureHalts}
	fail := runbook.Step{Name: "failover", Kind: runbook.KindRunbook, Title: "failover", Risk: runbook.RiskChange, Timeout: time.Hour, Runbook: "failover",
		OnFailure: runbook.FailureHalts}
	return runbook.Plan{Name: "checkout", Title: "Move", Command: []string{}, Steps: []runbook.Step{told, fail}}
}

// kin writes a ledger with an incident, and the one that a step of it opened.
func (l *ledger) kin() {
	l.people("root", map[string][]byte{keysPath: allowing(signerOf(1)), runbookPath: []byte(runbookText), childPath: []byte(childText)})
	l.start("group one")
	l.inc.plan = kinPlan()
	l.openedAs("", "group one", runbookPath, runbookText, nil)
	l.record("ordered", nil, l.intent("told", "update", 99), l.order())
	parent, branch := l.inc, l.branch
	key := runbook.AttemptKey(string(parent.id), "failover", 1)
	l.inc = &run{id: incident.NewID(incident.ChildSlot(key), at(20)), plan: runbook.Plan{Name: "failover", Title: "Fail over", Command: []string{}}, clock: 20}
	l.branch = l.main
	born := incident.Parent{Incident: parent.id, Step: "failover", Attempt: 1, Pull: "https://hub.test/acme/ops/pull/7", Runbooks: []string{runbookPath}, Room: runbook.MaxTree}
	l.openedAs("child ", incident.ChildGroup(key), childPath, childText, &born)
	child := l.inc.id
	deed := incident.Deed{By: bob(), Via: "comment", ID: 60, At: at(25), Words: "/cancel so"}
	l.record("child recalled", nil, incident.Recalled{Why: "bob cancelled it", Deed: &deed})
	l.closedAs("child ", incident.EndCancelled)
	l.inc, l.branch = parent, branch
	l.record("named", nil, incident.ChildOpened{Step: "failover", Attempt: 1, Incident: child, Inputs: json.RawMessage(`{"to":"eu","hosts":2}`)}, outcome("told", runbook.Succeeded, 23))
	l.inc.clock = 81
	again := incident.RepeatStarted{Step: "told", Attempt: 2, Key: runbook.AttemptKey(string(parent.id), "told", 2), Digest: digest, Deadline: at(150)}
	l.record("again", nil, again)
	path := journal.EvidencePath(parent.id.Dir(), "told", 2, journal.LogName, 0)
	l.record("told again", map[string][]byte{path: []byte(logText)}, incident.RepeatEnded{Step: "told", Attempt: 2, Conclusion: runbook.Succeeded,
		Started: at(82), Ended: at(84), Evidence: runbook.PageDigest([]byte(logText))})
	l.record("cancelled", nil, incident.CancelAsked{Why: "so", Deed: deed})
	ended := outcome("failover", runbook.Cancelled, 97)
	l.record("ended", nil, ended)
	l.closedAs("", incident.EndCancelled)
	l.publish("")
}

// order is the intent of the step that opens the other runbook.
func (l *ledger) order() incident.StepStarted {
	o := l.intent("failover", runbook.KindRunbook, 0)
	o.Risk = runbook.RiskChange
	return o
}

// openedAs opens the incident at hand for a group, or for a parent.
func (l *ledger) openedAs(name, group, path, text string, parent *incident.Parent) {
	dir := l.inc.id.Dir()
	frozen := map[string][]byte{"plan.json": l.skeleton(), path: []byte(text)}
	alert := incident.Alert{Name: "HighErrorRate", Source: "alertmanager", Status: incident.Firing, Group: "group one",
		Labels: map[string]string{"service": "checkout"}, Annotations: map[string]string{}, StartsAt: at(1)}
	opened := incident.Opened{ID: l.inc.id, Group: group, Alert: alert, Runbook: path, Why: "so", Commit: l.branch.hash.String(),
		Plan: journal.PlanDigest(frozen), Versions: map[string]string{}, Parent: parent}
	if parent != nil {
		opened.Inputs = json.RawMessage(`{"hosts":2.0,"quick":true,"to":"eu"}`)
	}
	files := map[string][]byte{journal.IdentityPath(dir): journal.Identity(opened)}
	for p, data := range frozen {
		files[journal.PlanDir(dir)+p] = data
	}
	l.record(name+"open", files, opened)
}

func (l *ledger) closedAs(name string, end incident.End) {
	l.record(name+"close", map[string][]byte{journal.ReportPath(l.inc.id.Dir()): []byte("# Report\n")}, incident.Ended{End: end})
	l.merge(name + "merge")
}

func TestKinAreVerified(t *testing.T) {
	l := newLedger(t)
	l.kin()
	if r := verify(l, Options{Trust: trusting(1)}); !r.OK() || len(r.Incidents) != 2 {
		t.Errorf("%+v", r)
	}
}

// TestKin shows that each thing which is wrong between two incidents, or with a repetition, is found.
func TestKin(t *testing.T) {
	other := incident.Deed{By: alice(), Via: "comment", ID: 61, At: at(26), Words: "/cancel so"}
	opened := func(change func(o *incident.Opened)) func(*ledger) {
		return say("child open", func(_ *ledger, o *incident.Opened) {
			p := *o.Parent
			o.Parent = &p
			change(o)
		})
	}
	again := func(change func(*incident.RepeatStarted)) func(*ledger) {
		return say("again", func(_ *ledger, d *incident.RepeatStarted) { change(d) })
	}
	for _, m := range []mutation{
		{"another attempt", opened(func(o *incident.Opened) { o.Parent.Attempt = 2 }), "child open", "does not follow from the attempt"},
		{"another group", opened(func(o *incident.Opened) { o.Group = "group one" }), "child open", "does not follow from the attempt"},
		{"a runbook that opens itself", opened(func(o *incident.Opened) { o.Parent.Runbooks = []string{childPath} }), "child open", "does not follow from the attempt"},
		{"no ancestors", opened(func(o *incident.Opened) { o.Parent.Runbooks = nil }), "child open", "does not follow from the attempt"},
		{"other ancestors", opened(func(o *incident.Opened) { o.Parent.Runbooks = []string{"runbooks/x.cue"} }), "child open", "ancestors"},
		{"more than its part of a tree", opened(func(o *incident.Opened) { o.Parent.Room++ }), "child open", "1001 incidents may come from it"},
		{"fewer incidents than there are", say("ended", func(_ *ledger, d *incident.StepEnded) { d.Facts = map[string]string{"incidents": "0"} }), "ended", "cannot have come from attempt 1"},
		{"another input", opened(func(o *incident.Opened) { o.Inputs = json.RawMessage(`{"hosts":2,"to":"us"}`) }), "child open", "its input to is another than"},
		{"no inputs", opened(func(o *incident.Opened) { o.Inputs = nil }), "child open", "its input hosts is another than"},
		{"given something else", say("named", func(_ *ledger, d *incident.ChildOpened) { d.Inputs = json.RawMessage(`["eu"]`) }), "child open", "its inputs are others than"},
		{"another alert", opened(func(o *incident.Opened) { o.Alert.Name = "Other" }), "child open", "its alert is not"},
		{"no order", instead("ordered", func(_ *ledger, due []incident.Event) []any { return []any{due[0].Data} }), "named", "does not wait for an incident"},
		{"a word that nobody said", say("child recalled", func(_ *ledger, d *incident.Recalled) { d.Deed = &other }), "child open", "on a word"},
		{"a child of its own making", say("named", func(_ *ledger, d *incident.ChildOpened) { d.Incident = "20261122-bbbbbbbbbb" }), "named", "is not the incident of"},
		{"a success that was none", say("ended", func(_ *ledger, d *incident.StepEnded) { d.Conclusion = runbook.Succeeded }), "child open", "has not ended as resolved"},
		{"cancelled by nobody", instead("child recalled", func(_ *ledger, _ []incident.Event) []any { return []any{incident.Mitigated{How: "so"}} }), "child close", "cancelled by nobody"},
		{"repeated too early", func(l *ledger) {
			l.says["again"] = func(due []incident.Event) []any { return []any{incident.Event{At: at(80), Data: due[0].Data}} }
		}, "again", "when it was due"},
		{"repeated under another key", again(func(d *incident.RepeatStarted) { d.Key = "x" }), "again", "the key of another"},
		{"repeated out of order", again(func(d *incident.RepeatStarted) { d.Attempt = 3 }), "again", "does not follow attempt 1"},
		{"repeated although the plan does not say so", again(func(d *incident.RepeatStarted) { d.Step = "failover" }), "again", "before it has succeeded"},
		{"repeated after the end of its stage", both(only("again", incident.CancelAsked{Why: "so", Deed: other})), "told again", "has not begun"},
		{"another log of a repetition", say("told again", func(_ *ledger, d *incident.RepeatEnded) { d.Evidence = digest }), "told again", "the log is not the one"},
		{"a repetition without its log", edit("told again", func(d *draft) {
			for path := range d.files {
				if strings.HasSuffix(path, journal.LogName) {
					delete(d.files, path)
				}
			}
		}), "told again", "disagree on whether there is a log"},
		{"intent and outcome at once", instead("again", func(_ *ledger, due []incident.Event) []any {
			return []any{due[0].Data, incident.RepeatEnded{Step: "told", Attempt: 2, Conclusion: runbook.Succeeded, Started: at(82), Ended: at(84)}}
		}), "again", "in the same commit"},
	} {
		t.Run(m.name, func(t *testing.T) {
			l := newLedger(t)
			m.change(l)
			l.kin()
			expect(t, l, verify(l, Options{Trust: trusting(1)}), m.commit, m.why)
		})
	}
}

// TestKinAgreeOnHowManyCame: the end of an attempt counts all incidents that came from it, so that no later one may open them again.
func TestKinAgreeOnHowManyCame(t *testing.T) {
	parent := &trail{orders: map[string]order{}}
	parent.state.Opened = incident.Opened{ID: "20261122-aaaaaaaaaa", Runbook: runbookPath}
	born := incident.Parent{Incident: "20261122-aaaaaaaaaa", Step: "failover", Attempt: 1, Runbooks: []string{runbookPath}}
	child := &trail{}
	child.state.Opened = incident.Opened{ID: "20261122-bbbbbbbbbb", Runbook: childPath, Parent: &born}
	child.state.Steps = map[string]*incident.StepState{"deeper": {Came: 2}}
	for came, want := range map[int]string{0: "", 3: "", 2: "3 incidents came from it, and the end of 20261122-aaaaaaaaaa/failover/1 says 2"} {
		parent.orders[born.Key()] = order{runbook: runbook.NameOf(childPath), came: came}
		if got := child.agrees(parent); got != want {
			t.Errorf("%d: %q, want %q", came, got, want)
		}
	}
}
