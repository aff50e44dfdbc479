package cueval

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/build"
	"cuelang.org/go/cue/parser"
	"cuelang.org/go/cue/token"

	"github.com/pullbook/pullbook/engine/runbook"
)

// moduleFile says what the packages of a ledger are called: those of its directory D are MODULE/D.
const moduleFile = "cue.mod/module.cue"

// Bounds of what runbooks import.
const (
	maxPackages = 64 // of one runbook, in all
	maxChain    = 16 // packages that import each other, one the next
)

// library is the CUE of a ledger, as far as its files are at hand. It reads packages from these files alone: no disk, no
// registry, no environment. A package is the files of one directory; what lies in directories above is no part of it.
type library struct {
	files  map[string][]byte
	module string            // its path, without version
	broken []runbook.Problem // why there is no module although there is a file
	pkgs   map[string]*pkg   // by directory
	builds *build.Context

	unknown []runbook.Problem // names that nothing declares, of what was read last
}

// pkg is a package of the ledger, or the files of a runbook.
type pkg struct {
	dir   string // or the path of a runbook that is one file
	parts []*ast.File
	view  *ast.File // all parts in one tree, without clauses and imports of a directory; the positions are those of the parts
	refs  *walker
	uses  []string // directories of the packages that it imports itself
	inst  *build.Instance
}

// newLibrary holds the files of a source. Where a path is among the others as well, the source's own counts.
func newLibrary(src runbook.Source) *library {
	files := maps.Clone(src.Others)
	if files == nil {
		files = map[string][]byte{}
	}
	maps.Copy(files, src.Files)
	l := &library{files: files, pkgs: map[string]*pkg{}}
	l.builds = build.NewContext(build.Loader(l.load))
	text, ok := files[moduleFile]
	if !ok {
		return l
	}
	wrong := func(text, hint string) {
		l.broken = []runbook.Problem{{File: moduleFile, Path: "module", Text: text, Hint: hint}}
	}
	f, err := parser.ParseFile(moduleFile, text)
	if err != nil {
		l.broken = syntaxProblems(moduleFile, text, f, err)
		return l
	}
	field, depth := fieldOf(f, []string{"module"})
	if depth == 0 {
		wrong(missingText, `write module: "ops.example.org"`)
		return l
	}
	if b, ok := field.Value.(*ast.BasicLit); ok {
		name, err := strconv.Unquote(b.Value)
		l.module = ast.ParseImportPath(name).Path
		if first, _, _ := strings.Cut(l.module, "/"); err == nil && strings.Contains(first, ".") && path.Clean(l.module) == l.module {
			return l
		}
	}
	wrong("is no name of a module", `its first part has a dot: write module: "ops.example.org"`)
	return l
}

// dirOf returns the directory of an imported package, or why it cannot be imported.
func (l *library) dirOf(path string) (dir, text, hint string) {
	text = fmt.Sprintf("%q cannot be imported", path)
	if l.module == "" {
		return "", text, "only CUE's own packages can be, such as strings, list and regexp; with a " + moduleFile + " those of the ledger as well"
	}
	p := ast.ParseImportPath(path)
	dir, own := strings.CutPrefix(p.Path, l.module+"/")
	top, _, _ := strings.Cut(dir, "/")
	switch {
	case !own || !local(dir):
		return "", text, "only CUE's own packages can be, and those of the ledger, which begin with " + l.module + "/"
	case top == "runbooks" || top == "incidents" || top == "cue.mod":
		return "", text, "what several runbooks share lies in a directory of its own, such as snippets"
	}
	return dir, "", ""
}

// runbook reads a runbook: one file, or the files of a directory. It is nil if it cannot be read or reaches outside.
func (l *library) runbook(name string) (*pkg, []runbook.Problem) {
	p := &pkg{dir: name}
	var ps []runbook.Problem
	if text, ok := l.files[name]; ok {
		f, more := parsed(name, text)
		if ps = more; f == nil {
			return nil, ps
		}
		p.parts, p.view = []*ast.File{f}, f
		l.unknown = append(l.unknown, unknownNames(f, f, nil)...)
		ps, p.uses = l.imports(f, nil, ps)
	} else if ps = l.directory(p, "", nil); len(p.parts) == 0 && len(ps) == 0 {
		ps = []runbook.Problem{{File: name, Text: "there is no such file"}}
	}
	soft := l.unknown
	l.unknown = nil
	if len(ps) > 0 {
		return nil, append(ps, soft...)
	}
	p.walk()
	return p, soft
}

// walk ties the names of a package to what they mean.
func (p *pkg) walk() {
	p.refs = newWalker(p.view)
	if len(p.parts) > 1 {
		p.refs.shared = fieldsOfPackage(p.parts)
	}
}

// directory reads the files of a directory that belong to a package; all of them where the name is left open.
func (l *library) directory(p *pkg, name string, chain []string) (ps []runbook.Problem) {
	if short, odd := strings.CutSuffix(p.dir, ".cue"); odd {
		return []runbook.Problem{{File: p.dir, Text: "is a directory, and what ends in .cue is a file",
			Hint: "a runbook of several files is a directory such as " + short}}
	}
	for _, file := range l.within(p.dir) {
		f, more := parsed(file, l.files[file])
		if ps = append(ps, more...); f == nil {
			continue
		}
		switch clause := f.PackageName(); {
		case name != "" && clause != name:
			continue
		case clause == "":
			ps = append(ps, runbook.Problem{File: file, Text: "has no package clause",
				Hint: fmt.Sprintf("the files of a directory are one package: begin with package %s", path.Base(p.dir))})
		case len(p.parts) > 0 && p.parts[0].PackageName() != clause:
			ps = append(ps, problemAt(f.Pos(), "", fmt.Sprintf("is of the package %s, and %s of the package %s", clause,
				p.parts[0].Filename, p.parts[0].PackageName())))
		}
		p.parts = append(p.parts, f)
	}
	if len(ps) > 0 || len(p.parts) == 0 {
		return ps
	}
	p.view = &ast.File{Filename: p.dir}
	for _, f := range p.parts {
		p.view.Decls = append(p.view.Decls, withoutImports(f.Decls)...)
	}
	names := fieldsOfPackage(p.parts)
	for _, f := range p.parts {
		l.unknown = append(l.unknown, unknownNames(f, p.view, names)...)
		var uses []string
		ps, uses = l.imports(f, append(chain, p.dir), ps)
		p.uses = append(p.uses, uses...)
	}
	return ps
}

// within lists the files of a directory that are part of its package, sorted. Tests and tools are none, as for CUE.
func (l *library) within(dir string) (names []string) {
	for _, name := range slices.Sorted(maps.Keys(l.files)) {
		if path.Dir(name) == dir && strings.HasSuffix(name, ".cue") && !strings.HasSuffix(name, "_test.cue") && !strings.HasSuffix(name, "_tool.cue") {
			names = append(names, name)
		}
	}
	return names
}

// imports reads what a file imports, and returns the directories.
func (l *library) imports(f *ast.File, chain []string, ps []runbook.Problem) ([]runbook.Problem, []string) {
	var uses []string
	for spec := range f.ImportSpecs() {
		if len(l.broken) > 0 {
			return append(ps, l.broken...), nil
		}
		name, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			continue // unreachable: the parser reads no other paths
		}
		p := problemAt(spec.Pos(), "", "")
		if standardPackage(name) {
			if !builtIn(name) {
				p.Text, p.Hint = fmt.Sprintf("CUE has no package %q", name), didYouMean(name, packagesOfCUE())
				ps = append(ps, p)
			}
			continue
		}
		dir := ""
		if dir, p.Text, p.Hint = l.dirOf(name); p.Text != "" {
			ps = append(ps, p)
			continue
		}
		uses = append(uses, dir)
		before := len(l.unknown)
		more := l.need(dir, ast.ParseImportPath(name).Qualifier, spec.Pos(), chain)
		broughtBy(spec.Pos(), more)
		broughtBy(spec.Pos(), l.unknown[before:])
		ps = append(ps, more...)
	}
	return ps, uses
}

// broughtBy adds to the problems of a package which import brought it.
func broughtBy(at token.Pos, ps []runbook.Problem) {
	for i, p := range ps {
		if p.See == nil && p.File != at.Filename() {
			ps[i].See = &runbook.See{Words: "imported at", At: spotAt(at)}
		}
	}
}

// need reads a package that is imported at a place, once.
func (l *library) need(dir, name string, at token.Pos, chain []string) []runbook.Problem {
	p := problemAt(at, "", "")
	switch {
	case slices.Contains(chain, dir):
		p.Text = "packages import each other: " + strings.Join(append(slices.Clone(chain), dir), " imports ")
		return []runbook.Problem{p}
	case l.pkgs[dir] != nil:
		return nil // what is wrong with it stands with its first import
	case len(l.pkgs) >= maxPackages || len(chain) >= maxChain:
		p.Text = fmt.Sprintf("imports too much: at most %d packages, at most %d deep", maxPackages, maxChain)
		return []runbook.Problem{p}
	}
	one := &pkg{dir: dir}
	l.pkgs[dir] = one
	if ps := l.directory(one, name, chain); len(ps) > 0 {
		return ps
	}
	if len(one.parts) > 0 {
		one.walk()
		return nil
	}
	p.Text = fmt.Sprintf("there is no package %s in the directory %s of the ledger", name, dir)
	if len(l.within(dir)) == 0 {
		p.Text, p.Missing = fmt.Sprintf("there is no directory %s with CUE files in the ledger", dir), dir
	}
	delete(l.pkgs, dir)
	return []runbook.Problem{p}
}

// fieldsOfPackage are the names that every file of a package sees.
func fieldsOfPackage(parts []*ast.File) map[string]bool {
	names := map[string]bool{}
	for _, f := range parts {
		eachField(f.Decls, func(x *ast.Field, name string) {
			if _, isIdent := x.Label.(*ast.Ident); isIdent {
				names[name] = true
			}
		})
	}
	return names
}

func withoutImports(decls []ast.Decl) []ast.Decl {
	return slices.DeleteFunc(slices.Clone(decls), func(d ast.Decl) bool {
		switch d.(type) {
		case *ast.Package, *ast.ImportDecl:
			return true
		}
		return false
	})
}

// texts are all files that a package is made of, those that it imports included.
func (l *library) texts(root *pkg) (files []ast.Node) {
	for _, name := range l.sources(root) {
		for _, p := range append(slices.Collect(maps.Values(l.pkgs)), root) {
			for _, f := range p.parts {
				if f.Filename == name {
					files = append(files, f)
				}
			}
		}
	}
	return files
}

// load gives CUE the packages of the ledger, and for all others nothing: it has its own.
func (l *library) load(_ token.Pos, name string) *build.Instance {
	dir, wrong, _ := l.dirOf(name)
	p := l.pkgs[dir]
	if wrong != "" || p == nil {
		return nil
	}
	if p.inst == nil {
		p.inst = l.builds.NewInstance(dir, l.load)
		for _, f := range p.parts {
			_ = p.inst.AddSyntax(f) // the instance keeps its errors
		}
	}
	return p.inst
}

// build evaluates the parts of a runbook or of pullbook.cue, with further declarations. Imports that are not used are left out:
// CUE would say nothing of all else that is wrong.
func (l *library) build(ctx *cue.Context, parts []*ast.File, further ...ast.Decl) cue.Value {
	if len(parts) == 1 && len(l.pkgs) == 0 {
		return ctx.BuildFile(&ast.File{Filename: parts[0].Filename, Decls: slices.Concat(usedImports(parts[0].Decls), further)})
	}
	inst := l.builds.NewInstance("", l.load)
	for _, f := range parts {
		_ = inst.AddSyntax(&ast.File{Filename: f.Filename, Decls: usedImports(f.Decls)}) // the instance keeps its errors
	}
	_ = inst.AddSyntax(&ast.File{Filename: parts[0].Filename, Decls: further})
	return ctx.BuildInstance(inst)
}

// sources are the files that packages were read from, those that they import included, sorted.
func (l *library) sources(roots ...*pkg) (names []string) {
	seen := map[*pkg]bool{}
	var add func(p *pkg)
	add = func(p *pkg) {
		if p == nil || seen[p] {
			return
		}
		seen[p] = true
		for _, f := range p.parts {
			names = append(names, f.Filename)
		}
		for _, dir := range p.uses {
			add(l.pkgs[dir])
		}
	}
	for _, p := range roots {
		if add(p); p != nil && len(p.uses) > 0 {
			names = append(names, moduleFile)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// meant returns the package and the path in it that a reference through an import means.
func (l *library) meant(e ast.Expr) (*pkg, []string) {
	switch x := e.(type) {
	case *ast.SelectorExpr:
		p, path := l.meant(x.X)
		if name, ok := labelName(x.Sel); ok && p != nil {
			return p, extend(path, name)
		}
	case *ast.ParenExpr:
		return l.meant(x.X)
	case *ast.Ident:
		spec, ok := x.Node.(*ast.ImportSpec)
		if !ok || l == nil {
			return nil, nil
		}
		name, err := strconv.Unquote(spec.Path.Value)
		if err != nil || standardPackage(name) {
			return nil, nil
		}
		if dir, wrong, _ := l.dirOf(name); wrong == "" {
			return l.pkgs[dir], nil
		}
	}
	return nil, nil
}
