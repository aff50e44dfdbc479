package cueval

import (
	"fmt"
	"slices"
	"strings"

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/token"

	"github.com/pullbook/pullbook/engine/runbook"
)

// written is the expression that the author wrote at a path; nil where there is none.
func (r reporter) written(path []string) ast.Expr {
	f, depth := fieldOf(r.file, path)
	if f == nil {
		return nil
	}
	if e, left := followed(f.Value, path[depth:]); left == 0 {
		return e
	}
	return nil
}

// shaped is what the author wrote at a path where it is no literal but can be told at sight, or nothing.
func (r reporter) shaped(path []string) string {
	switch r.written(path).(type) {
	case *ast.ListLit:
		return "a list"
	case *ast.StructLit:
		return "a struct"
	}
	return ""
}

// instead is how to write a literal so that it has the type that is wanted, or nothing.
func instead(literal string, wanted cue.Kind, path []string) string {
	text, quoted := strings.CutPrefix(literal, `"`)
	text = strings.TrimSuffix(text, `"`)
	switch {
	case literal == "" || strings.ContainsAny(literal, "\n\\"):
		return ""
	case wanted == cue.ListKind && quoted && len(path) > 0 && slices.Contains([]string{"command", "rehearse"}, path[len(path)-1]) && strings.Contains(text, " "):
		return fmt.Sprintf(`write ["%s"]`, strings.Join(strings.Fields(text), `", "`))
	case wanted == cue.ListKind:
		return "write [" + literal + "]"
	case wanted == cue.StringKind && strings.HasPrefix(literal, "'"):
		return fmt.Sprintf("texts stand in double quotes: write %q", strings.Trim(literal, "'"))
	case wanted == cue.StringKind && !quoted:
		return fmt.Sprintf("write %q", literal)
	case wanted&cue.NumberKind == wanted && quoted && strings.Trim(text, "0123456789.") == "", wanted == cue.BoolKind && (text == "true" || text == "false"):
		return "write " + text
	}
	return ""
}

// isDashed reports whether an author wrote a list as YAML has it: CUE reads that as a negative number.
func (r reporter) isDashed(p runbook.Problem) (dashed bool) {
	ast.Walk(r.file, func(n ast.Node) bool {
		x, ok := n.(*ast.UnaryExpr)
		if ok && x.Op == token.SUB && x.Pos().Filename() == p.File && x.Pos().Line() == p.Line && x.Pos().Column() == p.Column {
			lit, isLit := x.X.(*ast.BasicLit)
			dashed = x.Pos().RelPos() >= token.Newline && !(isLit && (lit.Kind == token.INT || lit.Kind == token.FLOAT))
		}
		return !dashed
	}, nil)
	return dashed
}

// selected moves the problem of a name that something lacks to where the name is used, and says what it could have been.
func (r reporter) selected(p *runbook.Problem, path []string, name string) {
	field, depth := fieldOf(r.file, path)
	if field == nil {
		return
	}
	e, _ := followed(field.Value, path[depth:])
	var found *ast.SelectorExpr
	ast.Walk(e, func(n ast.Node) bool {
		if x, ok := n.(*ast.SelectorExpr); ok && found == nil {
			if sel, _, err := ast.LabelName(x.Sel); err == nil && sel == name {
				found = x
			}
		}
		return found == nil
	}, nil)
	if found == nil {
		return
	}
	at := found.Sel.Pos()
	p.File, p.Line, p.Column = at.Filename(), at.Line(), at.Column()
	id, ok := found.X.(*ast.Ident)
	switch of := r.mapOfAlert(found.X); {
	case of != "":
		p.Text = fmt.Sprintf("the alert has no %s %q", of, name)
	case !ok:
	case id.Name == "alert":
		alert, _ := lookup(r.def, []string{"alert"})
		p.Text, p.Hint = fmt.Sprintf("an alert has no field %q", name), didYouMean(name, fieldNames(alert))
	default:
		if in := r.lib.imported(id); in != nil {
			p.Text, p.Hint = fmt.Sprintf("the package %s has no %s", id.Name, name), didYouMean(name, in)
		}
	}
}

// mapOfAlert is what the elements are called of a map of the alert, where an expression refers to one.
func (r reporter) mapOfAlert(e ast.Expr) string {
	x, ok := e.(*ast.SelectorExpr)
	if !ok {
		return ""
	}
	name, _, _ := ast.LabelName(x.Sel)
	if id, ok := x.X.(*ast.Ident); !ok || id.Name != "alert" {
		return ""
	}
	return map[string]string{"labels": "label", "annotations": "annotation"}[name]
}

// imported are the names that a package of the ledger declares which an identifier stands for; nil if it stands for none.
func (l *library) imported(id *ast.Ident) (names []string) {
	spec, ok := id.Node.(*ast.ImportSpec)
	if l == nil || !ok {
		return nil
	}
	dir, _, _ := l.dirOf(strings.Trim(spec.Path.Value, `"`))
	p := l.pkgs[dir]
	if p == nil {
		return nil
	}
	names = []string{}
	for name := range fieldsOfPackage(p.parts) {
		names = append(names, name)
	}
	return names
}
