package cueval

import (
	"testing"
	"time"

	"cuelang.org/go/cue/cuecontext"

	"github.com/pullbook/pullbook/engine/runbook"
	"github.com/pullbook/pullbook/schema"
)

// schemaKinds are the kinds of the schema.
func schemaKinds() []kind {
	return (&schemaText{}).kindsOf(cuecontext.New().CompileBytes(schema.Runbook()))
}

// TestKindsAreWhole: a misspelled attribute of the schema would be a kind without a risk, a bound or a pin.
func TestKindsAreWhole(t *testing.T) {
	names := map[runbook.Kind]bool{}
	for _, k := range schemaKinds() {
		names[k.name] = true
		if !runbook.Risk("").Less(k.risk) || k.timeout <= 0 || k.engine == k.name.NeedsRunner() {
			t.Errorf("kind %+v", k)
		}
		for _, tr := range k.traits {
			for text, risk := range tr.risks {
				if !runbook.Risk("").Less(risk) {
					t.Errorf("kind %s: %v with %q is of risk %q", k.name, tr.path, text, risk)
				}
			}
			if tr.later != "" && tr.later != laterAnswer && tr.later != laterCondition || len(tr.with) == 1 {
				t.Errorf("kind %s: trait %+v", k.name, tr)
			}
		}
	}
	if len(names) < 6 {
		t.Errorf("the schema has the kinds %v", names)
	}
}

// invented is a schema with a kind that has every attribute.
const invented = `
#Duration: =~"^([0-9]+(ms|s|m|h|d))+$"
#Work: {
	title?: string
	probe?: #Probe @kind(risk=change, timeout=90s, again)
}
#Probe: {
	file!:  string @ledger()
	mode?:  "a" | "b" @risk(b=destructive)
	text?:  string @with(mode, a, b)
	vars?: {[string]: string}
	inner?: deep?: every?: #Duration @static()
	answer?: _ @later(answer)
	until?: bool @later(condition)
}`

func TestAttributes(t *testing.T) {
	kinds := (&schemaText{}).kindsOf(cuecontext.New().CompileString(invented))
	if len(kinds) != 1 {
		t.Fatalf("kinds %+v", kinds)
	}
	k := kinds[0]
	if k.name != "probe" || k.risk != runbook.RiskChange || k.timeout != 90*time.Second || !k.again || k.engine {
		t.Errorf("kind %+v", k)
	}
	if f := k.trait("file"); !f.ledger || !f.static {
		t.Errorf("file %+v", f)
	}
	if m := k.trait("mode"); !m.static || m.risks["b"] != runbook.RiskDestructive || m.risks["a"] != "" {
		t.Errorf("mode %+v", m)
	}
	if w := k.trait("text"); len(w.with) != 3 || w.with[0] != "mode" {
		t.Errorf("text %+v", w)
	}
	if v := k.trait("vars"); !v.named || v.free {
		t.Errorf("vars %+v", v)
	}
	if e := k.trait("inner", "deep", "every"); !e.duration || !e.static {
		t.Errorf("every %+v", e)
	}
	if k.later(laterAnswer) != "answer" || k.later(laterCondition) != "until" || !inside(kinds, []string{"probe", "answer"}).free {
		t.Errorf("traits %+v", k.traits)
	}
	if tr := inside(kinds, []string{"exec", "file"}); !tr.plain() {
		t.Errorf("a kind that is not there has %+v", tr)
	}
}
