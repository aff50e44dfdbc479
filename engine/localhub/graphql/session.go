package graphql

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	gqlerrors "github.com/graph-gophers/graphql-go/errors"

	"github.com/pullbook/pullbook/engine/localhub/git"
	"github.com/pullbook/pullbook/engine/localhub/state"
	"github.com/pullbook/pullbook/engine/localhub/wire"
)

// session is one request. It remembers commits, since one document often asks for the same ones by several ways.
type session struct {
	server  *Server
	actor   state.Actor
	host    wire.Host
	request string
	used    quota
	nodes   int // what the document may ask for, at most

	mu      sync.Mutex
	commits map[string]git.Commit
}

// answer is the body of a GraphQL answer.
type answer struct {
	Data   json.RawMessage `json:"data,omitempty"`
	Errors []problemObject `json:"errors,omitempty"`
}

// problemObject is one error, with its members in GitHub's order.
type problemObject struct {
	Type       string               `json:"type,omitempty"`
	Path       []any                `json:"path,omitempty"`
	Extensions map[string]any       `json:"extensions,omitempty"`
	Locations  []gqlerrors.Location `json:"locations,omitempty"`
	Message    string               `json:"message"`
}

type sessionKey struct{}

// sessionOf is how the two roots, which are the same for all requests, find the request.
func sessionOf(ctx context.Context) *session {
	s, _ := ctx.Value(sessionKey{}).(*session)
	return s
}

func (s *session) store() *state.Store { return s.server.config.Store }

func (s *session) git() *git.Repos { return s.server.config.Repos }

// run executes one operation of a document.
func (s *session) run(ctx context.Context, in request) answer {
	doc, err := parse(*in.Query)
	if err == nil {
		s.nodes, err = doc.nodes(in.OperationName, in.Variables)
	}
	if err != nil {
		return answer{Errors: []problemObject{refusedDocument(err)}}
	}
	done := s.server.schema.Exec(context.WithValue(ctx, sessionKey{}, s), *in.Query, in.OperationName, in.Variables)
	out := answer{Data: done.Data}
	for _, e := range done.Errors {
		out.Errors = append(out.Errors, s.problem(doc, in.OperationName, e))
	}
	return out
}

func refusedDocument(err error) problemObject {
	var f *fault
	if errors.As(err, &f) {
		return problemObject{Type: f.kind, Message: f.message}
	}
	var syntax *syntaxError
	if errors.As(err, &syntax) {
		return problemObject{Message: syntax.message, Locations: []gqlerrors.Location{{Line: syntax.line, Column: syntax.column}}}
	}
	return problemObject{Message: err.Error()}
}

// problem writes one of the library's errors in GitHub's form. What is not a refusal is logged, and the client learns
// the request's id alone.
func (s *session) problem(doc document, operation string, e *gqlerrors.QueryError) problemObject {
	out := problemObject{Path: e.Path, Locations: e.Locations, Message: e.Message, Extensions: e.Extensions}
	if e.ResolverError == nil {
		return out
	}
	if at := doc.locate(operation, e.Path); at != nil {
		out.Locations = []gqlerrors.Location{{Line: at.Line, Column: at.Column}}
	}
	f, ok := classify(e.ResolverError)
	if !ok {
		if !errors.Is(e.ResolverError, context.Canceled) {
			s.server.config.Logger.Error("resolve a GraphQL field", "path", fmt.Sprint(e.Path), "error", e.ResolverError)
		}
		f = &fault{"", "Something went wrong while executing your query. Please include `" + s.request + "` when reporting this issue."}
	}
	out.Type, out.Message = f.kind, f.message
	return out
}

// commit reads a commit once in a session.
func (s *session) commit(ctx context.Context, repo, sha string) (git.Commit, error) {
	all, err := s.commitsOf(ctx, repo, []string{sha})
	if err != nil {
		return git.Commit{}, err
	}
	return all[0], nil
}

// commitsOf reads commits in the order of their ids.
func (s *session) commitsOf(ctx context.Context, repo string, ids []string) ([]git.Commit, error) {
	var missing []string
	s.mu.Lock()
	for _, id := range ids {
		if _, ok := s.commits[repo+id]; !ok {
			missing = append(missing, id)
		}
	}
	s.mu.Unlock()
	read, err := s.git().Commits(ctx, repo, missing)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.commits == nil {
		s.commits = map[string]git.Commit{}
	}
	for _, c := range read {
		s.commits[repo+c.SHA] = c
	}
	out := make([]git.Commit, 0, len(ids))
	for _, id := range ids {
		out = append(out, s.commits[repo+id])
	}
	return out, nil
}
