package graphql

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/pullbook/pullbook/engine/localhub/git"
	"github.com/pullbook/pullbook/engine/localhub/state"
)

// A fault is an answer "no". Kind is the "type" of GitHub's error object.
type fault struct {
	kind, message string
}

func (f *fault) Error() string { return f.message }

const (
	notFound      = "NOT_FOUND"
	forbidden     = "FORBIDDEN"
	unprocessable = "UNPROCESSABLE"
)

func absent(format string, args ...any) *fault {
	return &fault{notFound, fmt.Sprintf(format, args...)}
}

func refuse(format string, args ...any) *fault {
	return &fault{unprocessable, fmt.Sprintf(format, args...)}
}

func noNode(id string) *fault {
	return absent("Could not resolve to a node with the global id of '%s'.", id)
}

// classify turns what a resolver returned into GitHub's words; ok is false for a fault of the hub itself.
func classify(err error) (f *fault, ok bool) {
	if errors.As(err, &f) {
		return f, true
	}
	var r *state.Refusal
	switch {
	case errors.As(err, &r):
		return &fault{kindOf(r.Status), sentence(r)}, true
	case errors.Is(err, git.ErrAbsent):
		return absent("Could not resolve to a git object."), true
	}
	return nil, false
}

func kindOf(status int) string {
	switch status {
	case http.StatusNotFound:
		return notFound
	case http.StatusForbidden, http.StatusUnauthorized:
		return forbidden
	default:
		return unprocessable
	}
}

// sentence is what GraphQL says where REST has a list of problems.
func sentence(r *state.Refusal) string {
	if len(r.Problems) == 0 {
		return r.Message
	}
	parts := make([]string, len(r.Problems))
	for i, p := range r.Problems {
		parts[i] = problem(p)
	}
	return strings.Join(parts, ", ")
}

func problem(p state.Problem) string {
	switch {
	case p.Message != "":
		return capital(p.Message)
	case p.Code == "missing_field":
		return capital(p.Field) + " can't be blank"
	case p.Resource == "PullRequest" && (p.Field == "head" || p.Field == "base"):
		return capital(p.Field) + " ref must be a branch"
	default:
		return capital(p.Field) + " is invalid"
	}
}

func capital(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// status of an error that is not a refusal of the state; used where a resolver takes "absent" for null.
func isAbsent(err error) bool {
	var r *state.Refusal
	return errors.Is(err, git.ErrAbsent) || (errors.As(err, &r) && r.Status == http.StatusNotFound)
}
