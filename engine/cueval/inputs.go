package cueval

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/errors"
	"cuelang.org/go/cue/token"

	"github.com/pullbook/pullbook/engine/runbook"
)

// maxInputs is the size of all values of inputs together, in bytes.
const maxInputs = 64 << 10

// besides collects what is said of inputs outside of the steps. What the inputs themselves refer to is known before all
// else, so it can be neither steps nor the alert.
func (w *walker) besides() {
	edges, alert := len(w.graph.edges), len(w.graph.alert)
	w.begin("")
	for _, e := range w.vals["inputs"] {
		w.walk(e)
	}
	for _, x := range slices.Concat(w.graph.edges[edges:], w.graph.alert[alert:]) {
		w.graph.rests = append(w.graph.rests, x.pos)
	}
	for _, name := range []string{"title", "doc", "service", "match"} {
		for _, e := range w.vals[name] {
			w.walk(e)
		}
	}
	w.graph.edges, w.graph.alert, w.seen = w.graph.edges[:edges], w.graph.alert[:alert], map[ast.Node]bool{}
}

// inputNames are the inputs that the runbook declares, in the author's order.
func (d *document) inputNames() (names []string) {
	if d.inputs.of == d.value {
		return d.inputs.names
	}
	it, err := field(d.value, "inputs").Fields(cue.Optional(true))
	for err == nil && it.Next() { // otherwise there are none, or evaluation reports why they cannot be read
		if it.Selector().LabelType() == cue.StringLabel {
			names = append(names, it.Selector().Unquoted())
		}
	}
	d.inputs = declared{d.value, names}
	return names
}

// declared are the inputs of one evaluation of the runbook.
type declared struct {
	of    cue.Value
	names []string
}

// inputReferences checks the references to inputs, and those that inputs make.
func (d *document) inputReferences() (ps []runbook.Problem) {
	names := d.inputNames()
	if f, _ := fieldOf(d.file, []string{"inputs"}); f != nil && len(names) == 0 {
		return nil // evaluation reports why they cannot be read
	}
	for _, e := range d.graph.inputs {
		if len(e.path) == 0 || e.path[0] == "*" {
			continue
		}
		p := problemAt(e.pos, pathAt(d.file, e.pos), "")
		if !slices.Contains(names, e.path[0]) {
			p = d.misspelt(e.pos, e.path[0])
			p.Text, p.Hint = fmt.Sprintf("there is no input %s", e.path[0]), didYouMean(e.path[0], names)
			ps = append(ps, p)
			continue
		}
		one := field(field(d.value, "inputs"), e.path[0])
		if name, candidates, ok := missing(one, e.path[1:]); ok {
			p = d.misspelt(e.pos, name)
			p.Text, p.Hint = fmt.Sprintf("there is no field %q in the input %s", name, e.path[0]), didYouMean(name, candidates)
			ps = append(ps, p)
		}
	}
	for _, pos := range d.graph.rests {
		p := problemAt(pos, pathAt(d.file, pos), "an input cannot depend on steps or the alert")
		p.Hint = "inputs are known before all else"
		ps = append(ps, p)
	}
	return ps
}

// takeInputs checks the values that were given, fills them in, and evaluates the runbook with them. The values that it
// needs are those that the runbook evaluates to without them.
func (d *document) takeInputs(given json.RawMessage) (ps []runbook.Problem) {
	if len(given) == 0 || string(given) == "null" {
		return nil
	}
	d.inputsGiven = true
	values, err := readInputs(given)
	if err != nil {
		return []runbook.Problem{{File: d.file.Filename, Path: "inputs", Text: err.Error()}}
	}
	if len(values) == 0 {
		return nil
	}
	names := d.inputNames()
	var fields []ast.Decl
	for _, f := range values {
		name, _ := labelName(f.Label)
		if !slices.Contains(names, name) {
			p := d.place("inputs")
			p.Path = "inputs." + name
			p.Text, p.Hint = fmt.Sprintf("a value is given for the input %s, which the runbook does not have", name), didYouMean(name, names)
			ps = append(ps, p)
			continue
		}
		x, why := d.fit(field(field(d.value, "inputs"), name), f.Value)
		if why != "" {
			p := d.place("inputs", name)
			p.Text = "the value that is given does not fit: " + why
			ps = append(ps, p)
			continue
		}
		fields = append(fields, &ast.Field{Label: ast.NewString(name), Value: x})
	}
	if len(ps) > 0 {
		d.inputsGiven = false // what does not fit is not missing as well
		return ps
	}
	d.given = []ast.Decl{&ast.Field{Label: ast.NewString("inputs"), Value: &ast.StructLit{Elts: fields}}}
	d.value = d.built()
	return nil
}

// fillInputs fills in values that were checked before.
func (d *document) fillInputs(values json.RawMessage) error {
	if len(values) == 0 {
		return nil
	}
	x, err := extract("inputs.json", values, maxInputs)
	if err != nil {
		return err
	}
	d.given = []ast.Decl{&ast.Field{Label: ast.NewString("inputs"), Value: x}}
	return nil
}

// readInputs reads a JSON object as fields. CUE's decoder refuses one that is there twice.
func readInputs(given json.RawMessage) (fields []*ast.Field, err error) {
	x, err := extract("inputs.json", given, maxInputs)
	if err != nil {
		return nil, err
	}
	s, ok := x.(*ast.StructLit)
	if !ok {
		return nil, fmt.Errorf("the inputs are no JSON object")
	}
	for _, e := range s.Elts {
		if f, ok := e.(*ast.Field); ok {
			fields = append(fields, f)
		}
	}
	return fields, nil
}

// fit returns the value for an input of a type, or why it does not fit. What a person writes on a command line is a
// text: where no text is wanted, what it says as JSON is meant.
func (d *document) fit(typ cue.Value, x ast.Expr) (ast.Expr, string) {
	err := typ.Unify(d.ctx.BuildExpr(x)).Validate(cue.Concrete(true))
	if err == nil {
		return x, ""
	}
	if b, ok := x.(*ast.BasicLit); ok && b.Kind == token.STRING && typ.IncompleteKind()&cue.StringKind == 0 {
		if text, unquote := strconv.Unquote(b.Value); unquote == nil {
			y, other := extract("inputs.json", []byte(text), maxInputs)
			if other == nil && typ.Unify(d.ctx.BuildExpr(y)).Validate(cue.Concrete(true)) == nil {
				return y, ""
			}
		}
	}
	return nil, d.misfit(typ, x, errors.Errors(err)[0])
}

// misfit says why a value does not fit a type.
func (d *document) misfit(typ cue.Value, x ast.Expr, e errors.Error) string {
	v := d.ctx.BuildExpr(x)
	text, err := v.MarshalJSON()
	if err != nil || len(text) > longestText {
		text = []byte("a " + v.Kind().String())
	}
	values := alternatives(typ)
	switch {
	case typ.IncompleteKind()&v.Kind() == 0:
		return fmt.Sprintf("%s is no %s", text, typ.IncompleteKind())
	case len(values) > 0:
		return fmt.Sprintf("%s is not one of %s", text, strings.Join(values, ", "))
	case noAlternative(e):
		return fmt.Sprintf("%s fits none of the alternatives", text)
	}
	return plain(e)
}

// wholeInputs keeps the values of all inputs in the plan, and reports those that are missing.
func (d *document) wholeInputs(plan *runbook.Plan) (ps []runbook.Problem) {
	inputs := field(d.static(), "inputs")
	names := d.inputNames()
	complete := len(d.graph.rests) == 0
	for _, name := range names {
		p := d.place("inputs", name)
		if f, _ := fieldOf(d.file, []string{"inputs", name}); f != nil && f.Constraint != token.ILLEGAL {
			p.Text, p.Hint = "an input has a name and a type", fmt.Sprintf("write %s: without %s", name, f.Constraint)
			ps = append(ps, p)
			continue
		}
		if err := field(inputs, name).Validate(cue.Concrete(true)); err == nil {
			continue
		}
		resting := !complete && len(d.graph.rests) > 0
		complete = false
		switch {
		case resting: // reported where it refers to them
		case field(inputs, name).Validate() != nil: // evaluation reported it
		case d.inputsGiven:
			p.Text = "is given no value, and has no default"
			ps = append(ps, p)
		case field(d.static(), "match").Exists():
			p.Text, p.Hint = "has no default, although alerts open the runbook by themselves", "write the default with a star, such as string | *\"eu\", or leave match out"
			ps = append(ps, p)
		}
	}
	if len(names) == 0 || !complete || len(ps) > 0 {
		return ps
	}
	text, err := inputs.MarshalJSON()
	if err != nil {
		p := d.place("inputs")
		p.Text = firstLine(err)
		return append(ps, p)
	}
	plan.Inputs = text
	return nil
}

// authored is the runbook as it is without alert, outputs and the values that inputs were given: an input can hold the
// text of an alert, so it is no more the author's than that.
func (d *document) authored() cue.Value {
	if len(d.given) == 0 {
		return d.static()
	}
	if !d.alone.Exists() {
		defer d.only.cut(d.text.parts)()
		d.alone = d.lib.build(d.ctx, d.text.parts).Unify(d.def)
	}
	return d.alone
}

// sampleInputs makes up values for the inputs that have none yet, as a declaration of the runbook.
func (d *document) sampleInputs() []ast.Decl {
	all := map[string]any{}
	for _, name := range d.inputNames() {
		v := field(field(d.static(), "inputs"), name)
		if v.Validate(cue.Concrete(true)) == nil {
			continue
		}
		if x := sample(v, 0); x != nil {
			all[name] = x
		}
	}
	text, err := json.Marshal(all)
	if err != nil || len(all) == 0 {
		return nil // a sample is always JSON
	}
	x, err := extract("inputs.json", text, maxInputs)
	if err != nil {
		return nil // likewise
	}
	return []ast.Decl{&ast.Field{Label: ast.NewString("inputs"), Value: x}}
}
