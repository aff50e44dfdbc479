package cueval

import (
	"cuelang.org/go/cue"
	"cuelang.org/go/cue/ast"
)

// inputless is the runbook without alert and outputs, in which an input is any value of its type: neither what was given
// for it nor its default. What is known in it is the author's word, whoever opens the incident.
func (d *document) inputless() cue.Value {
	d.static()
	if len(d.inputNames()) == 0 {
		return d.authored()
	}
	if !d.open.Exists() {
		defer d.only.cut(d.text.parts)()
		defer d.withoutDefaults()()
		d.open = d.lib.build(d.ctx, d.text.parts).Unify(d.def)
	}
	return d.open
}

// withoutDefaults writes the types of the inputs in the place of the inputs; restore puts these back.
func (d *document) withoutDefaults() (restore func()) {
	types := ast.Expr(anyOf(field(d.authored(), "inputs"), false, 0))
	was, now := map[ast.Node]ast.Expr{}, map[ast.Node]ast.Expr{}
	var fields []*ast.Field
	for _, part := range d.text.parts {
		for _, decl := range part.Decls {
			if x, ok := decl.(*ast.Field); ok {
				if name, _ := labelName(x.Label); name == "inputs" {
					fields = append(fields, x)
					was[types], now[x.Value] = x.Value, types
					types = named(x.Value.Pos(), "_") // what is declared in a second place is in the types already
				}
			}
		}
	}
	swap := func(to map[ast.Node]ast.Expr) {
		for _, x := range fields {
			x.Value = to[x.Value]
		}
		for _, part := range d.text.parts {
			retie(part, to)
		}
	}
	swap(now)
	return func() { swap(was) }
}

// anyOf writes the type of a value, as far as it matters what can be looked up in it. What has one value and no default keeps
// that.
func anyOf(v cue.Value, chosen bool, depth int) ast.Expr {
	_, has := v.Default()
	chosen = chosen || has
	kinds := map[cue.Kind]string{cue.StringKind: "string", cue.IntKind: "int", cue.FloatKind: "number", cue.NumberKind: "number", cue.BoolKind: "bool", cue.BytesKind: "bytes"}
	switch k := v.IncompleteKind(); {
	case !v.Exists() || depth > deepest:
	case k == cue.StructKind:
		s := &ast.StructLit{}
		it, err := v.Fields()
		for err == nil && it.Next() {
			s.Elts = append(s.Elts, &ast.Field{Label: ast.NewString(it.Selector().Unquoted()), Value: anyOf(it.Value(), chosen, depth+1)})
		}
		s.Elts = append(s.Elts, &ast.Ellipsis{})
		return s
	case !chosen && v.Validate(cue.Concrete(true)) == nil:
		if text, err := v.MarshalJSON(); err == nil {
			if x, err := extract("inputs.json", text, maxInputs); err == nil {
				return x
			}
		}
	case k == cue.ListKind:
		return ast.NewList(&ast.Ellipsis{})
	case kinds[k] != "":
		return ast.NewIdent(kinds[k])
	}
	return ast.NewIdent("_")
}

// hidesInput reports whether a field of a step may be there for some values of the inputs although it is not there now: a
// condition on an input stands in a struct that the path leads through, or in a template of it.
func (d *document) hidesInput(step string, path ...string) bool {
	return d.undecided(d.step(d.inputless(), step), step, path) && !d.undecided(d.step(d.value, step), step, path)
}

// undecided reports whether a field that is not there may come to be there: some struct that the path leads through has a
// condition which is not decided yet, and the field is among the names of the runbook when all conditions are taken as true.
func (d *document) undecided(v cue.Value, step string, path []string) bool {
	for _, name := range path {
		f := field(v, name)
		if !f.Exists() {
			return v.Exists() && v.Err() != nil && d.shapeHas(step, path)
		}
		v = f
	}
	return false
}

func (d *document) shapeHas(step string, path []string) bool {
	if !d.shaped.Exists() {
		d.shaped = d.ctx.BuildFile(shape(d.text, d.lib, d.kinds))
	}
	h := d.homeOf[step]
	for _, name := range []string{h.path[1], "x"} { // a pattern for steps has that name in the shape
		at := append([]string{h.path[0], name}, append(h.path[2:len(h.path):len(h.path)], path...)...)
		v := d.shaped
		for _, name := range at {
			v = field(v, name)
		}
		if v.Exists() {
			return true
		}
	}
	return false
}
