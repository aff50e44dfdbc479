package audit

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/journal"
	"github.com/pullbook/pullbook/engine/runbook"
)

// stagedPlan asks for a choice, waits, undoes and has something to do in the end.
func stagedPlan() runbook.Plan {
	step := func(name string, kind runbook.Kind, risk runbook.Risk) runbook.Step {
		return runbook.Step{Name: name, Kind: kind, Title: name, Risk: risk, Timeout: time.Minute, OnFailure: runbook.FailureHalts}
	}
	which, soak := step("which", runbook.KindChoose, runbook.RiskRead), step("soak", runbook.KindWait, runbook.RiskRead)
	drain, swap, check := step("drain", runbook.KindExec, runbook.RiskChange), step("swap", runbook.KindExec, runbook.RiskChange), step("check", runbook.KindExec, runbook.RiskChange)
	check.OnFailure = runbook.FailureUndoes
	drainUndo, swapUndo := step("drain_undo", runbook.KindExec, runbook.RiskChange), step("swap_undo", runbook.KindExec, runbook.RiskRead)
	drainUndo.Stage, drainUndo.Undoes, swapUndo.Stage, swapUndo.Undoes = runbook.StageUndo, "drain", runbook.StageUndo, "swap"
	tell := step("tell", runbook.KindHTTP, runbook.RiskChange)
	tell.Stage = runbook.StageFinally
	return runbook.Plan{Name: "checkout", Title: "Roll back a bad release", Command: []string{},
		Steps: []runbook.Step{which, soak, drain, swap, check, drainUndo, swapUndo, tell}}
}

// staged writes a ledger with one incident of that plan: check fails, swap and drain are undone, tell runs in the end.
func (l *ledger) staged() {
	l.begin()
	l.start("group one")
	l.inc.plan = stagedPlan()
	l.opened("", "group one")
	l.record("asked", nil, l.intent("which", runbook.KindChoose, 0), l.intent("soak", runbook.KindWait, 15))
	deed := incident.Deed{By: bob(), Via: "comment", ID: 41, At: at(18), Words: "/choose which restart"}
	l.record("chosen", nil, incident.StepEnded{Step: "which", Attempt: 1, Conclusion: runbook.Succeeded, Started: at(10), Ended: at(24), Deed: &deed,
		Output: json.RawMessage(`{"choice":"restart"}`)}, outcome("soak", runbook.Succeeded, 24), l.intent("drain", runbook.KindExec, 99))
	l.record("drained", nil, outcome("drain", runbook.Succeeded, 30), l.intent("swap", runbook.KindExec, 99))
	l.record("swapped", nil, outcome("swap", runbook.Succeeded, 37), l.intent("check", runbook.KindExec, 99))
	l.record("failed", nil, outcome("check", runbook.Failed, 45))
	l.record("undo", nil, incident.UndoBegun{Why: "step check failed"})
	l.record("swapped back", nil, outcome("swap_undo", runbook.Succeeded, 60), l.intent("drain_undo", runbook.KindExec, 99))
	l.record("drained back", nil, outcome("drain_undo", runbook.Succeeded, 66))
	l.record("finally", nil, incident.FinallyBegun{End: incident.EndUndone}, l.intent("tell", runbook.KindHTTP, 199))
	l.record("told", nil, outcome("tell", runbook.Succeeded, 80))
	l.record("close", map[string][]byte{journal.ReportPath(l.inc.id.Dir()): []byte("# Report\n")}, incident.Ended{End: incident.EndUndone})
	l.merge("merge")
	l.publish("")
}

// intent is that of a step, with a deadline in seconds; 0: as the plan says, in the next commit.
func (l *ledger) intent(step string, kind runbook.Kind, deadline int) incident.StepStarted {
	risk := runbook.RiskChange
	if !kind.NeedsRunner() {
		risk = runbook.RiskRead
	}
	over := at(deadline)
	if written, _, ok := l.inc.plan.Written(step); ok && deadline == 0 {
		over = at(l.inc.clock).Add(written.Timeout)
	}
	return incident.StepStarted{Step: step, Attempt: 1, Key: runbook.AttemptKey(string(l.inc.id), step, 1), Work: kind, Risk: risk, Digest: digest, Deadline: over}
}

func outcome(step string, how runbook.Conclusion, ended int) incident.StepEnded {
	return incident.StepEnded{Step: step, Attempt: 1, Conclusion: how, Started: at(ended - 2), Ended: at(ended)}
}

func TestStagesAreVerified(t *testing.T) {
	l := newLedger(t)
	l.staged()
	r := verify(l, Options{Trust: trusting(1)})
	if !r.OK() || len(r.Incidents) != 1 || r.Incidents[0].End != incident.EndUndone {
		t.Errorf("%+v", r)
	}
}

// instead lets a commit say something else than was due.
func instead(name string, say func(l *ledger, due []incident.Event) []any) func(*ledger) {
	return func(l *ledger) {
		l.says[name] = func(due []incident.Event) []any { return say(l, due) }
	}
}

func only(name string, data ...any) func(*ledger) {
	return instead(name, func(*ledger, []incident.Event) []any { return data })
}

// stageMutations: each is one thing that is wrong with the staged incident.
func stageMutations() []mutation {
	cancel := incident.CancelAsked{Why: "over", Deed: incident.Deed{By: bob(), Via: "comment", ID: 50, At: at(50)}}
	other := incident.Deed{By: alice(), Via: "comment", ID: 51, At: at(51)}
	report := func(name string) func(*ledger) {
		return edit(name, func(d *draft) {
			if d.files == nil {
				d.files = map[string][]byte{}
			}
			d.files[journal.ReportPath(first)] = []byte("# Report\n")
		})
	}
	early := instead("undo", func(l *ledger, _ []incident.Event) []any { return []any{l.intent("drain_undo", runbook.KindExec, 99)} })
	return []mutation{
		{"wait that is over early", say("chosen", func(_ *ledger, d *incident.StepEnded) { d.Step, d.Ended, d.Deed, d.Output = "soak", at(14), nil, nil }), "chosen", "waits until"},
		{"later timer", instead("asked", func(l *ledger, due []incident.Event) []any {
			return []any{due[0].Data, l.intent("soak", runbook.KindWait, 25)}
		}), "chosen", "was over before"},
		{"wait without a timer", instead("asked", func(_ *ledger, due []incident.Event) []any { return []any{due[0].Data} }), "chosen", "there is no intent of it"},
		{"choice that nobody had time for", instead("asked", func(l *ledger, due []incident.Event) []any {
			return []any{l.intent("which", runbook.KindChoose, 20), due[1].Data}
		}), "asked", "another time than the plan gives"},
		{"choice with a moment more", instead("asked", func(l *ledger, due []incident.Event) []any {
			d := due[0].Data.(incident.StepStarted)
			d.Deadline = d.Deadline.Add(time.Millisecond)
			return []any{d, due[1].Data}
		}), "asked", "another time than the plan gives"},
		{"choice given up early", say("chosen", func(_ *ledger, d *incident.StepEnded) { d.Conclusion, d.Deed = runbook.TimedOut, nil }), "chosen", "said to be over before"},
		{"choice that failed", say("chosen", func(_ *ledger, d *incident.StepEnded) { d.Conclusion, d.Deed = runbook.Failed, nil }), "chosen", "is asked of people, and ended"},
		{"choice after its time", instead("chosen", func(_ *ledger, due []incident.Event) []any {
			late := due[0].Data.(incident.StepEnded)
			deed := *late.Deed
			deed.At, late.Deed = at(100), &deed
			return []any{incident.Event{At: at(101), Data: late}}
		}), "chosen", "after its time was over"},
		{"choice of nobody", say("chosen", func(_ *ledger, d *incident.StepEnded) { d.Deed = nil }), "chosen", "chosen by nobody"},
		{"undo before anything is undone", early, "undo", "moved in stage \"main\""},
		{"undo out of turn", instead("swapped back", func(l *ledger, _ []incident.Event) []any { return []any{l.intent("drain_undo", runbook.KindExec, 99)} }), "swapped back", "out of turn"},
		{"undo of the same step twice", instead("drained back", func(_ *ledger, due []incident.Event) []any {
			return []any{due[0].Data, outcome("swap_undo", runbook.Succeeded, 70)}
		}), "drained back", "step swap_undo"},
		{"undo of what failed", say("swapped", func(_ *ledger, d *incident.StepEnded) { d.Conclusion = runbook.Failed }), "swapped back", "out of turn"},
		{"read undo out of turn", instead("drained back", func(_ *ledger, due []incident.Event) []any { return []any{outcome("swap_undo", runbook.Succeeded, 70)} }), "drained back", "step swap_undo"},
		{"undo for no reason", say("failed", func(_ *ledger, d *incident.StepEnded) { d.Conclusion = runbook.Succeeded }), "undo", "no step has failed"},
		{"undo on the word of another", only("undo", cancel, incident.UndoBegun{Why: "x", Deed: &other}), "undo", "did not cancel"},
		{"undo on the word of nobody", only("undo", incident.UndoBegun{Why: "x", Deed: &other}), "undo", "did not cancel"},
		{"main step while it is undone", instead("swapped back", func(l *ledger, _ []incident.Event) []any {
			d := l.intent("check", runbook.KindExec, 99)
			d.Attempt, d.Key = 2, runbook.AttemptKey(string(l.inc.id), "check", 2)
			return []any{incident.RetryAsked{Step: "check", Round: 2, Deed: other}, d}
		}), "swapped back", "belongs to \"main\""},
		{"undone past what is unknown", both(only("failed", incident.StepUnknown{Step: "check", Attempt: 1}, cancel), only("undo", incident.UndoBegun{Why: "x", Deed: &cancel.Deed})), "swapped back", "nobody has said whether step check happened"},
		{"started after it was stopped", instead("finally", func(l *ledger, due []incident.Event) []any {
			d := cancel
			d.During = runbook.StageFinally
			return []any{due[0].Data, d, due[1].Data}
		}), "finally", "after a person has stopped"},
		{"finally before its time", instead("failed", func(l *ledger, due []incident.Event) []any {
			return []any{due[0].Data, l.intent("tell", runbook.KindHTTP, 99)}
		}), "failed", "moved in stage \"main\""},
		{"finally before all is undone", only("drained back", incident.FinallyBegun{End: incident.EndUndone}), "drained back", "step drain was not undone"},
		{"resolved although it was undone", say("finally", func(_ *ledger, d *incident.FinallyBegun) { d.End = incident.EndResolved }), "finally", "not what happened"},
		{"cancelled by nobody", say("finally", func(_ *ledger, d *incident.FinallyBegun) { d.End = incident.EndCancelled }), "finally", "cancelled by nobody"},
		{"end before the finally steps", both(only("finally", incident.Ended{End: incident.EndUndone}), report("finally")), "finally", "before its finally steps"},
		{"end before a finally step has ended", both(only("told", incident.Ended{End: incident.EndUndone}), report("told")), "told", "before its finally step tell"},
		{"another end than was announced", say("close", func(_ *ledger, d *incident.Ended) { d.End = incident.EndResolved }), "close", "it was to end as"},
		{"resolved before its steps have ended", only("failed", incident.FinallyBegun{End: incident.EndResolved}), "failed", "before step check has ended"},
		{"undone although nothing was", only("failed", incident.FinallyBegun{End: incident.EndUndone}), "failed", "not what happened"},
		{"cancelled and not undone", only("failed", cancel, incident.FinallyBegun{End: incident.EndCancelled}), "failed", "step swap was not undone"},
	}
}

func TestStages(t *testing.T) {
	for _, m := range stageMutations() {
		t.Run(m.name, func(t *testing.T) {
			l := newLedger(t)
			m.change(l)
			l.staged()
			expect(t, l, verify(l, Options{Trust: trusting(1)}), m.commit, m.why)
		})
	}
}
