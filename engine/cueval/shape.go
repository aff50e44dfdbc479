package cueval

import (
	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/token"
)

// shape returns the names of a file without its values: each value that is no written struct becomes _, each condition
// is taken as true, each alternative is taken, and optional fields are as good as others. Unified with the schema, it
// shows every misspelled field, also where the real value is incomplete and CUE would not look. Positions are kept.
//
// What an author names freely is left out: the type of outputs and answers, the body of a request, and the alert.
func shape(f *ast.File) *ast.File {
	return &ast.File{Filename: f.Filename, Decls: shapeDecls(f.Decls, nil)}
}

func shapeDecls(decls []ast.Decl, at []string) (out []ast.Decl) {
	for _, d := range decls {
		switch x := d.(type) {
		case *ast.Field:
			if y := shapeField(x, at); y != nil {
				out = append(out, y)
			}
		case *ast.Comprehension:
			out = append(out, shapeEmbedded(x.Value, at)...)
			if x.Fallback != nil {
				out = append(out, shapeEmbedded(x.Fallback.Body, at)...)
			}
		case *ast.EmbedDecl:
			out = append(out, shapeEmbedded(x.Expr, at)...)
		}
	}
	return out
}

func shapeField(x *ast.Field, at []string) *ast.Field {
	name, written := labelName(x.Label)
	label := x.Label
	if a, ok := label.(*ast.Alias); ok {
		if l, ok := a.Expr.(ast.Label); ok {
			label = l
		}
	}
	if _, isPattern := label.(*ast.ListLit); isPattern && len(at) > 1 {
		// Inside a step a pattern stands for fields that nobody wrote down: there is no use for it but to hide a name.
		label, name, written = quoted(label.Pos(), "[pattern]"), "[pattern]", true
	}
	if !written { // only the value of a computed name can be checked
		label, name = ast.Label(named(label.Pos(), "x")), "x"
	}
	if len(at) == 0 && name == "alert" || hidden(name) && len(at) == 0 {
		return nil
	}
	path := extend(at, name)
	value := ast.Expr(unknown(x.Value.Pos()))
	if !free(path) {
		value = shapeValue(x.Value, path)
	}
	return &ast.Field{Label: label, Value: value}
}

func hidden(name string) bool { return name != "" && (name[0] == '_' || name[0] == '#') }

// free reports whether the author chooses the names below path.
func free(path []string) bool {
	if len(path) < 3 || path[0] != "steps" {
		return false
	}
	last := path[len(path)-1]
	switch len(path) {
	case 3:
		return last == "output"
	case 4:
		return last == "answer" && path[2] == "probe" || last == "body" && path[2] == "http"
	case 5:
		return last == "body" && path[2] == "probe"
	}
	return false
}

// shapeEmbedded returns the fields that an expression puts into the struct around it. A reference puts some too: those
// are seen where the template is written as a struct, and by the evaluation otherwise.
func shapeEmbedded(e ast.Expr, at []string) []ast.Decl {
	switch x := e.(type) {
	case *ast.StructLit:
		return shapeDecls(x.Elts, at)
	case *ast.ParenExpr:
		return shapeEmbedded(x.X, at)
	case *ast.Alias:
		return shapeEmbedded(x.Expr, at)
	case *ast.UnaryExpr:
		return shapeEmbedded(x.X, at)
	case *ast.BinaryExpr:
		return append(shapeEmbedded(x.X, at), shapeEmbedded(x.Y, at)...)
	}
	return nil
}

func shapeValue(e ast.Expr, path []string) ast.Expr {
	switch x := e.(type) {
	case *ast.StructLit:
		return &ast.StructLit{Lbrace: x.Pos(), Elts: shapeDecls(x.Elts, path)}
	case *ast.Alias:
		return shapeValue(x.Expr, path)
	case *ast.ParenExpr:
		return shapeValue(x.X, path)
	case *ast.UnaryExpr:
		if x.Op == token.MUL {
			return shapeValue(x.X, path)
		}
	case *ast.BinaryExpr:
		if x.Op == token.AND || x.Op == token.OR {
			if ds := append(shapeEmbedded(x.X, path), shapeEmbedded(x.Y, path)...); len(ds) > 0 {
				return &ast.StructLit{Lbrace: x.Pos(), Elts: ds}
			}
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
func closeTypes(f *ast.File) {
	c := closer{}
	for _, d := range f.Decls {
		if x, ok := d.(*ast.Field); ok {
			if n, _ := labelName(x.Label); n == "steps" {
				c.search(x.Value, 0)
			}
		}
	}
	// A name is tied to the value of the field that it means; that value is another one now.
	ast.Walk(f, func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok && id.Node != nil {
			if now, ok := c[id.Node]; ok {
				id.Node = now
			}
		}
		return true
	}, nil)
}

// closer remembers which value replaced which.
type closer map[ast.Node]ast.Expr

// search looks for output and answer: level 0 is the struct of steps, 1 a step, 2 its kind.
func (c closer) search(e ast.Expr, level int) {
	s, ok := e.(*ast.StructLit)
	if !ok {
		return
	}
	for _, d := range s.Elts {
		x, ok := d.(*ast.Field)
		if !ok {
			continue
		}
		n, _ := labelName(x.Label)
		switch {
		case level == 1 && n == "output" || level == 2 && n == "answer":
			x.Value = c.closed(x.Value)
		case level == 0 || level == 1 && n == "probe":
			c.search(x.Value, level+1)
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
	c[x] = call
	return call
}
