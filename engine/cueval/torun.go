package cueval

import (
	"slices"

	"cuelang.org/go/cue/ast"

	"github.com/pullbook/pullbook/engine/runbook"
)

// toRun are the parts of a step that what it is now follows from. What loading has settled is left out where it stands in the
// text as it is and nobody asks for it: the plan has it, and to evaluate it once more says nothing new.
func (d *document) toRun(s runbook.Step, step part) (out []part) {
	text := d.parts.steps[step]
	if len(d.homeOf[s.Name].path) > 2 || s.Each || s.Kind == runbook.KindChoose || d.org.defaults.ofSteps() || text == nil || text.solid {
		return []part{step}
	}
	settled := append(settledFields(), "output")
	for name := range text.fields {
		if slices.Contains(settled, name) && !d.parts.rules.names[name] && !d.parts.rules.open && d.settledText(step, name) {
			continue
		}
		out = append(out, part{step.list, step.step, name})
	}
	return append(out, part{step.list, step.step, beside})
}

// settledText reports whether a field of a step has the same value whatever the alert, the inputs and the outputs are.
func (d *document) settledText(step part, name string) bool {
	values := d.refs.vals[joined([]string{step.list, step.step, name})]
	return len(values) > 0 && !slices.ContainsFunc(values, func(e ast.Expr) bool { return !settledExpr(e) })
}

// settledExpr reports whether an expression is made of literals and of CUE's own types alone.
func settledExpr(e ast.Expr) bool {
	switch x := e.(type) {
	case *ast.BasicLit:
		return true
	case *ast.Ident:
		return x.Node == nil && slices.Contains(predeclared(), x.Name)
	case *ast.UnaryExpr:
		return settledExpr(x.X)
	case *ast.BinaryExpr:
		return settledExpr(x.X) && settledExpr(x.Y)
	case *ast.ParenExpr:
		return settledExpr(x.X)
	case *ast.CallExpr: // loading closes types
		return settledExpr(x.Fun) && !slices.ContainsFunc(x.Args, func(e ast.Expr) bool { return !settledExpr(e) })
	case *ast.Ellipsis:
		return x.Type == nil || settledExpr(x.Type)
	case *ast.ListLit:
		return !slices.ContainsFunc(x.Elts, func(e ast.Expr) bool { return !settledExpr(e) })
	case *ast.StructLit:
		return !slices.ContainsFunc(x.Elts, func(d ast.Decl) bool { return !settledDecl(d) })
	}
	return false
}

func settledDecl(d ast.Decl) bool {
	switch x := d.(type) {
	case *ast.Field:
		_, written := labelName(x.Label)
		pattern, isPattern := x.Label.(*ast.ListLit)
		return (written || isPattern && settledExpr(pattern)) && settledExpr(x.Value)
	case *ast.Ellipsis:
		return x.Type == nil || settledExpr(x.Type)
	case *ast.CommentGroup, *ast.Attribute:
		return true
	}
	return false
}
