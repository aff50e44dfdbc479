package github

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/parser"
	"github.com/vektah/gqlparser/v2/validator"
	"github.com/vektah/gqlparser/v2/validator/rules"
)

const graphQL = "POST /graphql"

// published is GitHub's schema as npm's @octokit/graphql-schema carries it, or nil where it is not installed.
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
	for _, d := range doc.Definitions { // the published schema has a type with a field twice
		seen := map[string]bool{}
		d.Fields = slices.DeleteFunc(d.Fields, func(f *ast.FieldDefinition) bool {
			again := seen[f.Name]
			seen[f.Name] = true
			return again
		})
	}
	return validator.ValidateSchemaDocument(doc)
})

// valid fails the test where GitHub's schema refuses a question.
func valid(t *testing.T, query string) {
	t.Helper()
	schema, err := published()
	if err != nil {
		t.Fatal(err)
	}
	if schema == nil {
		return
	}
	if _, list := gqlparser.LoadQueryWithRules(schema, query, rules.NewDefaultRules()); len(list) > 0 {
		t.Errorf("GitHub's schema refuses the question: %v\n%s", list, query)
	}
}

func TestQuestionsAreInGitHubsSchema(t *testing.T) {
	if schema, err := published(); schema == nil && err == nil {
		t.Skip("PULLBOOK_NPM names no directory with node_modules/@octokit/graphql-schema")
	}
	c := &Client{owner: "acme", repo: "ops"}
	for _, teams := range [][]string{nil, {"acme/sre"}, {"acme/sre", "other/x", "acme/dba"}} {
		for _, parts := range [][][]text{{{{node: "a"}}}, {{{node: "a"}}, {{node: "b"}}}} {
			q, _ := c.historyQuestion(teams, parts)
			valid(t, q.Query)
		}
	}
}

// history answers questions about texts: those named were edited. Teams are those of the stage.
func (s *stage) history(edited ...string) {
	s.on(graphQL, func(w http.ResponseWriter, r *http.Request) {
		var q question
		if err := json.Unmarshal(s.last(graphQL).raw, &q); err != nil {
			s.t.Error(err)
		}
		valid(s.t, q.Query)
		data, owner := map[string]any{}, map[string]any{}
		for name, value := range q.Variables {
			switch name[0] {
			case 't':
				owner[name] = s.teams[value.(string)]
			case 'n':
				ids, _ := value.([]any)
				if ids == nil {
					continue // the repository's name
				}
				var nodes []any
				for _, id := range ids {
					nodes = append(nodes, s.node(id.(string), slices.Contains(edited, id.(string))))
				}
				data[name] = nodes
			}
		}
		data["repository"] = map[string]any{"owner": owner}
		json.NewEncoder(w).Encode(map[string]any{"data": data})
	})
}

// node is a text as GraphQL has it. One whose id begins with "gone" is not there; the App has marked one whose id begins with "own".
func (s *stage) node(id string, edited bool) any {
	if strings.HasPrefix(id, "gone") {
		return nil
	}
	eyes := map[string]any{"content": "EYES", "viewerHasReacted": strings.HasPrefix(id, "own")}
	heart := map[string]any{"content": "HEART", "viewerHasReacted": true}
	n := map[string]any{"id": id, "includesCreatedEdit": edited, "lastEditedAt": nil, "reactionGroups": []any{heart, eyes}}
	if edited {
		n["lastEditedAt"] = "2026-11-22T10:00:00Z"
	}
	return n
}

// team is a team as GraphQL has it, with more members than it lists where more is not 0.
func team(more int, members ...int64) any {
	var nodes []any
	for _, id := range members {
		nodes = append(nodes, map[string]any{"databaseId": id})
	}
	return map[string]any{"members": map[string]any{"totalCount": len(members) + more, "nodes": nodes}}
}

func TestGraphAnswersWithErrorsAreNoAnswers(t *testing.T) {
	for _, test := range []struct {
		name, body, header string
		limited            bool
	}{
		{"error beside data", `{"data": {"n0": []}, "errors": [{"type": "NOT_FOUND", "message": "Could not resolve"}]}`, "", false},
		{"no data", `{}`, "", false},
		{"null data", `{"data": null}`, "", false},
		{"no JSON", `<html>`, "", false},
		{"rate limit", `{"errors": [{"type": "RATE_LIMITED", "message": "API rate limit exceeded"}]}`, "", true},
		{"secondary limit", `{"errors": [{"message": "You have exceeded a secondary rate limit"}]}`, "30", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newStage(t)
			s.on(graphQL, func(w http.ResponseWriter, _ *http.Request) {
				if test.header != "" {
					w.Header().Set("Retry-After", test.header)
				}
				io.WriteString(w, test.body)
			})
			var data struct{ N0 *[]string }
			err := s.client().graph(context.Background(), "ask", question{Query: "{viewer{login}}"}, &data)
			limited, is := errors.AsType[*LimitedError](err)
			if err == nil || is != test.limited {
				t.Fatalf("got %v", err)
			}
			if is && time.Until(limited.Until) <= 0 {
				t.Error("the limit ends at once")
			}
		})
	}
}

func TestGraphAddress(t *testing.T) {
	for base, want := range map[string]string{
		"":                                   "https://api.github.com/graphql",
		"https://api.octo.ghe.com":           "https://api.octo.ghe.com/graphql",
		"https://ghe.example.com/api/v3":     "https://ghe.example.com/api/graphql",
		"http://127.0.0.1:8080/api/v3/":      "http://127.0.0.1:8080/api/graphql",
		"http://api.github.localhost:8080/":  "",
		"https://ghe.example.com/api/v3?a=b": "",
	} {
		at, err := parseAddress(base)
		if at.graphql != want || (err != nil) != (want == "") {
			t.Errorf("%q: %q, %v", base, at.graphql, err)
		}
	}
}
