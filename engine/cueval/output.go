package cueval

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/format"

	"github.com/pullbook/pullbook/engine/runbook"
)

// output checks what a step put out against the declared type, and returns the declared fields of it.
func (t *texts) output(q runbook.Query, known *runbook.Plan, name string, text json.RawMessage) (json.RawMessage, error) {
	q.Ended = maps.Clone(q.Ended)
	delete(q.Ended, name) // an earlier output would be a constraint on this one
	d, plan, err := t.planned(q.Source, known)
	if err != nil {
		return nil, err
	}
	s, _, ok := plan.Written(name)
	if !ok || !s.HasOutput || s.Each {
		return nil, fmt.Errorf("check the output of step %s: %s declares none", name, q.Source.Runbook)
	}
	if !q.Words {
		if out, right := d.ofType(s, text); right {
			return out, nil
		}
	}
	return d.outputIn(plan, q, name, text)
}

// outputIn is output, with the runbook evaluated as far as it has a part in the type.
func (d *document) outputIn(plan runbook.Plan, q runbook.Query, name string, text json.RawMessage) (json.RawMessage, error) {
	s, _, _ := plan.Written(name)
	alike := d.onlyFor(plan, name, "output", q.Ended)
	v, err := d.filledFor(plan, q, nil)
	if err != nil {
		return nil, err
	}
	base, _, _ := runbook.SplitName(name)
	typ := field(d.step(v, name), "output")
	if s.Of != "" {
		if typ, err = d.elementType(v, plan, name, alike); err != nil {
			return nil, err
		}
	}
	if q.Words {
		text, err = d.spoken(typ, name, text)
	}
	var out json.RawMessage
	switch {
	case err != nil:
	case s.Of != "":
		out, err = d.elementOutput(typ, base, name, text)
	default:
		out, err = d.checked(v, name, text)
	}
	return out, wanting(q, typ, err)
}

// wanting adds what was expected to what a person is told.
func wanting(q runbook.Query, typ cue.Value, err error) error {
	if wrong, is := errors.AsType[*OutputError](err); is && q.Words {
		wrong.Wanted = typeText(typ)
	}
	return err
}

// checked is an output of a step, in which v has none yet, held against its type.
func (d *document) checked(v cue.Value, name string, text json.RawMessage) (out json.RawMessage, err error) {
	typ := field(d.step(v, name), "output")
	kept, err := d.project(typ, text)
	if err != nil {
		return nil, &OutputError{Step: name, Problem: fmt.Sprintf("the output of %s cannot be read: %v", name, err)}
	}
	whole, err := d.filled(v, nil, map[string]fill{name: {"output": kept}})
	if err != nil {
		return nil, err
	}
	checked := field(d.step(whole, name), "output")
	if err := checked.Validate(cue.Concrete(true)); err != nil {
		return nil, &OutputError{Step: name, Problem: d.why(err, name, "output").String()}
	}
	if out, err = checked.MarshalJSON(); err != nil {
		return nil, &OutputError{Step: name, Problem: d.why(err, name, "output").String()}
	}
	return out, nil
}

// spoken reads what a person wrote as an output of a type: where no text is wanted, a text is what it says as JSON.
func (d *document) spoken(typ cue.Value, step string, text json.RawMessage) (json.RawMessage, error) {
	wrong := func(problem string) error {
		return &OutputError{Step: step, Problem: problem}
	}
	x, err := extract("words.json", text, maxValue)
	if err != nil {
		return nil, wrong("what was written cannot be read: " + err.Error())
	}
	s, ok := x.(*ast.StructLit)
	if !ok {
		return nil, wrong("what was written is no list of values") // unreachable: the engine writes an object
	}
	out := &ast.StructLit{}
	for _, e := range s.Elts {
		f, ok := e.(*ast.Field)
		if !ok {
			continue // unreachable: JSON holds fields alone
		}
		name, _ := labelName(f.Label)
		elem, declared := lookup(typ, []string{name})
		switch op, _ := typ.Expr(); {
		case declared:
			fitting, why := d.fit(elem, f.Value)
			if why != "" {
				return nil, wrong(name + ": " + why)
			}
			f = &ast.Field{Label: f.Label, Value: fitting}
		case op != cue.OrOp && typ.IncompleteKind() == cue.StructKind && !typ.Allows(cue.Str(name)):
			return nil, wrong(strings.TrimSuffix("there is no value "+name+"; "+didYouMean(name, fieldNames(typ)), "; "))
		}
		out.Elts = append(out.Elts, f)
	}
	whole, err := d.ctx.BuildExpr(out).MarshalJSON()
	if err != nil {
		return nil, wrong("what was written cannot be read: " + err.Error())
	}
	return whole, nil
}

// typeText is a type as people write it.
func typeText(typ cue.Value) string {
	text, err := format.Node(typ.Syntax(cue.Raw()), format.Simplify())
	if err != nil || len(text) > longestType {
		return ""
	}
	return string(text)
}

// longestType bounds a type that is shown to people, in bytes.
const longestType = 2000

// project returns JSON without the fields that a type does not declare, so that they can be added to what a step puts
// out without breaking the runbook. A type that ends in "..." keeps them.
func (d *document) project(typ cue.Value, text json.RawMessage) (json.RawMessage, error) {
	x, err := extract("json", text, maxValue)
	if err != nil {
		return nil, err
	}
	kept, err := d.ctx.BuildExpr(prune(typ, x)).MarshalJSON()
	if err != nil {
		return nil, fmt.Errorf("write JSON: %w", err)
	}
	return kept, nil
}

func prune(typ cue.Value, x ast.Expr) ast.Expr {
	if typ.IncompleteKind() == cue.TopKind {
		return x
	}
	switch y := x.(type) {
	case *ast.StructLit:
		return pruneStruct(typ, y)
	case *ast.ListLit:
		out := &ast.ListLit{Lbrack: y.Lbrack, Rbrack: y.Rbrack}
		for i, e := range y.Elts {
			elem := typ.LookupPath(cue.MakePath(cue.Index(i)))
			if !elem.Exists() {
				elem = typ.LookupPath(cue.MakePath(cue.AnyIndex))
			}
			if elem.Exists() {
				e = prune(elem, e)
			}
			out.Elts = append(out.Elts, e)
		}
		return out
	}
	return x
}

func pruneStruct(typ cue.Value, x *ast.StructLit) ast.Expr {
	op, _ := typ.Expr()
	if typ.IncompleteKind()&cue.StructKind == 0 || op == cue.OrOp {
		return x // no struct is wanted: the check says so; of alternatives nobody knows which is meant
	}
	out := &ast.StructLit{Lbrace: x.Lbrace, Rbrace: x.Rbrace}
	for _, d := range x.Elts {
		f, ok := d.(*ast.Field)
		if !ok {
			continue
		}
		name, ok := labelName(f.Label)
		if !ok {
			continue
		}
		elem, declared := lookup(typ, []string{name})
		switch {
		case declared:
			out.Elts = append(out.Elts, &ast.Field{Label: f.Label, Value: prune(elem, f.Value)})
		case !typ.IsClosed() && cue.IsIncomplete(typ.LookupPath(cue.MakePath(cue.Str(name))).Err()):
			out.Elts = append(out.Elts, f)
		}
	}
	return out
}

// foreignOutputs reports fields of outputs that a kind never puts out, where it always puts out the same ones.
func (d *document) foreignOutputs(plan runbook.Plan) (ps []runbook.Problem) {
	for _, s := range written(plan.Steps) {
		puts := d.kind(s.Kind).puts
		if len(puts) == 0 || s.Stage == runbook.StageUndo && s.Each {
			continue
		}
		for _, name := range fieldNames(outputType(s, d.step(d.static(), s.Name))) {
			if slices.Contains(puts, name) {
				continue
			}
			p := d.placeIn(s.Name, "output", name)
			p.Text, p.Hint = fmt.Sprintf("%s never puts out %s", s.Kind, name), didYouMean(name, puts)
			if p.Hint == "" {
				p.Hint = "it puts out " + strings.Join(puts, " and ")
			}
			ps = append(ps, p)
		}
	}
	return ps
}
