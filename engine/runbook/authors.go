package runbook

import (
	"fmt"
	"slices"
	"strings"
)

// Author is a person who wrote lines of a runbook, as the hub tells it.
type Author struct {
	ID    int64  `json:"id"` // the hub's numeric user id
	Login string `json:"login"`
	By    string `json:"by"` // what shows it: "commit 1a2b3c4" or "pull request 12"
}

// Blame is who wrote a range of lines.
type Blame struct {
	Lines
	Authors  []Author
	Unmapped bool // an author is no account of the hub's
}

// Authorship is who wrote a step. They do not approve it, unless the organisation says that they may.
type Authorship struct {
	People   []Author `json:"people,omitempty"`   // each once, ordered by id
	Unmapped int      `json:"unmapped,omitempty"` // lines that are nobody's whom the hub knows: they ask for one more approval
}

// AuthorsOf works out who wrote some lines. A line that nobody was named for counts as unmapped.
func AuthorsOf(lines []Lines, blame []Blame) Authorship {
	var out Authorship
	for _, want := range lines {
		for line := want.From; line <= want.To; line++ {
			at := slices.IndexFunc(blame, func(b Blame) bool { return b.File == want.File && b.From <= line && line <= b.To })
			if at < 0 || blame[at].Unmapped || len(blame[at].Authors) == 0 {
				out.Unmapped++
			}
			if at >= 0 {
				out.People = append(out.People, blame[at].Authors...)
			}
		}
	}
	slices.SortStableFunc(out.People, func(a, b Author) int { return int(min(max(a.ID-b.ID, -1), 1)) })
	out.People = slices.CompactFunc(out.People, func(a, b Author) bool { return a.ID == b.ID })
	return out
}

// Rule is what has to be met where a step was written so: one more person where nobody knows who wrote all of it, of the
// code owners, or of the rule where there are none. Without an authorship the rule stands as it is.
func (a *Authorship) Rule(rule Approval, owners []string) Approval {
	if a == nil || a.Unmapped == 0 {
		return rule
	}
	return rule.each(func(rule Approval) Approval {
		if len(owners) == 0 {
			return Approval{All: []Approval{rule, {From: rule.People(), Count: 1}}}
		}
		one := Approval{From: []string{CodeOwners}, Count: 1}.With(CodeOwners, owners, OwnerOfCode)
		return Approval{All: []Approval{rule, one}}
	})
}

// wrote is the part of a gate page that says who wrote the step, and what follows from it.
func (g Gate) wrote() string {
	a := g.Authors
	if a == nil || len(a.People) == 0 && a.Unmapped == 0 {
		return ""
	}
	var b strings.Builder
	b.WriteString("\n## Who wrote it\n")
	if len(a.People) > 0 {
		var names strings.Builder
		for _, p := range a.People {
			fmt.Fprintf(&names, "%s (%d), by %s\n", p.Login, p.ID, p.By)
		}
		b.WriteString("\nThey do not approve it.\n\n" + Fence("text", names.String()))
		if len(g.SelfApproval) > 0 {
			b.WriteString("\nThe organisation lets these approve what they wrote (`selfApproval` in pullbook.cue):\n\n" +
				Fence("text", strings.Join(g.SelfApproval, "\n")))
		}
	}
	if a.Unmapped > 0 {
		who := ""
		if len(g.Step.CodeOwners) > 0 {
			who = " by a code owner"
		}
		fmt.Fprintf(&b, "\nLines that are by nobody whom the hub knows: %d. One more approval%s is needed.\n", a.Unmapped, who)
	}
	return b.String()
}
