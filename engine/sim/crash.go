package sim

import (
	"time"

	"github.com/pullbook/pullbook/engine"
	"github.com/pullbook/pullbook/engine/runbook"
)

// crash is one fault at one call of a fixed simulation: a plan of ten steps with two gates, a timer, locks, a question to
// people and an undo, since its last step fails. People do what they are asked every twenty seconds.
type crash struct{ single }

// failing is the step of the plan whose attempts all fail; every other one succeeds.
const failing = "s9"

func (c *crash) plan(w *World, _ time.Duration) {
	if !w.calm {
		w.help()
		w.in(20*time.Second, "", func() { c.plan(w, 0) })
	}
}

func (*crash) fate(a engine.Attempt, f fate) fate {
	f.conclusion, f.output = runbook.Succeeded, `{"hosts":["h1"],"n":1}`
	if a.Step == failing {
		f.conclusion = runbook.Failed
	}
	return f
}

// run is a step that a runner performs.
func run(name string, risk runbook.Risk, needs ...string) bookStep {
	return bookStep{Name: name, Kind: kindExec, Risk: risk, Needs: needs, Timeout: 5 * time.Minute, OnFailure: runbook.FailureHalts}
}

// crashBook is the plan.
func crashBook() *book {
	gate := &runbook.Approval{From: []string{sreTeam}, Count: 2}
	steps := []bookStep{run("s0", runbook.RiskRead), run("s1", runbook.RiskChange, "s0"), run("s2", runbook.RiskChange, "s1"),
		run("s3", runbook.RiskRead, "s2"), run("s4", runbook.RiskChange, "s3"), run("s5", runbook.RiskRead, "s4"), run("s6", runbook.RiskRead, "s4"),
		run("s7", runbook.RiskChange, "s6"), run("s8", runbook.RiskDestructive, "s5", "s7"), run("s9", runbook.RiskChange, "s8")}
	steps[0].HasOutput, steps[1].Uses = true, "s0"
	steps[2].Approval, steps[2].Locks = gate, []string{"db"}
	steps[3].Kind, steps[3].Wait, steps[3].Timeout = runbook.KindWait, &runbook.Wait{For: 30 * time.Second}, 24*time.Hour
	steps[4].Each = written
	steps[5].Kind, steps[5].Timeout = runbook.KindManual, 24*time.Hour
	steps[6].Kind, steps[6].Timeout, steps[6].HasOutput = runbook.KindChoose, 24*time.Hour, true
	steps[7].Kind, steps[9].Kind = kindTicket, kindTerraform
	steps[7].Idempotent, steps[7].Retry = true, runbook.Retry{Attempts: 2, Backoff: time.Second}
	steps[8].Approval = gate
	steps[9].OnFailure = runbook.FailureUndoes
	undo := run("s2_undo", runbook.RiskChange)
	undo.Stage, undo.Undoes, undo.Locks = runbook.StageUndo, "s2", []string{"db"}
	last := run("f0", runbook.RiskChange)
	last.Stage, last.JoinAny = runbook.StageFinally, true
	return &book{Name: "book0", Command: commanders(), Steps: append(steps, undo, last)}
}

// found makes a ledger with this one runbook.
func (*crash) found(w *World) {
	b := crashBook()
	w.books[b.Name] = b
	w.sources = []*source{{w: w, group: "group-0", book: b.Name}}
	w.remote.first(map[string][]byte{"runbooks/book0.cue": b.text()}, w.now)
}
