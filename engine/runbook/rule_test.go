package runbook

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestRule(t *testing.T) {
	leaf := func(n int, from ...string) Approval { return Approval{From: from, Count: n} }
	wide := Approval{}
	for range 15 {
		wide.All = append(wide.All, Approval{Any: []Approval{leaf(1, "a"), leaf(1, "b")}})
	}
	cases := []struct {
		rule          Approval
		words         string
		ways          string
		people        []string
		leaves, depth int
	}{
		{leaf(2, "acme/sre", "bob"), "2 of acme/sre, bob", "[[2 of acme/sre, bob]]", []string{"acme/sre", "bob"}, 1, 1},
		{Approval{From: []string{"a"}, Count: 1, Within: time.Minute, All: []Approval{leaf(1, "b"), leaf(2, "A", "c")}, Any: []Approval{leaf(1, "d"), leaf(1, "e")}},
			"1 of a and 1 of b and 2 of A, c and (1 of d or 1 of e) within 1m", "[[1 of a 1 of b 2 of A, c 1 of d] [1 of a 1 of b 2 of A, c 1 of e]]",
			[]string{"a", "b", "c", "d", "e"}, 5, 2},
		{Approval{Any: []Approval{{All: []Approval{leaf(1, "a"), leaf(1, "b")}}, leaf(1, "c")}}, "(1 of a and 1 of b) or 1 of c", "[[1 of a 1 of b] [1 of c]]",
			[]string{"a", "b", "c"}, 3, 3},
		{Approval{Any: []Approval{leaf(1, "a")}}, "1 of a", "[[1 of a]]", []string{"a"}, 1, 2},
		{Approval{}, "nobody", "[]", nil, 0, 1},
		{leaf(0, "a"), "0 of a", "[]", []string{"a"}, 1, 1},
	}
	for _, c := range cases {
		if got := c.rule.String(); got != c.words {
			t.Errorf("%q, want %q", got, c.words)
		}
		if got := fmt.Sprint(c.rule.Ways()); got != c.ways {
			t.Errorf("%s: ways %s, want %s", c.words, got, c.ways)
		}
		if d := cmp.Diff(c.people, c.rule.People()); d != "" {
			t.Errorf("%s: %s", c.words, d)
		}
		if c.rule.Leaves() != c.leaves || c.rule.Depth() != c.depth {
			t.Errorf("%s: %d leaves, %d deep", c.words, c.rule.Leaves(), c.rule.Depth())
		}
	}
	if ways := wide.Ways(); len(ways) != 0 {
		t.Errorf("a rule that nobody can see through has %d ways", len(ways))
	}
}
