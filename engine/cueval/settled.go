package cueval

import (
	"fmt"
	"slices"

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/ast"

	"github.com/pullbook/pullbook/engine/runbook"
)

const (
	unsettledText = "must be known before anything runs"
	unsettledHint = "only when, title, doc and the values inside a kind can depend on outputs and the alert"
)

// settledFields are the fields of a step that are static, besides those of its kind.
func settledFields() []string {
	return append(permissions(), "timeout", "retry", "needs", "join", "onFailure")
}

// unsettled reports static fields of which an output or the alert decides a part although CUE knows a value of theirs:
// before anything ran a list or a struct that is not there yet is an empty one, so len(alert.labels) is 0 and a loop over
// it makes nothing.
func (d *document) unsettled(plan runbook.Plan) (ps []runbook.Problem) {
	for _, s := range written(plan.Steps) {
		for _, path := range d.settledPaths(s) {
			if d.plainly(s.Name, path) {
				continue
			}
			now, blind := d.step(d.value, s.Name), d.step(d.blindly(), s.Name)
			was, is := deeper(now, path), deeper(blind, path)
			hidden := !was.Exists() && d.undecided(blind, s.Name, path) && !d.undecided(now, s.Name, path)
			if !hidden && (!was.Exists() || was.Validate(cue.Concrete(true)) != nil || sameValue(was, is)) {
				continue
			}
			p := d.placeIn(s.Name, path...)
			p.Text, p.Hint = unsettledText, unsettledHint
			ps = append(ps, p)
		}
	}
	return ps
}

// settledPaths are the static fields of a step, as paths below it.
func (d *document) settledPaths(s runbook.Step) (paths [][]string) {
	for _, name := range settledFields() {
		paths = append(paths, []string{name})
	}
	for _, t := range d.kind(s.Kind).traits {
		if t.static || t.secret {
			paths = append(paths, append([]string{string(s.Kind)}, t.path...))
		}
	}
	return paths
}

// plainly reports whether a field of a step stands in the text as it is, or is in no way there: then nothing decides it.
func (d *document) plainly(step string, below []string) bool {
	path := append(slices.Clone(d.homeOf[step].path), below...)
	if len(d.refs.tops) > 0 {
		return false // what is embedded can have any field
	}
	for i := range path {
		values := d.refs.vals[joined(path[:i+1])]
		last := i == len(path)-1
		switch {
		case len(values) == 0:
			return true
		case i > 0 && len(values) > 1:
			return false
		case i > 0 && (last || literally(values[0])):
			return literally(values[0])
		case slices.ContainsFunc(values, func(e ast.Expr) bool { return !d.refs.listsFields(e) }):
			return false
		}
	}
	return false
}

// listsFields reports whether an expression is a struct that names all of its fields. It remembers that: the struct of all steps is
// asked about for each of them.
func (w *walker) listsFields(e ast.Expr) bool {
	all, known := w.listed[e]
	if !known {
		s, ok := e.(*ast.StructLit)
		all = ok && !slices.ContainsFunc(s.Elts, computes)
		w.listed[e] = all
	}
	return all
}

// computes reports whether a declaration can make fields that it does not name.
func computes(d ast.Decl) bool {
	switch x := d.(type) {
	case *ast.Field:
		_, written := labelName(x.Label)
		return !written
	case *ast.EmbedDecl, *ast.Comprehension:
		return true
	}
	return false
}

// literally reports whether an expression is a value that is written out, with nothing worked out in it.
func literally(e ast.Expr) bool {
	switch x := e.(type) {
	case *ast.BasicLit:
		return true
	case *ast.ListLit:
		return !slices.ContainsFunc(x.Elts, func(e ast.Expr) bool { return !literally(e) })
	case *ast.StructLit:
		return !slices.ContainsFunc(x.Elts, func(d ast.Decl) bool {
			f, ok := d.(*ast.Field)
			return computes(d) || ok && !literally(f.Value)
		})
	}
	return false
}

// blindly is the runbook as its author wrote it, in which the alert, outputs and items can be anything at all: nothing is
// known in it that one of these has a part in.
func (d *document) blindly() cue.Value {
	if !d.blind.Exists() {
		defer d.withoutTypes()()
		d.blind = d.lib.build(d.ctx, d.text.parts, d.given...)
	}
	return d.blind
}

// withoutTypes writes "anything" in the place of the alert, and of the outputs and items of all steps; restore puts these back.
func (d *document) withoutTypes() (restore func()) {
	was, now := map[ast.Node]ast.Expr{}, map[ast.Node]ast.Expr{}
	var fields []*ast.Field
	blank := func(x *ast.Field) {
		any := named(x.Value.Pos(), "_")
		was[any], now[x.Value] = x.Value, any
		fields = append(fields, x)
	}
	for _, part := range d.text.parts {
		for _, decl := range part.Decls {
			x, ok := decl.(*ast.Field)
			if !ok {
				continue
			}
			switch name, _ := labelName(x.Label); name {
			case "alert":
				blank(x)
			case "steps", "finally":
				eachOf(x.Value, func(step *ast.Field, _ string) { typesOf(step.Value, blank) })
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

// typesOf finds the types of what a step and its undo put out and of their items.
func typesOf(step ast.Expr, do func(*ast.Field)) {
	eachOf(step, func(x *ast.Field, name string) {
		switch name {
		case "output", fieldItem:
			do(x)
		case "undo":
			typesOf(x.Value, do)
		}
	})
}

// servedName is the service of the runbook as far as its author alone says it, and nothing where the alert or an input has
// a part in it: whoever opens an incident does not choose which freezes hold for it, or whose owners are asked.
func (d *document) servedName() (name string, settled bool) {
	name = oneLine(field(d.static(), "service"), "")
	if values := d.refs.vals["service"]; len(values) == 1 && literally(values[0]) {
		return name, true
	}
	if name == "" {
		return "", false
	}
	if oneLine(field(d.inputless(), "service"), "") != name || oneLine(field(d.blindly(), "service"), "") != name {
		return "", false
	}
	return name, true
}

// overreaches reports what a step would do that its risk and its approval were not settled for: a request that does more
// than the risk says, and secrets without an approval. vet has looked at the text; this looks at what really runs.
func (d *document) overreaches(s runbook.Step, step cue.Value) (p runbook.Problem, found bool) {
	for _, t := range d.kind(s.Kind).traits {
		at := append([]string{string(s.Kind)}, t.path...)
		if t.risks == nil && !t.secret || d.plainly(s.Name, at) {
			continue // it says what it said when that was checked
		}
		f := deeper(step, at)
		if !f.Exists() {
			continue
		}
		p = d.placeIn(s.Name, at...)
		if text, err := f.String(); err == nil && s.Risk.Less(t.risks[text]) {
			p.Text = fmt.Sprintf("with %s %q a step is not of risk %q", t.path[len(t.path)-1], text, s.Risk)
			return p, true
		}
		if !t.secret {
			continue
		}
		for _, name := range textsOf(f) {
			if d.org.file != nil && s.Approval == nil && !slices.Contains(d.org.ungatedSecrets, name) {
				p.Text = fmt.Sprintf("a step without an approval may not use the secret %s", name)
				return p, true
			}
			if s.Kind == runbook.KindExec && s.Risk == runbook.RiskRead && !d.org.maySet(name) {
				p.Text, p.Hint = fmt.Sprintf(readEnvText, name), "see readEnv in "+organisationFile
				return p, true
			}
		}
	}
	return p, false
}
