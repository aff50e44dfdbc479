package incident

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/pullbook/pullbook/engine/approval"
	"github.com/pullbook/pullbook/engine/runbook"
)

func TestValues(t *testing.T) {
	cases := map[string]string{
		``:                                    `{}`,
		`version=1.4.1`:                       `{"version":"1.4.1"}`,
		`n=3 ok=true  note="all  ok, \"so\""`: `{"n":"3","ok":"true","note":"all  ok, \"so\""}`,
		`hosts=["a","b"] n=1`:                 `{"hosts":["a","b"],"n":"1"}`,
		`hosts=["a, b", "c"]`:                 `{"hosts":["a, b", "c"]}`,
		`of={"a":1}`:                          `{"of":{"a":1}}`,
		`empty=`:                              `{"empty":""}`,
		`url=https://x/?a=1&b=2`:              `{"url":"https://x/?a=1\u0026b=2"}`,
		`accent=é`:                            `{"accent":"é"}`,
	}
	for words, want := range cases {
		got, problem := Values(words)
		if problem != "" || string(got) != want || !json.Valid(got) {
			t.Errorf("%s: %s, %s; want %s", words, got, problem, want)
		}
	}
	wrong := map[string]string{
		`done`: "key=value", `all ok`: "key=value", `a-b=1`: "key=value", `=1`: "key=value", `1a=1`: "key=value", `ключ=1`: "key=value",
		`a="x`: "is not closed", `a=[1`: "is not closed", `a="x"y`: "without a space", `a=[1]]`: "without a space",
		`a=1 a=2`: "given twice", strings.Repeat("k", 61) + "=1": "key=value",
	}
	for words, want := range wrong {
		if got, problem := Values(words); got != nil || !strings.Contains(problem, want) {
			t.Errorf("%s: %s, %q; want %s", words, got, problem, want)
		}
	}
	var many []string
	for i := range mostValues + 1 {
		many = append(many, "k"+strings.Repeat("x", i)+"=1")
	}
	if _, problem := Values(strings.Join(many, " ")); !strings.Contains(problem, "more than 50") {
		t.Errorf("%d values are taken: %q", len(many), problem)
	}
}

// TestNothingIsLookedUpForStrangers: of people who may not command only the first comment is answered, so what is worked out for the
// others would be worked out at each look, for ever.
func TestNothingIsLookedUpForStrangers(t *testing.T) {
	plan := runbook.Plan{Command: []string{"alice"}, Steps: []runbook.Step{{Name: "a", Kind: runbook.KindManual, HasOutput: true}}}
	s := State{Steps: map[string]*StepState{"a": {Phase: PhaseStarted, Kind: runbook.KindManual}}}
	for login, listed := range map[string]bool{"alice": true, "bob": false, "mallory": false} {
		by := approval.Person{ID: 1, Login: login, Write: login != "mallory"}
		comments := []Comment{{ID: 1, By: by, Body: "/done a n=1"}, {ID: 2, By: by, Body: "/reopen"}}
		if got := len(s.Unchecked(plan, comments)) == 1; got != listed {
			t.Errorf("the values that %s gives are checked: %t", login, got)
		}
		if got := s.AskedToReopen(comments); got != by.Write {
			t.Errorf("%s asks to reopen, and it is looked up: %t", login, got)
		}
	}
}

// FuzzValues: whatever the words are, what comes back is JSON, and nothing of them is in the answer but a plain key.
func FuzzValues(f *testing.F) {
	f.Add(`a=1 b="x" c=[1,"2"]`)
	f.Add(`a={"b":[`)
	f.Fuzz(func(t *testing.T, words string) {
		got, problem := Values(words)
		if problem == "" && !json.Valid(got) {
			t.Errorf("%q: %s is no JSON", words, got)
		}
		if strings.ContainsAny(problem, "@[]<>\n\x00\x1b") {
			t.Errorf("%q: foreign text in %q", words, problem)
		}
	})
}

func TestAssignees(t *testing.T) {
	got := Assignees([]string{"/assign a @Alice", "/assign b @alice\n/assign c @bob-b", "/assign a alice", "/assign a @аlice", "/note @carol", "`/assign a @dora`", "/assign a @x y"})
	if want := []string{"alice", "bob-b"}; !slices.Equal(got, want) {
		t.Errorf("%q are named, want %q", got, want)
	}
}
