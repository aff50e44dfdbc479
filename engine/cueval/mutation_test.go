package cueval

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/cuecontext"
	"cuelang.org/go/cue/parser"

	"github.com/pullbook/pullbook/engine/runbook"
	"github.com/pullbook/pullbook/runbooks"
	"github.com/pullbook/pullbook/schema"
)

// every says which of the mutants are tried: each nth. All of them take minutes.
var every = flag.Int("mutants", 5*fewer, "try one mutant in this many; 1 tries all")

// mutant is a runbook with one mistake.
type mutant struct {
	src  runbook.Source
	what string
	line int // where the first error must stand
}

// TestMutants misspells every field that the schema names in every runbook of the repository and in the README's examples, drops
// every required one, and gives every one a value of another type. Each is refused, and the first error stands on the
// mutated line, of a dropped field on the step's. By default one in five is tried, under the race detector one in thirty; -mutants 1 tries all.
func TestMutants(t *testing.T) {
	var all []mutant
	for _, src := range shippedSources(t) {
		all = append(all, mutantsOf(t, src)...)
	}
	if len(all) < 1_000 {
		t.Fatalf("%d mutants", len(all))
	}
	var wait sync.WaitGroup
	work := make(chan mutant)
	var mu sync.Mutex
	tried, several := 0, 0
	for range runtime.NumCPU() {
		wait.Go(func() {
			for m := range work {
				ps := Vet(m.src)
				mu.Lock()
				tried++
				if len(ps) > 1 {
					several++
				}
				mu.Unlock()
				if len(ps) == 0 {
					t.Errorf("%s: accepted", m.what)
				} else if ps[0].Line != m.line || ps[0].File != m.src.Runbook {
					t.Errorf("%s: want line %d, got %v", m.what, m.line, ps)
				}
			}
		})
	}
	for i, m := range all {
		if i%*every == 0 {
			work <- m
		}
	}
	close(work)
	wait.Wait()
	t.Logf("%d of %d mutants, %d with more than one error", tried, len(all), several)
}

// shippedSources are the runbooks of the repository.
func shippedSources(t *testing.T) (out []runbook.Source) {
	t.Helper()
	found, err := filepath.Glob("../../runbooks/*.cue")
	if err != nil || len(found) == 0 {
		t.Fatalf("no runbooks: %v", err)
	}
	files := map[string][]byte{organisationFile: runbooks.Organisation()}
	for _, file := range found {
		if filepath.Base(file) == organisationFile {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		files["runbooks/"+filepath.Base(file)] = text
	}
	for _, name := range runbooksOf(files) {
		src := runbook.SourceOf(files, name)
		if ps := Vet(src); len(ps) > 0 {
			t.Fatalf("%s: %v", name, ps)
		}
		out = append(out, src)
	}
	for _, q := range readmeExamples(t) {
		if q.Source.Files[q.Source.Runbook] != nil { // of one file
			q.Source.Inputs = nil
			out = append(out, q.Source)
		}
	}
	return out
}

// mutantsOf changes one field of a runbook after the other.
func mutantsOf(t *testing.T, src runbook.Source) (out []mutant) {
	t.Helper()
	text := src.Files[src.Runbook]
	f, err := parser.ParseFile(src.Runbook, text)
	if err != nil {
		t.Fatal(err)
	}
	def := cuecontext.New().CompileBytes(schema.Runbook()).LookupPath(cue.MakePath(cue.Def("#Runbook")))
	add := func(what string, from, to int, with string, line int) {
		changed := slices.Concat(text[:from], []byte(with), bytes.Repeat([]byte("\n"), bytes.Count(text[from:to], []byte("\n"))), text[to:])
		m := mutant{src: src, what: fmt.Sprintf("%s: %s", src.Runbook, what), line: line}
		m.src.Files = map[string][]byte{}
		for name, data := range src.Files {
			m.src.Files[name] = data
		}
		m.src.Files[src.Runbook] = changed
		out = append(out, m)
	}
	var walk func(s *ast.StructLit, decls []ast.Decl, path []string, step int)
	walk = func(s *ast.StructLit, decls []ast.Decl, path []string, step int) {
		parent, known := lookup(def, path)
		for _, d := range decls {
			x, ok := d.(*ast.Field)
			if !ok || !known {
				continue
			}
			name, written := labelName(x.Label)
			at := x.Label.Pos()
			below := extend(path, name)
			line := step
			if len(below) == 2 && (below[0] == "steps" || below[0] == "finally") || len(below) == 3 && name == "undo" {
				line = at.Line()
			}
			if v, ok := x.Value.(*ast.StructLit); ok && written {
				walk(v, v.Elts, below, line)
			}
			id, plainName := x.Label.(*ast.Ident)
			if !written || !plainName || !slices.Contains(fieldNames(parent), name) {
				continue // the author's own
			}
			end := at.Offset() + len(id.Name)
			add("misspell "+strings.Join(below, "."), at.Offset(), end, swapped(name), at.Line())
			field, _ := lookup(def, below)
			if kind := field.IncompleteKind(); kind != cue.TopKind {
				wrong := "7"
				if kind&cue.NumberKind != 0 {
					wrong = `"wrong"`
				}
				add("mistype "+strings.Join(below, "."), x.Value.Pos().Offset(), x.Value.End().Offset(), wrong, x.Value.Pos().Line())
			}
			if demanded(parent, name) {
				from, to, with := at.Offset(), x.Value.End().Offset(), ""
				if s != nil && !s.Lbrace.IsValid() {
					with = "{}"
				} else if rest := bytes.TrimLeft(text[to:], " "); bytes.HasPrefix(rest, []byte(",")) {
					to += len(text[to:]) - len(rest) + 1
				} else if rest := bytes.TrimRight(text[:from], " "); bytes.HasSuffix(rest, []byte(",")) {
					from = len(rest) - 1
				}
				add("drop "+strings.Join(below, "."), from, to, with, max(line, 1))
			}
		}
	}
	walk(nil, f.Decls, nil, 0)
	return out
}

// demanded reports whether the schema demands a field.
func demanded(parent cue.Value, name string) bool {
	it, err := parent.Fields(cue.Optional(true))
	if err != nil {
		return false
	}
	for it.Next() {
		if it.Selector().LabelType() == cue.StringLabel && it.Selector().Unquoted() == name {
			return it.Selector().ConstraintType() == cue.RequiredConstraint
		}
	}
	return false
}

// swapped swaps two letters, or adds one.
func swapped(name string) string {
	if n := len(name); n > 2 && name[n-1] != name[n-2] {
		return name[:n-2] + name[n-1:] + name[n-2:n-1]
	}
	return name + "x"
}
