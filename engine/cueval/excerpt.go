package cueval

import (
	"slices"
	"strings"

	"cuelang.org/go/cue/ast"

	"github.com/pullbook/pullbook/engine/runbook"
)

// excerpt is the part of a runbook that one evaluation needs: some steps as a whole, of others the fields that these refer
// to, and nothing of the rest. In it each of these has the value that it has in the runbook.
type excerpt struct {
	of   *parts
	kept map[part]bool
	todo []part
}

// excerptOf takes what is wanted, and what it rests on. A runbook that cannot be parted has none.
func (p *parts) excerptOf(wanted []part) *excerpt {
	if p.whole {
		return nil
	}
	x := &excerpt{of: p, kept: map[part]bool{}, todo: slices.Concat(wanted, p.always)}
	for len(x.todo) > 0 {
		next := x.todo[len(x.todo)-1]
		x.todo = x.todo[:len(x.todo)-1]
		x.keep(next)
	}
	return x
}

func (x *excerpt) keep(p part) {
	step := x.of.steps[p.whole()]
	if step == nil {
		return // nothing of that name is written: loading has reported it
	}
	if step.solid {
		p = p.whole()
	}
	if x.kept[p] || x.kept[p.whole()] {
		return
	}
	x.kept[p] = true
	x.todo = append(x.todo, x.of.rests[p]...)
	for name := range step.fields {
		if p.field == "" || x.of.rules.looks[name] {
			x.todo = append(x.todo, x.of.rests[part{p.list, p.step, name}]...)
			x.kept[part{p.list, p.step, name}] = true
		}
	}
	around := part{p.list, p.step, beside}
	if !x.kept[around] {
		x.kept[around] = true
		x.todo = append(x.todo, x.of.rests[around]...)
	}
}

// has reports whether anything of a step is in the excerpt; of an undo, whether its step has it.
func (x *excerpt) has(h home) bool {
	if x == nil {
		return true
	}
	step := part{h.path[0], h.path[1], ""}
	if len(h.path) > 2 {
		return x.holds(part{h.path[0], h.path[1], h.path[2]})
	}
	return x.kept[step] || x.kept[part{h.path[0], h.path[1], beside}]
}

func (x *excerpt) holds(p part) bool { return x == nil || x.kept[p] || x.kept[p.whole()] }

// cut takes out of the tree what is not in the excerpt; restore puts it back. Names stay tied to what they mean, since
// the nodes stay the same.
func (x *excerpt) cut(files []*ast.File) (restore func()) {
	if x == nil {
		return func() {}
	}
	c := &cutter{}
	for _, l := range x.of.lists {
		c.trim(&l.around.Elts, func(d ast.Decl) bool { return x.drops(c, l.name, d) })
	}
	if x.of.mustBeUsed {
		c.unused(files, x.of.lists)
	}
	return c.restore
}

// drops reports whether a declaration of a list of steps is none of the excerpt's, and trims the step that is in part.
func (x *excerpt) drops(c *cutter, list string, d ast.Decl) bool {
	f, ok := d.(*ast.Field)
	if !ok {
		return false
	}
	name, _ := labelName(f.Label)
	if template, hoisted := strings.CutPrefix(name, listPrefix); hoisted {
		return !x.holds(part{list, template, fieldEach})
	}
	step, taken := f.Value.(*ast.StructLit)
	switch {
	case hidden(name) || x.kept[part{list, name, ""}]:
		return false
	case !x.kept[part{list, name, beside}]:
		return true
	case taken: // unreachable otherwise: a step that cannot be taken apart is there as a whole
		c.trim(&step.Elts, func(d ast.Decl) bool {
			f, ok := d.(*ast.Field)
			if !ok {
				return false
			}
			field, written := labelName(f.Label)
			return written && !hidden(field) && !x.kept[part{list, name, field}]
		})
	}
	return false
}

// cutter changes a tree, and remembers how it was.
type cutter struct{ undo []func() }

// restore puts everything back.
func (c *cutter) restore() {
	for _, back := range slices.Backward(c.undo) {
		back()
	}
}

func (c *cutter) trim(decls *[]ast.Decl, drop func(ast.Decl) bool) {
	old := *decls
	c.undo = append(c.undo, func() { *decls = old })
	*decls = slices.DeleteFunc(slices.Clone(old), drop)
}

// unused takes out what CUE refuses when nothing uses it: imports, and lets around steps and their fields.
func (c *cutter) unused(files []*ast.File, lists []stepList) {
	for again := true; again; {
		again = false
		used := map[ast.Node]bool{}
		for _, f := range files {
			ast.Walk(f, func(n ast.Node) bool {
				if id, ok := n.(*ast.Ident); ok && id.Node != nil {
					used[id.Node] = true
				}
				return true
			}, nil)
		}
		drop := func(d ast.Decl) bool {
			_, isLet := d.(*ast.LetClause)
			again = again || isLet && !used[d] // another let may be used by this one alone
			return isLet && !used[d]
		}
		for _, f := range files {
			c.imports(f, used)
			c.trim(&f.Decls, drop)
		}
		for _, l := range lists {
			c.trim(&l.around.Elts, drop)
			for _, d := range l.around.Elts {
				if f, ok := d.(*ast.Field); ok {
					if step, ok := f.Value.(*ast.StructLit); ok {
						c.trim(&step.Elts, drop)
					}
				}
			}
		}
	}
}

func (c *cutter) imports(f *ast.File, used map[ast.Node]bool) {
	for _, d := range f.Decls {
		if x, ok := d.(*ast.ImportDecl); ok {
			old := x.Specs
			c.undo = append(c.undo, func() { x.Specs = old })
			x.Specs = slices.DeleteFunc(slices.Clone(old), func(s *ast.ImportSpec) bool { return !used[s] })
		}
	}
	c.trim(&f.Decls, func(d ast.Decl) bool {
		x, ok := d.(*ast.ImportDecl)
		return ok && len(x.Specs) == 0
	})
}

// within are the steps that have something in the excerpt.
func (x *excerpt) within(d *document, steps []runbook.Step) []runbook.Step {
	if x == nil {
		return steps
	}
	return slices.DeleteFunc(slices.Clone(steps), func(s runbook.Step) bool { return !x.has(d.homeOf[s.Name]) })
}
