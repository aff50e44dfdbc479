package incident

import (
	"fmt"
	"testing"
	"unicode/utf8"

	"github.com/pullbook/pullbook/engine/runbook"
)

// TestButtonsFitTheHub: GitHub takes at most three buttons, with 20, 20 and 40 characters, none of them empty. Two that would look
// alike are one.
func TestButtonsFitTheHub(t *testing.T) {
	s, err := Fold(nil)
	if err != nil {
		t.Fatal(err)
	}
	plan := runbook.Plan{}
	for i := range 6 {
		name := fmt.Sprintf("шаг-%d-with-a-name-of-more-than-forty-characters-and-more", i)
		if i == 5 {
			name = "шаг-0-with-a-name-of-more-than-forty-characters-and-less"
		}
		plan.Steps = append(plan.Steps, runbook.Step{Name: name})
		s.Steps[name] = &StepState{Phase: PhaseUnknown, since: 999_990 + i}
	}
	all := s.RollupButtons(plan)
	labels := map[string]bool{}
	for i := range plan.Steps {
		name := plan.Steps[i].Name
		s.Steps[name] = &StepState{Phase: PhaseEnded, Conclusion: runbook.Failed, Seq: 999_990 + i}
		of := s.StepButtons(plan, name)
		if len(of) != 2 {
			t.Errorf("a failed step has the buttons %v", of)
		}
		all = append(all, of...)
	}
	if got := s.RollupButtons(plan); got != nil {
		t.Errorf("nobody is waited for, and there are %v", got)
	}
	for i, b := range all {
		n := utf8.RuneCountInString
		if n(b.Label) > 20 || b.Label == "" || n(b.Identifier) > 20 || b.Identifier == "" || n(b.Description) > 40 || b.Description == "" {
			t.Errorf("%+v does not fit", b)
		}
		if i < mostButtons {
			labels[b.Label] = true
		}
	}
	if len(labels) != mostButtons || len(all) != mostButtons+2*len(plan.Steps) {
		t.Errorf("of six steps whose outcome nobody knows the check run shows %v", all[:len(all)-2*len(plan.Steps)])
	}
	if s.StepButtons(plan, "another") != nil {
		t.Error("a step that is not there has buttons")
	}
}
