package openapitest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
)

// Env names the directory that holds node_modules.
const Env = "PULLBOOK_NPM"

// Require skips a test when the description is not installed.
func Require(t testing.TB) {
	t.Helper()
	if os.Getenv(Env) == "" {
		t.Skip(Env + " is not set: GitHub's description of its API (npm @octokit/openapi) is not installed")
	}
}

// A description is the published file, read as far as needed: operations are made when they are first used, since the
// whole of it would take seconds.
type description struct {
	paths      map[string]map[string]json.RawMessage
	components map[string]map[string]json.RawMessage
	templates  []template

	mu   sync.Mutex
	made map[string]*operation
}

// template is a path of the description.
type template struct {
	path     string
	segments []string
	literals int
}

// operation is one method of one path, in a document that holds it and what it refers to.
type operation struct {
	spec   *openapi3.T
	item   *openapi3.PathItem
	op     *openapi3.Operation
	path   string
	params map[string]string
}

func (o *operation) id() string { return o.op.OperationID }

// theDescription is read once in a process; nil when it is not installed.
var theDescription = sync.OnceValues(func() (*description, error) {
	root := os.Getenv(Env)
	if root == "" {
		return nil, nil
	}
	return load(filepath.Join(root, "node_modules", "@octokit", "openapi", "generated", "api.github.com.json"))
})

func load(file string) (*description, error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read GitHub's description: %w", err)
	}
	var doc struct {
		Paths      map[string]map[string]json.RawMessage `json:"paths"`
		Webhooks   map[string]map[string]json.RawMessage `json:"webhooks"`
		Components map[string]map[string]json.RawMessage `json:"components"`
	}
	if err := json.Unmarshal(raw, &doc); err != nil {
		return nil, fmt.Errorf("read GitHub's description %s: %w", file, err)
	}
	if doc.Paths == nil {
		doc.Paths = doc.Webhooks
	}
	d := &description{paths: doc.Paths, components: doc.Components, made: map[string]*operation{}}
	for path := range doc.Paths {
		t := template{path: path, segments: strings.Split(path, "/")}
		for _, s := range t.segments {
			if !strings.HasPrefix(s, "{") {
				t.literals++
			}
		}
		d.templates = append(d.templates, t)
	}
	return d, nil
}

// errNoOperation says that GitHub's API has no such method and path.
var errNoOperation = errors.New("GitHub describes no such operation")

// find returns the operation for a method and an escaped path.
func (d *description) find(method, path string) (*operation, error) {
	if method == http.MethodHead {
		method = http.MethodGet
	}
	var best *template
	var params map[string]string
	for i := range d.templates {
		t := &d.templates[i]
		if _, has := d.paths[t.path][strings.ToLower(method)]; !has || (best != nil && t.literals <= best.literals) {
			continue
		}
		if p, ok := t.match(path); ok {
			best, params = t, p
		}
	}
	if best == nil {
		return nil, fmt.Errorf("%s %s: %w", method, path, errNoOperation)
	}
	made, err := d.operation(best.path, strings.ToLower(method))
	if err != nil {
		return nil, err
	}
	o := *made
	o.params = params
	return &o, nil
}

// spans are the parameters whose values may hold slashes; OpenAPI has no way to say so.
func spans(segment string) bool {
	switch segment {
	case "{ref}", "{path}", "{branch}", "{basehead}":
		return true
	}
	return false
}

func (t *template) match(path string) (map[string]string, bool) {
	parts := strings.Split(path, "/")
	extra := len(parts) - len(t.segments)
	params := map[string]string{}
	at := 0
	for _, s := range t.segments {
		n := 1
		if extra > 0 && spans(s) {
			n, extra = n+extra, 0
		}
		if at+n > len(parts) {
			return nil, false
		}
		value := strings.Join(parts[at:at+n], "/")
		at += n
		if !strings.HasPrefix(s, "{") {
			if s != value {
				return nil, false
			}
			continue
		}
		text, err := url.PathUnescape(value)
		if err != nil || text == "" {
			return nil, false
		}
		params[strings.Trim(s, "{}")] = text
	}
	return params, at == len(parts)
}

func (d *description) operation(path, method string) (*operation, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	key := method + " " + path
	if o := d.made[key]; o != nil {
		return o, nil
	}
	o, err := d.build(path, method)
	if err != nil {
		return nil, fmt.Errorf("read the description of %s: %w", key, err)
	}
	d.made[key] = o
	return o, nil
}

var reference = regexp.MustCompile(`"\$ref":\s*"#/components/([a-zA-Z-]+)/([^"/]+)"`)

// build makes a document of one operation and of what it refers to.
func (d *description) build(path, method string) (*operation, error) {
	item := map[string]any{method: mended(d.paths[path][method])}
	if p := d.paths[path]["parameters"]; p != nil {
		item["parameters"] = p
	}
	components := map[string]map[string]any{}
	queue := []json.RawMessage{d.paths[path][method], d.paths[path]["parameters"]}
	for len(queue) > 0 {
		raw := queue[0]
		queue = queue[1:]
		for _, m := range reference.FindAllSubmatch(raw, -1) {
			kind, name := string(m[1]), string(m[2])
			if components[kind] == nil {
				components[kind] = map[string]any{}
			}
			if _, seen := components[kind][name]; seen || kind == "examples" {
				continue
			}
			next := d.components[kind][name]
			components[kind][name] = mended(next)
			queue = append(queue, next)
		}
	}
	doc, err := json.Marshal(map[string]any{
		"openapi": "3.0.3", "info": map[string]any{"title": "GitHub", "version": "1"},
		"paths": map[string]any{"/" + strings.TrimPrefix(path, "/"): item}, "components": components,
	})
	if err != nil {
		return nil, err
	}
	spec, err := (&openapi3.Loader{Context: context.Background()}).LoadFromData(doc)
	if err != nil {
		return nil, err
	}
	found := spec.Paths.Value("/" + strings.TrimPrefix(path, "/"))
	return &operation{spec: spec, item: found, path: path, op: found.GetOperation(strings.ToUpper(method))}, nil
}

// mended decodes a piece of the description without its examples, and with oneOf read as anyOf: the alternatives of
// GitHub's oneOf overlap (a private user is a public user too), so that "exactly one" refuses GitHub's own examples.
func mended(raw json.RawMessage) any {
	var v any
	if err := json.Unmarshal(raw, &v); err != nil {
		return nil // unreachable: the text was cut out of a document that was read
	}
	return mend(v)
}

func mend(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, x := range v {
			switch {
			case k == "examples" || k == "example" || strings.HasPrefix(k, "x-"):
			case k == "description" && isText(x):
				out[k] = "" // long, and a response must have one
			case k == "oneOf":
				out["anyOf"] = mend(x)
			case k == "type" && isList(x):
				mendTypes(out, x.([]any))
			default:
				out[k] = mend(x)
			}
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, x := range v {
			out[i] = mend(x)
		}
		return out
	}
	return v
}

// mendTypes writes a list of types, which OpenAPI has since 3.1, as 3.0 has it.
func mendTypes(schema map[string]any, types []any) {
	var alternatives []any
	for _, t := range types {
		if t == "null" {
			schema["nullable"] = true
			continue
		}
		alternatives = append(alternatives, map[string]any{"type": t})
	}
	if len(alternatives) == 1 {
		schema["type"] = alternatives[0].(map[string]any)["type"]
		return
	}
	schema["allOf"] = []any{map[string]any{"anyOf": alternatives, "nullable": schema["nullable"] == true}}
}

func isText(v any) bool { _, ok := v.(string); return ok }

func isList(v any) bool { _, ok := v.([]any); return ok }
