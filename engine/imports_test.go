package engine_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/pullbook/pullbook/"

// room says what one package may import of ours. Every package of the module stands in the table: a new one has to be
// given its place. Patterns ending in /... mean everything below.
type room struct {
	imports []string // in all files
	tests   []string // in test files, further
	pure    bool     // no input, output, clock, randomness, context, goroutine
	foreign []string // modules of others that a pure ring may import, since they are pure too
}

func rooms() map[string]room {
	hub := []string{"engine/localhub/state"}
	return map[string]room{
		"engine/runbook":    {pure: true},
		"engine/codeowners": {pure: true},
		"engine/approval":   {pure: true, imports: []string{"engine/runbook"}},
		"engine/incident":   {pure: true, imports: []string{"engine/runbook", "engine/approval"}},
		"engine/journal":    {pure: true, imports: []string{"engine/runbook", "engine/approval", "engine/incident"}},
		"engine/proposal":   {pure: true, imports: []string{"engine/runbook", "engine/codeowners", "engine/incident", "engine/rehearsal"}},
		"engine/render":     {pure: true, imports: []string{"engine/runbook", "engine/approval", "engine/incident", "engine/proposal"}},

		"engine/rehearsal": {pure: true, foreign: []string{"go.yaml.in/yaml/"}},

		"engine/drawing":  {pure: true},
		"engine/forecast": {pure: true, imports: []string{"engine/runbook", "engine/drawing"}},

		"engine/cueval":             {imports: []string{"engine/runbook", "schema"}, tests: []string{"runbooks", "runbooks/starter"}},
		"engine/gitstore":           {},
		"engine/door":               {},
		"engine/github":             {imports: []string{"engine/runbook", "engine/approval", "engine/incident", "engine/proposal", "engine/door"}},
		"engine/intake":             {imports: []string{"engine/runbook", "engine/incident", "engine/door"}},
		"engine/inbox":              {tests: []string{"engine/inbox/postgrestest"}},
		"engine/inbox/postgrestest": {},
		"engine/step":               {imports: []string{"engine/runbook", "engine/rehearsal"}, tests: []string{"schema"}},

		"engine/localhub":         {imports: []string{"engine/localhub/..."}, tests: []string{"engine/localhub"}},
		"engine/localhub/state":   {},
		"engine/localhub/git":     {imports: hub},
		"engine/localhub/wire":    {imports: hub},
		"engine/localhub/hooks":   {imports: append([]string{"engine/localhub/wire"}, hub...)},
		"engine/localhub/limits":  {},
		"engine/localhub/faults":  {},
		"engine/localhub/rest":    {imports: append([]string{"engine/localhub/wire", "engine/localhub/git", "engine/localhub/limits"}, hub...)},
		"engine/localhub/graphql": {imports: append([]string{"engine/localhub/wire", "engine/localhub/git", "engine/localhub/rest"}, hub...)},
		"engine/localhub/pages":   {imports: append([]string{"engine/localhub/git"}, hub...)},

		"engine/localhub/openapitest": {},
		"engine/localhub/clients":     {tests: []string{"engine/localhub", "engine/localhub/openapitest"}},

		"engine":          {imports: []string{"engine/runbook", "engine/codeowners", "engine/approval", "engine/incident", "engine/journal", "engine/render", "engine/proposal", "engine/rehearsal"}},
		"engine/audit":    {imports: []string{"engine/runbook", "engine/codeowners", "engine/approval", "engine/incident", "engine/journal", "engine/render", "engine/gitstore"}},
		"engine/sim":      {imports: []string{"engine/...", "engine"}},
		"engine/scenario": {imports: []string{"engine/runbook", "engine/approval", "engine/incident", "engine/journal", "engine/render"}, tests: []string{"engine/cueval"}},

		"schema":           {},
		"runbooks/starter": {},
		"runbooks":         {tests: []string{"engine/cueval", "engine/runbook"}},
		"cmd/pullbook":     {imports: []string{"engine/...", "engine", "schema", "runbooks", "runbooks/starter"}},
	}
}

// owners says which packages may import a module of others. A module that is not named may be imported by edges and cmd.
func owners() map[string]room {
	return map[string]room{
		"cuelang.org/go":                    {imports: []string{"engine/cueval"}},
		"github.com/riverqueue/":            {imports: []string{"engine/inbox"}},
		"github.com/jackc/pgx/v5":           {imports: []string{"engine/inbox"}},
		"modernc.org/sqlite":                {imports: []string{"engine/inbox", "engine/localhub/state"}},
		"github.com/go-git/":                {imports: []string{"engine/gitstore"}, tests: []string{"engine/audit"}},
		"github.com/google/go-github/":      {imports: []string{"engine/github", "cmd/pullbook"}, tests: []string{"engine/localhub"}},
		"github.com/bradleyfalzon/":         {imports: []string{"engine/github"}, tests: []string{"engine/localhub", "cmd/pullbook"}},
		"github.com/spf13/":                 {imports: []string{"cmd/pullbook"}},
		"github.com/wneessen/go-mail":       {imports: []string{"engine/step"}},
		"github.com/hiddeco/sshsig":         {imports: []string{"engine/gitstore"}, tests: []string{"engine/audit"}},
		"github.com/yuin/goldmark":          {imports: []string{"engine/localhub/pages"}, tests: []string{"engine/approval", "engine/render", "engine/github", "cmd/pullbook"}},
		"github.com/getkin/kin-openapi":     {imports: []string{"engine/localhub/openapitest"}, tests: []string{"engine/localhub/hooks", "engine/localhub"}},
		"go.yaml.in/yaml/":                  {imports: []string{"engine/intake", "engine/rehearsal"}, tests: []string{"cmd/pullbook"}},
		"github.com/owenrumney/go-sarif/":   {imports: []string{"cmd/pullbook"}},
		"github.com/cockroachdb/datadriven": {tests: []string{"engine/incident"}},
		"github.com/anishathalye/":          {tests: []string{"engine/sim"}},
	}
}

// pureStd are the packages of the standard library that pure rings may import.
func pureStd() []string {
	return []string{"bytes", "cmp", "crypto/sha256", "encoding/base32", "encoding/binary", "encoding/hex", "encoding/json", "errors", "fmt", "io", "iter",
		"maps", "math", "net/url", "path", "regexp", "regexp/syntax", "slices", "sort", "strconv", "strings", "time", "unicode", "unicode/utf8"}
}

// impure are what pure rings may not use of the packages they may import.
func impure() map[string][]string {
	return map[string][]string{
		"time": {"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "Tick", "NewTimer", "NewTicker", "Local", "LoadLocation"},
		"fmt":  {"Print", "Printf", "Println", "Scan", "Scanf", "Scanln"},
	}
}

// source is one Go file of the module.
type source struct {
	path string // from the module's root, slashes
	dir  string
	test bool
	file *ast.File
	fset *token.FileSet
}

func (s source) at(n ast.Node) string {
	return fmt.Sprintf("%s:%d", s.path, s.fset.Position(n.Pos()).Line)
}

// lines is how many lines a node takes.
func (s source) lines(n ast.Node) int {
	return s.fset.Position(n.End()).Line - s.fset.Position(n.Pos()).Line + 1
}

// sources parses every Go file of the module.
func sources(t *testing.T) []source {
	t.Helper()
	var out []source
	root := os.DirFS("..")
	err := fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		switch base := path.Base(name); {
		case err != nil:
			return err
		case d.IsDir() && name != "." && (base == "testdata" || strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_")):
			return fs.SkipDir
		case d.IsDir() || !strings.HasSuffix(name, ".go"):
			return nil
		}
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, filepath.Join("..", filepath.FromSlash(name)), nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return fmt.Errorf("parse %s: %w", name, err)
		}
		out = append(out, source{path: name, dir: path.Dir(name), test: strings.HasSuffix(name, "_test.go"), file: file, fset: fset})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func within(pkg string, patterns []string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		below, ok := strings.CutSuffix(p, "...")
		return pkg == p || ok && strings.HasPrefix(pkg, below)
	})
}

// TestImports holds every import against the tables above.
func TestImports(t *testing.T) {
	known, owned := rooms(), owners()
	for _, s := range sources(t) {
		r, ok := known[s.dir]
		if !ok {
			t.Errorf("%s: package %s has no place in the import table", s.path, s.dir)
			continue
		}
		for _, spec := range s.file.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			if why := refuse(s, r, owned, imported); why != "" {
				t.Errorf("%s: imports %s: %s", s.at(spec), imported, why)
			}
		}
	}
}

// refuse says why a file may not import a package, or nothing.
func refuse(s source, r room, owned map[string]room, imported string) string {
	if ours, ok := strings.CutPrefix(imported, module); ok {
		if within(ours, r.imports) || s.test && (within(ours, r.tests) || ours == s.dir) {
			return ""
		}
		return "not among " + strings.Join(r.imports, ", ")
	}
	foreign := strings.Contains(strings.Split(imported, "/")[0], ".")
	for prefix, owner := range owned {
		if strings.HasPrefix(imported, prefix) && !within(s.dir, owner.imports) && !(s.test && within(s.dir, owner.tests)) {
			return "only for " + strings.Join(owner.imports, ", ")
		}
	}
	switch {
	case !r.pure || s.test:
		return ""
	case foreign && slices.ContainsFunc(r.foreign, func(m string) bool { return strings.HasPrefix(imported, m) }):
		return ""
	case foreign:
		return "a pure ring imports the standard library only"
	case !slices.Contains(pureStd(), imported):
		return "not for pure rings"
	}
	return ""
}

// TestPurity shows that the pure rings use no clock, print nothing and start no goroutine.
func TestPurity(t *testing.T) {
	known, forbidden := rooms(), impure()
	for _, s := range sources(t) {
		if !known[s.dir].pure || s.test {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.GoStmt:
				t.Errorf("%s: a pure ring starts no goroutine", s.at(n))
			case *ast.SelectorExpr:
				if pkg, ok := n.X.(*ast.Ident); ok && slices.Contains(forbidden[pkg.Name], n.Sel.Name) {
					t.Errorf("%s: a pure ring does not use %s.%s", s.at(n), pkg.Name, n.Sel.Name)
				}
			}
			return true
		})
	}
}

// The tails: what no file of the program exceeds.
const (
	maxFunction   = 60 // lines
	maxFile       = 500
	maxMethods    = 5 // of an interface
	maxParameters = 5
)

// excepted are what exceeds the tails all the same, with the reason. What is not there any more has to leave the list.
func excepted() map[string]string {
	const table = "a table that nothing changes"
	return map[string]string{
		"engine/localhub/pages.graphPolicy":          "a constant that needs a function call",
		"engine/localhub/pages.kindFold":             "goldmark numbers the kinds of its nodes once",
		"engine/localhub/rest.appFindsRepo":          table,
		"engine/localhub/rest.asApp":                 table,
		"engine/localhub/rest.asInstall":             table,
		"engine/localhub/rest.open":                  table,
		"engine/localhub/rest.signedIn":              table,
		"engine/localhub/state.reactionWords":        table,
		"engine/localhub/state.roleNames":            table,
		"engine/localhub/state.runConclusions":       table,
		"engine/localhub/state.runStatuses":          table,
		"engine/localhub/state/model.go":             "the model of a forge, as its clients see it",
		"engine/localhub/wire.repoURLs":              table,
		"engine/localhub/openapitest.theDescription": "read once, for tests only",
		"engine/localhub/openapitest.theWebhooks":    "read once, for tests only",
		"engine/step.ranges":                         table,
	}
}

// TestTails holds every file of the program against the bounds that keep it readable.
func TestTails(t *testing.T) {
	seen := map[string]bool{}
	for _, s := range sources(t) {
		if n := s.fset.File(s.file.Pos()).LineCount(); n > maxFile {
			t.Errorf("%s: %d lines", s.path, n)
		}
		if s.test {
			continue
		}
		seen[s.path] = true
		functions(t, s, seen)
		variables(t, s, seen)
		for _, word := range strings.FieldsFunc(strings.TrimSuffix(s.path, ".go"), func(c rune) bool { return c == '/' || c == '_' }) {
			if slices.Contains([]string{"util", "utils", "common", "helper", "helpers", "model", "models", "manager"}, word) {
				if excepted()[s.path] == "" {
					t.Errorf("%s: a name that says nothing: %s", s.path, word)
				}
			}
		}
	}
	for name := range excepted() {
		if !seen[name] {
			t.Errorf("%s does not exist any more: take it off the list of exceptions", name)
		}
	}
}

func functions(t *testing.T, s source, seen map[string]bool) {
	t.Helper()
	allowed := map[*ast.FuncType]bool{}
	ast.Inspect(s.file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncDecl:
			seen[s.dir+"."+n.Name.Name] = true
			allowed[n.Type] = excepted()[s.dir+"."+n.Name.Name] != ""
			if got := s.lines(n); got > maxFunction {
				t.Errorf("%s: %s has %d lines", s.at(n), n.Name.Name, got)
			}
			if n.Name.Name == "init" && n.Recv == nil {
				t.Errorf("%s: an init", s.at(n))
			}
		case *ast.FuncType:
			if got := n.Params.NumFields(); got > maxParameters && !allowed[n] {
				t.Errorf("%s: %d parameters", s.at(n), got)
			}
		case *ast.InterfaceType:
			if got := n.Methods.NumFields(); got > maxMethods {
				t.Errorf("%s: an interface with %d methods", s.at(n), got)
			}
		}
		return true
	})
}

// variables refuses package-level variables that could change.
func variables(t *testing.T, s source, seen map[string]bool) {
	t.Helper()
	for _, decl := range s.file.Decls {
		gen, ok := decl.(*ast.GenDecl)
		if !ok || gen.Tok != token.VAR {
			continue
		}
		for _, spec := range gen.Specs {
			v := spec.(*ast.ValueSpec)
			embedded := strings.Contains(text(gen.Doc)+text(v.Doc), "//go:embed")
			for i, name := range v.Names {
				full := s.dir + "." + name.Name
				seen[full] = true
				if name.Name == "_" || embedded || excepted()[full] != "" || i < len(v.Values) && constant(v.Values[i]) {
					continue
				}
				t.Errorf("%s: variable %s is neither an error, a regular expression, nor embedded", s.at(name), full)
			}
		}
	}
}

// text is a comment with its directives.
func text(doc *ast.CommentGroup) string {
	if doc == nil {
		return ""
	}
	var b strings.Builder
	for _, c := range doc.List {
		b.WriteString(c.Text + "\n")
	}
	return b.String()
}

// constant reports whether an expression makes an error or a regular expression.
func constant(e ast.Expr) bool {
	call, ok := e.(*ast.CallExpr)
	if !ok {
		return false
	}
	sel, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return false
	}
	pkg, ok := sel.X.(*ast.Ident)
	return ok && slices.Contains([]string{"errors.New", "fmt.Errorf", "regexp.MustCompile"}, pkg.Name+"."+sel.Sel.Name)
}
