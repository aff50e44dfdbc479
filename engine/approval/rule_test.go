package approval

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pullbook/pullbook/engine/runbook"
)

func of(count int, from ...string) runbook.Approval {
	return runbook.Approval{From: from, Count: count}
}
func all(parts ...runbook.Approval) runbook.Approval {
	return runbook.Approval{All: parts}
}
func either(parts ...runbook.Approval) runbook.Approval {
	return runbook.Approval{Any: parts}
}

// member is a person of the given id in teams, whose names are single letters, with a login of their own.
func member(id int64, teams string) Person {
	p := Person{ID: id, Login: fmt.Sprintf("u%d", id), Write: true}
	for _, team := range teams {
		p.Teams = append(p.Teams, "t/"+string(team))
	}
	return p
}

func TestMet(t *testing.T) {
	a, b, c := of(1, "t/a"), of(1, "t/b"), of(2, "t/a")
	cases := []struct {
		name   string
		rule   runbook.Approval
		people []Person
		met    bool
		helps  string // who could help, while it is not met
	}{
		{"nobody", a, nil, false, "t/a"},
		{"one", a, []Person{member(1, "a")}, true, ""},
		{"one person in two teams is one person", all(a, b), []Person{member(1, "ab")}, false, "t/a t/b"},
		{"two people, the first fits both", all(a, b), []Person{member(1, "ab"), member(2, "a")}, true, ""},
		{"two people of one team", all(a, b), []Person{member(1, "a"), member(2, "a")}, false, "t/b"},
		{"the same list twice is two people", all(a, a), []Person{member(1, "a")}, false, "t/a"},
		{"any: the other one", either(all(a, b), c), []Person{member(1, "a"), member(2, "a")}, true, ""},
		{"any: nearer in two ways", either(b, c), []Person{member(1, "a")}, false, "t/b t/a"},
		{"a list and parts", runbook.Approval{From: []string{"t/a"}, Count: 1, All: []runbook.Approval{b}, Any: []runbook.Approval{of(1, "u3"), of(1, "u4")}},
			[]Person{member(1, "a"), member(2, "b"), member(4, "")}, true, ""},
		{"a list and parts, one is missing", runbook.Approval{From: []string{"t/a"}, Count: 1, All: []runbook.Approval{b}, Any: []runbook.Approval{of(1, "u3"), of(1, "u4")}},
			[]Person{member(1, "a"), member(2, "b")}, false, "u3 u4"},
		{"a user who has approved cannot do so again", of(2, "u1", "u2"), []Person{member(1, "")}, false, "u2"},
		{"no rule", runbook.Approval{}, []Person{member(1, "a")}, false, ""},
		{"a part without people", all(a, runbook.Approval{}), []Person{member(1, "a")}, false, ""},
		{"a count of nobody", all(a, runbook.Approval{Count: 1}), []Person{member(1, "a")}, false, ""},
		{"a list without a count", runbook.Approval{From: []string{"t/a"}}, []Person{member(1, "a")}, false, ""},
		{"a count beyond all bounds", all(of(1<<62, "t/a"), of(1<<62, "t/a")), []Person{member(1, "a")}, false, ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if got := Met(c.rule, c.people); got != c.met {
				t.Errorf("met: %t", got)
			}
			if got := strings.Join(Helpers(c.rule, c.people), " "); got != c.helps {
				t.Errorf("%q can help, want %q", got, c.helps)
			}
		})
	}
}

// TestMetIsExact compares with a search through every assignment of people to places, on random rules and people.
func TestMetIsExact(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	met := 0
	for range 4_000 {
		rule := randomRule(random, 3)
		var people []Person
		for id := range int64(random.IntN(6)) {
			people = append(people, member(id+1, []string{"", "a", "b", "c", "ab", "bc", "abc"}[random.IntN(7)]))
		}
		want := bySearch(rule, people)
		if got := Met(rule, people); got != want {
			t.Fatalf("%s by %v: %t, want %t", rule.String(), people, got, want)
		}
		if want {
			met++
		}
		if helpers := Helpers(rule, people); want && len(helpers) > 0 {
			t.Fatalf("%s by %v: it is met, and %v could help", rule.String(), people, helpers)
		}
	}
	if met < 200 {
		t.Errorf("only %d of the rules were met", met)
	}
}

func randomRule(random *rand.Rand, deep int) (rule runbook.Approval) {
	parts := func() (out []runbook.Approval) {
		for range 1 + random.IntN(2) {
			out = append(out, randomRule(random, deep-1))
		}
		return out
	}
	what := random.IntN(4)
	if deep == 1 || what == 0 || what == 3 {
		if rule = of(1+random.IntN(2), []string{"t/a", "t/b", "t/c"}[random.IntN(3)]); random.IntN(4) == 0 {
			rule = of(1, "u1")
		}
	}
	if deep > 1 && (what == 1 || what == 3) {
		rule.All = parts()
	}
	if deep > 1 && what == 2 {
		rule.Any = parts()
	}
	return rule
}

// bySearch asks every way and every order of people on its places.
func bySearch(rule runbook.Approval, people []Person) bool {
	for _, way := range rule.Ways() {
		var places [][]string
		for _, leaf := range way {
			for range leaf.Count {
				places = append(places, leaf.From)
			}
		}
		if seated(places, people) {
			return true
		}
	}
	return false
}

func seated(places [][]string, people []Person) bool {
	if len(places) == 0 {
		return true
	}
	for i, p := range people {
		if Named(p, places[0]) && seated(places[1:], slices.Delete(slices.Clone(people), i, i+1)) {
			return true
		}
	}
	return false
}

// TestVerdictTree holds what a gate with a composite rule says.
func TestVerdictTree(t *testing.T) {
	gate := Gate{Step: "a", Page: "page", Rule: all(of(2, "acme/sre"), either(of(1, "acme/dev"), of(1, "dave")))}
	cases := []struct{ name, reviews, says, helps string }{
		{"nobody", ``, "pending waits for 2 of 2 from acme/sre and 1 of 1 from acme/dev, each another person; the rule is: 2 of acme/sre and (1 of acme/dev or 1 of dave)" +
			" [pending 0 of 2 from acme/sre] [pending 0 of 1 from acme/dev]", "acme/sre acme/dev dave"},
		{"half", "alice ok one\ndave ok one", "pending waits for 1 of 2 from acme/sre, each another person; the rule is: 2 of acme/sre and (1 of acme/dev or 1 of dave)" +
			" [pending 1 of 2 from acme/sre [approved alice approved]] [approved 1 of 1 from dave [approved Dave approved]]", "acme/sre acme/dev"},
		{"whole", "alice ok one\nbob ok one\ngrace ok one", "approved approved by 3 people, and the rule is: 2 of acme/sre and (1 of acme/dev or 1 of dave)" +
			" [approved 2 of 2 from acme/sre [approved alice approved] [approved bob approved]] [approved 1 of 1 from acme/dev [approved grace approved]]", ""},
		{"more than needed", "alice ok one\nbob ok one\ncarol ok one", "pending waits for 1 of 1 from acme/dev, each another person; the rule is: 2 of acme/sre and (1 of acme/dev or 1 of dave)" +
			" [approved 2 of 2 from acme/sre [approved alice approved] [approved bob approved]] [pending 0 of 1 from acme/dev] [approved carol approved, beyond", "acme/dev dave"},
		{"an objection of any of them holds it", "alice ok one\nbob ok one\ndave ok one\ngrace changes one", "pending held: grace requests changes (3 people, and the rule is: 2 of acme/sre and (1 of acme/dev or 1 of dave))", ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got := Evaluate(gate, reviews(t, c.reviews), shownGates())
			if said := bracketed(got.Verdict); !strings.HasPrefix(said, c.says) {
				t.Error(cmp.Diff(c.says, said))
			}
			if helps := strings.Join(got.Helpers, " "); helps != c.helps {
				t.Errorf("%q can help, want %q", helps, c.helps)
			}
		})
	}
}

func bracketed(v Verdict) string {
	s := string(v.Status) + " " + v.Sentence
	for _, c := range v.Children {
		s += " [" + bracketed(c) + "]"
	}
	return s
}
