package graphql

import (
	"bytes"
	"context"
	"crypto/rand"
	"embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"

	gql "github.com/graph-gophers/graphql-go"
	gqlerrors "github.com/graph-gophers/graphql-go/errors"

	"github.com/pullbook/pullbook/engine/localhub/git"
	"github.com/pullbook/pullbook/engine/localhub/rest"
	"github.com/pullbook/pullbook/engine/localhub/state"
)

//go:embed schema/*.graphql
var schemaFiles embed.FS

// Schema is the served subset of GitHub's schema.
func Schema() string {
	var all strings.Builder
	entries, err := schemaFiles.ReadDir("schema")
	if err != nil {
		panic(err) // unreachable: the files are part of the program
	}
	for _, e := range entries {
		text, err := schemaFiles.ReadFile("schema/" + e.Name())
		if err != nil {
			panic(err) // unreachable, likewise
		}
		all.Write(text)
		all.WriteByte('\n')
	}
	return all.String()
}

// Limits of a request. GitHub's documentation names the node limit ("Rate limits and query limits for the GraphQL
// API"); the others keep the hub alive.
const (
	MaxBody  = 1 << 20
	MaxNodes = 500_000

	maxDepth      = 25
	maxSelections = 20_000
	maxOverlaps   = 200_000
	parallel      = 4
)

// Config is what a Server works with. OnRequest may be nil; it is called after each answer with "/graphql" as the
// pattern.
type Config struct {
	Store     *state.Store
	Repos     *git.Repos
	Logger    *slog.Logger
	OnRequest func(method, pattern string, status int)
}

// A Server answers GraphQL, wherever it is mounted.
type Server struct {
	config Config
	schema *gql.Schema
	quotas quotas
}

// New makes a server. It panics when the schema and the resolvers do not fit, which no input can cause.
func New(c Config) *Server {
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return &Server{config: c, quotas: quotas{byActor: map[string]*quota{}}, schema: gql.MustParseSchema(Schema(), &root{},
		gql.UseFieldResolvers(), gql.MaxDepth(maxDepth), gql.MaxSelections(maxSelections), gql.MaxParallelism(parallel),
		gql.OverlapValidationLimit(maxOverlaps), gql.Logger(panics{c.Logger}), gql.PanicHandler(panics{c.Logger}))}
}

// panics puts a resolver's panic into the hub's log.
type panics struct{ log *slog.Logger }

// LogPanic is the library's hook.
func (p panics) LogPanic(_ context.Context, value any) {
	p.log.Error("a GraphQL resolver panicked", "panic", value)
}

var errPanic = errors.New("a resolver panicked")

// MakePanicError keeps the panic's words from the client.
func (panics) MakePanicError(context.Context, any) *gqlerrors.QueryError {
	return &gqlerrors.QueryError{Message: errPanic.Error(), ResolverError: errPanic}
}

// request is the body of a call.
type request struct {
	Query         *string        `json:"query"`
	OperationName string         `json:"operationName"`
	Variables     map[string]any `json:"variables"`
}

// ServeHTTP answers one call.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	status := s.serve(w, r)
	if s.config.OnRequest != nil {
		s.config.OnRequest(r.Method, "/graphql", status)
	}
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request) int {
	id := s.standardHeaders(w)
	actor, err := rest.Actor(s.config.Store, r)
	switch {
	case err == nil && actor.Anonymous():
		return s.deny(w, http.StatusUnauthorized, "This endpoint requires you to be authenticated.")
	case err != nil, actor.App != nil && !actor.IsInstallation(): // an App as itself has nothing to ask here
		return s.deny(w, http.StatusUnauthorized, "Bad credentials")
	}
	host := rest.HostOf(r)
	actor.Base = string(host)
	used := s.quotas.count(actor, s.config.Store.Now())
	used.write(w.Header())
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return s.describe(w, r)
	}
	if r.Method != http.MethodPost {
		return s.deny(w, http.StatusNotFound, "Not Found")
	}
	call, status, why := decode(w, r)
	if why != "" {
		return s.deny(w, status, why)
	}
	if call.Query == nil || strings.TrimSpace(*call.Query) == "" {
		return s.send(w, r, answer{Errors: []problemObject{{Message: "A query attribute must be specified and must be a string."}}})
	}
	session := &session{server: s, actor: actor, host: host, request: id, used: used}
	return s.send(w, r, session.run(r.Context(), call))
}

// describe answers GET with the schema, as GitHub does.
func (s *Server) describe(w http.ResponseWriter, r *http.Request) int {
	text, err := s.schema.ToJSON()
	if err != nil {
		s.config.Logger.Error("describe the GraphQL schema", "error", err)
		return s.deny(w, http.StatusInternalServerError, "Server Error")
	}
	return s.send(w, r, answer{Data: text})
}

// decode reads a body, or says with which status and words it is refused.
func decode(w http.ResponseWriter, r *http.Request) (in request, status int, why string) {
	const malformed = "Problems parsing JSON"
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, MaxBody))
	err := d.Decode(&in)
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return in, http.StatusRequestEntityTooLarge, "Payload too large"
	case err != nil:
		return in, http.StatusBadRequest, malformed
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return in, http.StatusBadRequest, malformed
	}
	return in, http.StatusOK, ""
}

const documentation = "https://docs.github.com/graphql"

// standardHeaders sets what every answer carries and returns the request's id.
func (s *Server) standardHeaders(w http.ResponseWriter) string {
	var raw [8]byte
	rand.Read(raw[:]) // never fails: crypto/rand aborts the program instead
	id := strings.ToUpper(hex.EncodeToString(raw[:]))
	h := w.Header()
	h.Set("X-GitHub-Request-Id", id)
	h.Set("X-GitHub-Media-Type", "github.v4; format=json")
	h.Set("Date", s.config.Store.Now().Format(http.TimeFormat))
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "default-src 'none'")
	h.Set("Cache-Control", "no-cache")
	return id
}

// deny answers what is not GraphQL yet, in REST's form.
func (s *Server) deny(w http.ResponseWriter, status int, message string) int {
	return s.write(w, status, map[string]string{
		"message": message, "documentation_url": documentation, "status": strconv.Itoa(status),
	})
}

func (s *Server) send(w http.ResponseWriter, r *http.Request, a answer) int {
	if r.Context().Err() != nil { // nobody is left to read it
		return 499
	}
	return s.write(w, http.StatusOK, a)
}

func (s *Server) write(w http.ResponseWriter, status int, body any) int {
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false)
	if err := e.Encode(body); err != nil {
		s.config.Logger.Error("encode a GraphQL answer", "error", err)
		status, text = http.StatusInternalServerError, *bytes.NewBufferString(`{"message":"Server Error"}`)
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	if _, err := w.Write(bytes.TrimSuffix(text.Bytes(), []byte("\n"))); err != nil {
		s.config.Logger.Debug("write a GraphQL answer", "error", fmt.Errorf("answer a client: %w", err))
	}
	return status
}
