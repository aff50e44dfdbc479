package localhub

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/parser"

	"github.com/pullbook/pullbook/engine/localhub/faults"
	"github.com/pullbook/pullbook/engine/localhub/git"
	"github.com/pullbook/pullbook/engine/localhub/graphql"
	"github.com/pullbook/pullbook/engine/localhub/limits"
	"github.com/pullbook/pullbook/engine/localhub/rest"
	"github.com/pullbook/pullbook/engine/localhub/state"
	"github.com/pullbook/pullbook/engine/localhub/wire"
)

// face is which part of the hub a request goes to.
type face int

const (
	toPages face = iota
	toREST
	toGraphQL
	toGit
	toStorage
)

// faceOf tells the part, and the path as rules of faults are matched with: without REST's prefix, GraphQL at /graphql.
func faceOf(r *http.Request) (face, string) {
	path, api := r.URL.EscapedPath(), hostName(r) == wire.APIHost
	if path == "/api/graphql" || api && path == "/graphql" {
		return toGraphQL, "/graphql"
	}
	if api {
		return toREST, path
	}
	if below, ok := strings.CutPrefix(path, rest.Prefix); ok && (below == "" || below[0] == '/') {
		return toREST, below
	}
	if _, ok := parseGitPath(path); ok {
		return toGit, path
	}
	if strings.HasPrefix(path, rest.StoragePrefix) {
		return toStorage, path
	}
	return toPages, path
}

func faultPath(r *http.Request) string {
	_, path := faceOf(r)
	return path
}

// Where GitHub's answers of limits send the reader. go-github tells the two apart by the second one's end.
const (
	primaryPage   = "https://docs.github.com/rest/overview/rate-limits-for-the-rest-api"
	secondaryPage = "https://docs.github.com/free-pro-team@latest/rest/overview/rate-limits-for-the-rest-api#about-secondary-rate-limits"
)

// GitHub's words. A name or number of who is meant follows the first.
const (
	primaryWords   = "API rate limit exceeded for"
	secondaryWords = "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."
)

// limited lets requests through to h that keep to the limits, and refuses the others as GitHub does.
func (h *Hub) limited(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		to, _ := faceOf(r)
		if to == toPages || to == toStorage || !h.limits.On() {
			next.ServeHTTP(w, r)
			return
		}
		if to == toGit {
			h.limitPush(w, r, next)
			return
		}
		actor, err := rest.Actor(h.store, r)
		if err != nil {
			next.ServeHTTP(w, r) // which refuses it for that
			return
		}
		asked, err := describe(r, to, actor)
		if err != nil {
			http.Error(w, "Bad Request", http.StatusBadRequest)
			return
		}
		done, err := h.limits.Admit(asked)
		if err != nil {
			h.refuseLimited(w, r, actor, err)
			return
		}
		defer done()
		if to == toGraphQL {
			w = &countedWriter{ResponseWriter: w, usage: h.limits.Count(asked.Actor, "graphql", 1)}
		}
		next.ServeHTTP(w, r)
	})
}

// describe says what a request is to the limits. GitHub does not document what creates content: POST and PUT in a
// repository do here, and each mutation of a document.
func describe(r *http.Request, to face, a state.Actor) (limits.Request, error) {
	q := limits.Request{Actor: a.Key(), GraphQL: to == toGraphQL}
	if !q.GraphQL {
		_, path := faceOf(r)
		q.Write = r.Method != http.MethodGet && r.Method != http.MethodHead && r.Method != http.MethodOptions
		if (r.Method == http.MethodPost || r.Method == http.MethodPut) && strings.HasPrefix(path, "/repos/") {
			q.Content = 1
		}
		return q, nil
	}
	head, err := io.ReadAll(io.LimitReader(r.Body, graphql.MaxBody+1))
	if err != nil {
		return q, fmt.Errorf("read a document: %w", err)
	}
	r.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(head), r.Body), r.Body}
	q.Content = mutations(head)
	q.Write = q.Content > 0
	return q, nil
}

// mutations counts those of a call's document; a document that cannot be read has none.
func mutations(call []byte) int {
	var in struct {
		Query         string `json:"query"`
		OperationName string `json:"operationName"`
	}
	if json.Unmarshal(call, &in) != nil {
		return 0
	}
	doc, err := parser.ParseQueryWithTokenLimit(&ast.Source{Input: in.Query}, graphql.MaxBody)
	if err != nil {
		return 0
	}
	n := 0
	for _, op := range doc.Operations {
		if op.Operation == ast.Mutation && (in.OperationName == "" || in.OperationName == op.Name) {
			n += len(op.SelectionSet)
		}
	}
	return n
}

func (h *Hub) limitPush(w http.ResponseWriter, r *http.Request, next http.Handler) {
	g, _ := parseGitPath(r.URL.EscapedPath())
	var refusal *limits.Refusal
	if g.action == string(git.Receive) && errors.As(h.limits.Push(strings.ToLower(g.repo)), &refusal) {
		w.Header().Set("Retry-After", seconds(refusal.After))
		h.told(r, http.StatusTooManyRequests)
		http.Error(w, "Too many pushes to this repository. Please wait before you push again.", http.StatusTooManyRequests)
		return
	}
	next.ServeHTTP(w, r)
}

func seconds(d time.Duration) string { return strconv.Itoa(int(math.Ceil(d.Seconds()))) }

// told tells the one who counts requests of an answer that none of the hub's parts gave.
func (h *Hub) told(r *http.Request, status int) {
	if h.config.OnRequest != nil {
		h.config.OnRequest(r.Method, "", status)
	}
}

func (h *Hub) refuseLimited(w http.ResponseWriter, r *http.Request, a state.Actor, err error) {
	var refusal *limits.Refusal
	if !errors.As(err, &refusal) {
		http.Error(w, "Server Error", http.StatusInternalServerError) // unreachable: Admit gives nothing else
		return
	}
	to, _ := faceOf(r)
	writeUsage(w.Header(), refusal.Usage, map[bool]string{true: "graphql", false: "core"}[to == toGraphQL])
	status, body := http.StatusForbidden, wire.Object{"message": secondaryWords, "documentation_url": secondaryPage, "status": "403"}
	if errors.Is(refusal, limits.ErrSecondary) {
		w.Header().Set("Retry-After", seconds(refusal.After))
	} else {
		message := fmt.Sprintf("%s user ID %d.", primaryWords, a.User.ID)
		if a.IsInstallation() {
			message = fmt.Sprintf("%s installation ID %d.", primaryWords, a.Installation)
		}
		body["message"], body["documentation_url"] = message, primaryPage
		if to == toGraphQL { // which tells of its own limit in its own way
			status, body = http.StatusOK, wire.Object{"errors": []wire.Object{{"type": "RATE_LIMITED", "message": message}}}
		}
	}
	h.config.Logger.Debug("a request is refused by a limit", "limit", refusal.Limit, "method", r.Method, "path", r.URL.Path)
	h.told(r, status)
	writeJSON(w, status, body)
}

func writeUsage(h http.Header, u limits.Usage, resource string) {
	h.Set("X-RateLimit-Limit", strconv.Itoa(u.Shown()))
	h.Set("X-RateLimit-Remaining", strconv.Itoa(u.Left()))
	h.Set("X-RateLimit-Used", strconv.Itoa(u.Used))
	h.Set("X-RateLimit-Reset", strconv.FormatInt(u.Reset.Unix(), 10))
	h.Set("X-RateLimit-Resource", resource)
}

// countedWriter puts GraphQL's usage into the headers of its answer.
type countedWriter struct {
	http.ResponseWriter
	usage limits.Usage
}

func (c *countedWriter) WriteHeader(status int) {
	writeUsage(c.Header(), c.usage, "graphql")
	c.ResponseWriter.WriteHeader(status)
}

// Unwrap lets http.ResponseController find the real writer.
func (c *countedWriter) Unwrap() http.ResponseWriter { return c.ResponseWriter }

func writeJSON(w http.ResponseWriter, status int, body any) {
	text, err := json.Marshal(body)
	if err != nil {
		http.Error(w, "Server Error", http.StatusInternalServerError) // unreachable: shapes hold texts and numbers
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	w.Write(append(text, '\n')) //nolint:errcheck // the client is gone
}

// writeFault answers in the form of the part that the request was for.
func (h *Hub) writeFault(w http.ResponseWriter, r *http.Request, a faults.Answer) {
	if a.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(a.RetryAfter))
	}
	h.told(r, a.Status)
	body := wire.Object{"message": a.Message, "documentation_url": "https://docs.github.com/rest", "status": strconv.Itoa(a.Status)}
	if a.Secondary {
		body["message"], body["documentation_url"] = secondaryWords, secondaryPage
	}
	if to, _ := faceOf(r); to == toGit || to == toPages || to == toStorage {
		http.Error(w, fmt.Sprint(body["message"]), a.Status)
		return
	}
	writeJSON(w, a.Status, body)
}
