package cueval

import (
	"slices"
	"strconv"
	"strings"

	"cuelang.org/go/cue/ast"

	"github.com/pullbook/pullbook/engine/runbook"
)

// lines finds which lines of a runbook make each step, in the syntax as its author wrote it: who wrote them is asked later.
// In doubt a line belongs: declarations whose names cannot be told belong to every step, and so do those that a step may
// mean by a name. A package that a step may mean belongs to it whole, with what that imports.
type lines struct {
	helpers map[string][]ast.Node // declarations beside the steps, and imported packages, by name
	shared  map[string][]ast.Node // by list (steps, finally): what may be part of any step
	steps   map[string][]*ast.Field
}

func newLines(decls []ast.Decl) *lines {
	l := &lines{helpers: map[string][]ast.Node{}, shared: map[string][]ast.Node{}, steps: map[string][]*ast.Field{}}
	for _, d := range decls {
		x, isField := d.(*ast.Field)
		name := ""
		if isField {
			name, _ = labelName(x.Label)
		}
		switch name {
		case "steps", "finally":
			l.list(name, x.Value)
		case "alert": // the engine's own
		case "":
			l.beside(d, "steps", "finally")
		default:
			l.helpers[name] = append(l.helpers[name], d)
		}
	}
	return l
}

// list sorts what stands in a list of steps.
func (l *lines) list(name string, value ast.Expr) {
	s, ok := value.(*ast.StructLit)
	if !ok {
		l.shared[name] = append(l.shared[name], value)
		return
	}
	for _, d := range s.Elts {
		x, isField := d.(*ast.Field)
		step := ""
		if isField {
			step, _ = labelName(x.Label)
		}
		switch {
		case step == "":
			l.beside(d, name)
		case hidden(step):
			l.helpers[step] = append(l.helpers[step], d)
		default:
			l.steps[name+"."+step] = append(l.steps[name+"."+step], x)
		}
	}
}

// beside keeps a declaration that is no field with a plain name.
func (l *lines) beside(d ast.Decl, lists ...string) {
	switch x := d.(type) {
	case *ast.LetClause:
		l.helpers[x.Ident.Name] = append(l.helpers[x.Ident.Name], d)
	case *ast.ImportDecl, *ast.Package, *ast.Attribute, *ast.CommentGroup, *ast.Ellipsis:
	default:
		for _, list := range lists {
			l.shared[list] = append(l.shared[list], d)
		}
	}
}

// of lists the lines that make a step.
func (l *lines) of(h home) []runbook.Lines {
	if len(h.path) < 2 {
		return nil // unreachable: every step of a plan has a home
	}
	nodes := slices.Clone(l.shared[h.path[0]])
	for _, x := range l.steps[h.path[0]+"."+h.path[1]] {
		nodes = append(nodes, partOf(x, h.stage)...)
	}
	seen := map[string]bool{}
	for i := 0; i < len(nodes); i++ { // grows
		ast.Walk(nodes[i], func(n ast.Node) bool {
			if id, ok := n.(*ast.Ident); ok && !seen[id.Name] {
				seen[id.Name] = true
				nodes = append(nodes, l.helpers[id.Name]...)
			}
			return true
		}, nil)
	}
	return rangesOf(nodes)
}

// partOf is what of a step's field belongs to the step itself, or to its undo. A value that is not written out belongs to
// both.
func partOf(x *ast.Field, stage runbook.Stage) []ast.Node {
	s, ok := x.Value.(*ast.StructLit)
	if !ok {
		return []ast.Node{x}
	}
	var own []ast.Node
	for _, d := range s.Elts {
		name := ""
		if f, isField := d.(*ast.Field); isField {
			name, _ = labelName(f.Label)
		}
		undo := name == "undo"
		if unclear := name == "" || hidden(name); unclear || undo == (stage == runbook.StageUndo) {
			own = append(own, d)
		}
	}
	return own
}

// rangesOf are the lines of nodes, by file and in order, each once.
func rangesOf(nodes []ast.Node) []runbook.Lines {
	var all []runbook.Lines
	for _, n := range nodes {
		if from, to := n.Pos(), n.End(); from.IsValid() && to.IsValid() { // what was declared here for the author has no place
			all = append(all, runbook.Lines{File: from.Filename(), From: from.Line(), To: to.Line()})
		}
	}
	return runbook.Join(all)
}

// linesWritten are the lines that make each step, by the path of its home; by its list those that may make any step in it. It reads
// the tree as the author wrote it, before that is rewritten.
func (d *document) linesWritten() map[string][]runbook.Lines {
	var decls []ast.Decl
	imported := map[string][]ast.Node{}
	for _, part := range d.text.parts {
		decls = append(decls, withoutImports(part.Decls)...)
		for spec := range part.ImportSpecs() {
			name, nodes := d.lib.broughtIn(spec)
			imported[name] = append(imported[name], nodes...)
		}
	}
	l := newLines(decls)
	for name, nodes := range imported {
		l.helpers[name] = append(l.helpers[name], nodes...)
	}
	all := map[string][]runbook.Lines{}
	for list := range l.shared {
		all[list] = l.of(home{path: []string{list, ""}})
	}
	for at, fields := range l.steps {
		path := strings.SplitN(at, ".", 2)
		all[at] = l.of(home{path: path})
		if slices.ContainsFunc(fields, mayHaveUndo) {
			all[at+".undo"] = l.of(home{path: path, stage: runbook.StageUndo})
		}
	}
	return all
}

// mayHaveUndo reports whether a step has an undo, or can have one from elsewhere.
func mayHaveUndo(x *ast.Field) bool {
	s, ok := x.Value.(*ast.StructLit)
	return !ok || slices.ContainsFunc(s.Elts, func(d ast.Decl) bool {
		f, isField := d.(*ast.Field)
		if !isField {
			return true
		}
		name, _ := labelName(f.Label)
		return name == "" || name == "undo" || hidden(name)
	})
}

// linesOf gives every step of a plan the lines that make it.
func (d *document) linesOf(plan *runbook.Plan) {
	for i := range plan.Steps {
		path := d.homeOf[plan.Steps[i].Name].path
		lines, written := d.lines[strings.Join(path, ".")]
		if !written {
			lines = d.lines[path[0]]
		}
		plan.Steps[i].Lines = slices.Clone(lines)
	}
}

// broughtIn is the name by which a file means what it imports, and the files of that package and of those it imports.
func (l *library) broughtIn(spec *ast.ImportSpec) (name string, files []ast.Node) {
	path, err := strconv.Unquote(spec.Path.Value)
	if err != nil || standardPackage(path) {
		return "", nil
	}
	name = ast.ParseImportPath(path).Qualifier
	if spec.Name != nil {
		name = spec.Name.Name
	}
	dir, wrong, _ := l.dirOf(path)
	if p := l.pkgs[dir]; wrong == "" && p != nil {
		files = l.texts(p)
	}
	return name, files
}
