package render

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/runbook"
)

// lockedPlan has steps that take locks: one that is next, one behind a gate, one that holds what another needs.
func lockedPlan() runbook.Plan {
	p := stagedPlan()
	p.Steps = p.Steps[:0]
	for name, locks := range map[string][]string{"a_deploy": {"cdn", "prod/db"}, "b_migrate": {"prod/db"}, "c_purge": {"cdn"}, "d_hold": {"queue"}, "e_drain": {"queue"}} {
		step := runbook.Step{Name: name, Kind: runbook.KindExec, Risk: runbook.RiskChange, Title: name, Timeout: time.Minute, OnFailure: runbook.FailureHalts,
			TakesLocks: true, Now: runbook.Resolution{Status: runbook.StatusReady, Locks: locks}}
		if name == "b_migrate" {
			step.Approval = &runbook.Approval{From: []string{"acme/sre"}, Count: 1}
		}
		p.Steps = append(p.Steps, step)
	}
	slices.SortFunc(p.Steps, func(a, b runbook.Step) int { return strings.Compare(a.Name, b.Name) })
	return p
}

// TestLocked compares what people see of steps that wait for locks with testdata.
func TestLocked(t *testing.T) {
	hold := begin("d_hold", runbook.KindExec, time.Hour)
	hold.Locks = []string{"queue"}
	asked := incident.GateOpened{Step: "b_migrate", Round: 1, Page: "p", Rule: *lockedPlan().Steps[1].Approval}
	since := sampleStart().Add(-time.Minute)
	held := map[string]incident.Holder{
		"prod/db": {Incident: "20261122-bbbbbbbbbb", Step: "restore", Since: since, PullURL: "https://github.com/acme/ops/pull/8"},
		"cdn":     {Incident: "20261122-cccccccccc", Step: "warm", Since: since, PullURL: "javascript:alert(1)"},
	}
	view := gateView()
	for i := range view.Reviews {
		view.Reviews[i].Body = "/approve b_migrate"
		view.Reviews[i].Commit, view.Reviews[i].By.Teams, view.Reviews[i].By.Write = "c", []string{"acme/sre"}, true
	}
	view.Branch.Commits = map[string]int{"c": 3}
	view.Locks = held
	data := []incident.Data{sampleOpened(), hold, asked}
	compare(t, lockedPlan(), []moment{{"locked", data, view, "d_hold"}})
}
