package approval

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCommands(t *testing.T) {
	cases := map[string][]Said{
		"":                                  nil,
		"/approve":                          nil,
		"/approve a":                        {{Step: "a"}},
		"/approve   a  \r\n":                {{Step: "a"}},
		"/approve a and b":                  {{Step: "a", Why: "and b"}},
		"/reject a too risky now":           {{Step: "a", Reject: true, Why: "too risky now"}},
		"/approved a":                       nil,
		"/Approve a":                        nil,
		"please /approve a":                 nil,
		"/approve a\n/reject b\n/approve c": {{Step: "a"}, {Step: "b", Reject: true}, {Step: "c"}},
		"/ack\n/approve a":                  {{Step: "a"}},
		"/skip a not needed":                {{Step: "a", Verb: VerbSkip, Why: "not needed"}},
		"/did-it-by-hand a at the console":  {{Step: "a", Verb: VerbByHand, Why: "at the console"}},
		"/skip":                             nil,
	}
	for body, want := range cases {
		if d := cmp.Diff(want, Commands(body)); d != "" {
			t.Errorf("%q: %s", body, d)
		}
	}
}
