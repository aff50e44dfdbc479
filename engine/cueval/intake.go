package cueval

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/cuecontext"
	cueerrors "cuelang.org/go/cue/errors"

	"github.com/pullbook/pullbook/engine/runbook"
)

// mapped makes an alert of a payload, as an intake of pullbook.cue says. Mistakes elsewhere in that file do not keep an
// alert out.
func (t *texts) mapped(files map[string][]byte, name string, payload json.RawMessage) (json.RawMessage, error) {
	lib := newLibrary(runbook.Source{Files: files})
	if _, ok := files[organisationFile]; !ok {
		return nil, &IntakeError{Unknown: true, Problem: fmt.Sprintf("there is no intake %q: the ledger has no %s", name, organisationFile)}
	}
	text, ps := lib.runbook(organisationFile)
	if len(ps) > 0 {
		return nil, &SourceError{Problems: tidy(ps)}
	}
	ctx := cuecontext.New()
	types, ps := t.schema(nil).types(ctx)
	if len(ps) > 0 {
		return nil, &SourceError{Problems: ps} // unreachable: it is the program's own
	}
	def := types.LookupPath(cue.MakePath(cue.Def("#Organisation")))
	m := mapping{ctx: ctx, lib: lib, text: text, def: def}
	intakes := field(m.with(), "intake")
	if names := fieldNames(intakes); !slices.Contains(names, name) {
		problem := fmt.Sprintf("there is no intake %q in %s", name, organisationFile)
		if hint := didYouMean(name, names); hint != "" {
			problem += "; " + hint
		}
		return nil, &IntakeError{Unknown: true, Problem: problem}
	}
	x, err := extract("payload", payload, maxValue)
	if err != nil {
		return nil, &IntakeError{Problem: err.Error()}
	}
	return m.alert(name, prune(field(field(intakes, name), "payload"), x))
}

// mapping is pullbook.cue as far as intakes are concerned.
type mapping struct {
	ctx  *cue.Context
	lib  *library
	text *pkg
	def  cue.Value // #Organisation
}

// with evaluates pullbook.cue with further declarations.
func (m mapping) with(further ...ast.Decl) cue.Value {
	return m.lib.build(m.ctx, m.text.parts, further...).Unify(m.def)
}

// filled evaluates one intake with a payload.
func (m mapping) filled(name string, payload ast.Expr) cue.Value {
	label := func(s string, x ast.Expr) *ast.Field { return &ast.Field{Label: ast.NewString(s), Value: x} }
	one := &ast.StructLit{Elts: []ast.Decl{label("payload", payload)}}
	v := m.with(label("intake", &ast.StructLit{Elts: []ast.Decl{label(name, one)}}))
	return field(field(v, "intake"), name)
}

func (m mapping) alert(name string, payload ast.Expr) (json.RawMessage, error) {
	one := m.filled(name, payload)
	for _, part := range []string{"payload", "alert"} {
		if err := field(one, part).Validate(cue.Concrete(true)); err != nil {
			return nil, &IntakeError{Problem: m.why(name, err)}
		}
	}
	text, err := field(one, "alert").MarshalJSON()
	if err != nil {
		return nil, &IntakeError{Problem: m.why(name, err)}
	}
	return text, nil
}

// why names the field that an error is about, as whoever posts knows it, and where the ledger says what it has to be.
func (m mapping) why(name string, err error) string {
	e := cueerrors.Errors(err)[0]
	ps := reporter{file: m.text.view, def: m.def}.report(e)
	if len(ps) == 0 {
		return plain(e)
	}
	p := ps[0]
	if kindIs(e, noValue) && strings.HasPrefix(p.Path, "intake."+name+".payload") {
		p.Text = missingText
	}
	s := strings.TrimPrefix(p.Path, "intake."+name+".") + ": " + p.Text
	if p.Line > 0 {
		s += fmt.Sprintf("; see %s:%d:%d", p.File, p.Line, p.Column)
	}
	return s
}

// intakeProblems checks the intakes of pullbook.cue: the names of the alert's fields, references into the payload, and
// with a made-up payload the types.
func (d *document) intakeProblems() (ps []runbook.Problem) {
	if d.org.text == nil || !d.org.intakes.Exists() {
		return nil
	}
	known := fieldNames(d.types.LookupPath(cue.MakePath(cue.Def("#Mapped"))))
	for _, name := range fieldNames(d.org.intakes) {
		m := mapping{ctx: d.ctx, lib: d.lib, text: d.org.text, def: d.types.LookupPath(cue.MakePath(cue.Def("#Organisation")))}
		for _, x := range d.org.text.refs.vals[joined([]string{"intake", name, "alert"})] {
			names := (shaper{kinds: d.kinds, refs: d.org.text.refs, lib: d.lib, open: map[ast.Expr]bool{}}).embedded(x, []string{"intake", name, "alert"})
			eachField(names, func(x *ast.Field, written string) {
				if !slices.Contains(known, strings.Trim(written, "[")) {
					p := problemAt(x.Pos(), "intake."+name+".alert."+written, fmt.Sprintf("unknown field %q", written))
					p.Hint = didYouMean(written, known)
					ps = append(ps, p)
				}
			})
			ps = append(ps, d.org.payloadReferences(name, x)...)
		}
		if len(ps) == 0 {
			ps = append(ps, m.trial(name, field(field(d.org.intakes, name), "payload"))...)
		}
	}
	return ps
}

// payloadReferences checks what an alert refers to against the type of its payload.
func (o organisation) payloadReferences(name string, alert ast.Expr) (ps []runbook.Problem) {
	ast.Walk(alert, func(n ast.Node) bool {
		switch x := n.(type) {
		case *ast.SelectorExpr, *ast.IndexExpr, *ast.Ident:
			path, _, ok := o.text.refs.resolve(x.(ast.Expr))
			if !ok || len(path) < 4 || path[0] != "intake" || path[1] != name || path[2] != "payload" {
				return true
			}
			if lost, candidates := o.undeclared(path); lost != "" {
				p := problemAt(n.Pos(), pathAt(o.file, n.Pos()), fmt.Sprintf("the payload has no field %q", lost))
				p.Hint = didYouMean(lost, candidates)
				ps = append(ps, p)
			}
			return false
		}
		return true
	}, nil)
	return ps
}

// undeclared returns the first name of a path into a payload that its type, as it is written, does not declare.
func (o organisation) undeclared(path []string) (lost string, candidates []string) {
	v := field(field(o.intakes, path[1]), "payload")
	for i, name := range path[3:] {
		next, found := lookup(v, []string{name})
		if found {
			v = next
			continue
		}
		for _, x := range o.text.refs.vals[joined(path[:i+3])] {
			s, written := x.(*ast.StructLit)
			if !written || slices.ContainsFunc(s.Elts, func(d ast.Decl) bool { _, isField := d.(*ast.Field); return !isField }) {
				return "", nil // only evaluation knows
			}
			lost, candidates = name, fieldNames(v)
		}
		return lost, candidates
	}
	return "", nil
}

// trial maps a made-up payload. Only mistakes of types count: values are made up.
func (m mapping) trial(name string, typ cue.Value) []runbook.Problem {
	text, err := json.Marshal(sample(typ, 0))
	if err != nil {
		return nil // unreachable: samples are plain values
	}
	x, err := extract("payload", text, maxValue)
	if err != nil || string(text) == "null" {
		return nil
	}
	var found cueerrors.Error
	for _, e := range cueerrors.Errors(field(m.filled(name, x), "alert").Validate()) {
		if kind, _ := classify(e); typeMistake(e) && kind != undefined {
			found = cueerrors.Append(found, e)
		}
	}
	if found == nil {
		return nil
	}
	return reporter{file: m.text.view, def: m.def}.report(found)
}
