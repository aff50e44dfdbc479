package approval

import (
	"testing"

	"github.com/pullbook/pullbook/engine/runbook"
)

// TestNobodyIsCountedTwice: whoever is in two teams, or is named and in a team, can approve once, and so is one of those who are
// left. People are u1, u2 and so on; the members of a team are their numbers.
func TestNobodyIsCountedTwice(t *testing.T) {
	a, b := of(1, "t/a"), of(1, "t/b")
	cases := []struct {
		name     string
		rule     runbook.Approval
		teams    map[string][]int64
		excluded int64
		voted    []Person
		want     string // of the people who are left, after "too few are left who may approve it"; empty: enough
	}{
		{"two teams, two people", all(a, b), map[string][]int64{"t/a": {1}, "t/b": {2}}, 0, nil, ""},
		{"two teams, one person", all(a, b), map[string][]int64{"t/a": {1}, "t/b": {1}}, 0, nil, "t/a: 1, t/b: 1; people in all: 1"},
		{"two teams, one person, who voted", all(a, b), map[string][]int64{"t/a": {1}, "t/b": {1}}, 0, []Person{member(1, "ab")}, "t/a: 1, t/b: 1; people in all: 1"},
		{"one of them has two more", all(a, b), map[string][]int64{"t/a": {1}, "t/b": {1, 2}}, 0, nil, ""},
		{"named, and in the team", of(2, "u1", "t/a"), map[string][]int64{"t/a": {1}}, 0, nil, "t/a: 1"},
		{"named in other letters", of(2, "U1", "t/a"), map[string][]int64{"t/a": {1}}, 0, nil, "t/a: 1"},
		{"named, and another one in the team", of(2, "u1", "t/a"), map[string][]int64{"t/a": {2}}, 0, nil, ""},
		{"named, in the team, and a colleague", of(2, "u1", "t/a"), map[string][]int64{"t/a": {1, 2}}, 0, nil, ""},
		{"named, in the team, and the colleague may not", of(2, "u1", "t/a"), map[string][]int64{"t/a": {1, 2}}, 2, nil, "t/a: 1"},
		{"named and in the team, and may not", of(1, "u1", "t/a"), map[string][]int64{"t/a": {1}}, 1, nil, "t/a: 0"},
		{"named for one place and in the team for another", all(of(1, "u1"), a), map[string][]int64{"t/a": {1}}, 0, nil, "t/a: 1"},
		{"named alone, and may not", of(1, "u1"), nil, 1, nil, "u1 may not"},
		{"named with another one, who may", of(1, "u1", "u2"), nil, 1, nil, ""},
		{"both are wanted, and one may not", of(2, "u1", "U2"), nil, 2, nil, "U2 may not"},
		{"named, and has voted", of(2, "u1", "t/a"), map[string][]int64{"t/a": {1}}, 0, []Person{member(1, "a")}, "t/a: 1"},
		{"of a team nobody knows who is in it", all(a, b), map[string][]int64{"t/a": {1}}, 0, nil, ""},
	}
	for _, c := range cases {
		g := Gate{Step: "a", Page: "page", Rule: c.rule, Teams: c.teams, Excluded: map[int64]string{c.excluded: "wrote it"},
			Logins: map[string]int64{"u1": 1, "u2": 2}}
		var said []Review
		for i, p := range c.voted {
			said = append(said, Review{ID: int64(i + 1), By: p, State: Approved, Commit: "one"})
		}
		want := ""
		if c.want != "" {
			want = "too few are left who may approve it (" + c.want + ")"
		}
		if got := Evaluate(g, said, shownGates()).Stranded; got != want {
			t.Errorf("%s: %q, want %q", c.name, got, want)
		}
	}
}
