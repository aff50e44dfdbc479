package cueval

import (
	"slices"
	"strconv"
	"strings"

	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/token"

	"github.com/pullbook/pullbook/engine/runbook"
)

// walk collects the references below n.
func (w *walker) walk(n ast.Node) {
	ast.Walk(n, func(n ast.Node) bool {
		switch x := n.(type) {
		case *ast.Field: // a written label is no reference, a computed one is
			if _, ok := labelName(x.Label); !ok {
				w.walk(x.Label)
			}
			w.walk(x.Value)
			return false
		case *ast.LetClause:
			w.walk(x.Expr)
			return false
		case *ast.Comprehension:
			w.comprehension(x)
			return false
		case *ast.BinaryExpr:
			if x.Op == token.EQL || x.Op == token.NEQ {
				w.compared(x.X, x.Y)
				w.compared(x.Y, x.X)
			}
		case *ast.SelectorExpr, *ast.IndexExpr, *ast.Ident:
			w.reference(x.(ast.Expr))
			return false
		}
		return true
	}, nil)
}

// comprehension walks the clauses in order, and what they yield. A condition holds for what comes after it.
func (w *walker) comprehension(x *ast.Comprehension) {
	guards := w.guards
	for _, c := range x.Clauses {
		w.walk(c)
		if c, ok := c.(*ast.IfClause); ok {
			w.guards = w.succeededIn(slices.Clip(w.guards), c.Condition)
		}
	}
	w.walk(x.Value)
	w.guards = guards
	if x.Fallback != nil {
		w.walk(x.Fallback.Body)
	}
}

// compared finds a status that is compared with what no status ever is: CUE would take that for a condition like any other.
func (w *walker) compared(ref, with ast.Expr) {
	b, ok := with.(*ast.BasicLit)
	if !ok {
		return
	}
	if p, _, ok := w.resolve(ref); ok {
		switch _, path := target(p); {
		case len(path) != 1 || path[0] != "status":
			w.graph.compares = append(w.graph.compares, comparison{p, b})
		case !slices.Contains(statuses(), strings.Trim(b.Value, `"`)):
			w.graph.compared = append(w.graph.compared, b)
		}
	}
}

// statuses are what the status of a step can be.
func statuses() []string {
	return []string{string(runbook.Succeeded), string(runbook.Failed), string(runbook.TimedOut), string(runbook.Cancelled), statusSkipped}
}

const statusSkipped = "skipped"

// succeededIn adds the steps of which a condition says that they succeeded. It knows one way to say so, and takes any
// other for a condition that says nothing.
func (w *walker) succeededIn(guards []string, e ast.Expr) []string {
	x, ok := e.(*ast.BinaryExpr)
	switch {
	case !ok:
		if p, ok := e.(*ast.ParenExpr); ok {
			return w.succeededIn(guards, p.X)
		}
	case x.Op == token.LAND:
		return w.succeededIn(w.succeededIn(guards, x.X), x.Y)
	case x.Op == token.EQL:
		b, ok := x.Y.(*ast.BasicLit)
		if !ok || b.Value != strconv.Quote(string(runbook.Succeeded)) {
			break
		}
		if p, _, ok := w.resolve(x.X); ok {
			if step, path := target(p); len(path) == 1 && path[0] == "status" {
				return append(guards, step)
			}
		}
	}
	return guards
}

// target turns a path from the root into a step of the plan, and the path below it. What is written in an undo is known
// with its step; only what becomes of it belongs to the undo.
func target(p []string) (step string, below []string) {
	if len(p) < 2 || p[0] != "steps" && p[0] != "finally" {
		return "", nil
	}
	if p[0] == "steps" && len(p) > 2 && p[2] == "undo" && (len(p) == 3 || p[3] == "output" || p[3] == "status") {
		return p[1] + undoSuffix, p[3:]
	}
	return p[1], p[2:]
}

// reference handles one longest reference, such as a.b["c"].d.
func (w *walker) reference(e ast.Expr) {
	p, rest, ok := w.resolve(e)
	guards := w.guards
	w.guards = nil           // what is followed once may be referred to elsewhere without the guard
	for _, r := range rest { // index expressions, and what a selector is applied to
		w.walk(r)
	}
	if ok && p[0] != "alert" && p[0] != "inputs" && (p[0] != "steps" && p[0] != "finally" || len(p) > 1 && hidden(p[1])) {
		w.helper(p)
	}
	w.guards = guards
	switch {
	case !ok:
	case p[0] == "alert":
		w.graph.alert = append(w.graph.alert, edge{from: w.from, stage: w.stage, to: "alert", path: p[1:], pos: e.Pos()})
	case p[0] == "inputs":
		w.graph.inputs = append(w.graph.inputs, edge{from: w.from, stage: w.stage, to: "inputs", path: p[1:], pos: e.Pos(), field: w.field})
	case p[0] != "steps" && p[0] != "finally":
	case len(p) == 1 || p[1] == "*":
		w.graph.whole = append(w.graph.whole, e.Pos())
	case !hidden(p[1]):
		w.edge(p, e.Pos())
	}
}

// edge records a reference to a step.
func (w *walker) edge(p []string, pos token.Pos) {
	x := edge{from: w.from, stage: w.stage, pos: pos, field: w.field}
	x.to, x.path = target(p)
	x.guarded = slices.Contains(w.guards, x.to)
	own := x.path
	if w.stage == runbook.StageUndo && x.to+undoSuffix == w.from && len(own) > 0 && own[0] == "undo" {
		x.to, own = w.from, own[1:] // the undo's own fields
	}
	switch {
	case x.to != w.from || len(own) > 0 && (own[0] == "output" || own[0] == "status"):
		w.graph.edges = append(w.graph.edges, x)
	case len(own) > 0:
		w.graph.own = append(w.graph.own, edge{from: w.from, to: x.to, path: own, pos: pos})
		if own[0] == fieldItem && w.field == "when" {
			w.graph.itemDecides[w.from] = true
		}
	}
}

// resolve turns a reference into a path from the root. Expressions inside of it that may hold references come back in
// rest. It reports false for what is no path: variables of for, packages, predeclared names, calls.
func (w *walker) resolve(e ast.Expr) (p []string, rest []ast.Node, ok bool) {
	switch x := e.(type) {
	case *ast.ParenExpr:
		return w.resolve(x.X)
	case *ast.SelectorExpr:
		p, rest, ok = w.resolve(x.X)
		name, known := labelName(x.Sel)
		if !known {
			name = "*"
		}
		return extend(p, name), rest, ok
	case *ast.IndexExpr:
		p, rest, ok = w.resolve(x.X)
		if b, isLiteral := x.Index.(*ast.BasicLit); isLiteral {
			if s, err := strconv.Unquote(b.Value); err == nil {
				return extend(p, s), rest, ok
			}
			return extend(p, b.Value), rest, ok
		}
		return extend(p, "*"), append(rest, x.Index), ok
	case *ast.Ident:
		return w.resolveName(x)
	}
	return nil, []ast.Node{e}, false
}

func (w *walker) resolveName(x *ast.Ident) (p []string, rest []ast.Node, ok bool) {
	switch t := x.Node.(type) {
	case nil: // another file of the package may declare it
		return []string{x.Name}, nil, w.shared[x.Name]
	case *ast.ImportSpec:
		return nil, nil, false
	case *ast.LetClause:
		if w.seen[t] { // a let that refers to itself; CUE reports it
			return nil, nil, false
		}
		w.seen[t] = true
		p, rest, ok = w.resolve(t.Expr)
		delete(w.seen, t)
		if ok {
			return p, rest, true
		}
		return nil, w.once(t.Expr), false
	}
	p, ok = w.path[x.Node]
	return p, nil, ok && len(p) > 0
}

// helper follows a reference to a value outside of the steps: what that refers to, the step refers to. Values above
// the path count too where they are no plain struct, since they may hold the field as well.
func (w *walker) helper(p []string) {
	found := false
	for n := len(p); n > 0; n-- {
		for _, e := range w.vals[joined(p[:n])] {
			if found {
				w.mixed(e)
			} else {
				w.follow(e)
			}
		}
		found = found || len(w.vals[joined(p[:n])]) > 0
	}
}

// mixed follows the parts of a value that are not written as plain fields.
func (w *walker) mixed(e ast.Expr) {
	s, ok := e.(*ast.StructLit)
	if !ok {
		w.follow(e)
		return
	}
	for _, d := range s.Elts {
		if _, isField := d.(*ast.Field); !isField {
			w.follow(d)
		}
	}
}

func (w *walker) follow(n ast.Node) {
	for _, m := range w.once(n) {
		w.walk(m)
	}
}

// once returns n the first time that the step at hand comes to it, and nothing afterwards.
func (w *walker) once(n ast.Node) []ast.Node {
	if w.seen[n] {
		return nil
	}
	w.seen[n] = true
	return []ast.Node{n}
}
