package graphql

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
	"github.com/vektah/gqlparser/v2/parser"
)

// maxTokens bounds what is parsed; the longest document of gh has about 700.
const maxTokens = 50_000

// document is a parsed document. The library that executes documents keeps its own tree to itself, so bounds and the
// places of errors are worked out on this one.
type document struct {
	*ast.QueryDocument
}

type syntaxError struct {
	message      string
	line, column int
}

func (e *syntaxError) Error() string { return e.message }

func parse(text string) (document, error) {
	doc, err := parser.ParseQueryWithTokenLimit(&ast.Source{Input: text}, maxTokens)
	if err == nil {
		return document{doc}, nil
	}
	out := &syntaxError{message: err.Error(), line: 1, column: 1}
	var where *gqlerror.Error
	if errors.As(err, &where) {
		out.message = "Parse error: " + where.Message
		if len(where.Locations) > 0 {
			out.line, out.column = where.Locations[0].Line, where.Locations[0].Column
		}
	}
	return document{}, out
}

// operation is the one that runs; nil leaves the complaint to the library.
func (d document) operation(name string) *ast.OperationDefinition {
	if name == "" && len(d.Operations) == 1 {
		return d.Operations[0]
	}
	return d.Operations.ForName(name)
}

// nodes is the most nodes that an operation can ask for, counted as GitHub documents it: each page multiplies what is
// inside it. More than MaxNodes are refused.
func (d document) nodes(name string, variables map[string]any) (int, error) {
	op := d.operation(name)
	if op == nil {
		return 0, nil
	}
	c := counter{doc: d, op: op, variables: variables, fragments: map[string]int{}}
	n := c.set(op.SelectionSet)
	if n > MaxNodes {
		return n, &fault{"MAX_NODE_LIMIT_EXCEEDED", fmt.Sprintf("This query requests up to %d possible nodes which exceeds the maximum limit of %d.", n, MaxNodes)}
	}
	return n, nil
}

// counter remembers each fragment's count, so that fragments of fragments cost no more than the document is long. A
// fragment inside itself counts nothing here; validation refuses it.
type counter struct {
	doc       document
	op        *ast.OperationDefinition
	variables map[string]any
	fragments map[string]int
}

// ceiling keeps sums and products of counts far from overflow.
const ceiling = 1 << 40

func (c counter) set(list ast.SelectionSet) int {
	total := 0
	for _, sel := range list {
		switch sel := sel.(type) {
		case *ast.Field:
			inside := c.set(sel.SelectionSet)
			if page := c.page(sel); page > 0 {
				inside = page + page*inside
			}
			total += inside
		case *ast.InlineFragment:
			total += c.set(sel.SelectionSet)
		case *ast.FragmentSpread:
			total += c.fragment(sel.Name)
		}
		total = min(total, ceiling)
	}
	return total
}

func (c counter) fragment(name string) int {
	if n, known := c.fragments[name]; known {
		return n
	}
	c.fragments[name] = 0
	if f := c.doc.Fragments.ForName(name); f != nil {
		c.fragments[name] = c.set(f.SelectionSet)
	}
	return c.fragments[name]
}

// page is what a field's first or last says; pages beyond the limit are refused where they are resolved.
func (c counter) page(f *ast.Field) int {
	for _, name := range []string{"first", "last"} {
		arg := f.Arguments.ForName(name)
		if arg == nil || arg.Value == nil {
			continue
		}
		if n := c.number(arg.Value); n > 0 {
			return min(n, maxPage)
		}
	}
	return 0
}

func (c counter) number(v *ast.Value) int {
	switch v.Kind {
	case ast.IntValue:
		n, err := strconv.Atoi(v.Raw)
		if err != nil {
			return maxPage
		}
		return n
	case ast.Variable:
		if given, ok := c.variables[v.Raw].(float64); ok {
			return int(given)
		}
		if def := c.op.VariableDefinitions.ForName(v.Raw); def != nil && def.DefaultValue != nil && def.DefaultValue.Kind == ast.IntValue {
			return c.number(def.DefaultValue)
		}
	}
	return 0
}

// locate finds the field of an error's path; indexes of lists in the path stand for no field.
func (d document) locate(operation string, path []any) *ast.Position {
	op := d.operation(operation)
	if op == nil {
		return nil
	}
	here := []ast.SelectionSet{op.SelectionSet}
	var at *ast.Position
	for _, step := range path {
		name, ok := step.(string)
		if !ok {
			continue
		}
		fields := d.fields(here, name, map[string]bool{})
		if len(fields) == 0 {
			return at
		}
		at = fields[0].Position
		here = nil
		for _, f := range fields {
			here = append(here, f.SelectionSet)
		}
	}
	return at
}

// fields are those of an alias in some selection sets; fragments are looked into once.
func (d document) fields(sets []ast.SelectionSet, alias string, seen map[string]bool) []*ast.Field {
	var out []*ast.Field
	for _, set := range sets {
		for _, sel := range set {
			switch sel := sel.(type) {
			case *ast.Field:
				if sel.Alias == alias {
					out = append(out, sel)
				}
			case *ast.InlineFragment:
				out = append(out, d.fields([]ast.SelectionSet{sel.SelectionSet}, alias, seen)...)
			case *ast.FragmentSpread:
				f := d.Fragments.ForName(sel.Name)
				if f != nil && !seen[sel.Name] {
					seen[sel.Name] = true
					out = append(out, d.fields([]ast.SelectionSet{f.SelectionSet}, alias, seen)...)
				}
			}
		}
	}
	return out
}
