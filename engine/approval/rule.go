package approval

import (
	"slices"
	"strings"

	"github.com/pullbook/pullbook/engine/runbook"
)

// Met reports whether people who have approved meet a rule: there is a way to meet it in which each of them stands for one
// leaf only. Who may approve at all is not looked at here.
func Met(rule runbook.Approval, people []Person) bool {
	return slices.ContainsFunc(rule.Ways(), func(way []runbook.Leaf) bool { return seat(way, people).missing() == 0 })
}

// Voters are the people of some votes.
func Voters(votes []Vote) []Person {
	out := make([]Person, len(votes))
	for i, v := range votes {
		out[i] = v.By
	}
	return out
}

// Helpers lists the users and teams of a rule who could bring it nearer to being met, when the given people have approved:
// the approval of one more person whom the rule names so would count in some way to meet it.
func Helpers(rule runbook.Approval, people []Person) []string {
	ways := rule.Ways()
	before := make([]int, len(ways))
	for i, way := range ways {
		if before[i] = seat(way, people).missing(); before[i] == 0 {
			return nil
		}
	}
	var out []string
	for _, who := range rule.People() {
		if !strings.Contains(who, "/") && slices.ContainsFunc(people, func(p Person) bool { return SameName(p.Login, who) }) {
			continue
		}
		one := append(slices.Clip(people), stranger(who))
		for i, way := range ways {
			if seat(way, one).missing() < before[i] {
				out = append(out, who)
				break
			}
		}
	}
	return out
}

// stranger is somebody of whom only one thing is known: that they are that user, or in that team.
func stranger(who string) Person {
	if strings.Contains(who, "/") {
		return Person{Teams: []string{who}}
	}
	return Person{Login: who}
}

// seating is people on the places of one way: as many as can be, each on one.
type seating struct {
	way    []runbook.Leaf
	people []Person
	places []place
}

// place is one of the people that a leaf asks for.
type place struct {
	leaf   int // index of the way
	person int // index of the people, -1: free
}

// seat fills the places of a way with augmenting paths, in the order of leaves and people.
func seat(way []runbook.Leaf, people []Person) seating {
	s := seating{way: way, people: people}
	for i, leaf := range way {
		for range min(leaf.Count, len(people)+1) { // one more than there are people is as far from being filled as many more
			s.places = append(s.places, place{leaf: i, person: -1})
		}
	}
	for i := range s.places {
		s.fill(i, make([]bool, len(people)))
	}
	return s
}

// fill finds somebody for a place, who may have to leave it to another by finding a place elsewhere.
func (s *seating) fill(at int, tried []bool) bool {
	for i, p := range s.people {
		if tried[i] || !Named(p, s.way[s.places[at].leaf].From) {
			continue
		}
		tried[i] = true
		sits := slices.IndexFunc(s.places, func(x place) bool { return x.person == i })
		if sits < 0 || s.fill(sits, tried) {
			s.places[at].person = i
			return true
		}
	}
	return false
}

// missing is how many people are still needed.
func (s seating) missing() int {
	need := -len(s.places)
	for _, leaf := range s.way {
		need += leaf.Count
	}
	for _, p := range s.places {
		if p.person < 0 {
			need++
		}
	}
	return need
}

// on are the people who stand for one leaf, in the order in which they were given.
func (s seating) on(leaf int) (out []Person) {
	for i, who := range s.people {
		if slices.Contains(s.places, place{leaf: leaf, person: i}) {
			out = append(out, who)
		}
	}
	return out
}

// nearest is the way that needs the fewest people more; ok is false for a rule that nobody can meet.
func nearest(rule runbook.Approval, people []Person) (best seating, ok bool) {
	for _, way := range rule.Ways() {
		if s := seat(way, people); !ok || s.missing() < best.missing() {
			best, ok = s, true
		}
	}
	return best, ok
}
