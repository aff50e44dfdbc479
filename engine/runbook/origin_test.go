package runbook

import (
	"slices"
	"strings"
	"testing"
)

const originText = `title: "T"
_drain: {
	command: ["drain", "--now"]
}
_wait: "1m"
steps: {
	a: {
		title: "a"
		exec: command: ["true"]
	}
	b: title: "b"
}
`

// TestSince: a step keeps the lines by which it was made at first, and gets those of whatever was there before and an edit makes
// it of. What the edit itself wrote has no lines: who wrote the edit is barred by that.
func TestSince(t *testing.T) {
	const file = "t.cue"
	one := func(from, to int) []Lines { return []Lines{{file, from, to}} }
	first := Plan{Steps: []Step{{Name: "a", Lines: one(7, 10)}, {Name: "b", Lines: one(11, 11)}}}
	for name, c := range map[string]struct {
		change []string // of the text
		steps  []Step
		want   map[string][]Lines
	}{
		"nothing": {nil, first.Steps, map[string][]Lines{"a": one(7, 10), "b": one(11, 11)}},
		"all further down": {[]string{"title: \"T\"\n", "title: \"T\"\n// New.\n\n"},
			[]Step{{Name: "a", Lines: one(9, 12)}, {Name: "b", Lines: one(13, 13)}}, map[string][]Lines{"a": one(7, 10), "b": one(11, 11)}},
		"a helper that was there": {[]string{`exec: command: ["true"]`, "exec: _drain"},
			[]Step{{Name: "a", Lines: []Lines{{file, 2, 4}, {file, 7, 10}}}, {Name: "b", Lines: one(11, 11)}},
			map[string][]Lines{"a": {{file, 2, 3}, {file, 7, 10}}, "b": one(11, 11)}},
		"a helper that was moved and indented": {[]string{"_drain: {\n\tcommand: [\"drain\", \"--now\"]\n}\n", "", "\t\texec: command: [\"true\"]\n", "\t\texec: _drain\n",
			"\tb: title: \"b\"\n", "\tb: title: \"b\"\n\t\t_drain: {\n\t\t\tcommand: [\"drain\", \"--now\"]\n\t\t}\n"},
			[]Step{{Name: "a", Lines: []Lines{{file, 4, 7}, {file, 9, 11}}}, {Name: "b", Lines: one(8, 8)}},
			map[string][]Lines{"a": {{file, 2, 3}, {file, 7, 10}}, "b": one(11, 11)}},
		"a helper that the edit wrote": {[]string{"_wait:", "_more: \"x\"\n_wait:", `title: "a"`, "title: _more"},
			[]Step{{Name: "a", Lines: []Lines{{file, 5, 5}, {file, 8, 11}}}, {Name: "b", Lines: one(12, 12)}},
			map[string][]Lines{"a": one(7, 10), "b": one(11, 11)}},
		"a new step of an old helper": {[]string{"\tb: title", "\tc: exec: _drain\n\tb: title"},
			[]Step{{Name: "a", Lines: one(7, 10)}, {Name: "c", Lines: []Lines{{file, 2, 4}, {file, 11, 11}}}, {Name: "b", Lines: one(12, 12)}},
			map[string][]Lines{"a": one(7, 10), "b": one(11, 11), "c": one(2, 3)}},
		"a new step of nothing old": {[]string{"\tb: title", "\tc: title: \"c\"\n\tb: title"},
			[]Step{{Name: "a", Lines: one(7, 10)}, {Name: "c", Lines: one(11, 11)}, {Name: "b", Lines: one(12, 12)}},
			map[string][]Lines{"a": one(7, 10), "b": one(11, 11), "c": one(1, 0)}},
	} {
		t.Run(name, func(t *testing.T) {
			before, after := map[string][]byte{file: []byte(originText)}, map[string][]byte{file: []byte(strings.NewReplacer(c.change...).Replace(originText))}
			now := Plan{Steps: slices.Clone(c.steps)}
			for _, s := range now.Since(first, before, after).Steps {
				if !slices.Equal(s.Lines, c.want[s.Name]) {
					t.Errorf("%s is made of %v, want %v", s.Name, s.Lines, c.want[s.Name])
				}
			}
			if !slices.EqualFunc(now.Steps, c.steps, func(a, b Step) bool { return slices.Equal(a.Lines, b.Lines) }) {
				t.Error("it has changed the plan that it was given")
			}
		})
	}
	if a := AuthorsOf(one(1, 0), []Blame{{Lines: Lines{file, 1, 99}, Authors: []Author{{ID: 7}}}}); len(a.People) != 0 || a.Unmapped != 0 {
		t.Errorf("somebody wrote lines that are not in the file: %+v", a)
	}
	if code := (Step{Lines: []Lines{{file, 1, 0}, {"u.cue", 1, 0}}}).Code(); !slices.Equal(code, []string{file, "u.cue"}) {
		t.Errorf("its files are %v", code)
	}
}
