package audit

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/pullbook/pullbook/engine/approval"
	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/journal"
	"github.com/pullbook/pullbook/engine/runbook"
)

// run is the incident that a ledger is writing.
type run struct {
	id    incident.ID
	after incident.ID // the group's earlier incident
	plan  runbook.Plan
	head  journal.Head
	state incident.State // its Seq and At alone
	clock int
	game  *incident.Rehearsal
}

const (
	runbookPath = "runbooks/checkout.cue"
	runbookText = "alert: _\nsteps: {}\n"
	policyText  = "policy: {}\n"
	page        = "# Gate: rollback\n\ndeploy rollback 1.4.1\n"
	logText     = "rolled back\n"
)

func plan() runbook.Plan {
	step := func(name string, kind runbook.Kind, risk runbook.Risk) runbook.Step {
		return runbook.Step{Name: name, Kind: kind, Title: name, Risk: risk, Timeout: time.Minute, OnFailure: runbook.FailureHalts}
	}
	rollback := step("rollback", runbook.KindExec, runbook.RiskChange)
	rollback.Approval = &runbook.Approval{From: []string{"acme/sre", "bob"}, Count: 2, Within: 15 * time.Minute}
	return runbook.Plan{Name: "checkout", Title: "Roll back a bad release", Command: []string{}, Steps: []runbook.Step{
		step("logs", runbook.KindExec, runbook.RiskRead), rollback,
		step("recovered", runbook.KindProbe, runbook.RiskRead), step("note", runbook.KindManual, runbook.RiskChange)}}
}

// begin writes the root of a ledger.
func (l *ledger) begin() {
	l.people("root", map[string][]byte{keysPath: allowing(signerOf(1)), runbookPath: []byte(runbookText), "pullbook.cue": []byte(policyText)})
}

// start begins an incident at the tip of the default branch.
func (l *ledger) start(group string) {
	l.inc = &run{id: incident.NewID(incident.Slot(group, ""), at(0)), plan: plan(), clock: 10}
	l.branch = l.main
}

// steps of a whole incident, in order; name is put before the name of each commit.
func (l *ledger) incident(name, group string) {
	l.start(group)
	l.opened(name, group)
	l.gate(name)
	l.approve(name)
	l.end(name)
	l.close(name)
	l.merge(name + "merge")
}

func (l *ledger) opened(name, group string) {
	dir := l.inc.id.Dir()
	if name == "" {
		l.inc.game = l.game
	}
	frozen := map[string][]byte{"plan.json": l.skeleton(), runbookPath: []byte(runbookText), "pullbook.cue": []byte(policyText)}
	alert := incident.Alert{Name: "HighErrorRate", Source: "alertmanager", Status: incident.Firing, Group: group,
		Labels: map[string]string{"service": "checkout"}, Annotations: map[string]string{}, StartsAt: at(1)}
	opened := incident.Opened{ID: l.inc.id, Group: group, Previous: l.inc.after, Alert: alert, Runbook: runbookPath, Why: "it answers service=checkout",
		Commit: l.branch.hash.String(), Plan: journal.PlanDigest(frozen), Versions: map[string]string{"cue": "v0.17.1"}, Rehearsal: l.inc.game}
	files := map[string][]byte{journal.IdentityPath(dir): journal.Identity(opened)}
	for path, data := range frozen {
		files[journal.PlanDir(dir)+path] = data
	}
	l.record(name+"open", files, opened)
}

func (l *ledger) skeleton() []byte {
	b, err := json.MarshalIndent(l.inc.plan, "", "  ")
	l.must(err)
	return b
}

func (l *ledger) gate(name string) {
	dir, out := l.inc.id.Dir(), `{"errors":12}`
	l.record(name+"gate", map[string][]byte{
		journal.GatePath(dir, "rollback", 1):                        []byte(page),
		journal.EvidencePath(dir, "logs", 1, journal.LogName, 0):    []byte("12 errors\n"),
		journal.EvidencePath(dir, "logs", 1, journal.OutputName, 0): []byte(out),
	}, incident.PullOpened{Number: 7, URL: "https://hub.test/acme/ops/pull/7"},
		incident.StepEnded{Step: "logs", Attempt: 1, Conclusion: runbook.Succeeded, Started: at(11), Ended: at(12),
			Output: json.RawMessage(out), Evidence: runbook.PageDigest([]byte("12 errors\n"))},
		gateOpened())
}

func gateOpened() incident.GateOpened {
	return incident.GateOpened{Step: "rollback", Round: 1, Page: runbook.PageDigest([]byte(page)), Rule: *plan().Steps[1].Approval, Digest: digest}
}

const digest = "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03"

func alice() approval.Person {
	return approval.Person{ID: 11, Login: "alice", Write: true, Teams: []string{"acme/sre"}}
}
func bob() approval.Person { return approval.Person{ID: 12, Login: "bob", Write: true} }

func (l *ledger) approved(name string) incident.GateApproved {
	on := l.ids[name+"gate"]
	return incident.GateApproved{Step: "rollback", Page: runbook.PageDigest([]byte(page)), Votes: []approval.Vote{
		{Review: 101, By: alice(), Commit: on, At: at(20)}, {Review: 102, By: bob(), Commit: on, At: at(21), Words: "/approve rollback"}}}
}

func (l *ledger) started() incident.StepStarted {
	return incident.StepStarted{Step: "rollback", Attempt: 1, Key: runbook.AttemptKey(string(l.inc.id), "rollback", 1), Work: runbook.KindExec,
		Risk: runbook.RiskChange, Digest: digest, Gate: runbook.PageDigest([]byte(page)), Deadline: at(99)}
}

func (l *ledger) approve(name string) {
	l.record(name+"approve", nil, l.approved(name), l.started())
}

func (l *ledger) ended() incident.StepEnded {
	return incident.StepEnded{Step: "rollback", Attempt: 1, Conclusion: runbook.Succeeded, Started: at(25), Ended: at(29),
		Evidence: runbook.PageDigest([]byte(logText)), Facts: map[string]string{"exit": "0"}}
}

func (l *ledger) end(name string) {
	path := journal.EvidencePath(l.inc.id.Dir(), "rollback", 1, journal.LogName, 1)
	l.record(name+"end", map[string][]byte{path: []byte(logText)}, l.ended(),
		l.note())
}

// note is the intent of the step that a person does.
func (l *ledger) note() incident.StepStarted {
	d := l.intent("note", runbook.KindManual, 0)
	d.Risk = runbook.RiskChange
	return d
}

func (l *ledger) close(name string) {
	deed := incident.Deed{By: bob(), Via: "comment", ID: 31, At: at(40), Words: "/done note"}
	l.record(name+"close", map[string][]byte{journal.ReportPath(l.inc.id.Dir()): []byte("# Report\n")},
		incident.StepEnded{Step: "recovered", Attempt: 1, Conclusion: runbook.Succeeded, Started: at(30), Ended: at(33)},
		incident.StepEnded{Step: "note", Attempt: 1, Conclusion: runbook.Succeeded, Started: at(30), Ended: at(41), Deed: &deed},
		incident.Mitigated{How: "every probe of the plan has passed"}, incident.Ended{End: incident.EndResolved})
}

// whole writes the ledger that most tests start from: two merged incidents with people's work around them.
func (l *ledger) whole() {
	l.begin()
	l.incident("", "group one")
	l.people("docs", map[string][]byte{"README.md": []byte("# Ops\n")})
	l.incident("2-", "group two")
	l.people("later", map[string][]byte{"README.md": []byte("# Operations\n")})
	l.publish("")
}

// name gives the test's name of a commit.
func (l *ledger) name(commit string) string {
	for name, id := range l.ids {
		if id == commit {
			return name
		}
	}
	return fmt.Sprintf("unknown commit %q", commit)
}
