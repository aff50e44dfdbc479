package openapitest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
)

// Prefix is where the API lies on a host; a host whose name begins with "api." has it at the root.
const Prefix = "/api/v3"

// Wrap checks each REST request that h answers, and the answer: a test fails where either is not as GitHub describes it.
// Requests to anything else than REST pass through. It must not outlive the test.
func Wrap(t testing.TB, h http.Handler) http.Handler { return wrap(t, h, false) }

// WrapHostile is Wrap for tests that send what is wrong on purpose: a request that is answered with 4xx may break the
// description; the answer may not.
func WrapHostile(t testing.TB, h http.Handler) http.Handler { return wrap(t, h, true) }

func wrap(t testing.TB, h http.Handler, hostile bool) http.Handler {
	t.Helper()
	d, err := theDescription()
	if err != nil {
		t.Fatal(err)
	}
	if d == nil {
		return h
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path, isREST := apiPath(r)
		if !isREST {
			h.ServeHTTP(w, r)
			return
		}
		x := exchange{path: path, request: r}
		x.capture()
		rec := &recorder{ResponseWriter: w, status: http.StatusOK}
		h.ServeHTTP(rec, r)
		x.status, x.header, x.reply = rec.status, rec.Header(), rec.body.Bytes()
		for _, v := range d.violations(x, hostile) {
			t.Errorf("%s %s answered %d: %s", r.Method, r.URL.RequestURI(), x.status, v)
		}
	})
}

func apiPath(r *http.Request) (string, bool) {
	path := r.URL.EscapedPath()
	if rest, ok := strings.CutPrefix(path, Prefix); ok && (rest == "" || rest[0] == '/') {
		return cleaned(rest), true
	}
	if strings.HasPrefix(r.Host, "api.") && path != "/graphql" {
		return cleaned(path), true
	}
	return "", false
}

func cleaned(path string) string {
	if path == "" || path == "/" {
		return "/"
	}
	return strings.TrimSuffix(path, "/")
}

// exchange is one request with its answer.
type exchange struct {
	path    string
	request *http.Request
	sent    []byte
	cut     bool // the request's body was larger than what is checked
	status  int
	header  http.Header
	reply   []byte
}

// maxChecked is how much of a request's body is read ahead; more is passed on unseen.
const maxChecked = 4 << 20

func (x *exchange) capture() {
	if x.request.Body == nil {
		return
	}
	head, err := io.ReadAll(io.LimitReader(x.request.Body, maxChecked))
	x.sent, x.cut = head, err != nil || len(head) == maxChecked
	rest := io.Reader(x.request.Body)
	if err != nil {
		rest = failing{err}
	}
	x.request.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(head), rest), x.request.Body}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

type recorder struct {
	http.ResponseWriter
	status int
	body   bytes.Buffer
}

func (r *recorder) WriteHeader(status int) {
	r.status = status
	r.ResponseWriter.WriteHeader(status)
}

func (r *recorder) Write(p []byte) (int, error) {
	r.body.Write(p)
	return r.ResponseWriter.Write(p)
}

// Unwrap lets http.ResponseController find the real writer.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

func (d *description) violations(x exchange, hostile bool) []string {
	op, err := d.find(x.request.Method, x.path)
	switch {
	case errors.Is(err, errNoOperation) && x.status == http.StatusNotFound:
		return nil // neither GitHub nor the hub has it
	case err != nil:
		return slices.DeleteFunc([]string{err.Error()}, func(v string) bool { return pardoned("", v) })
	}
	input := &openapi3filter.RequestValidationInput{
		Request: x.request.Clone(x.request.Context()), PathParams: op.params,
		Route:   &routers.Route{Spec: op.spec, Path: op.path, PathItem: op.item, Method: x.request.Method, Operation: op.op},
		Options: options(),
	}
	var out []string
	if !hostile || x.status < 400 || x.status > 499 {
		out = op.checkRequest(x, input)
	}
	out = append(out, op.checkReply(x, input)...)
	return slices.DeleteFunc(out, func(v string) bool { return pardoned(op.id(), v) })
}

func options() *openapi3filter.Options {
	return &openapi3filter.Options{
		MultiError: true, IncludeResponseStatus: true, SkipSettingDefaults: true, AuthenticationFunc: openapi3filter.NoopAuthenticationFunc,
		SchemaValidationOptions: []openapi3.SchemaValidationOption{
			openapi3.EnableFormatValidation(), openapi3.WithStringFormatValidator("uri", uriFormat{}), openapi3.WithStringFormatValidator("repo.nwo", nwoFormat{}),
		},
	}
}

type uriFormat struct{}

func (uriFormat) Validate(s string) error {
	u, err := url.Parse(s)
	if err != nil || s != "" && !u.IsAbs() {
		return fmt.Errorf("%q is not an absolute address", s)
	}
	return nil
}

type nwoFormat struct{}

func (nwoFormat) Validate(s string) error {
	if strings.Count(s, "/") != 1 {
		return fmt.Errorf("%q is not owner/name", s)
	}
	return nil
}

// checkRequest looks at path, query, headers and body. Query parameters that GitHub does not know are told, too: it
// would ignore them, and whoever sent them meant something.
func (o *operation) checkRequest(x exchange, input *openapi3filter.RequestValidationInput) []string {
	var out []string
	input.Request.Body = io.NopCloser(bytes.NewReader(x.sent))
	if input.Request.Header.Get("Content-Type") == "" {
		input.Request.Header.Set("Content-Type", "application/json") // which GitHub takes it for
	}
	input.Options.ExcludeRequestBody = x.cut || emptyBody(x.sent)
	if err := openapi3filter.ValidateRequest(input.Request.Context(), input); err != nil {
		out = append(out, o.told("request", err)...)
	}
	for name := range x.request.URL.Query() {
		known := func(p *openapi3.ParameterRef) bool {
			return p.Value.In == "query" && p.Value.Name == strings.TrimSuffix(name, "[]")
		}
		if !slices.ContainsFunc(o.op.Parameters, known) && !slices.ContainsFunc(o.item.Parameters, known) {
			out = append(out, fmt.Sprintf("%s: request: GitHub knows no query parameter %q", o.id(), name))
		}
	}
	return out
}

// emptyBody: clients send nothing, or null, where every field is optional, and GitHub takes it.
func emptyBody(b []byte) bool {
	text := string(bytes.TrimSpace(b))
	return text == "" || text == "null"
}

func (o *operation) checkReply(x exchange, input *openapi3filter.RequestValidationInput) []string {
	if x.status == http.StatusNotModified || x.request.Method == http.MethodHead {
		return nil
	}
	if o.op.Responses.Status(x.status) == nil && x.status >= 400 {
		return o.checkCommonError(x)
	}
	if !strings.HasPrefix(x.header.Get("Content-Type"), "application/json") && len(x.reply) > 0 && strings.Contains(x.request.Header.Get("Accept"), "application/vnd.github.") {
		return nil // a media type that the client asked for; the description has JSON alone
	}
	in := &openapi3filter.ResponseValidationInput{RequestValidationInput: input, Status: x.status, Header: x.header, Options: input.Options}
	in.SetBodyBytes(shortened(x.reply))
	if err := openapi3filter.ValidateResponse(input.Request.Context(), in); err != nil {
		return o.told("answer", err)
	}
	return nil
}

// maxItems is how many items of a list are looked at: they are all written by the same code, and looking takes long.
const maxItems = 20

func shortened(reply []byte) []byte {
	var list []json.RawMessage
	if len(reply) == 0 || reply[0] != '[' || json.Unmarshal(reply, &list) != nil || len(list) <= maxItems {
		return reply
	}
	short, err := json.Marshal(list[:maxItems])
	if err != nil {
		return reply // unreachable: the items were read just now
	}
	return short
}

// common are the refusals that any request may meet ("Troubleshooting the REST API"); operations list only their own.
func common(status int) bool {
	return slices.Contains([]int{400, 401, 403, 404, 413, 415, 421, 422, 429, 500, 502, 503, 504}, status)
}

// checkCommonError wants GitHub's "basic-error": a message, and where to read more.
func (o *operation) checkCommonError(x exchange) []string {
	if !common(x.status) {
		return []string{fmt.Sprintf("%s: answer: status %d is not described", o.id(), x.status)}
	}
	if x.status >= 500 || (x.status == http.StatusBadRequest || x.status == http.StatusMisdirectedRequest) && strings.HasPrefix(x.header.Get("Content-Type"), "text/") {
		return nil // what stands before the API answers in its own form
	}
	schema := openapi3.NewObjectSchema().WithProperty("message", openapi3.NewStringSchema()).WithProperty("documentation_url", openapi3.NewStringSchema()).
		WithProperty("status", openapi3.NewStringSchema()).WithRequired([]string{"message", "documentation_url"})
	v, err := decoded(x.reply)
	if err != nil {
		return []string{fmt.Sprintf("%s: answer: %v", o.id(), err)}
	}
	if err := schema.VisitJSON(v, openapi3.MultiErrors()); err != nil {
		return o.told("answer", err)
	}
	return nil
}
