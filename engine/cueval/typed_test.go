package cueval

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pullbook/pullbook/engine/runbook"
)

// TestOutputsOfATypeAlone checks outputs against types of many forms, by the type alone and with the whole runbook: what the first one
// takes the second one takes, as the same bytes, and where nothing else has a part in a type the first one takes all that is right.
func TestOutputsOfATypeAlone(t *testing.T) {
	types := []string{"n: int", "n: number & >3", "n?: int", "n: string | int", `n: "a" | *"b"`, "l: [...string]", "l: [string, int]", "s: {a: int, b?: string}", "s: {a: int, ...}",
		"[string]: {ok: bool}", `[=~"^x"]: int`, "n: int, ...", "n: _", "n: >=0 & <=100 | *7", "n: bool", "n: null | string"}
	outputs := []string{`{"n": 4}`, `{"n": 4.0}`, `{"n": -1}`, `{"n": 1e3}`, `{"n": "a"}`, `{"n": "b", "more": 1}`, `{}`, `{"l": []}`, `{"l": ["a", 1]}`, `{"l": ["a", "b"]}`, `{"s": {"a": 1}}`,
		`{"s": {"a": 1, "b": "x", "c": 2}}`, `{"s": {"a": "x"}}`, `{"web-1": {"ok": true}}`, `{"x1": 3}`, `{"x1": "3"}`, `{"n": true}`, `{"n": null}`, `{"n": {"deep": [1, {"a": 2}]}}`, `[]`, `{"n": 4`}
	var b strings.Builder
	b.WriteString("title: \"t\"\nalert: _\n_bound: int & <50\nsteps: {\n")
	for i, typ := range types {
		fmt.Fprintf(&b, "\ts%d: {risk: \"read\", exec: command: [\"x\"], output: {%s}}\n", i, typ)
	}
	b.WriteString("\ttied: {risk: \"read\", exec: command: [\"x\"], output: {n: _bound}}\n}\n")
	src := runbook.Source{Runbook: "runbooks/x.cue", Files: map[string][]byte{"runbooks/x.cue": []byte(b.String())}}
	_, plan, ps := load(src)
	if len(ps) > 0 {
		t.Fatal(ps)
	}
	lasting, q := &texts{lasting: true}, runbook.Query{Source: src, Alert: []byte(checkoutAlert)}
	for _, s := range plan.Steps {
		for _, text := range outputs {
			d, _, err := lasting.planned(src, &plan)
			if err != nil {
				t.Fatal(err)
			}
			got, taken := d.ofType(s, []byte(text))
			want, err := d.outputIn(plan, q, s.Name, []byte(text))
			if taken != (err == nil && s.Name != "tied") {
				t.Errorf("%s, %s: taken by its type alone: %t, otherwise: %v", s.Name, text, taken, err)
			}
			if taken {
				if d := cmp.Diff(string(want), string(got)); d != "" {
					t.Errorf("%s, %s: %s", s.Name, text, d)
				}
			}
		}
	}
	if len(lasting.books) != 1 || len(lasting.books[0].doc.settled) != len(types) {
		t.Errorf("the types of %d steps are kept, of %d", len(lasting.books[0].doc.settled), len(types))
	}
}
