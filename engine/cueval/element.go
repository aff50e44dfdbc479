package cueval

import (
	"encoding/json"
	"fmt"
	"slices"

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/ast"

	"github.com/pullbook/pullbook/engine/runbook"
)

// onlyFor leaves nothing to evaluate but a field of a step, or of an element of a template, and what that rests on. It
// reports whether that is the same for all elements, and the one that is meant is there.
func (d *document) onlyFor(plan runbook.Plan, name, field string, ended map[string]runbook.Ended) (alike bool) {
	base, key, element := runbook.SplitName(name)
	h := d.homeOf[base]
	if d.parts == nil {
		return false
	}
	if s, _, _ := plan.Written(base); element {
		alike = !d.parts.ofItems(h, field) && d.listed(s, key, ended)
	}
	d.only = d.parts.excerptOf(d.parts.need(h, field, element && !alike))
	return alike
}

// itemIn finds one element of a plan by its name, and evaluates the template for it alone where the text tells its key.
func (d *document) itemIn(v cue.Value, plan runbook.Plan, name string) (cue.Value, error) {
	template, key, _ := runbook.SplitName(name)
	s, _, _ := plan.Written(template)
	list, m := d.elementsOf(v, s)
	typ, path := field(d.templateIn(d.static(), s), fieldItem), d.keyPath(s)
	for i := 0; m == nil && i < len(list); i++ {
		if is, known := list[i].keyAt(path); known && is != key {
			continue
		}
		var it item
		if it, m = d.itemOf(v, s, typ, list[i]); m == nil && it.key == key {
			return it.step, nil
		}
	}
	if m != nil {
		return cue.Value{}, fmt.Errorf("work out the elements of %s: %s", s.Name, m.text)
	}
	return cue.Value{}, fmt.Errorf("work out the elements of %s: there is none called %s", s.Name, key)
}

// keyPath is where in an element its key stands, such as item.name; empty where the place of the element is its key. For
// any other key it is nil.
func (d *document) keyPath(s runbook.Step) []string {
	values := d.refs.vals[joined(append(d.templateHome(s), fieldKey))]
	switch {
	case d.parts == nil || d.parts.solid(d.homeOf[s.Name]):
		return nil
	case len(values) == 0 && !d.parts.rules.sets[fieldKey]:
		return []string{}
	case len(values) != 1:
		return nil
	}
	var path []string
	for e := values[0]; ; {
		x, ok := e.(*ast.SelectorExpr)
		if !ok {
			id, ok := e.(*ast.Ident)
			if !ok || id.Name != fieldItem {
				return nil
			}
			return path
		}
		name, written := labelName(x.Sel)
		if !written {
			return nil
		}
		e, path = x.X, append([]string{name}, path...)
	}
}

// listed reports whether the text tells, with the outputs alone, that an element with this key is in the list of a template.
// It is what an evaluation would find: the list is an output as it was put out.
func (d *document) listed(s runbook.Step, key string, ended map[string]runbook.Ended) bool {
	values, inside := d.refs.vals[joined(append(d.templateHome(s), fieldEach))], d.keyPath(s)
	if len(values) != 1 || inside == nil {
		return false
	}
	path, rest, ok := d.refs.resolve(values[0])
	if !ok || len(rest) > 0 {
		return false
	}
	from, path := target(path)
	end := ended[from]
	var x any
	if len(path) == 0 || path[0] != "output" || !succeeded(end) || json.Unmarshal(end.Output, &x) != nil {
		return false
	}
	switch list := at(x, path[1:]).(type) {
	case []any:
		return slices.ContainsFunc(list, func(e any) bool { return at(e, inside) == any(key) })
	case map[string]any:
		if len(inside) == 0 {
			return list[key] != nil
		}
	}
	return false
}

// at follows names into JSON; nil where there is nothing.
func at(x any, path []string) any {
	for _, name := range path {
		m, _ := x.(map[string]any)
		x = m[name]
	}
	return x
}

// keyAt is the key of an element that stands at a path in it.
func (e element) keyAt(path []string) (key string, known bool) {
	switch {
	case path == nil:
		return "", false
	case len(path) == 0:
		return e.name, true
	}
	at, found := lookup(e.value, path)
	if !found {
		return "", false
	}
	key, err := at.String()
	return key, err == nil
}

// elementType is the type of what one element puts out. alike says that it is the same for all elements of its template.
func (d *document) elementType(v cue.Value, plan runbook.Plan, name string, alike bool) (cue.Value, error) {
	base, _, _ := runbook.SplitName(name)
	s, _, _ := plan.Written(base)
	step := d.step(v, base)
	if !alike {
		var err error
		if step, err = d.itemIn(v, plan, name); err != nil {
			return cue.Value{}, err
		}
	}
	return outputType(s, step), nil
}

// elementOutput checks what one element put out. Where the elements are alike in that, none needs to be worked out.
func (d *document) elementOutput(typ cue.Value, base, name string, text json.RawMessage) (json.RawMessage, error) {
	kept, err := d.project(typ, text)
	if err != nil {
		return nil, &OutputError{Step: name, Problem: fmt.Sprintf("the output of %s cannot be read: %v", name, err)}
	}
	x, err := extract(name+"/output.json", kept, maxValue)
	if err != nil {
		return nil, &OutputError{Step: name, Problem: fmt.Sprintf("the output of %s cannot be read: %v", name, err)}
	}
	checked := typ.Unify(d.ctx.BuildExpr(x))
	if err := checked.Validate(cue.Concrete(true)); err != nil {
		return nil, &OutputError{Step: name, Problem: d.why(err, base, "output").String()}
	}
	out, err := checked.MarshalJSON()
	if err != nil {
		return nil, &OutputError{Step: name, Problem: d.why(err, base, "output").String()}
	}
	return out, nil
}
