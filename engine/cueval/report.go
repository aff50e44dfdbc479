package cueval

import (
	"cmp"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/cuecontext"
	"cuelang.org/go/cue/errors"
	"cuelang.org/go/cue/token"

	"github.com/pullbook/pullbook/engine/runbook"
)

// reporter turns CUE's errors into problems: one for each mistake, at the author's place.
type reporter struct {
	file *ast.File // the author's
	def  cue.Value // what the file must be: #Runbook or #Organisation
	lib  *library  // with the packages that it imports; nil if it cannot
	text *pkg
}

// report groups err by path and keeps the most telling error of each.
func (r reporter) report(err error) []runbook.Problem {
	type ranked struct {
		runbook.Problem
		rank int
	}
	byPath := map[string]ranked{}
	for _, e := range errors.Errors(err) {
		p, rank := r.one(e)
		key := p.Path
		if key == "" {
			key = fmt.Sprint(p.Line, ":", p.Column)
		}
		if old, ok := byPath[key]; !ok || rank < old.rank {
			byPath[key] = ranked{p, rank}
		}
	}
	ps := make([]runbook.Problem, 0, len(byPath))
	for _, p := range byPath {
		ps = append(ps, p.Problem)
	}
	return tidy(ps)
}

const missingText = "is missing"

// The ranks of errors at one path, the most telling first.
const (
	rankName = iota
	rankMissing
	rankValue
	rankOther
)

func (r reporter) one(e errors.Error) (runbook.Problem, int) {
	path := unquoted(e.Path())
	if len(path) > 0 && strings.HasPrefix(path[0], "#") {
		path = path[1:]
	}
	switch kind, name := classify(e); kind {
	case notAllowed:
		path = r.shallowest(path)
		return r.notAllowed(path, e), rankName
	case required:
		p := r.missing(path, e)
		p.Text = missingText
		return p, rankMissing
	case undefined:
		p := r.at(path, e, false)
		p.Text = fmt.Sprintf("there is no field %q", name)
		r.selected(&p, path, name)
		return p, rankMissing
	case noValue:
		p := r.at(path, e, false)
		p.Text = fmt.Sprintf("has no value, only %s", name)
		return p, rankOther
	}
	given := r.given(path)
	if def, ok := lookup(r.def, path); ok && given != "" {
		if r.fits(def, given) {
			given = "" // it contradicts something else
		} else if p, is := r.misfit(def, path, e); is {
			return p, rankMissing
		}
	}
	p := r.at(path, e, false)
	if def, ok := lookup(r.def, path); ok && rule(def) != "" && r.own(e) {
		if value, isBound := outOfBound(e); isBound {
			p.Text = fmt.Sprintf("%s is not %s", value, rule(def))
			return p, rankMissing
		}
	}
	switch def, ok := lookup(r.def, path); {
	case isEmptyList(e):
		p.Text = "must not be empty"
	case noAlternative(e):
		p.Text = "fits none of the alternatives"
	case isConflict(e) && ok && def.IncompleteKind() != cue.TopKind && (given != "" || r.shaped(path) != "") && r.own(e):
		p = r.at(path, e, true) // and not where somebody refers to it
		p.Text, p.Hint = fmt.Sprintf("%s is no %s", cmp.Or(given, r.shaped(path)), def.IncompleteKind()), instead(given, def.IncompleteKind(), path)
	case isConflict(e):
		p.Text = plain(e)
		return p, rankValue
	case r.isDashed(p):
		p.Text, p.Hint = listText, listHint
	default:
		p.Text = plain(e)
	}
	return p, rankOther
}

// misfit is the problem of a literal that is none of the values, or not of the form, that the schema wants.
func (r reporter) misfit(def cue.Value, path []string, e errors.Error) (runbook.Problem, bool) {
	given := r.given(path)
	if values := alternatives(def); len(values) > 0 {
		p := r.at(path, e, true)
		p.Text = fmt.Sprintf("%s is not one of %s", given, strings.Join(values, ", "))
		p.Hint, p.See = didYouMean(strings.Trim(given, `"`), trimmed(values)), nil
		return p, true
	}
	if words := rule(def); words != "" && r.own(e) {
		p := r.at(path, e, true)
		p.Text = fmt.Sprintf("%s is not %s", given, words)
		return p, true
	}
	return runbook.Problem{}, false
}

// fits reports whether a literal by itself is what the schema demands.
func (r reporter) fits(def cue.Value, literal string) bool {
	return literal != "" && def.Unify(cuecontext.New().CompileString(literal)).Validate(cue.Concrete(true)) == nil
}

func (r reporter) notAllowed(path []string, e errors.Error) runbook.Problem {
	p := r.at(path, e, true)
	if len(path) == 0 {
		p.Text = "a field is not allowed here"
		return p
	}
	name := path[len(path)-1]
	parent, ok := lookup(r.def, path[:len(path)-1])
	p.Text = fmt.Sprintf("unknown field %q", name)
	from := p.See
	p.See = nil
	switch {
	case ok && len(path) == 2 && (path[0] == "steps" || path[0] == "finally"):
		p.Text = fmt.Sprintf("%q is no name for a step", name)
		p.Hint = "small letters, digits and _, beginning with a letter"
	case name == patternName || name == computedName:
		p.Text, p.Hint = "the names of the fields of a step are written out", ""
	case hidden(name) && r.lib != nil:
		p.Hint = didYouMean(name, append(slices.Sorted(maps.Keys(r.lib.parameters(r.text))), fieldNames(parent)...))
		if name[0] == '_' && p.Hint == "" {
			p.Hint = "a hidden field is one package's own; what others set is called #" + name[1:]
		}
	case ok:
		p.Hint = didYouMean(name, fieldNames(parent))
		if words := keyRule(path); words != "" {
			p.Text, p.Hint = fmt.Sprintf("%q is no name for %s", name, words), ""
		}
	default:
		p.See = from
	}
	p.See = nil
	if pos := r.imported(e); pos.IsValid() && !r.ownPosition(e).IsValid() && p.Hint != "" {
		p.See = broughtFrom(pos)
	}
	return p
}

// missing gives the place of a field that is not there: its step, since that is what an author looks for, or the field of a
// runbook that lacks it, or else the beginning of the file.
func (r reporter) missing(path []string, e errors.Error) runbook.Problem {
	p := r.at(path, e, true)
	inside := len(path) - len(insideStep(path))
	if f, depth := fieldOf(r.file, path[:max(0, inside)]); inside > 0 && f != nil && depth == inside && f.Pos().Line() != p.Line {
		p.File, p.Line, p.Column = f.Pos().Filename(), f.Pos().Line(), f.Pos().Column()
	}
	if p.Line == 0 && p.File == r.file.Filename {
		p.Line, p.Column = 1, 1
	}
	return p
}

// at gives the place of an error: the field of the author's file where the path leads if exact, else the error's own
// position in that file. A rule of another file is named as well.
func (r reporter) at(path []string, e errors.Error, exact bool) runbook.Problem {
	f, depth := fieldOf(r.file, path)
	var pos token.Pos
	switch {
	case exact && f != nil && depth == len(path):
		pos = f.Pos()
		if !kindIs(e, notAllowed) && !kindIs(e, required) {
			pos = f.Value.Pos()
		}
	case exact && f != nil:
		if pos = r.ownPosition(e); !pos.IsValid() || kindIs(e, required) {
			pos = f.Pos()
		}
	}
	if !pos.IsValid() {
		pos = r.ownPosition(e)
	}
	if !pos.IsValid() && f != nil {
		pos = f.Pos()
	}
	p := problemAt(pos, strings.Join(path, "."), "")
	if p.File == "" {
		p.File = r.file.Filename
	}
	p.See = r.ruleOf(e)
	return p
}

func kindIs(e errors.Error, want errorKind) bool {
	kind, _ := classify(e)
	return kind == want
}

func (r reporter) ownPosition(e errors.Error) token.Pos {
	all := append(slices.Clone(e.InputPositions()), e.Position())
	for _, p := range slices.Backward(all) {
		if p.IsValid() && r.mine(p.Filename()) {
			return p
		}
	}
	return token.NoPos
}

// mine reports whether a file is the author's, or one of the directory that is.
func (r reporter) mine(file string) bool {
	return file == r.file.Filename || path.Dir(file) == r.file.Filename
}

// foreign returns the place of a rule that the organisation wrote.
func (r reporter) foreign(e errors.Error) token.Pos {
	for _, p := range append([]token.Pos{e.Position()}, e.InputPositions()...) {
		if p.IsValid() && p.Filename() == organisationFile && r.file.Filename != organisationFile {
			return p
		}
	}
	return token.NoPos
}

// ruleOf leads to the organisation's rule that an error comes from, or to the package; nil if it comes from neither.
func (r reporter) ruleOf(err error) *runbook.See {
	for _, e := range errors.Errors(err) {
		if rule := r.foreign(e); rule.IsValid() {
			return ruleAt(rule)
		}
	}
	for _, e := range errors.Errors(err) {
		if pos := r.imported(e); pos.IsValid() {
			return broughtFrom(pos)
		}
	}
	return nil
}

func broughtFrom(p token.Pos) *runbook.See {
	return &runbook.See{Words: "it comes from", At: spotAt(p)}
}

// imported returns the place in a package of the ledger that an error comes from, if it comes from nowhere else.
func (r reporter) imported(e errors.Error) token.Pos {
	for _, p := range append([]token.Pos{e.Position()}, e.InputPositions()...) {
		if p.IsValid() && strings.HasSuffix(p.Filename(), ".cue") && !r.mine(p.Filename()) && p.Filename() != schemaName {
			return p
		}
	}
	return token.NoPos
}

// schemaName is what the schema is called in positions.
const schemaName = "schema/runbook.cue"

func (r reporter) own(e errors.Error) bool { return !r.foreign(e).IsValid() }

// given returns the literal that the author wrote at path, or nothing.
func (r reporter) given(path []string) string {
	f, depth := fieldOf(r.file, path)
	if f == nil {
		return ""
	}
	value := f.Value
	if list, ok := value.(*ast.ListLit); ok && depth == len(path)-1 {
		if i, err := index(path[depth]); err == nil && i < len(list.Elts) {
			value, depth = list.Elts[i], depth+1
		}
	}
	if depth != len(path) {
		return ""
	}
	if b, ok := value.(*ast.BasicLit); ok {
		return b.Value
	}
	return ""
}

// shallowest cuts a path to the first name that the schema does not have: CUE often blames what is below it.
func (r reporter) shallowest(path []string) []string {
	for i := 1; i < len(path); i++ {
		if _, ok := lookup(r.def, path[:i]); !ok {
			return path[:i]
		}
	}
	return path
}

// fieldOf finds the deepest field of a file on a path, and how much of the path it covers.
func fieldOf(f *ast.File, path []string) (best *ast.Field, depth int) {
	var search func(decls []ast.Decl, i int)
	var inside func(e ast.Expr, i int)
	inside = func(e ast.Expr, i int) {
		switch x := e.(type) {
		case *ast.StructLit:
			search(x.Elts, i)
		case *ast.ParenExpr:
			inside(x.X, i)
		case *ast.Alias:
			inside(x.Expr, i)
		case *ast.BinaryExpr:
			inside(x.X, i)
			inside(x.Y, i)
		}
	}
	search = func(decls []ast.Decl, i int) {
		if i >= len(path) {
			return
		}
		for _, d := range decls {
			switch x := d.(type) {
			case *ast.Field:
				n, ok := labelName(x.Label)
				if _, isPattern := x.Label.(*ast.ListLit); isPattern && path[i] == patternName {
					n, ok = path[i], true
				}
				if !ok || n != path[i] {
					continue
				}
				if i+1 > depth {
					best, depth = x, i+1
				}
				inside(x.Value, i+1)
			case *ast.Comprehension:
				inside(x.Value, i)
			case *ast.EmbedDecl:
				inside(x.Expr, i)
			}
		}
	}
	search(f.Decls, 0)
	return best, depth
}

// tidy sorts problems by place, and keeps one for each place and one for each path.
func tidy(ps []runbook.Problem) []runbook.Problem {
	slices.SortStableFunc(ps, func(a, b runbook.Problem) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column),
			cmp.Compare(a.Path, b.Path), cmp.Compare(a.Text, b.Text))
	})
	type place struct {
		file         string
		line, column int
	}
	places, paths := map[place]bool{}, map[string]bool{}
	out := ps[:0]
	for _, p := range ps {
		at, path := place{p.File, p.Line, p.Column}, p.File+":"+p.Path
		if p.Line > 0 && places[at] || p.Path != "" && paths[path] {
			continue
		}
		places[at], paths[path] = true, true
		out = append(out, p)
	}
	return out
}

func unquoted(path []string) []string {
	out := make([]string, len(path))
	for i, s := range path {
		out[i] = strings.Trim(s, `"`)
	}
	return out
}

func trimmed(values []string) []string { return unquoted(values) }
