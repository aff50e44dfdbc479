package cueval

import (
	"fmt"
	"testing"

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/cuecontext"
	"cuelang.org/go/cue/format"

	"github.com/pullbook/pullbook/engine/runbook"
)

// TestNeededTypes takes the part of the schema that plans need: what it has says the same as in the whole one, and what it lacks
// are other kinds and what only pullbook.cue says. The schema that is kept stays whole.
func TestNeededTypes(t *testing.T) {
	read := (&texts{}).schema(nil)
	whole, _ := read.types(cuecontext.New())
	before, err := format.Node(read.file)
	if err != nil {
		t.Fatal(err)
	}
	for _, organised := range []bool{false, true} {
		lib := newLibrary(runbook.Source{})
		if organised {
			lib.files[organisationFile] = nil
		}
		plan := &runbook.Plan{Steps: []runbook.Step{{Kind: runbook.KindProbe}, {Kind: runbook.KindWait}}}
		types, ps := read.typesFor(cuecontext.New(), plan, lib)
		if len(ps) > 0 {
			t.Fatal(ps)
		}
		if got := types.LookupPath(cue.MakePath(cue.Def("#Organisation"))).Exists(); got != organised {
			t.Errorf("with pullbook.cue %v: it can say something: %v", organised, got)
		}
		var kinds []runbook.Kind
		for _, k := range read.kindsOf(types) {
			kinds = append(kinds, k.name)
		}
		if fmt.Sprint(kinds) != "[probe wait]" {
			t.Errorf("kinds %v", kinds)
		}
		it, err := types.Fields(cue.Definitions(true))
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for it.Next() {
			at := it.Selector()
			if at.String() == workName {
				continue
			}
			n++
			if got, want := syntaxOf(t, it.Value()), syntaxOf(t, whole.LookupPath(cue.MakePath(at))); got != want {
				t.Errorf("%s is %s, not %s", at, got, want)
			}
		}
		if n < 10 {
			t.Errorf("%d definitions", n)
		}
	}
	if after, err := format.Node(read.file); err != nil || string(after) != string(before) {
		t.Errorf("the schema was changed: %v", err)
	}
	if got := len(read.kindsOf(whole)); got != len(schemaKinds()) {
		t.Errorf("the schema has %d kinds afterwards", got)
	}
}

// TestPolicyOfOtherKinds resolves a plan whose policy has rules for kinds that it has no step of, however their names are spelt.
func TestPolicyOfOtherKinds(t *testing.T) {
	for _, notify := range []string{"notify", `"notify"`, `"\u006eotify"`, `"\U0000006eotify"`} {
		src := runbook.Source{Runbook: "runbooks/x.cue", Files: map[string][]byte{
			organisationFile: fmt.Appendf(nil, "policy: steps: [string]: {timeout?: string, %s?: text?: string, ticket?: _}\n", notify),
			"runbooks/x.cue": []byte("title: \"t\"\nsteps: look: manual: task: \"look\"\n"),
		}}
		_, plan, ps := load(src)
		if len(ps) > 0 {
			t.Fatal(ps)
		}
		if got, err := resolve(runbook.Query{Source: src}, &plan); err != nil || len(got.Steps) != 1 {
			t.Errorf("%s: %v %v", notify, got, err)
		}
	}
}

// syntaxOf prints a definition as its author wrote it.
func syntaxOf(t *testing.T, v cue.Value) string {
	t.Helper()
	text, err := format.Node(v.Syntax(cue.Raw()))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
