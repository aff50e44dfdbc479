package cueval

import (
	"encoding/json"
	"fmt"
	"maps"

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/ast"

	"github.com/pullbook/pullbook/engine/runbook"
)

// output checks what a step put out against the declared type, and returns the declared fields of it.
func output(q runbook.Query, known *runbook.Plan, name string, text json.RawMessage) (json.RawMessage, error) {
	q.Ended = maps.Clone(q.Ended)
	delete(q.Ended, name) // an earlier output would be a constraint on this one
	d, plan, err := planned(q.Source, known)
	if err != nil {
		return nil, err
	}
	s, _, ok := plan.Written(name)
	if !ok || !s.HasOutput || s.Each {
		return nil, fmt.Errorf("check the output of step %s: %s declares none", name, q.Source.Runbook)
	}
	alike := d.onlyFor(plan, name, "output", q.Ended)
	v, err := d.filledFor(plan, q, nil)
	if err != nil {
		return nil, err
	}
	if s.Of != "" {
		return d.elementOutput(v, plan, name, text, alike)
	}
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
	out, err := checked.MarshalJSON()
	if err != nil {
		return nil, &OutputError{Step: name, Problem: d.why(err, name, "output").String()}
	}
	return out, nil
}

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
