package state

import (
	"fmt"
	"net/http"
)

// A Refusal is an answer "no" as GitHub gives it.
type Refusal struct {
	Status   int    // HTTP status
	Message  string // the answer's "message"
	Problems []Problem
	Accepts  string // App permissions that would have been enough, for X-Accepted-GitHub-Permissions
}

// A Problem is one entry of the "errors" of a 422. GitHub writes some as objects and some as bare strings; one with
// only a Message is a bare string.
type Problem struct {
	Resource, Field, Code, Message string
}

func (r *Refusal) Error() string {
	if len(r.Problems) > 0 {
		return fmt.Sprintf("%d %s: %+v", r.Status, r.Message, r.Problems[0])
	}
	return fmt.Sprintf("%d %s", r.Status, r.Message)
}

// NotFound is GitHub's answer for what is absent and for what the credential may not see.
func NotFound() *Refusal { return &Refusal{Status: http.StatusNotFound, Message: "Not Found"} }

// Forbid refuses somebody who is known and may not.
func Forbid(message string) *Refusal {
	return &Refusal{Status: http.StatusForbidden, Message: message}
}

// Unprocessable refuses an input that is well formed and wrong.
func Unprocessable(message string) *Refusal {
	return &Refusal{Status: http.StatusUnprocessableEntity, Message: message}
}

// Invalid is GitHub's "Validation Failed" with its reasons.
func Invalid(problems ...Problem) *Refusal {
	return &Refusal{Status: http.StatusUnprocessableEntity, Message: "Validation Failed", Problems: problems}
}

func missing(resource, field string) *Refusal {
	return Invalid(Problem{Resource: resource, Field: field, Code: "missing_field"})
}

func custom(resource, message string) *Refusal {
	return Invalid(Problem{Resource: resource, Code: "custom", Message: message})
}
