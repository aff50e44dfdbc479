package cueval

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/cuecontext"
	"cuelang.org/go/cue/parser"
	"cuelang.org/go/cue/token"

	"github.com/pullbook/pullbook/engine/runbook"
)

// maxFile is the size of the largest file that is read, in bytes. A runbook of 1,000 steps has about half of it.
const maxFile = 256 << 10

// parsed parses a file and refuses attributes that change how it is read. It looks at no import.
func parsed(name string, text []byte) (*ast.File, []runbook.Problem) {
	if len(text) > maxFile {
		return nil, []runbook.Problem{{File: name, Text: fmt.Sprintf("has %d bytes; at most %d are read", len(text), maxFile)}}
	}
	f, err := parser.ParseFile(name, text)
	if err != nil {
		return nil, syntaxProblems(name, text, f, err)
	}
	declareItems(f)
	return f, attributes(f)
}

// attributes reports attributes that change how a file is read: @embed would read other files.
func attributes(f *ast.File) (ps []runbook.Problem) {
	ast.Walk(f, func(n ast.Node) bool {
		a, ok := n.(*ast.Attribute)
		if !ok {
			return true
		}
		if key, body := a.Split(); key != "experiment" || body != "shortcircuit" {
			p := problemAt(a.Pos(), "", fmt.Sprintf("the attribute @%s has no place here", key))
			p.Hint = "a runbook refers to nothing outside of it but the packages that it imports"
			ps = append(ps, p)
		}
		return false
	}, nil)
	return ps
}

// standardPackage reports whether path can only mean a package that CUE brings along: those have no dot in the first
// element, and tool/... has tasks that would reach outside if anything ran them.
func standardPackage(path string) bool {
	first, _, _ := strings.Cut(path, "/")
	return !strings.Contains(first, ".") && first != "tool" && path != ""
}

// predeclared are the names that CUE has without a declaration. The name self is left out on purpose: a reference
// through it would not be an edge of the graph.
func predeclared() []string {
	return []string{
		"_", "and", "bool", "bytes", "close", "div", "error", "float", "float32", "float64", "int", "int128", "int16",
		"int32", "int64", "int8", "len", "matchIf", "matchN", "mod", "number", "or", "quo", "rem", "rune", "string",
		"uint", "uint128", "uint16", "uint32", "uint64", "uint8",
	}
}

// unknownNames reports the names in a file that neither the file nor its package declares. The view is of the whole package.
func unknownNames(f, view *ast.File, shared map[string]bool) (ps []runbook.Problem) {
	known := predeclared()
	var near []string
	clause := packageClause(f)
	for _, id := range f.Unresolved {
		if id == clause || slices.Contains(known, id.Name) || shared[id.Name] {
			continue
		}
		if near == nil {
			near = declaredNames(view)
		}
		if meantTop(id.Name, view) {
			id.Name = "_" // the misspelled declaration is the mistake
			continue
		}
		p := problemAt(id.Pos(), pathAt(view, id.Pos()), fmt.Sprintf("%q is not known here", id.Name))
		switch {
		case id.Name == "alert":
			p.Hint = "declare it with the line alert: _"
		case id.Name == "inputs":
			p.Hint = "declare them, such as inputs: region: string"
		case slices.Contains(stepNames(view), id.Name):
			p.Hint = "write steps." + id.Name
		default:
			p.Hint = hintOf(f, id, near)
		}
		ps = append(ps, p)
		id.Name = "_"
	}
	return ps
}

// hintOf is what somebody may have meant who wrote a name that nothing declares.
func hintOf(f *ast.File, id *ast.Ident, near []string) string {
	for _, name := range packagesOfCUE() {
		if path.Base(name) == id.Name {
			return fmt.Sprintf("write import %q at the top of the file", name)
		}
	}
	if hint := didYouMean(id.Name, near); hint != "" {
		return hint
	}
	indexed := false
	ast.Walk(f, func(n ast.Node) bool {
		x, is := n.(*ast.IndexExpr)
		indexed = indexed || is && x.X == id
		return !indexed
	}, nil)
	if indexed {
		return fmt.Sprintf("a field is written %s: ...", id.Name)
	}
	return ""
}

// packagesOfCUE are the packages that CUE brings along, as far as runbooks have a use for them.
func packagesOfCUE() []string {
	return []string{"crypto/hmac", "crypto/md5", "crypto/sha1", "crypto/sha256", "crypto/sha512", "encoding/base64", "encoding/csv",
		"encoding/hex", "encoding/json", "encoding/toml", "encoding/yaml", "html", "list", "math", "math/bits", "net", "path", "regexp",
		"strconv", "strings", "struct", "text/tabwriter", "text/template", "time", "uuid"}
}

// builtIn reports whether CUE has a package.
func builtIn(name string) bool {
	return slices.Contains(packagesOfCUE(), name) ||
		cuecontext.New().CompileString(fmt.Sprintf("import x %q\nout: x", name)).Err() == nil
}

// meantTop reports whether a name is one of those that runbooks declare, and a field at the top is called almost so.
func meantTop(name string, view *ast.File) (near bool) {
	if !slices.Contains([]string{"alert", "inputs", "steps", "finally"}, name) {
		return false
	}
	eachField(view.Decls, func(_ *ast.Field, declared string) {
		near = near || !hidden(declared) && didYouMean(declared, []string{name}) != ""
	})
	return near
}

// packageClause returns the name in the package clause of a file, which the parser takes for a reference; nil if there is none.
func packageClause(f *ast.File) *ast.Ident {
	for _, d := range f.Decls {
		if p, ok := d.(*ast.Package); ok {
			return p.Name
		}
	}
	return nil
}

// declaredNames are the names that a reference in a step can mean.
func declaredNames(f *ast.File) []string {
	names := append(stepNames(f), "len", "string", "int", "number", "bool")
	for _, d := range f.Decls {
		switch x := d.(type) {
		case *ast.Field:
			if n, ok := labelName(x.Label); ok {
				names = append(names, n)
			}
		case *ast.LetClause:
			names = append(names, x.Ident.Name)
		}
	}
	return names
}

func stepNames(f *ast.File) (names []string) {
	for _, d := range f.Decls {
		x, ok := d.(*ast.Field)
		if !ok {
			continue
		}
		if n, _ := labelName(x.Label); n != "steps" {
			continue
		}
		if s, ok := x.Value.(*ast.StructLit); ok {
			for _, e := range s.Elts {
				if y, ok := e.(*ast.Field); ok {
					if n, ok := labelName(y.Label); ok {
						names = append(names, n)
					}
				}
			}
		}
	}
	return names
}

// pathAt returns the path of the innermost field of f that holds the position.
func pathAt(f *ast.File, pos token.Pos) string {
	var path []string
	decls := f.Decls
	for len(decls) > 0 {
		x := fieldAround(decls, pos)
		if x == nil {
			break
		}
		n, ok := labelName(x.Label)
		if !ok {
			break
		}
		path = append(path, n)
		s, ok := x.Value.(*ast.StructLit)
		if !ok {
			break
		}
		decls = s.Elts
	}
	return strings.Join(path, ".")
}

func fieldAround(decls []ast.Decl, pos token.Pos) *ast.Field {
	for _, d := range decls {
		if x, ok := d.(*ast.Field); ok && x.Pos().Filename() == pos.Filename() &&
			x.Pos().Offset() <= pos.Offset() && pos.Offset() < x.End().Offset() {
			return x
		}
	}
	return nil
}

// labelName returns the name of a field if it is written out, whatever alias stands before it.
func labelName(l ast.Label) (string, bool) {
	if a, ok := l.(*ast.Alias); ok {
		inner, ok := a.Expr.(ast.Label)
		if !ok {
			return "", false
		}
		l = inner
	}
	name, _, err := ast.LabelName(l)
	return name, err == nil
}

func problemAt(pos token.Pos, path, text string) runbook.Problem {
	p := runbook.Problem{Path: path, Text: text}
	if pos.IsValid() {
		p.File, p.Line, p.Column = pos.Filename(), pos.Line(), pos.Column()
	}
	return p
}
