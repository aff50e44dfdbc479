package cueval

import (
	"encoding/json"
	"slices"
	"strconv"

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/ast"
	cueerrors "cuelang.org/go/cue/errors"

	"github.com/pullbook/pullbook/engine/runbook"
)

// trial evaluates the runbook once with made-up outputs, answers and an alert. An abstract value such as int hides that
// it is compared with a text; 1 does not.
func (d *document) trial(plan runbook.Plan) []runbook.Problem {
	steps := map[string]fill{}
	for _, s := range written(plan.Steps) {
		one := fill{}
		v := d.step(d.static(), s.Name)
		if text := sampleJSON(field(v, "output")); text != nil {
			one["output"] = text
		}
		answered := d.kind(s.Kind).later(laterAnswer)
		if text := sampleJSON(field(field(v, string(s.Kind)), answered)); text != nil {
			one[string(s.Kind)] = below(answered, text)
		}
		if d.statusAsked[s.Name] {
			one["status"] = statusOf(runbook.Ended{Conclusion: runbook.Succeeded})
		}
		if len(one) > 0 {
			steps[s.Name] = one
		}
	}
	decls, err := d.fills(d.sampleAlert(), steps)
	if err != nil {
		return nil // unreachable: the JSON is our own; and a trial is an extra
	}
	v := d.static().Unify(d.ctx.BuildExpr(&ast.StructLit{Elts: append(decls, d.sampleInputs()...)}))
	var found cueerrors.Error
	for _, err := range append(d.trialItems(plan, v), v.Validate()) {
		for _, e := range cueerrors.Errors(err) {
			if typeMistake(e) && !d.sampled(e.Path()) && !madeUp(e) {
				found = cueerrors.Append(found, e)
			}
		}
	}
	if found == nil {
		return nil
	}
	return d.reporter().report(found)
}

// madeUp reports whether an error is that a name which the trial made up is no field: it would be looked up by what a step
// puts out.
func madeUp(e cueerrors.Error) bool {
	what, name := classify(e)
	return what == undefined && slices.Contains([]string{sampleName, sampleWord}, unquotedLabel(name))
}

// sampled reports whether a path leads to what the trial made up.
func (d *document) sampled(path []string) bool {
	p := unquoted(path)
	if len(p) > 0 && p[0] == "alert" {
		return true
	}
	p = insideStep(p)
	return len(p) > 0 && (p[0] == "output" || p[0] == "status") || len(p) > 1 && inside(d.kinds, p[:2]).later == laterAnswer
}

// sampleJSON is a value of a type as JSON, or nil where there is nothing to make up.
func sampleJSON(v cue.Value) json.RawMessage {
	x := sample(v, 0)
	if x == nil {
		return nil
	}
	text, err := json.Marshal(x)
	if err != nil {
		return nil // unreachable: samples are plain values
	}
	return text
}

// sampleAlert is an alert with every label and annotation that the runbook refers to.
func (d *document) sampleAlert() json.RawMessage {
	maps := map[string]map[string]string{"labels": {}, "annotations": {}}
	for _, e := range d.graph.alert {
		if len(e.path) > 1 && maps[e.path[0]] != nil && e.path[1] != "*" {
			maps[e.path[0]][e.path[1]] = "1"
		}
	}
	text, err := json.Marshal(map[string]any{
		"name": "1", "source": "1", "status": "firing", "fingerprint": "1", "group": "1",
		"labels": maps["labels"], "annotations": maps["annotations"],
	})
	if err != nil {
		return nil // unreachable: texts and maps of texts
	}
	return text
}

// What the trial calls a field that may have any name, and puts where any text may be.
const (
	sampleName = "sample"
	sampleWord = "1"
)

// deepest bounds samples of types that refer to themselves.
const deepest = 16

// sample returns a value of a type, as encoding/json has it, or nil where there is nothing to make up.
func sample(v cue.Value, depth int) any {
	if !v.Exists() || depth > deepest {
		return nil
	}
	k := v.IncompleteKind()
	switch {
	case k == cue.StructKind:
		return sampleStruct(v, depth)
	case k == cue.ListKind:
		if x := sample(v.LookupPath(cue.MakePath(cue.AnyIndex)), depth+1); x != nil {
			return []any{x}
		}
		return nil
	case v.IsConcrete() || k == cue.TopKind:
		return nil
	case k&cue.StringKind != 0:
		return sampleText(v)
	case k&cue.IntKind != 0:
		return 1
	case k&cue.NumberKind != 0:
		return 1.5
	case k&cue.BoolKind != 0:
		return true
	}
	return nil
}

// sampleText returns the first alternative of an enumeration, or any text.
func sampleText(v cue.Value) string {
	if op, vs := v.Expr(); op == cue.OrOp && len(vs) > 0 {
		if s, err := vs[0].String(); err == nil {
			return s
		}
	}
	return sampleWord
}

func sampleStruct(v cue.Value, depth int) any {
	m := map[string]any{}
	it, err := v.Fields(cue.Optional(true))
	if err != nil {
		return nil
	}
	for it.Next() {
		if it.Selector().LabelType() != cue.StringLabel {
			continue
		}
		if x := sample(it.Value(), depth+1); x != nil {
			m[it.Selector().Unquoted()] = x
		}
	}
	if x := sample(v.LookupPath(cue.MakePath(cue.AnyString)), depth+1); x != nil {
		m[sampleName] = x
	}
	return m
}

// unquotedLabel is the name of a field without its quotes.
func unquotedLabel(name string) string {
	if plain, err := strconv.Unquote(name); err == nil {
		return plain
	}
	return name
}
