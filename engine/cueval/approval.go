package cueval

import (
	"fmt"
	"slices"
	"strings"

	"cuelang.org/go/cue"

	"github.com/pullbook/pullbook/engine/runbook"
)

// approval reads the rule of a gate.
func (s *skeleton) approval(v cue.Value) {
	if !s.known(v, "approval") {
		return
	}
	rule := ruleOf(v)
	rule.Within = s.duration(v, 0, "within", "approval")
	s.named(&rule, "approval")
	s.step.Approval = &rule
	s.misfitted(misfitOfRule(rule, "approval"))
}

// ruleOf reads an #Approval, or a #Rule inside of one, whose values are known. The schema has the types.
func ruleOf(v cue.Value) (a runbook.Approval) {
	if from := field(v, "from"); from.Exists() && from.Decode(&a.From) == nil {
		a.Count = 1
	}
	if n, err := field(v, "count").Int64(); err == nil {
		a.Count = int(n)
	}
	parts := func(name string) (out []runbook.Approval) {
		it, err := field(v, name).List()
		for err == nil && it.Next() {
			out = append(out, ruleOf(it.Value()))
		}
		return out
	}
	a.All, a.Any = parts("all"), parts("any")
	return a
}

// misfitOfRule says why nobody could meet a rule, or could not see through it.
func misfitOfRule(a runbook.Approval, at ...string) *misfit {
	if a.Leaves() > runbook.MaxRuleLeaves || a.Depth() > runbook.MaxRuleDepth {
		return &misfit{at, fmt.Sprintf("the rule has %d lists of people, %d deep", a.Leaves(), a.Depth()),
			fmt.Sprintf("at most %d lists, at most %d deep", runbook.MaxRuleLeaves, runbook.MaxRuleDepth)}
	}
	return unmet(a, at)
}

func unmet(a runbook.Approval, at []string) *misfit {
	users := slices.Clone(a.From)
	for i := range users {
		users[i] = strings.ToLower(users[i]) // logins and teams are the same in any case of letters
	}
	slices.Sort(users)
	users = slices.Compact(users)
	isTeam := func(who string) bool { return strings.Contains(who, "/") }
	switch {
	case a.Count > 0 && len(a.From) == 0:
		return &misfit{at, "count says how many, and nobody is named in from", "write from: [...], or the count inside of all and any"}
	case len(a.From) == 0 && len(a.All) == 0 && len(a.Any) == 0:
		return &misfit{at, "the rule names nobody who could approve", "write from, all or any"}
	case !slices.ContainsFunc(users, isTeam) && a.Count > len(users):
		return &misfit{at, fmt.Sprintf("needs %d people, but only %d can approve", a.Count, len(users)), "name more people or a team"}
	}
	for i, part := range a.All {
		if m := unmet(part, append(slices.Clone(at), "all", fmt.Sprint(i))); m != nil {
			return m
		}
	}
	for i, part := range a.Any {
		if m := unmet(part, append(slices.Clone(at), "any", fmt.Sprint(i))); m != nil {
			return m
		}
	}
	return nil
}
