package approval

import (
	"fmt"
	"slices"
	"strings"
)

// stranded says why too few are left who could meet the rule of a gate that is not met, and nothing if it could be met, or if
// nobody knows who is in one of its teams. Users who are named count as being there unless they may not vote, and so do members who may
// turn out to have no write permission.
func (t *tally) stranded(d Decision) string {
	people := Voters(d.Votes)
	if Met(t.gate.Rule, people) {
		return ""
	}
	var barred []string
	members, counts, known := t.membership()
	if !known {
		return ""
	}
	for _, who := range t.gate.Rule.People() {
		if strings.Contains(who, "/") || Named(Person{Login: who}, logins(d.Votes)) {
			continue
		}
		named := Person{Login: who}
		if id := t.gate.Logins[strings.ToLower(who)]; id != 0 { // of a team as well, or of those who may not
			if named.ID, named.Teams = id, members[id]; len(t.able([]int64{id})) == 0 {
				barred = append(barred, who)
				continue
			}
			delete(members, id)
		}
		people = append(people, named)
	}
	for _, v := range d.Votes {
		delete(members, v.By.ID)
	}
	for id, teams := range members {
		people = append(people, Person{ID: id, Teams: teams})
	}
	if counts == "" && len(barred) > 0 {
		counts = strings.Join(barred, ", ") + " may not"
	}
	if near, ok := nearest(t.gate.Rule, people); !ok || near.missing() == 0 || counts == "" {
		return ""
	}
	return "too few are left who may approve it (" + counts + ")"
}

// membership is of which teams of the rule each person is who may vote, and how many there are of each team and, where some are in
// several, of all; known is false if nobody knows who is in one of them.
func (t *tally) membership() (members map[int64][]string, counts string, known bool) {
	members = map[int64][]string{}
	var each []string
	sum := 0
	for _, who := range t.gate.Rule.People() {
		if !strings.Contains(who, "/") {
			continue
		}
		ids, known := t.membersOf(who)
		if !known {
			return nil, "", false
		}
		able := t.able(ids)
		for _, id := range able {
			members[id] = append(members[id], who)
		}
		each, sum = append(each, fmt.Sprintf("%s: %d", who, len(able))), sum+len(able)
	}
	counts = strings.Join(each, ", ")
	if len(members) < sum {
		counts += fmt.Sprintf("; people in all: %d", len(members))
	}
	return members, counts, true
}

// membersOf are the members of a team, whose name counts in any case of letters.
func (t *tally) membersOf(team string) (ids []int64, known bool) {
	for name, members := range t.gate.Teams {
		if SameName(name, team) {
			ids, known = append(slices.Clip(ids), members...), true
		}
	}
	return ids, known
}

// able are those of some people who may vote on the gate, as far as that is known without having heard of them.
func (t *tally) able(ids []int64) []int64 {
	return slices.DeleteFunc(slices.Clone(ids), func(id int64) bool {
		return t.gate.Excluded[id] != "" || t.gate.Wrote[id] && len(t.gate.May) == 0
	})
}

// useful leaves of users and teams those of whom somebody can still vote, as far as that is known.
func (t *tally) useful(who []string, votes []Vote) []string {
	return slices.DeleteFunc(who, func(team string) bool {
		ids, known := t.membersOf(team)
		voted := func(id int64) bool { return slices.ContainsFunc(votes, func(v Vote) bool { return v.By.ID == id }) }
		return known && len(slices.DeleteFunc(t.able(ids), voted)) == 0
	})
}

func logins(votes []Vote) (out []string) {
	for _, v := range votes {
		out = append(out, v.By.Login)
	}
	return out
}
