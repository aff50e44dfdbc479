package incident

import (
	"testing"

	"github.com/pullbook/pullbook/engine/approval"
	"github.com/pullbook/pullbook/engine/runbook"
)

// TestDutiesReachOtherIncidents shows that a person's word bars them from gates beyond the incident on which they gave it:
// of what was opened with it, and of what its parent does with the answer.
func TestDutiesReachOtherIncidents(t *testing.T) {
	step := func(name string, kind runbook.Kind, needs ...string) runbook.Step {
		return runbook.Step{Name: name, Kind: kind, Needs: needs}
	}
	plan := runbook.Plan{Steps: []runbook.Step{step("pick", runbook.KindChoose), step("failover", runbook.KindRunbook, "pick"), step("after", "exec", "failover")}}
	said := func(id int64, who string) *Deed { return &Deed{By: approval.Person{ID: id, Login: who}} }
	parent := State{Seq: 5, OpenedAt: clockOf(1), Opened: Opened{ID: "20261122-aaaaaaaaaa"}, Steps: map[string]*StepState{
		"pick":     {Phase: PhaseEnded, Word: said(1, "alice")},
		"failover": {Phase: PhaseStarted, Kind: runbook.KindRunbook, Attempt: 1, Asked: []Deed{*said(2, "bob")}},
	}}
	d := decider{state: parent, base: plan}
	order := d.openChild(plan.Steps[1], 1, runbook.Child{Name: "failover"})
	child := State{Opened: Opened{ID: "20261122-bbbbbbbbbb", Parent: &order.Parent}, Steps: map[string]*StepState{
		"where": {Phase: PhaseEnded, Word: said(3, "carol")},
	}}
	move := runbook.Plan{Steps: []runbook.Step{step("where", runbook.KindChoose), step("deeper", runbook.KindRunbook), step("move", "exec")}}
	got, _ := excluded(child.Barred(move, "move"))
	if len(got) != 2 || got[1] != "this rests on their word about pick on incident 20261122-aaaaaaaaaa" || got[2] != "asked for this attempt on incident 20261122-aaaaaaaaaa" {
		t.Errorf("barred from a child's gate: %v", got)
	}
	d = decider{state: child, base: move}
	if below := d.openChild(move.Steps[1], 1, runbook.Child{}).Parent.Barred; len(below) != 2 || below[1].Why != got[1] {
		t.Errorf("barred two incidents below: %v", below)
	}

	parent.Steps["failover"] = &StepState{Phase: PhaseStarted, Kind: runbook.KindRunbook, Attempt: 1}
	d = decider{state: parent, base: plan, plan: plan, now: clockOf(9)}
	d.view.Children = map[string]Child{"failover": {Attempt: 1, Incident: child.Opened.ID, End: EndResolved, Spoke: child.Spoke()}}
	d.recordChildren()
	if got, _ := excluded(d.state.Barred(plan, "after")); got[1] == "" || got[3] != "this rests on their word about where on incident 20261122-bbbbbbbbbb" {
		t.Errorf("barred from what rests on a child: %v", got)
	}
}
