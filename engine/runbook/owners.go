package runbook

import (
	"maps"
	"slices"
	"strings"
)

// Words that stand for people in the list of a rule. The colon keeps them apart from every user and team. In a frozen plan
// those stand in their place whom they meant.
const (
	ServiceOwners = "service:owners" // the owners of the runbook's service
	CodeOwners    = "code:owners"    // the owners of the files that make the step and of those that it uses
)

// StandsFor reports whether a name of a rule is a word that stands for people.
func StandsFor(name string) bool { return name == ServiceOwners || name == CodeOwners }

// Says reports whether a rule, or a list that it escalates to, names a word.
func (a Approval) Says(word string) bool {
	return slices.Contains(a.From, word) || slices.ContainsFunc(slices.Concat(a.All, a.Any, a.Escalate), func(part Approval) bool { return part.Says(word) })
}

// With is the rule with people in the place of a word, in all of its parts; whence says what each of them is there.
func (a Approval) With(word string, people []string, whence string) Approval {
	each := func(parts []Approval) []Approval {
		out := slices.Clone(parts)
		for i := range out {
			out[i] = out[i].With(word, people, whence)
		}
		return out
	}
	a.All, a.Any, a.Escalate = each(a.All), each(a.Any), each(a.Escalate)
	if !slices.Contains(a.From, word) {
		return a
	}
	var from []string
	add := func(who string) {
		if !slices.ContainsFunc(from, func(known string) bool { return strings.EqualFold(known, who) }) {
			from = append(from, who)
		}
	}
	whences := maps.Clone(a.Whence)
	for _, who := range a.From {
		if who != word {
			add(who)
			continue
		}
		for _, owner := range people {
			add(owner)
			if whences == nil {
				whences = map[string]string{}
			}
			if before := whences[owner]; before != "" && before != whence {
				whences[owner] = before + ", " + whence
			} else {
				whences[owner] = whence
			}
		}
	}
	a.From, a.Whence = from, whences
	return a
}

// named are the people of a list, each with what it is where a word brought it in: "acme/sre, alice (owner of service shop)".
func named(from []string, whence map[string]string) string {
	out := slices.Clone(from)
	for i, who := range out {
		if why := whence[who]; why != "" {
			out[i] += " (" + why + ")"
		}
	}
	return strings.Join(out, ", ")
}
