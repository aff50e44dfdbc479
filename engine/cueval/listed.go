package cueval

import (
	"encoding/json"
	"slices"

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/literal"
	"cuelang.org/go/cue/token"

	"github.com/pullbook/pullbook/engine/runbook"
)

// fieldValue is a field with what it holds.
type fieldValue struct {
	name  string
	value cue.Value
}

// fieldsOf are the fields that the kind of a step has, in the author's order. To have CUE list them costs more than all else that
// is asked of a step, so where the text names every one of them they are looked up by their names.
func (d *document) fieldsOf(s runbook.Step, v cue.Value) (all []fieldValue, err error) {
	names, known := d.namesOf(s)
	if !known {
		return fieldsIn(v)
	}
	for _, name := range names {
		all = append(all, fieldValue{name, field(v, name)})
	}
	return all, nil
}

// fieldsIn are the fields of a value as CUE lists them.
func fieldsIn(v cue.Value) (all []fieldValue, err error) {
	it, err := v.Fields()
	if err != nil {
		return nil, err
	}
	for it.Next() {
		all = append(all, fieldValue{it.Selector().Unquoted(), it.Value()})
	}
	return all, nil
}

// namesOf are the names of the fields of a step's kind. All reports whether no other field can be there: only the text of the step,
// written out, gives it any.
func (d *document) namesOf(s runbook.Step) (names []string, all bool) {
	if d.parts == nil || d.parts.rules.open || d.parts.rules.names[string(s.Kind)] {
		return nil, false
	}
	return d.writtenIn(append(slices.Clone(d.homeOf[s.Name].path), string(s.Kind)))
}

// writtenIn are the names of the fields that a struct of the runbook has. All reports whether the author wrote all of them out:
// without the rules of the organisation it has no other.
func (d *document) writtenIn(path []string) (names []string, all bool) {
	if len(d.refs.tops) > 0 {
		return nil, false
	}
	for i := range path {
		values := d.refs.vals[joined(path[:i+1])]
		if len(values) == 0 || slices.ContainsFunc(values, func(e ast.Expr) bool { return !d.refs.listsFields(e) }) {
			return nil, false
		}
		if i < len(path)-1 {
			continue
		}
		for _, e := range values {
			eachOf(e, func(x *ast.Field, name string) {
				if x.Constraint == token.ILLEGAL && !hidden(name) && !slices.Contains(names, name) {
					names = append(names, name)
				}
			})
		}
	}
	return names, true
}

// data is the value of a field as JSON has it. It must be known.
func (f fieldValue) data() (any, error) {
	if err := f.value.Validate(cue.Concrete(true)); err != nil {
		return nil, err
	}
	return dataOf(f.value)
}

// dataOf is a known value as JSON has it, with numbers as they are written: no number becomes another one.
func dataOf(v cue.Value) (any, error) {
	if v.Kind() == cue.BottomKind {
		v, _ = v.Default() // of alternatives that one counts
	}
	switch v.Kind() {
	case cue.StringKind:
		return v.String()
	case cue.BoolKind:
		return v.Bool()
	case cue.NullKind:
		return nil, nil
	case cue.ListKind:
		it, err := v.List()
		all := []any{}
		for err == nil && it.Next() {
			var x any
			x, err = dataOf(it.Value())
			all = append(all, x)
		}
		return all, err
	case cue.StructKind:
		it, err := v.Fields()
		all := map[string]any{}
		for err == nil && it.Next() {
			all[it.Selector().Unquoted()], err = dataOf(it.Value())
		}
		return all, err
	case cue.IntKind, cue.FloatKind:
		text, err := v.MarshalJSON()
		return json.Number(text), err
	}
	var text string
	b, err := v.MarshalJSON()
	if err == nil {
		err = json.Unmarshal(b, &text) // bytes are written as text
	}
	return text, err
}

// textsIn are the texts of a list of them, none of anything else.
func textsIn(x any) (texts []string) {
	list, _ := x.([]any)
	for _, one := range list {
		text, ok := one.(string)
		if !ok {
			return nil
		}
		texts = append(texts, text)
	}
	return texts
}

// writtenText is a text of a step without rules that stands there as it is, or nothing where there is none.
func (d *document) writtenText(h home, name string) (text string, known bool) {
	names, all := d.writtenIn(h.path)
	switch {
	case !all || d.ruled():
		return "", false
	case !slices.Contains(names, name):
		return "", true
	}
	if values := d.refs.vals[joined(extend(h.path, name))]; len(values) == 1 {
		if b, ok := values[0].(*ast.BasicLit); ok && b.Kind == token.STRING {
			text, err := literal.Unquote(b.Value)
			return text, err == nil
		}
	}
	return "", false
}
