package approval

import (
	"fmt"
	"strings"

	"github.com/pullbook/pullbook/engine/runbook"
)

// verdict decides, and explains: under the gate stand the leaves of the way that is nearest to being met, where the rule
// has more than one, with those who stand for each, then who holds it, then the reviews that do not count.
func (t *tally) verdict(d Decision, against []Verdict) Verdict {
	v := Verdict{Status: StatusPending}
	near, possible := nearest(t.gate.Rule, Voters(d.Votes))
	met := possible && near.missing() == 0
	if len(near.way) > 1 {
		v.Children = near.explain()
	} else {
		for _, vote := range d.Votes {
			v.Children = append(v.Children, Verdict{StatusApproved, vote.By.Login + " approved", nil})
		}
	}
	v.Children = append(append(v.Children, against...), t.notes...)
	switch {
	case d.Rejected != nil:
		v.Status, v.Sentence = StatusRejected, d.Rejected.By.Login+" rejected it"
	case d.Broken != nil:
		v.Status, v.Sentence = StatusApproved, d.Broken.By.Login+" broke the glass"
	case !possible:
		v.Sentence = "the rule names nobody who could approve"
	case len(against) > 0:
		v.Sentence = fmt.Sprintf("held: %s (%s)", against[0].Sentence, t.have(d))
	case met:
		v.Status, v.Sentence = StatusApproved, "approved by "+t.have(d)
	default:
		v.Sentence = "waits for " + near.lacks(t.gate.Rule)
		if d.Stranded != "" {
			v.Sentence += "; " + d.Stranded
		}
	}
	return v
}

// have says how many have approved, of how many or of what.
func (t *tally) have(d Decision) string {
	if leaf, ok := single(t.gate.Rule); ok {
		return fmt.Sprintf("%d of %s", len(d.Votes), leaf)
	}
	return fmt.Sprintf("%d people, and the rule is: %s", len(d.Votes), t.gate.Rule.String())
}

// single is the only leaf of a rule that has no other part, in words.
func single(rule runbook.Approval) (words string, ok bool) {
	return from(runbook.Leaf{From: rule.From, Count: rule.Count}), len(rule.All) == 0 && len(rule.Any) == 0
}

func from(l runbook.Leaf) string {
	return fmt.Sprintf("%d from %s", l.Count, strings.Join(l.From, ", "))
}

// lacks says who is still needed.
func (s seating) lacks(rule runbook.Approval) string {
	var parts []string
	for i, leaf := range s.way {
		if n := leaf.Count - len(s.on(i)); n > 0 {
			parts = append(parts, fmt.Sprintf("%d of %s", n, from(leaf)))
		}
	}
	text := strings.Join(parts, " and ")
	if _, plain := single(rule); !plain {
		text += ", each another person; the rule is: " + rule.String()
	}
	return text
}

// explain is one verdict for each leaf, with those who stand for it, and one for each of the others.
func (s seating) explain() []Verdict {
	out := make([]Verdict, len(s.way))
	seated := map[int64]bool{}
	for i, leaf := range s.way {
		on := s.on(i)
		v := Verdict{StatusPending, fmt.Sprintf("%d of %s", len(on), from(leaf)), nil}
		if len(on) == leaf.Count {
			v.Status = StatusApproved
		}
		for _, p := range on {
			seated[p.ID] = true
			v.Children = append(v.Children, Verdict{StatusApproved, p.Login + " approved", nil})
		}
		out[i] = v
	}
	for _, p := range s.people {
		if !seated[p.ID] {
			out = append(out, Verdict{StatusApproved, p.Login + " approved, beyond what is needed here", nil})
		}
	}
	return out
}
