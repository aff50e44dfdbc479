package cueval

import (
	"strings"
	"testing"

	"github.com/pullbook/pullbook/engine/runbook"
)

// TestSyntax writes what people write who come from other languages, or who forget something: one mistake gives one error, at its
// place.
func TestSyntax(t *testing.T) {
	const good = "title: \"t\"\nsteps: {\n\ta: {\n\t\ttitle: \"A\"\n\t\texec: command: [\"x\", \"y\"]\n\t}\n\tb: {\n\t\tneeds: [\"a\"]\n\t\twhen:  a.status == \"succeeded\"\n\t\texec: command: [\"x\"]\n\t}\n}\n"
	for _, c := range []struct{ old, new, want string }{
		{`"x", "y"`, `"x" "y"`, `5:23: missing ',' in list literal`},
		{`title: "A"`, `title: "A`, `4:10: string literal not terminated`},
		{`title: "A"`, `title "A"`, `4:9: expected label or ':', found "A"; a field is written title: ...`},
		{`title: "A"`, `title = "A"`, `4:9: = gives no field a value; a field is written title: ...`},
		{`title: "A"`, `# A`, `4:3: # begins no comment; a comment begins with //`},
		{`title: "A"`, `title: 'A'`, `4:10: steps.a.title: 'A' is no string; texts stand in double quotes: write "A"`},
		{`title: "A"`, `title: true`, `4:10: steps.a.title: true is no string; write "true"`},
		{`title: "A"`, `title: ["A"]`, `4:10: steps.a.title: a list is no string`},
		{`title: "A"`, `title: strings.ToUpper("a")`, `4:10: steps.a.title: "strings" is not known here; write import "strings" at the top of the file`},
		{`command: ["x", "y"]`, `command ["x", "y"]`, `5:9: there is no : after command; a field is written command: ...`},
		{`command: ["x", "y"]`, `command ["x"]`, `5:9: steps.a.exec: "command" is not known here; a field is written command: ...`},
		{`command: ["x", "y"]`, `command: "x y"`, `5:18: steps.a.exec.command: "x y" is no list; write ["x", "y"]`},
		{`needs: ["a"]`, "needs:\n\t\t\t- a", `9:4: steps.b.needs: - begins no element of a list; a list is written [a, b]`},
		{`needs: ["a"]`, "needs:\n\t\t\t- a\n\t\t\t- a", `9:4: steps.b.needs: - begins no element of a list; a list is written [a, b]`},
		{`== "succeeded"`, `= "succeeded"`, `9:19: missing ',' in struct literal; == compares`},
		{`== "succeeded"`, `== "succeeded" and true`, `9:34: missing ',' in struct literal; write &&`},
		{`a.status == "succeeded"`, `a.staus == "succeeded"`, `9:12: steps.b.when: there is no field "staus" in the step a; did you mean status?`},
		{"[\"x\"]\n\t}\n}", "[\"x\"]\n\t}", `2:8: the brackets that open here are not closed`},
		{"\"y\"]\n\t}", "\"y\"]", `3:5: the brackets that open here are not closed`},
		{"[\"x\"]\n\t}\n}", "[\"x\"]\n\t}\n}\n}", `13:1: } closes nothing`},
		{`"A"`, "\"\xff\"", `4:11: illegal UTF-8 encoding; save the file as UTF-8`},
		{`title: "t"`, "import \"string\"\ntitle: string.ToUpper(\"t\")", `1:8: CUE has no package "string"; did you mean strings?`},
		{"\tb: {", "\ta: {\n\t\tmanual: task: \"x\"\n\t}\n\tb: {", `3:2: steps.a: the step has more than one kind: exec and manual; make a step of each; manual is at runbooks/x.cue:8:3`},
	} {
		text := strings.Replace(good, c.old, c.new, 1)
		var got []string
		for _, p := range Vet(runbook.Source{Runbook: "runbooks/x.cue", Files: map[string][]byte{"runbooks/x.cue": []byte(text)}}) {
			got = append(got, strings.TrimPrefix(p.String(), "runbooks/x.cue:"))
		}
		if len(got) != 1 || !strings.HasPrefix(got[0], c.want) {
			t.Errorf("%s: got %q, want %q", c.new, got, c.want)
		}
	}
}
