package graphql

import (
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/parser"
	"github.com/vektah/gqlparser/v2/validator"
	"github.com/vektah/gqlparser/v2/validator/rules"
)

// published is GitHub's schema as npm's @octokit/graphql-schema carries it, or nil where CI has not installed it.
var published = sync.OnceValues(func() (*ast.Schema, error) {
	dir := os.Getenv("PULLBOOK_NPM")
	if dir == "" {
		return nil, nil
	}
	text, err := os.ReadFile(filepath.Join(dir, "node_modules", "@octokit", "graphql-schema", "schema.graphql"))
	if err != nil {
		return nil, nil
	}
	doc, err := parser.ParseSchemas(validator.Prelude, &ast.Source{Name: "github", Input: string(text)})
	if err != nil {
		return nil, err
	}
	for _, d := range doc.Definitions {
		d.Fields = once(d.Fields)
	}
	return validator.ValidateSchemaDocument(doc)
})

// once drops fields that are defined twice: the published schema has such a type, and GitHub's own tools do not mind.
func once(fields ast.FieldList) ast.FieldList {
	seen := map[string]bool{}
	return slices.DeleteFunc(fields, func(f *ast.FieldDefinition) bool {
		again := seen[f.Name]
		seen[f.Name] = true
		return again
	})
}

// refusedByGitHub says what GitHub would have against a document. Without GitHub's schema it has nothing;
// TestSchemaIsGitHubs says so by skipping.
func refusedByGitHub(query string) string {
	schema, err := published()
	if err != nil {
		return err.Error()
	}
	if schema == nil {
		return ""
	}
	if _, list := gqlparser.LoadQueryWithRules(schema, query, rules.NewDefaultRules()); len(list) > 0 {
		return list.Error()
	}
	return ""
}

func valid(t testing.TB, query string) {
	t.Helper()
	if problem := refusedByGitHub(query); problem != "" {
		t.Fatalf("GitHub's schema refuses the document: %s\n%s", problem, query)
	}
}

func ours(t *testing.T) *ast.Schema {
	t.Helper()
	schema, err := gqlparser.LoadSchema(&ast.Source{Name: "ours", Input: Schema()})
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// TestSchemaIsGitHubs checks every type, field, argument, value and member of the served schema against GitHub's.
func TestSchemaIsGitHubs(t *testing.T) {
	theirs, err := published()
	if err != nil {
		t.Fatal(err)
	}
	if theirs == nil {
		t.Skip("PULLBOOK_NPM names no directory with node_modules/@octokit/graphql-schema")
	}
	for name, mine := range ours(t).Types {
		if mine.BuiltIn {
			continue
		}
		their := theirs.Types[name]
		if their == nil || their.Kind != mine.Kind {
			t.Errorf("%s is not a %s of GitHub's", name, mine.Kind)
			continue
		}
		compareFields(t, mine, their)
		compareNames(t, name+" implements", mine.Interfaces, their.Interfaces)
		compareNames(t, name+" has the member", mine.Types, their.Types)
		for _, v := range mine.EnumValues {
			if their.EnumValues.ForName(v.Name) == nil {
				t.Errorf("%s has no value %s", name, v.Name)
			}
		}
		for _, v := range their.EnumValues {
			if mine.EnumValues.ForName(v.Name) == nil {
				t.Errorf("%s lacks the value %s", name, v.Name)
			}
		}
	}
}

func compareFields(t *testing.T, mine, their *ast.Definition) {
	t.Helper()
	for _, f := range mine.Fields {
		if f.Name == "__schema" || f.Name == "__type" {
			continue
		}
		g := their.Fields.ForName(f.Name)
		if g == nil || g.Type.String() != f.Type.String() {
			t.Errorf("%s.%s is not GitHub's: %v, not %v", mine.Name, f.Name, f.Type, g)
			continue
		}
		for _, a := range f.Arguments {
			b := g.Arguments.ForName(a.Name)
			if b == nil || b.Type.String() != a.Type.String() || b.DefaultValue.String() != a.DefaultValue.String() {
				t.Errorf("%s.%s(%s) is not GitHub's", mine.Name, f.Name, a.Name)
			}
		}
		for _, b := range g.Arguments {
			if b.Type.NonNull && b.DefaultValue == nil && f.Arguments.ForName(b.Name) == nil {
				t.Errorf("%s.%s lacks the argument %s", mine.Name, f.Name, b.Name)
			}
		}
	}
	for _, g := range their.Fields {
		if their.Kind == ast.InputObject && g.Type.NonNull && g.DefaultValue == nil && mine.Fields.ForName(g.Name) == nil {
			t.Errorf("%s lacks the field %s", mine.Name, g.Name)
		}
	}
}

func compareNames(t *testing.T, what string, mine, their []string) {
	t.Helper()
	for _, m := range mine {
		found := false
		for _, n := range their {
			found = found || n == m
		}
		if !found {
			t.Errorf("%s %s, and GitHub's does not", what, m)
		}
	}
}
