package cueval

import (
	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/token"
)

// shape returns the names of a file without its values: each value that is no written struct becomes _, each condition
// is taken as true, each alternative is taken, and optional fields are as good as others. Unified with the schema, it
// shows every misspelled field, also where the real value is incomplete and CUE would not look. Positions are kept.
//
// What an author names freely is left out: the types of inputs, outputs and answers, the body of a request, and the alert.
func shape(text *pkg, lib *library, kinds []kind) *ast.File {
	s := shaper{kinds: kinds, parameters: lib.parameters(text), lib: lib, refs: text.refs, open: map[ast.Expr]bool{}}
	return &ast.File{Filename: text.view.Filename, Decls: s.decls(text.view.Decls, nil)}
}

// shaper makes shapes. It knows the hidden fields and definitions that the file's templates declare: those are the only
// ones that a step may set, since CUE allows them everywhere and a misspelled one would be noticed by nobody.
type shaper struct {
	kinds      []kind
	parameters map[string]bool
	lib        *library
	refs       *walker
	open       map[ast.Expr]bool // templates that are being read, lest one that holds itself is read for ever
}

// parametersOf collects the hidden names inside of the templates: the definitions and hidden fields at the top.
func parametersOf(f *ast.File) map[string]bool {
	out := map[string]bool{}
	for _, d := range f.Decls {
		x, ok := d.(*ast.Field)
		if !ok {
			continue
		}
		if n, _ := labelName(x.Label); !hidden(n) {
			continue
		}
		ast.Walk(x.Value, func(n ast.Node) bool {
			if y, ok := n.(*ast.Field); ok {
				if name, _ := labelName(y.Label); hidden(name) {
					out[name] = true
				}
			}
			return true
		}, nil)
	}
	return out
}

// parameters are the hidden names that the templates of a runbook declare, and those of the packages at hand. A hidden
// field of another package cannot be set, a definition can.
func (l *library) parameters(text *pkg) map[string]bool {
	out := parametersOf(text.view)
	for _, p := range l.pkgs {
		for name := range parametersOf(p.view) {
			if name[0] == '#' {
				out[name] = true
			}
		}
	}
	return out
}

func (s shaper) decls(decls []ast.Decl, at []string) (out []ast.Decl) {
	for _, d := range decls {
		switch x := d.(type) {
		case *ast.Field:
			if y := s.field(x, at); y != nil {
				out = append(out, y)
			}
		case *ast.Comprehension:
			out = append(out, s.embedded(x.Value, at)...)
			if x.Fallback != nil {
				out = append(out, s.embedded(x.Fallback.Body, at)...)
			}
		case *ast.EmbedDecl:
			out = append(out, s.embedded(x.Expr, at)...)
		}
	}
	return out
}

// The names that stand for fields whose names are not written out.
const (
	patternName  = "[pattern]"
	computedName = "[computed]"
)

func (s shaper) field(x *ast.Field, at []string) *ast.Field {
	name, written := labelName(x.Label)
	label := x.Label
	if a, ok := label.(*ast.Alias); ok {
		if l, ok := a.Expr.(ast.Label); ok {
			label = l
		}
	}
	_, isPattern := label.(*ast.ListLit)
	switch {
	case written && hidden(name) && (len(at) < 2 || s.parameters[name]), len(at) == 0 && name == "alert":
		return nil
	case written && hidden(name):
		label = quoted(label.Pos(), name)
	case written:
	case len(at) < 2: // only the value of a step whose name is computed can be checked
		name = "x"
		label = named(label.Pos(), name)
	case inside(s.kinds, insideStep(at)).named:
		return nil // the names are the author's, and evaluation checks them
	case isPattern: // it stands for fields that nobody wrote down: there is no use for it but to hide a name
		name = patternName
		label = quoted(label.Pos(), name)
	default:
		name = computedName
		label = quoted(label.Pos(), name)
	}
	path := extend(at, name)
	value := ast.Expr(unknown(x.Value.Pos()))
	if !s.free(path) {
		value = s.value(x.Value, path)
	}
	return &ast.Field{Label: label, Value: value}
}

func hidden(name string) bool { return name != "" && (name[0] == '_' || name[0] == '#') }

// free reports whether the author chooses the names below path.
func (s shaper) free(path []string) bool {
	if len(path) == 2 && path[0] == "inputs" {
		return true
	}
	path = insideStep(path)
	return len(path) == 1 && (path[0] == "output" || path[0] == fieldItem) || inside(s.kinds, path).free
}

// insideStep returns the part of a path below the step, or the undo, that it leads into.
func insideStep(path []string) []string {
	if len(path) < 3 || path[0] != "steps" && path[0] != "finally" {
		return nil
	}
	if path[2] == "undo" {
		return path[3:]
	}
	return path[2:]
}

// embedded returns the fields that an expression puts into the struct around it.
func (s shaper) embedded(e ast.Expr, at []string) []ast.Decl {
	switch x := e.(type) {
	case *ast.StructLit:
		return s.decls(x.Elts, at)
	case *ast.ParenExpr:
		return s.embedded(x.X, at)
	case *ast.Alias:
		return s.embedded(x.Expr, at)
	case *ast.UnaryExpr:
		return s.embedded(x.X, at)
	case *ast.BinaryExpr:
		return append(s.embedded(x.X, at), s.embedded(x.Y, at)...)
	case *ast.IndexExpr:
		if list, ok := x.X.(*ast.ListLit); ok { // one of them is taken
			var all []ast.Decl
			for _, one := range list.Elts {
				all = append(all, s.embedded(one, at)...)
			}
			return all
		}
		return s.template(e, at)
	case *ast.Ident, *ast.SelectorExpr:
		return s.template(e, at)
	}
	return nil
}

// template returns the fields of the helper or let that a reference means.
func (s shaper) template(e ast.Expr, at []string) (out []ast.Decl) {
	if s.open[e] || s.refs == nil {
		return nil
	}
	s.open[e] = true
	defer delete(s.open, e)
	p, _, ok := s.refs.resolve(e)
	if other, path := s.lib.meant(e); other != nil {
		s.refs = other.refs
		for _, v := range s.refs.vals[joined(path)] {
			out = append(out, s.embedded(v, at)...)
		}
		return out
	}
	if !ok {
		if id, isName := e.(*ast.Ident); isName {
			if l, isLet := id.Node.(*ast.LetClause); isLet {
				return s.embedded(l.Expr, at)
			}
		}
		return nil
	}
	if !hidden(p[0]) && (len(p) < 2 || p[0] != "steps" && p[0] != "finally" || !hidden(p[1])) {
		return nil // another step, which is checked where it stands
	}
	for _, v := range s.refs.vals[joined(p)] {
		out = append(out, s.embedded(v, at)...)
	}
	return out
}

func (s shaper) value(e ast.Expr, path []string) ast.Expr {
	switch x := e.(type) {
	case *ast.StructLit:
		return &ast.StructLit{Lbrace: x.Pos(), Elts: s.decls(x.Elts, path)}
	case *ast.Alias:
		return s.value(x.Expr, path)
	case *ast.ParenExpr:
		return s.value(x.X, path)
	case *ast.UnaryExpr:
		if x.Op == token.MUL {
			return s.value(x.X, path)
		}
	case *ast.BinaryExpr:
		if x.Op == token.AND || x.Op == token.OR {
			if ds := append(s.embedded(x.X, path), s.embedded(x.Y, path)...); len(ds) > 0 {
				return &ast.StructLit{Lbrace: x.Pos(), Elts: ds}
			}
		}
	case *ast.Ident, *ast.SelectorExpr, *ast.IndexExpr:
		if ds := s.template(e, path); len(ds) > 0 {
			return &ast.StructLit{Lbrace: e.Pos(), Elts: ds}
		}
	}
	return unknown(e.Pos())
}

func unknown(p token.Pos) *ast.Ident            { return named(p, "_") }
func named(p token.Pos, name string) *ast.Ident { return &ast.Ident{NamePos: p, Name: name} }

func quoted(p token.Pos, s string) *ast.BasicLit {
	l := ast.NewString(s)
	ast.SetPos(l, p)
	return l
}

// closeTypes closes every struct in the types of outputs and answers, unless it ends in "...". A reference to a field
// that the type does not declare is then an error of its own, also through the variable of a for, and not a value that
// stays unknown for ever.
func closeTypes(f *ast.File, kinds []kind) {
	c := closer{now: map[ast.Node]ast.Expr{}, answers: map[string]string{}}
	for _, k := range kinds {
		if answered := k.later(laterAnswer); answered != "" {
			c.answers[string(k.name)] = answered
		}
	}
	for _, d := range f.Decls {
		if x, ok := d.(*ast.Field); ok {
			if n, _ := labelName(x.Label); n == "steps" || n == "finally" {
				c.steps(x.Value)
			}
		}
	}
	retie(f, c.now)
}

// retie ties names that mean a value which was replaced to the one that is in its place now: a name is tied to the value of the
// field that it means.
func retie(f *ast.File, now map[ast.Node]ast.Expr) {
	ast.Walk(f, func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok && id.Node != nil {
			if to, ok := now[id.Node]; ok {
				id.Node = to
			}
		}
		return true
	}, nil)
}

// closer remembers which value replaced which.
type closer struct {
	now     map[ast.Node]ast.Expr
	answers map[string]string // by kind: the field whose type is that of an answer
}

// steps looks for the types below a struct of steps.
func (c closer) steps(e ast.Expr) {
	eachOf(e, func(x *ast.Field, _ string) { c.step(x.Value) })
}

func (c closer) step(e ast.Expr) {
	eachOf(e, func(x *ast.Field, name string) {
		switch answered := c.answers[name]; {
		case name == "output" || name == fieldItem:
			x.Value = c.closed(x.Value)
		case name == "undo":
			c.step(x.Value)
		case answered != "":
			eachOf(x.Value, func(y *ast.Field, name string) {
				if name == answered {
					y.Value = c.closed(y.Value)
				}
			})
		}
	})
}

// eachOf calls do for each field of a struct that is written out, with its name where that is written out too.
func eachOf(e ast.Expr, do func(x *ast.Field, name string)) {
	s, ok := e.(*ast.StructLit)
	if !ok {
		return
	}
	for _, d := range s.Elts {
		if x, ok := d.(*ast.Field); ok {
			name, _ := labelName(x.Label)
			do(x, name)
		}
	}
}

func (c closer) closed(e ast.Expr) ast.Expr {
	switch x := e.(type) {
	case *ast.StructLit:
		return c.closedStruct(x)
	case *ast.ListLit:
		for i, el := range x.Elts {
			if l, ok := el.(*ast.Ellipsis); ok {
				if l.Type != nil {
					l.Type = c.closed(l.Type)
				}
				continue
			}
			x.Elts[i] = c.closed(el)
		}
	case *ast.BinaryExpr:
		x.X, x.Y = c.closed(x.X), c.closed(x.Y)
	}
	return e
}

func (c closer) closedStruct(x *ast.StructLit) ast.Expr {
	open := false
	for _, d := range x.Elts {
		switch d := d.(type) {
		case *ast.Ellipsis:
			open = true
		case *ast.Field:
			d.Value = c.closed(d.Value)
		}
	}
	if open {
		return x
	}
	call := &ast.CallExpr{Fun: named(x.Pos(), "close"), Args: []ast.Expr{x}}
	c.now[x] = call
	return call
}
