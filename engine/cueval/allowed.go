package cueval

import (
	"cuelang.org/go/cue"
	"cuelang.org/go/cue/ast"
)

// nameTree holds the names that a definition allows. It tells at once that all names of a shape are right, which they
// nearly always are; CUE, which says what is wrong, takes as long for that as for the runbook itself.
type nameTree struct {
	def     cue.Value
	fields  map[string]*nameTree // nil until somebody looks
	pattern *nameTree            // of the fields whose names are the author's, once one was found
}

func newNameTree(def cue.Value) *nameTree { return &nameTree{def: def} }

// holds reports whether the definition allows all the names. If it does not know it says no.
func (n *nameTree) holds(decls []ast.Decl) bool {
	if n.def.IncompleteKind() == cue.TopKind {
		return true
	}
	for _, d := range decls {
		x, ok := d.(*ast.Field)
		if !ok {
			return false
		}
		name, written := labelName(x.Label)
		if !written {
			return false
		}
		below := n.child(name)
		if below == nil {
			return false
		}
		if s, ok := x.Value.(*ast.StructLit); ok && !below.holds(s.Elts) {
			return false
		}
	}
	return true
}

// child returns what a name leads to, or nil.
func (n *nameTree) child(name string) *nameTree {
	if n.fields == nil {
		n.fields = map[string]*nameTree{}
		for _, known := range fieldNames(n.def) {
			if v, ok := lookup(n.def, []string{known}); ok {
				n.fields[known] = newNameTree(v)
			}
		}
	}
	if c, ok := n.fields[name]; ok {
		return c
	}
	v, ok := lookup(n.def, []string{name})
	if !ok {
		return nil
	}
	if n.pattern == nil {
		n.pattern = newNameTree(v)
	}
	return n.pattern
}
