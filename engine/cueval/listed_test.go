package cueval

import (
	"bytes"
	"encoding/json"
	"fmt"
	"testing"

	"cuelang.org/go/cue/cuecontext"
	"github.com/google/go-cmp/cmp"

	"github.com/pullbook/pullbook/engine/runbook"
)

// TestFieldsByName: the text names all fields of a kind only where nothing else can give it any. What a step runs has them either
// way.
func TestFieldsByName(t *testing.T) {
	const plain = `exec: {command: ["a"], env: X: "1"}`
	for _, c := range []struct{ step, more, policy, names string }{
		{plain, "", "", "[command env]"},
		{`exec: command: ["a"], exec: env: X: "1"`, "", "", "[command env]"},
		{`exec: {command: ["a"], stdin?: string, env: X: "1"}`, "", "", "[command env]"},
		{plain, `steps: a: exec: stdin: "y"`, "", "[command env stdin]"},
		{plain, "", `title?: string`, "[command env]"},
		{plain, "", `exec?: {command?: [...string], stdin: "y", ...}`, ""},
		{`_base & {exec: env: X: "1"}`, `_base: exec: command: ["a"]`, "", ""},
		{`{_base, exec: env: X: "1"}`, `_base: exec: command: ["a"]`, "", ""},
		{`exec: {command: ["a"], if true {env: X: "1"}}`, "", "", ""},
		{`exec: _what`, `_what: {command: ["a"], env: X: "1"}`, "", ""},
		{plain, `steps: [string]: exec: stdin: "y"`, "", ""},
	} {
		organisation := ""
		if c.policy != "" {
			organisation = fmt.Sprintf("policy: steps: [_]: {%s, ...}", c.policy)
		}
		name := fmt.Sprintf("%s, %s, %s", c.step, c.more, c.policy)
		d, plan := readAgain(t, fmt.Sprintf("steps: a: {%s}\n%s", c.step, c.more), organisation)
		got := ""
		if names, all := d.namesOf(plan.Steps[0]); all {
			got = fmt.Sprint(names)
		}
		if got != c.names {
			t.Errorf("%s: names %s, not %s", name, got, c.names)
		}
		plan, err := resolve(runbook.Query{Source: d.source}, &plan)
		if err != nil {
			t.Fatal(err)
		}
		var says struct {
			Command []string
			Env     struct{ X string }
		}
		if run := plan.Steps[0].Now.Work.Run; json.Unmarshal(run, &says) != nil || len(says.Command) != 1 || says.Env.X != "1" {
			t.Errorf("%s: runs %s, %s", name, run, plan.Steps[0].Now.Problem)
		}
	}
}

// readAgain reads a runbook of which the plan is known.
func readAgain(t *testing.T, steps, organisation string) (*document, runbook.Plan) {
	t.Helper()
	src := runbook.Source{Runbook: "runbooks/x.cue", Files: map[string][]byte{"runbooks/x.cue": fmt.Appendf(nil, "title: \"t\"\n%s\n", steps)}}
	if organisation != "" {
		src.Files[organisationFile] = []byte(organisation + "\n")
	}
	_, made, ps := load(src)
	if len(ps) > 0 {
		t.Fatalf("%s, %s: %v", steps, organisation, ps)
	}
	d, plan, err := planned(src, &made)
	if err != nil {
		t.Fatal(err)
	}
	return d, plan
}

// TestData: a value is the same data as CUE's own JSON of it.
func TestData(t *testing.T) {
	for _, text := range []string{`"a\u2028<&>\t"`, `*"b" | string`, `true`, `null`, `1`, `1.50`, `1e400`, `12345678901234567890123`, `-0.0`, `'\x00\xff'`,
		`[]`, `[1, "a", [null], {b: 2}]`, `{}`, `{b: 1, a: {"x-y": [true]}, _h: 1, #d: 2, o?: 3}`, `{"s", #p: 1}`, `*[1] | [2]`, `*{a: 1} | {a: 2}`, `[*"a" | "b"]`, `3 & int`} {
		v := cuecontext.New().CompileString(text)
		got, err := dataOf(v)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		written, err := v.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		dec := json.NewDecoder(bytes.NewReader(written))
		dec.UseNumber()
		var want any
		if err := dec.Decode(&want); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s: %s", text, d)
		}
	}
	if _, err := dataOf(cuecontext.New().CompileString(`{a: [string]}`)); err == nil {
		t.Error("what is not known is taken for data")
	}
}
