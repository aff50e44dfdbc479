package runbook

import (
	"reflect"
	"strings"
	"testing"
)

func ownedPlan() Plan {
	files := []File{{Path: "scripts/drain"}}
	rule := &Approval{From: []string{"acme/sre", CodeOwners}, Count: 1, All: []Approval{{From: []string{"alice", CodeOwners}, Count: 2}},
		Escalate: []Approval{{From: []string{CodeOwners}, Count: 1}}}
	lines := []Lines{{File: "runbooks/x.cue", From: 3, To: 4}, {File: "runbooks/x.cue", From: 9, To: 9}}
	return Plan{Steps: []Step{{Name: "look", Risk: RiskRead, Lines: lines}, {Name: "note", Risk: RiskChange, Lines: lines},
		{Name: "drain", Risk: RiskChange, Lines: lines, Files: files, Approval: rule}}}
}

func owns(path string) []string {
	return map[string][]string{"runbooks/x.cue": {"acme/platform", "alice"}, "scripts/drain": {"Acme/Platform", "bob"}}[path]
}

func TestCodeOwnersStandInTheRule(t *testing.T) {
	p := ownedPlan()
	before := p.Steps[2].Approval
	if problems := p.OwnCode(owns); len(problems) > 0 {
		t.Fatal(problems)
	}
	if got := [][]string{p.Steps[0].CodeOwners, p.Steps[1].CodeOwners, p.Steps[2].CodeOwners}; !reflect.DeepEqual(got, [][]string{nil,
		{"acme/platform", "alice"}, {"acme/platform", "alice", "bob"}}) {
		t.Errorf("the owners are %q", got)
	}
	const want = "1 of acme/sre, acme/platform (code owner), alice (code owner), bob (code owner) and " +
		"2 of alice (code owner), acme/platform (code owner), bob (code owner), then also 1 of acme/platform (code owner), alice (code owner), bob (code owner)"
	if got := p.Steps[2].Approval.String(); got != want {
		t.Errorf("the rule is %s", got)
	}
	if !before.Says(CodeOwners) || p.Steps[2].Approval.Says(CodeOwners) {
		t.Error("the word stands where it should not, or the rule that was given has changed")
	}
	for _, asked := range p.Steps[2].Approval.Asked() {
		if !reflect.DeepEqual(asked, p.Steps[2].CodeOwners) {
			t.Errorf("asked as code owners are %q", asked)
		}
	}
	if page := string((Gate{Step: p.Steps[2]}).Page()); !strings.Contains(page, want) {
		t.Errorf("the page does not say who they are:\n%s", page)
	}
}

func TestNoCodeOwnersIsAProblem(t *testing.T) {
	p := ownedPlan()
	ps := p.OwnCode(func(string) []string { return nil })
	if len(ps) != 1 || !strings.Contains(ps[0].String(), "steps.drain.approval: asks the code owners, and CODEOWNERS names none of runbooks/x.cue, scripts/drain; name @users") {
		t.Errorf("%v", ps)
	}
	p = ownedPlan()
	p.Steps[2].Approval = &Approval{From: []string{CodeOwners}, Count: 3}
	if ps = p.OwnCode(func(string) []string { return []string{"alice", "bob"} }); len(ps) != 1 || !strings.Contains(ps[0].Text, "3 of alice (code owner), bob (code owner): these are too few") {
		t.Errorf("%v", ps)
	}
}

// TestUnknownAuthorsAskACodeOwner: where there are code owners, the one more is one of them.
func TestUnknownAuthorsAskACodeOwner(t *testing.T) {
	rule := Approval{From: []string{"acme/sre"}, Count: 2, Within: 5, Escalate: []Approval{{From: []string{"acme/leads"}, Count: 1}}}
	got := (&Authorship{Unmapped: 3}).Rule(rule, []string{"acme/platform"})
	if want := "2 of acme/sre and 1 of acme/platform (code owner) within 0s, then also 1 of acme/leads and 1 of acme/platform (code owner)"; got.String() != want {
		t.Errorf("the rule is %s", got.String())
	}
	g := Gate{Step: Step{Name: "a", Approval: &got, CodeOwners: []string{"acme/platform"}}, Authors: &Authorship{Unmapped: 3}}
	if page := string(g.Page()); !strings.Contains(page, "One more approval by a code owner is needed.") {
		t.Errorf("the page does not say who is needed:\n%s", page)
	}
}

func TestOneOwnerForTwoReasons(t *testing.T) {
	a := Approval{From: []string{ServiceOwners, CodeOwners}, Count: 1}.With(ServiceOwners, []string{"alice"}, "owner of service shop").With(CodeOwners, []string{"alice"}, OwnerOfCode)
	if want := "1 of alice (owner of service shop, code owner)"; a.String() != want {
		t.Errorf("the rule is %s", a.String())
	}
	if got := a.Asked(); !reflect.DeepEqual(got, [][]string{{"alice"}}) {
		t.Errorf("asked as code owners are %q", got)
	}
}
