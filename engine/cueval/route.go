package cueval

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/cuecontext"

	"github.com/pullbook/pullbook/engine/runbook"
)

// triage is the runbook that answers every alert that no other runbook claims.
const triage = "runbooks/triage.cue"

// candidate is a runbook whose match holds for an alert.
type candidate struct {
	path        string
	constraints int
}

// route finds the runbook for an alert: the right one with the most constraints. The steps of a runbook are looked at
// only if its match holds, so that the time grows with the number of runbooks and not with their size.
func (t *texts) route(files map[string][]byte, alert json.RawMessage) (runbook.Route, error) {
	alert, err := withoutMembers(alert)
	if err != nil {
		return runbook.Route{}, err
	}
	var r runbook.Route
	var found []candidate
	for _, name := range runbooksOf(files) {
		n, holds, ps := t.ask(files, name, alert)
		r.Problems = append(r.Problems, ps...)
		if holds && len(ps) == 0 {
			found = append(found, candidate{name, n})
		}
	}
	slices.SortStableFunc(found, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(b.constraints, a.constraints), cmp.Compare(a.path, b.path))
	})
	for i, c := range found {
		if ps := t.vet(runbook.SourceOf(files, c.path)); len(ps) > 0 {
			r.Problems = append(r.Problems, ps...)
			continue
		}
		r.Runbook, r.Why = c.path, why(c, found[i+1:])
		r.Problems = tidy(r.Problems)
		return r, nil
	}
	r.Why = "no runbook matches the alert"
	if len(found) > 0 {
		r.Why = fmt.Sprintf("%s matches the alert but is wrong", found[0].path)
	}
	if _, ok := files[triage]; ok {
		if ps := t.vet(runbook.SourceOf(files, triage)); len(ps) > 0 {
			r.Problems = append(r.Problems, ps...)
		} else {
			r.Runbook = triage
		}
	}
	r.Problems = tidy(r.Problems)
	return r, nil
}

// withoutMembers checks that an alert is JSON, and leaves out the alerts of its group: no match can refer to them, and
// they are most of a large alert, which is read once for each runbook.
func withoutMembers(alert json.RawMessage) (json.RawMessage, error) {
	if _, err := extract("alert.json", alert, maxAlert); err != nil {
		return nil, err
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(alert, &fields); err != nil {
		return nil, fmt.Errorf("read the alert: %w", err)
	}
	delete(fields, "alerts")
	text, err := json.Marshal(fields)
	if err != nil {
		return nil, fmt.Errorf("write the alert: %w", err)
	}
	return text, nil
}

func why(c candidate, others []candidate) string {
	s := fmt.Sprintf("%s matches the alert with %s", c.path, counted(c.constraints))
	if len(others) == 0 {
		return s
	}
	next := others[0]
	if next.constraints == c.constraints {
		return fmt.Sprintf("%s; %s matches with as many and comes later by name", s, next.path)
	}
	return fmt.Sprintf("%s; %s matches with %s", s, next.path, counted(next.constraints))
}

func counted(n int) string {
	if n == 1 {
		return "1 constraint"
	}
	return fmt.Sprintf("%d constraints", n)
}

// runbooksOf returns the runbooks among files, sorted: each file in the directory runbooks, and each directory in it.
func runbooksOf(files map[string][]byte) (names []string) {
	for name := range files {
		if runbook.IsRunbook(name) {
			names = append(names, runbook.PathOf(name))
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// ask evaluates the match of one runbook, and counts its constraints. A runbook without match holds for nothing.
func (t *texts) ask(files map[string][]byte, name string, alert json.RawMessage) (constraints int, holds bool, ps []runbook.Problem) {
	lib := newLibrary(runbook.SourceOf(files, name))
	text, ps := lib.runbook(name)
	if text == nil || len(ps) > 0 {
		return 0, false, ps
	}
	ctx := cuecontext.New()
	types, ps := t.schema(nil).types(ctx)
	if len(ps) > 0 {
		return 0, false, ps // unreachable: it is the program's own
	}
	def := types.LookupPath(cue.MakePath(cue.Def("#Runbook")))
	r := reporter{file: text.view, def: def}
	// The names at the top are checked for every runbook: with mtach for match it would never answer, and nobody would know.
	top := text.withoutSteps()
	if ps = r.report(ctx.BuildFile(shape(top, lib, nil)).Unify(def).Validate()); len(ps) > 0 {
		return 0, false, ps
	}
	if f, _ := fieldOf(text.view, []string{"match"}); f == nil {
		return 0, false, nil
	}
	given, err := extract("alert.json", alert, maxAlert)
	if err != nil {
		return 0, false, []runbook.Problem{{File: name, Text: err.Error()}}
	}
	raw := lib.build(ctx, top.parts)
	match := field(raw.Unify(def), "match")
	if ps = append(r.report(raw.Validate()), r.report(match.Validate())...); len(ps) > 0 {
		return 0, false, tidy(ps)
	}
	constraints, holds = matches(match, ctx.BuildExpr(given))
	return constraints, holds && constraints > 0, nil
}

// withoutSteps is a runbook with only the declarations that a match can depend on, and the imports that these use.
func (p *pkg) withoutSteps() *pkg {
	top := &pkg{dir: p.dir, view: &ast.File{Filename: p.view.Filename}}
	gone := p.restsOnSteps()
	for _, f := range p.parts {
		kept := slices.DeleteFunc(slices.Clone(f.Decls), func(d ast.Decl) bool { return gone[fieldName(d)] })
		top.view.Decls = append(top.view.Decls, withoutImports(kept)...)
		top.parts = append(top.parts, &ast.File{Filename: f.Filename, Decls: usedImports(kept)})
	}
	top.walk()
	return top
}

// restsOnSteps names the fields at the top that are steps or refer to them, themselves or by others: helpers of the steps. A
// match that does is none of them: it stays, and is told.
func (p *pkg) restsOnSteps() map[string]bool {
	gone := map[string]bool{"steps": true, "finally": true}
	for before := 0; before < len(gone); {
		before = len(gone)
		for _, f := range p.parts {
			for _, d := range f.Decls {
				if name := fieldName(d); name != "" && name != "match" && refersTo(d, gone) {
					gone[name] = true
				}
			}
		}
	}
	return gone
}

// refersTo reports whether an identifier within is one of the names.
func refersTo(n ast.Node, names map[string]bool) (found bool) {
	ast.Walk(n, func(n ast.Node) bool {
		switch x := n.(type) {
		case *ast.Field: // its name refers to nothing
			found = found || refersTo(x.Value, names)
			return false
		case *ast.SelectorExpr:
			found = found || refersTo(x.X, names)
			return false
		case *ast.Ident:
			found = found || names[x.Name]
		}
		return !found
	}, nil)
	return found
}

// fieldName is the name of a declaration that is a field, and empty for others.
func fieldName(d ast.Decl) string {
	x, ok := d.(*ast.Field)
	if !ok {
		return ""
	}
	name, _ := labelName(x.Label)
	return name
}

// usedImports leaves out the imports that no declaration uses: CUE refuses those.
func usedImports(decls []ast.Decl) (out []ast.Decl) {
	used := map[ast.Node]bool{}
	for _, d := range withoutImports(decls) {
		ast.Walk(d, func(n ast.Node) bool {
			if id, ok := n.(*ast.Ident); ok && id.Node != nil {
				used[id.Node] = true
			}
			return true
		}, nil)
	}
	for _, d := range decls {
		if x, ok := d.(*ast.ImportDecl); ok {
			y := *x
			y.Specs = slices.DeleteFunc(slices.Clone(x.Specs), func(s *ast.ImportSpec) bool { return !used[s] })
			if len(y.Specs) == 0 {
				continue
			}
			d = &y
		}
		out = append(out, d)
	}
	return out
}

// matches reports whether every constraint holds for the field of the alert with its name, and how many there are. A
// field that the alert does not have matches nothing: unified with it, the constraint would be its own value.
func matches(match, alert cue.Value) (constraints int, holds bool) {
	it, err := match.Fields()
	if err != nil {
		return 0, false
	}
	holds = true
	for it.Next() {
		want, have := it.Value(), alert.LookupPath(cue.MakePath(it.Selector()))
		if want.IncompleteKind() == cue.StructKind {
			n, ok := matches(want, have)
			constraints, holds = constraints+n, holds && ok
			continue
		}
		constraints++
		holds = holds && have.Exists() && want.Unify(have).Validate(cue.Concrete(true)) == nil
	}
	return constraints, holds
}
