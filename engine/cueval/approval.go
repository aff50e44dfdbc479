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
	s.named(&rule, "approval")
	s.misfitted(misfitOfRule(rule, "approval"))
	s.timing(v, &rule, "approval")
	s.escalations(v, &rule)
	s.step.Approval = &rule
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
		return &misfit{at: at, text: fmt.Sprintf("the rule has %d lists of people, %d deep", a.Leaves(), a.Depth()),
			hint: fmt.Sprintf("at most %d lists, at most %d deep", runbook.MaxRuleLeaves, runbook.MaxRuleDepth)}
	}
	if m := unmet(a, at); m != nil {
		return m
	}
	if !slices.ContainsFunc(a.Ways(), enough) {
		return &misfit{at: at, text: "nobody can meet the rule: the people that it names are too few, since each counts once in the whole of it", hint: "name more people or a team"}
	}
	return nil
}

// enough reports whether there are different people for all leaves of a way. A team may have as many as are needed.
func enough(way []runbook.Leaf) bool {
	var seats [][]string // who may take each
	for _, leaf := range way {
		if slices.ContainsFunc(leaf.From, isTeam) {
			continue
		}
		from := make([]string, len(leaf.From))
		for i, who := range leaf.From {
			from[i] = strings.ToLower(who)
		}
		for range leaf.Count {
			seats = append(seats, from)
		}
	}
	taken := map[string]int{}
	for i := range seats {
		if !seated(seats, i, taken, map[string]bool{}) {
			return false
		}
	}
	return true
}

// seated finds somebody for a seat, and another seat for whoever gives theirs up.
func seated(seats [][]string, i int, taken map[string]int, asked map[string]bool) bool {
	for _, who := range seats[i] {
		if asked[who] {
			continue
		}
		asked[who] = true
		if other, busy := taken[who]; !busy || seated(seats, other, taken, asked) {
			taken[who] = i
			return true
		}
	}
	return false
}

// isTeam reports whether a name of a rule can be many people.
func isTeam(who string) bool { return strings.Contains(who, "/") || runbook.StandsFor(who) }

func unmet(a runbook.Approval, at []string) *misfit {
	users := slices.Clone(a.From)
	for i := range users {
		users[i] = strings.ToLower(users[i]) // logins and teams are the same in any case of letters
	}
	slices.Sort(users)
	users = slices.Compact(users)
	switch {
	case a.Count > 0 && len(a.From) == 0:
		return &misfit{at: at, text: "count says how many, and nobody is named in from", hint: "write from: [...], or the count inside of all and any"}
	case len(a.From) == 0 && len(a.All) == 0 && len(a.Any) == 0:
		return &misfit{at: at, text: "the rule names nobody who could approve", hint: "write from, all or any"}
	case !slices.ContainsFunc(users, isTeam) && a.Count > len(users):
		return &misfit{at: at, text: fmt.Sprintf("needs %d people, but only %d can approve", a.Count, len(users)), hint: "name more people or a team"}
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
