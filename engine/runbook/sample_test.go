package runbook

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestSample: the alert that is made up is one that the match takes, or there is none.
func TestSample(t *testing.T) {
	is := func(field, op, text string) Constraint {
		return Constraint{Field: field, Want: Condition{Op: op, Text: text}}
	}
	for name, tt := range map[string]struct {
		match []Constraint
		want  map[string]string
	}{
		"nothing is demanded": {nil, nil},
		"a text":              {[]Constraint{is("name", Equals, "Down")}, map[string]string{"name": "Down"}},
		"an expression":       {[]Constraint{is("labels.host", Fits, "^web-[0-9]+$")}, map[string]string{"labels.host": "web-0"}},
		"not a text":          {[]Constraint{is("labels.env", Differs, "prod")}, map[string]string{"labels.env": "prodx"}},
		"twice the same":      {[]Constraint{is("name", Fits, "^D"), is("name", Equals, "Down")}, map[string]string{"name": "Down"}},
		"at odds":             {[]Constraint{is("name", Equals, "Up"), is("name", Equals, "Down")}, nil},
		"not to be known":     {[]Constraint{is("name", "", "")}, nil},
	} {
		got, ok := Sample(tt.match)
		if diff := cmp.Diff(tt.want, got); ok != (tt.want != nil) || ok && diff != "" {
			t.Errorf("%s: %v\n%s", name, ok, diff)
		}
	}
}
