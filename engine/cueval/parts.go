package cueval

import (
	"slices"

	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/literal"
	"cuelang.org/go/cue/token"
)

// part is a field of a step as its author wrote it; with an empty field it is the step as a whole.
type part struct{ list, step, field string }

func (p part) whole() part { p.field = ""; return p }

// beside stands for what is written in a step and is no field of it, such as a let: it is there with any part of the step.
const beside = "\x00"

// stepText is what the text tells of a step before anything is evaluated.
type stepText struct {
	value  ast.Expr
	fields map[string]*ast.Field
	// solid is a step that cannot be taken apart: what it takes from a template or a condition can look at any of its fields.
	solid bool
}

// parts is what the text tells of which fields of steps rest on which. It is read before the tree is rewritten.
type parts struct {
	steps  map[part]*stepText // by the step as a whole
	rests  map[part][]part    // what a part refers to
	always []part             // what is referred to from outside of the steps
	lists  []stepList
	// whole is a runbook of which no part can be evaluated by itself: not all of its steps are written out one by one, or
	// something looks at all of them.
	whole bool
	// mustBeUsed says that something is declared which CUE refuses where nothing uses it.
	mustBeUsed bool
	rules      rules
}

// stepList is a struct that is written as the value of steps or finally.
type stepList struct {
	name   string
	around *ast.StructLit
}

// rules is what the text of pullbook.cue tells of its rules for steps.
type rules struct {
	looks map[string]bool // names of fields that they can look at
	sets  map[string]bool // names of fields that they can give a value
	names map[string]bool // names of all fields in it
	open  bool            // it has fields whose names are not written out, besides the steps that the rules are for
}

// readParts reads the parts of a runbook.
func readParts(text *pkg, org organisation) *parts {
	p, f, w := &parts{steps: map[part]*stepText{}, rests: map[part][]part{}}, text.view, text.refs
	for _, one := range text.parts {
		for range one.ImportSpecs() {
			p.mustBeUsed = true
		}
	}
	p.readRules(org)
	for _, d := range f.Decls {
		switch x := d.(type) {
		case *ast.Field:
			name, _ := labelName(x.Label)
			p.whole = p.whole || aliased(x)
			if name != "steps" && name != "finally" {
				p.always = append(p.always, p.references(w, x)...)
				continue
			}
			around, written := x.Value.(*ast.StructLit)
			if p.whole = p.whole || !written || x.Constraint != token.ILLEGAL; !p.whole {
				p.list(w, name, around)
			}
		case *ast.LetClause:
			p.mustBeUsed = true
			p.always = append(p.always, p.references(w, x)...)
		case *ast.EmbedDecl, *ast.Comprehension, *ast.Alias:
			p.whole = true
		}
	}
	return p
}

// readRules reads which fields of a step the policy can look at. Those of packages that it imports are not looked into.
func (p *parts) readRules(org organisation) {
	p.rules = rules{looks: map[string]bool{}, sets: map[string]bool{}, names: map[string]bool{}}
	if org.policy == nil {
		return
	}
	p.whole = p.whole || len(org.text.uses) > 0
	patterns, _ := policyRules(org.file)
	unnamed := -len(patterns)
	ast.Walk(org.file, func(n ast.Node) bool {
		switch x := n.(type) {
		case *ast.Ident:
			if x.Node != nil { // a label has none
				p.rules.looks[x.Name] = true
			}
		case *ast.SelectorExpr:
			if name, ok := labelName(x.Sel); ok {
				p.rules.looks[name] = true
			}
		case *ast.IndexExpr:
			if b, ok := x.Index.(*ast.BasicLit); ok {
				if name, err := literal.Unquote(b.Value); err == nil {
					p.rules.looks[name] = true
				}
			}
		case *ast.Field:
			name, ok := labelName(x.Label)
			if p.rules.names[name] = true; !ok {
				unnamed++
			}
			if ok && x.Constraint == token.ILLEGAL {
				p.rules.sets[name] = true
			}
		}
		return true
	}, nil)
	p.rules.open = unnamed > 0
}

// list reads the steps of one list.
func (p *parts) list(w *walker, list string, around *ast.StructLit) {
	p.lists = append(p.lists, stepList{list, around})
	for _, d := range around.Elts {
		x, ok := d.(*ast.Field)
		if !ok {
			switch d.(type) {
			case *ast.LetClause:
				p.mustBeUsed = true
				p.always = append(p.always, p.references(w, d)...)
			case *ast.CommentGroup, *ast.Attribute:
			default:
				p.whole = true
			}
			continue
		}
		name, written := labelName(x.Label)
		switch {
		case !written || x.Constraint != token.ILLEGAL || aliased(x):
			p.whole = true
		case hidden(name):
			p.always = append(p.always, p.references(w, x.Value)...)
		default:
			p.step(w, part{list: list, step: name}, x)
		}
	}
}

// step reads one declaration of a step.
func (p *parts) step(w *walker, at part, x *ast.Field) {
	one := p.steps[at]
	if one == nil {
		one = &stepText{value: x.Value, fields: map[string]*ast.Field{}}
		p.steps[at] = one
	} else {
		one.solid = true
	}
	s, ok := x.Value.(*ast.StructLit)
	if !ok {
		one.solid = true
		p.rests[at] = append(p.rests[at], p.references(w, x.Value)...)
		return
	}
	for _, d := range s.Elts {
		to := part{at.list, at.step, beside}
		if f, ok := d.(*ast.Field); ok {
			if name, written := labelName(f.Label); written && !hidden(name) {
				one.fields[name], to.field = f, name
			}
			one.solid = one.solid || aliased(f)
		} else if _, isLet := d.(*ast.LetClause); isLet {
			p.mustBeUsed = true
		} else {
			one.solid = true
		}
		p.rests[to] = append(p.rests[to], p.references(w, d)...)
	}
}

// aliased reports whether a field has another name, which CUE refuses where nothing uses it.
func aliased(x *ast.Field) bool {
	_, ok := x.Label.(*ast.Alias)
	return ok || x.Alias != nil
}

// references are the parts that something in the tree refers to. A reference that cannot be followed is one to a value
// nearby, which is read where it stands.
func (p *parts) references(w *walker, n ast.Node) (out []part) {
	var walk func(n ast.Node)
	walk = func(n ast.Node) {
		ast.Walk(n, func(n ast.Node) bool {
			switch x := n.(type) {
			case *ast.Field: // a written label is no reference, a computed one is
				if _, ok := labelName(x.Label); !ok {
					walk(x.Label)
				}
				walk(x.Value)
				return false
			case *ast.LetClause:
				walk(x.Expr)
				return false
			case *ast.SelectorExpr, *ast.IndexExpr, *ast.Ident:
				path, rest, ok := w.resolve(x.(ast.Expr))
				for _, r := range rest {
					walk(r)
				}
				if ok {
					out = p.referTo(out, path)
				}
				return false
			}
			return true
		}, nil)
	}
	if len(w.seen) > 0 {
		w.seen = map[ast.Node]bool{}
	}
	walk(n)
	return out
}

func (p *parts) referTo(out []part, path []string) []part {
	switch {
	case path[0] != "steps" && path[0] != "finally":
		return out
	case len(path) == 1 || path[1] == "*":
		p.whole = true
		return out
	case hidden(path[1]):
		return out // it is outside of the steps
	case len(path) == 2 || path[2] == "*" || hidden(path[2]):
		return append(out, part{path[0], path[1], ""})
	}
	return append(out, part{path[0], path[1], path[2]})
}

// text returns a text of a step, if it stands there as it is, and for an absent one nothing. For all others known is false.
func (p *parts) text(h home, name string) (text string, known bool) {
	if p == nil || p.whole {
		return "", false
	}
	step := p.steps[part{h.path[0], h.path[1], ""}]
	if step == nil || step.solid {
		return "", false
	}
	f := step.fields[name]
	if len(h.path) > 2 {
		if f = step.fields[h.path[2]]; !plainFields(f) {
			return "", false
		}
		f = own(f, name)
	}
	if f == nil {
		return "", !p.rules.sets[name]
	}
	b, ok := f.Value.(*ast.BasicLit)
	if !ok || b.Kind != token.STRING {
		return "", false
	}
	text, err := literal.Unquote(b.Value)
	return text, err == nil
}

// solid reports whether a step cannot be taken apart.
func (p *parts) solid(h home) bool {
	step := p.steps[part{h.path[0], h.path[1], ""}]
	return p.whole || step == nil || step.solid
}

// need are the parts that a field of a step is evaluated from, or of its elements.
func (p *parts) need(h home, name string, ofElements bool) []part {
	step := part{h.path[0], h.path[1], ""}
	if len(h.path) > 2 || p.solid(h) {
		return []part{step}
	}
	out := []part{{step.list, step.step, name}}
	if ofElements {
		for _, name := range []string{fieldEach, fieldItem, fieldKey} {
			out = append(out, part{step.list, step.step, name})
		}
	}
	return out
}

// ofItems reports whether a field of a template is another one for each element.
func (p *parts) ofItems(h home, name string) bool {
	if p == nil || len(h.path) > 2 || p.solid(h) {
		return true
	}
	x := p.excerptOf([]part{{h.path[0], h.path[1], name}})
	return slices.ContainsFunc([]string{fieldEach, fieldItem, fieldKey}, func(own string) bool {
		return x.kept[part{h.path[0], h.path[1], own}]
	})
}

// plainFields reports whether a field is a struct of fields that are written out, each once.
func plainFields(f *ast.Field) bool {
	if f == nil {
		return false
	}
	s, ok := f.Value.(*ast.StructLit)
	if !ok {
		return false
	}
	seen := map[string]bool{}
	for _, d := range s.Elts {
		x, ok := d.(*ast.Field)
		if !ok {
			return false
		}
		name, written := labelName(x.Label)
		if !written || seen[name] {
			return false
		}
		seen[name] = true
	}
	return true
}
