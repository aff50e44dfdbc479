package cueval

import (
	"slices"
	"strings"

	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/token"

	"github.com/pullbook/pullbook/engine/runbook"
)

// edge is one reference of a step to another step, or to the alert.
type edge struct {
	from  string        // name of a step of the plan, or generated
	stage runbook.Stage // of the step it starts in
	to    string        // name of a step of the plan, or "alert"
	path  []string      // below the step or the alert: output, errors; "*" where only evaluation knows
	pos   token.Pos
	field string // of the step in which it is written; empty where a template or a helper may have any
	// guarded edges stand behind if STEP.status == "succeeded" of the step they lead to: they count only then.
	guarded bool
}

// comparison is a written text, and the path from the root of what it is compared with.
type comparison struct {
	path []string
	with *ast.BasicLit
}

// generated is the from of edges that start in a step whose name only evaluation knows, or in a pattern for many steps.
// Such an edge is taken to start in every step that has no declaration of its own, or in all of them: more edges than
// there are only make a step wait, fewer would start it too early.
const generated = "*"

// graph is what the syntax tree tells about steps.
type graph struct {
	at          map[string]token.Pos        // where each step with a written name is declared first
	edges       []edge                      // between steps
	alert       []edge                      // to the alert
	inputs      []edge                      // to the inputs
	rests       []token.Pos                 // references of the inputs themselves to steps or the alert
	own         []edge                      // of steps to their own fields, such as a probe's answer or an item
	itemDecides map[string]bool             // templates whose condition depends on the item
	computed    map[runbook.Stage]token.Pos // of the first declaration of a step whose name is computed
	patterns    map[runbook.Stage]bool      // there is a pattern such as [_]: among the steps
	compared    []*ast.BasicLit             // texts that a status is compared with, and never is
	compares    []comparison                // texts that something known by its path is compared with
	elsewhere   []token.Pos                 // steps that would come out of another package
	whole       []token.Pos                 // references to steps as a whole, or to steps[expression]
	guards      []token.Pos                 // for and if among the steps that look at an output or the alert
	partial     map[string]token.Pos        // likewise directly inside a step, by step
}

// readGraph walks the tree of one runbook. The parser has already tied each identifier to its declaration.
func readGraph(f *ast.File) *graph { return newWalker(f).read() }

func (w *walker) read() *graph {
	w.besides()
	for _, e := range w.tops {
		w.elsewhere(e)
	}
	for _, e := range w.vals["steps"] {
		w.steps(e)
	}
	w.stage = runbook.StageFinally
	for _, e := range w.vals["finally"] {
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
	// listed are the values of which somebody asked whether they name all of their fields.
	listed map[ast.Node]bool
	tops   []ast.Expr // what is embedded at the top, and could bring steps along
	// shared are the names that the files of a package declare for each other.
	shared map[string]bool

	// The step at hand.
	from   string
	stage  runbook.Stage
	field  string
	guards []string // steps that are known to have succeeded where the walk is
}

func newWalker(f *ast.File) *walker {
	w := &walker{
		graph: &graph{at: map[string]token.Pos{}, partial: map[string]token.Pos{}, itemDecides: map[string]bool{},
			computed: map[runbook.Stage]token.Pos{}, patterns: map[runbook.Stage]bool{}},
		path:  map[ast.Node][]string{},
		vals:  map[string][]ast.Expr{},
		lists: map[ast.Node]bool{}, listed: map[ast.Node]bool{},
		seen: map[ast.Node]bool{},
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
			key := joined(p)
			w.path[x] = p
			w.vals[key] = append(w.vals[key], x.Value)
			w.indexValue(x.Value, p)
		case *ast.EmbedDecl:
			w.indexValue(x.Expr, at)
			if _, written := x.Expr.(*ast.StructLit); len(at) == 0 && !written {
				w.tops = append(w.tops, x.Expr)
			}
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
		p, _, ok := w.resolve(e)
		if !ok {
			w.elsewhere(e)
		}
		for _, v := range w.vals[joined(p)] {
			w.steps(v)
		}
	default:
		w.elsewhere(e)
	}
}

// elsewhere notes steps whose text cannot be found: what they refer to would be no edge of the graph.
func (w *walker) elsewhere(e ast.Expr) { w.graph.elsewhere = append(w.graph.elsewhere, e.Pos()) }

func (w *walker) stepDecl(d ast.Decl) {
	switch x := d.(type) {
	case *ast.Field:
		name, ok := labelName(x.Label)
		if !ok {
			name = generated
			_, isPattern := x.Label.(*ast.ListLit)
			w.graph.patterns[w.stage] = w.graph.patterns[w.stage] || isPattern
			if !w.graph.computed[w.stage].IsValid() && !isPattern {
				w.graph.computed[w.stage] = x.Pos()
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
		w.step(x.Value)
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

// step collects the references of one step. Its undo is a step of its own.
func (w *walker) step(e ast.Expr) {
	switch x := e.(type) {
	case *ast.ParenExpr:
		w.step(x.X)
	case *ast.Alias:
		w.step(x.Expr)
	case *ast.BinaryExpr:
		w.step(x.X)
		w.step(x.Y)
	case *ast.StructLit:
		for _, d := range x.Elts {
			w.stepField(d)
		}
	default:
		w.walk(e)
	}
}

func (w *walker) stepField(d ast.Decl) {
	if e, ok := d.(*ast.EmbedDecl); ok {
		w.step(e.Expr)
		return
	}
	x, ok := d.(*ast.Field)
	name, written := "", false
	if ok {
		name, written = labelName(x.Label)
	}
	old := *w
	switch {
	case !written:
		w.walk(d)
	case name == "undo" && w.stage == runbook.StageMain:
		w.stage, w.seen = runbook.StageUndo, map[ast.Node]bool{}
		if w.from != generated {
			w.from += undoSuffix
		}
		w.partial(x.Value)
		w.step(x.Value)
	case name == "when" || slices.Contains(permissions(), name): // helpers count here although another field came to them first
		w.field, w.seen = name, map[ast.Node]bool{}
		w.walk(x.Value)
	default:
		w.field = name
		w.walk(x.Value)
	}
	w.from, w.stage, w.field, w.seen = old.from, old.stage, old.field, old.seen
}

// undoSuffix makes the name of an undo in the plan out of that of its step.
const undoSuffix = "_undo"

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
				w.permits(y)
			case *ast.EmbedDecl:
				w.partial(y.Expr)
			}
		}
	}
}
