package cueval

import (
	"bytes"
	"slices"
	"strings"

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/ast"

	"github.com/pullbook/pullbook/engine/runbook"
)

// workName is the definition of the schema that has a field for each kind of step.
const workName = "#Work"

// typesFor is the part of the schema that a known plan is evaluated with, in a context of its own: of the kinds those of its
// steps and those that any file names, since a policy has rules for kinds that the plan has no step of, and what pullbook.cue may
// say where there is one. What is there is what it is in the whole schema. Without a known plan it is all of it.
func (s *schemaText) typesFor(ctx *cue.Context, known *runbook.Plan, lib *library) (cue.Value, []runbook.Problem) {
	if known == nil || s.err != nil {
		return s.types(ctx)
	}
	kinds := map[string]bool{}
	for _, step := range known.Steps {
		kinds[string(step.Kind)] = true
	}
	roots := []string{"#Runbook"}
	if _, ok := lib.files[organisationFile]; ok {
		roots = append(roots, "#Organisation")
	}
	c := &cutter{}
	for _, d := range s.file.Decls {
		f, ok := d.(*ast.Field)
		if !ok {
			continue
		}
		if work, ok := f.Value.(*ast.StructLit); ok && definitionName(f) == workName {
			c.trim(&work.Elts, func(d ast.Decl) bool {
				name, ofKind := kindField(d)
				return ofKind && !kinds[name] && !lib.mentions(name)
			})
		}
	}
	defer c.restore()
	return s.built(ctx, s.reached(roots))
}

// mentions reports whether any file may have a word in it, as a name or otherwise. Names of fields of steps are always written out, but
// a character of one can stand there by its number.
func (l *library) mentions(word string) bool {
	for _, text := range l.files {
		if bytes.Contains(text, []byte(word)) || bytes.Contains(text, []byte(`\u`)) || bytes.Contains(text, []byte(`\U`)) {
			return true
		}
	}
	return false
}

// kindField returns the name of a field of a kind of step.
func kindField(d ast.Decl) (name string, ofKind bool) {
	f, ok := d.(*ast.Field)
	if !ok {
		return "", false
	}
	ofKind = slices.ContainsFunc(f.Attrs, func(a *ast.Attribute) bool {
		key, _ := a.Split()
		return key == "kind"
	})
	name, _ = labelName(f.Label)
	return name, ofKind
}

func definitionName(f *ast.Field) string {
	if id, ok := f.Label.(*ast.Ident); ok {
		return id.Name
	}
	return ""
}

// reached are the declarations of the schema that some of its definitions are made of.
func (s *schemaText) reached(roots []string) (decls []ast.Decl) {
	seen := map[string]bool{}
	for _, name := range roots {
		seen[name] = true
	}
	walk := func(n ast.Node) bool {
		switch x := n.(type) {
		case *ast.Attribute:
			return false
		case *ast.Ident:
			if strings.HasPrefix(x.Name, "#") && !seen[x.Name] {
				seen[x.Name] = true
				roots = append(roots, x.Name)
			}
		}
		return true
	}
	named := map[string]*ast.Field{}
	for _, d := range s.file.Decls {
		if f, ok := d.(*ast.Field); ok {
			named[definitionName(f)] = f
		}
	}
	for i := 0; i < len(roots); i++ {
		if f := named[roots[i]]; f != nil {
			ast.Walk(f.Value, walk, nil)
		}
	}
	return slices.DeleteFunc(slices.Clone(s.file.Decls), func(d ast.Decl) bool {
		f, ok := d.(*ast.Field)
		return ok && !seen[definitionName(f)]
	})
}
