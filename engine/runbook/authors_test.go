package runbook

import (
	"reflect"
	"strings"
	"testing"
)

func TestAuthorsOf(t *testing.T) {
	alice, bob := Author{ID: 1, Login: "alice", By: "commit 1"}, Author{ID: 2, Login: "bob", By: "pull request 7"}
	at := func(from, to int, unmapped bool, who ...Author) Blame {
		return Blame{Lines: Lines{File: "a.cue", From: from, To: to}, Authors: who, Unmapped: unmapped}
	}
	blame := []Blame{at(1, 3, false, bob), at(4, 4, false, alice, bob), at(5, 6, true, alice), at(9, 9, false)}
	for _, c := range []struct {
		name  string
		lines []Lines
		want  Authorship
	}{
		{"one author", []Lines{{"a.cue", 1, 2}}, Authorship{People: []Author{bob}}},
		{"both, each once", []Lines{{"a.cue", 2, 4}}, Authorship{People: []Author{alice, bob}}},
		{"two ranges", []Lines{{"a.cue", 1, 1}, {"a.cue", 6, 6}}, Authorship{People: []Author{alice, bob}, Unmapped: 1}},
		{"nobody was named", []Lines{{"a.cue", 7, 9}}, Authorship{Unmapped: 3}},
		{"another file", []Lines{{"b.cue", 1, 1}}, Authorship{Unmapped: 1}},
		{"no lines", nil, Authorship{}},
	} {
		if got := AuthorsOf(c.lines, blame); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
		}
	}
}

func TestUnknownAuthorsAskForOneMore(t *testing.T) {
	rule := Approval{From: []string{"acme/sre"}, Count: 2, Any: []Approval{{From: []string{"alice"}, Count: 1}, {From: []string{"bob"}, Count: 1}}, Within: 5}
	for _, a := range []*Authorship{nil, {}, {People: []Author{{ID: 1}}}} {
		if got := a.Rule(rule, nil); !reflect.DeepEqual(got, rule) {
			t.Errorf("%+v changes the rule: %s", a, got.String())
		}
	}
	got := (&Authorship{Unmapped: 3}).Rule(rule, nil)
	if got.Least() != rule.Least()+1 || got.Within != rule.Within || got.All[0].Within != 0 {
		t.Errorf("%s takes %d people, and %s %d", got.String(), got.Least(), rule.String(), rule.Least())
	}
	if !reflect.DeepEqual(got.People(), rule.People()) {
		t.Errorf("the one more is not of the rule: %v", got.People())
	}
}

func TestThePageSaysWhoWroteTheStep(t *testing.T) {
	g := Gate{Step: Step{Name: "a", Approval: &Approval{From: []string{"acme/sre"}, Count: 1}}}
	bare := string(g.Page())
	g.Authors = &Authorship{}
	if !strings.Contains(bare, "# Gate") || strings.Contains(string(g.Page()), "## Who wrote it") {
		t.Error("a page speaks of authors, and there are none")
	}
	g.Authors = &Authorship{People: []Author{{ID: 7, Login: "alice", By: "pull request 12"}}, Unmapped: 2}
	g.SelfApproval = []string{"acme/leads"}
	page := string(g.Page())
	for _, part := range []string{"alice (7), by pull request 12", "do not approve it", "acme/leads", "selfApproval", "by nobody whom the hub knows: 2"} {
		if !strings.Contains(page, part) {
			t.Errorf("the page does not say %q:\n%s", part, page)
		}
	}
}
