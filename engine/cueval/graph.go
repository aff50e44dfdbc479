package cueval

import (
	"strconv"
	"strings"

	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/token"
)

// edge is one reference of a step to another step, or to the alert.
type edge struct {
	from string   // name of a step, or generated
	to   string   // name of a step, or "alert"
	path []string // below the step or the alert: output, errors; "*" where only evaluation knows
	pos  token.Pos
}

// generated is the from of edges that start in a step whose name only evaluation knows, or in a pattern for many steps.
// Such an edge is taken to start in every step that has no declaration of its own, or in all of them: more edges than
// there are only make a step wait, fewer would start it too early.
const generated = "*"

// graph is what the syntax tree tells about steps.
type graph struct {
	at       map[string]token.Pos // where each step with a written name is declared first
	edges    []edge               // between steps
	alert    []edge               // to the alert
	answers  []edge               // of probes to their own answer
	computed int                  // offset of the first declaration of a step whose name is computed
	patterns bool                 // there is a pattern such as [_]: among the steps
	whole    []token.Pos          // references to steps as a whole, or to steps[expression]
	guards   []token.Pos          // for and if among the steps that look at an output or the alert
	partial  map[string]token.Pos // likewise directly inside a step, by step
}

// readGraph walks the tree of one runbook. The parser has already tied each identifier to its declaration.
func readGraph(f *ast.File) *graph {
	w := newWalker(f)
	for _, e := range w.vals["steps"] {
		w.steps(e)
	}
	return w.graph
}

// walker collects the graph. It resolves references to paths from the root of the runbook.
type walker struct {
	graph *graph
	path  map[ast.Node][]string // declaration or value → its path from the root
	vals  map[string][]ast.Expr // path, joined by NUL → its values
	seen  map[ast.Node]bool     // helpers that were followed for the step at hand
	lists map[ast.Node]bool     // values that were read as lists of steps
	from  string
}

func newWalker(f *ast.File) *walker {
	w := &walker{
		graph: &graph{at: map[string]token.Pos{}, partial: map[string]token.Pos{}},
		path:  map[ast.Node][]string{},
		vals:  map[string][]ast.Expr{},
		lists: map[ast.Node]bool{},
		seen:  map[ast.Node]bool{},
	}
	w.index(f.Decls, nil)
	return w
}

func joined(path []string) string { return strings.Join(path, "\x00") }

func extend(path []string, name string) []string {
	return append(append(make([]string, 0, len(path)+1), path...), name)
}

func (w *walker) index(decls []ast.Decl, at []string) {
	for _, d := range decls {
		switch x := d.(type) {
		case *ast.Field:
			name, ok := labelName(x.Label)
			if !ok {
				continue
			}
			p := extend(at, name)
			w.path[x] = p
			w.vals[joined(p)] = append(w.vals[joined(p)], x.Value)
			w.indexValue(x.Value, p)
		case *ast.EmbedDecl:
			w.indexValue(x.Expr, at)
		case *ast.Comprehension:
			w.indexValue(x.Value, at)
			if x.Fallback != nil {
				w.indexValue(x.Fallback.Body, at)
			}
		}
	}
}

func (w *walker) indexValue(e ast.Expr, p []string) {
	w.path[e] = p
	switch x := e.(type) {
	case *ast.StructLit:
		w.index(x.Elts, p)
	case *ast.Alias:
		w.indexValue(x.Expr, p)
	case *ast.ParenExpr:
		w.indexValue(x.X, p)
	case *ast.UnaryExpr:
		w.indexValue(x.X, p)
	case *ast.BinaryExpr:
		if x.Op == token.AND || x.Op == token.OR {
			w.indexValue(x.X, p)
			w.indexValue(x.Y, p)
		}
	}
}

// steps reads an expression whose fields are steps.
func (w *walker) steps(e ast.Expr) {
	if w.lists[e] {
		return
	}
	w.lists[e] = true
	switch x := e.(type) {
	case *ast.ParenExpr:
		w.steps(x.X)
	case *ast.BinaryExpr:
		w.steps(x.X)
		w.steps(x.Y)
	case *ast.Alias:
		w.steps(x.Expr)
	case *ast.StructLit:
		for _, d := range x.Elts {
			w.stepDecl(d)
		}
	case *ast.Ident, *ast.SelectorExpr: // steps: _common
		if p, _, ok := w.resolve(e); ok {
			for _, v := range w.vals[joined(p)] {
				w.steps(v)
			}
		}
	}
}

func (w *walker) stepDecl(d ast.Decl) {
	switch x := d.(type) {
	case *ast.Field:
		name, ok := labelName(x.Label)
		if !ok {
			name = generated
			_, isPattern := x.Label.(*ast.ListLit)
			w.graph.patterns = w.graph.patterns || isPattern
			if w.graph.computed == 0 && !isPattern {
				w.graph.computed = x.Pos().Offset()
			}
		}
		if strings.HasPrefix(name, "_") || strings.HasPrefix(name, "#") {
			return // a helper: counted where a step refers to it
		}
		if _, found := w.graph.at[name]; !found && ok {
			w.graph.at[name] = x.Pos()
		}
		w.begin(name)
		w.partial(x.Value)
		w.walk(x.Value)
	case *ast.Comprehension:
		if w.looks(x.Clauses) {
			w.graph.guards = append(w.graph.guards, x.Pos())
		}
		w.steps(x.Value)
		if x.Fallback != nil {
			w.steps(x.Fallback.Body)
		}
	case *ast.EmbedDecl:
		w.steps(x.Expr)
	}
}

func (w *walker) begin(step string) { w.from, w.seen = step, map[ast.Node]bool{} }

// looks reports whether clauses refer to a step or to the alert, and leaves no edge.
func (w *walker) looks(clauses []ast.Clause) bool {
	edges, alert, from, seen := len(w.graph.edges), len(w.graph.alert), w.from, w.seen
	w.begin("")
	for _, c := range clauses {
		w.walk(c)
	}
	found := len(w.graph.edges) > edges || len(w.graph.alert) > alert
	w.graph.edges, w.graph.alert, w.from, w.seen = w.graph.edges[:edges], w.graph.alert[:alert], from, seen
	return found
}

// partial finds for and if directly inside a step that look at an output or the alert: CUE would leave the whole step
// undecided, and with it every check of the step.
func (w *walker) partial(e ast.Expr) {
	switch x := e.(type) {
	case *ast.ParenExpr:
		w.partial(x.X)
	case *ast.Alias:
		w.partial(x.Expr)
	case *ast.BinaryExpr:
		w.partial(x.X)
		w.partial(x.Y)
	case *ast.StructLit:
		for _, d := range x.Elts {
			switch y := d.(type) {
			case *ast.Comprehension:
				if w.looks(y.Clauses) {
					w.graph.partial[w.from] = y.Pos()
				}
			case *ast.EmbedDecl:
				w.partial(y.Expr)
			}
		}
	}
}

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
		case *ast.SelectorExpr, *ast.IndexExpr, *ast.Ident:
			w.reference(x.(ast.Expr))
			return false
		}
		return true
	}, nil)
}

// reference handles one longest reference, such as a.b["c"].d.
func (w *walker) reference(e ast.Expr) {
	p, rest, ok := w.resolve(e)
	for _, r := range rest { // index expressions, and what a selector is applied to
		w.walk(r)
	}
	switch {
	case !ok:
	case p[0] == "alert":
		w.graph.alert = append(w.graph.alert, edge{w.from, "alert", p[1:], e.Pos()})
	case p[0] != "steps":
		w.helper(p)
	case len(p) == 1 || p[1] == "*":
		w.graph.whole = append(w.graph.whole, e.Pos())
	case strings.HasPrefix(p[1], "_") || strings.HasPrefix(p[1], "#"):
		w.helper(p)
	case p[1] != w.from || len(p) > 2 && p[2] == "output":
		w.graph.edges = append(w.graph.edges, edge{w.from, p[1], p[2:], e.Pos()})
	case len(p) > 3 && p[2] == "probe" && p[3] == "answer":
		w.graph.answers = append(w.graph.answers, edge{w.from, p[1], p[2:], e.Pos()})
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
	case nil, *ast.ImportSpec:
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
