package cueval

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/pullbook/pullbook/engine/runbook"
)

// The errors that say how an evaluation was stopped. The runbook is then as good as wrong: it would stop again.
var (
	ErrDeadline = errors.New("evaluation took too long")
	ErrMemory   = errors.New("evaluation took too much memory")
)

// SourceError says that a plan was asked of a runbook that has problems.
type SourceError struct {
	Problems []runbook.Problem // never empty, sorted by place
}

func (e *SourceError) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = p.String()
	}
	return "the runbook is wrong: " + strings.Join(lines, "\n")
}

// OutputError says that what a step put out, or what a probe was answered, is not of the declared type.
type OutputError = runbook.OutputError

// IntakeError says why a payload makes no alert.
type IntakeError struct {
	Unknown bool   // there is no intake of this name
	Problem string // place, problem and hint on one line
}

func (e *IntakeError) Error() string { return e.Problem }

// The operations of the child.
const (
	opLoad     = "load"
	opCheck    = "check"
	opResolve  = "resolve"
	opUntil    = "until"
	opForecast = "forecast"
	opOutput   = "output"
	opRoute    = "route"
	opIntake   = "intake"
)

// subject is the digest of a plan with its alert: of all that goes into an evaluation but the ends of steps.
type subject [sha256.Size]byte

// childRequest is what the child reads: one JSON value.
type childRequest struct {
	Op     string            `json:"op"`
	Query  runbook.Query     `json:"query,omitzero"`   // load takes its source alone
	Known  *runbook.Plan     `json:"known,omitempty"`  // of the query's source, if it was made before
	Book   []byte            `json:"book,omitempty"`   // key of the source with the plan; without these the child has them from before
	Step   string            `json:"step,omitempty"`   // or the name of an intake
	Value  json.RawMessage   `json:"value,omitempty"`  // answer, output or payload
	Ahead  bool              `json:"ahead,omitempty"`  // of resolve and output: what is known of later ends is wanted too
	Spared []int             `json:"spared,omitempty"` // steps that need no evaluation for that, by index
	Files  map[string][]byte `json:"files,omitempty"`  // of route, intake and check
	Check  []string          `json:"check,omitempty"`  // runbooks to check
	Match  []string          `json:"match,omitempty"`  // runbooks of which the matches are wanted
	Memory uint64            `json:"memory"`           // bytes
	CPU    uint64            `json:"cpu"`              // seconds

	about subject // of which a child is asked more than once; zero: a child of its own answers
}

// childReply is what the child writes: one JSON value, of check one for each runbook, in order.
type childReply struct {
	Plan     runbook.Plan         `json:"plan,omitzero"`
	Now      []runbook.Resolution `json:"now,omitempty"` // of the plan's steps, in order; the plan's own form leaves it out
	Problems []runbook.Problem    `json:"problems,omitempty"`
	Holds    bool                 `json:"holds,omitempty"`
	Output   json.RawMessage      `json:"output,omitempty"`
	Route    runbook.Route        `json:"route,omitzero"`
	Wrong    *OutputError         `json:"wrong,omitempty"`
	Source   *SourceError         `json:"source,omitempty"`
	Intake   *IntakeError         `json:"intake,omitempty"`
	Checkup  *runbook.Checkup     `json:"checkup,omitempty"`
	Ahead    *ahead               `json:"ahead,omitempty"`
	Error    string               `json:"error,omitempty"`
	Held     uint64               `json:"held,omitempty"` // bytes that the process held as it answered
	Lost     bool                 `json:"lost,omitempty"` // the runbook that the request names is wanted in full
	size     int                  // bytes that it took
}

// err returns the error that the child met, with its type.
func (r childReply) err() error {
	switch {
	case r.Wrong != nil:
		return r.Wrong
	case r.Source != nil:
		return r.Source
	case r.Intake != nil:
		return r.Intake
	case r.Error != "":
		return errors.New(r.Error)
	}
	return nil
}

// answer evaluates one request.
func (t *texts) answer(q childRequest) (r childReply) {
	if !t.recall(&q) {
		return childReply{Lost: true}
	}
	var err error
	switch q.Op {
	case opLoad:
		_, r.Plan, r.Problems = t.load(q.Query.Source)
	case opResolve:
		if q.Ahead {
			r.Plan, r.Ahead, err = t.resolveAhead(q.Query, q.Known, q.Spared)
		} else {
			r.Plan, err = t.resolve(q.Query, q.Known)
		}
		r.sayNow()
	case opForecast:
		r.Plan, err = t.forecast(q.Query, q.Known)
		r.sayNow()
	case opUntil:
		r.Holds, err = t.until(q.Query, q.Known, q.Step, q.Value)
	case opOutput:
		r, err = t.outputAhead(q)
	case opRoute:
		r.Route, err = t.route(q.Files, q.Value)
	case opIntake:
		r.Output, err = t.mapped(q.Files, q.Step, q.Value)
	default:
		err = fmt.Errorf("the evaluator knows no operation %q", q.Op)
	}
	if err != nil && !errors.As(err, &r.Wrong) && !errors.As(err, &r.Source) && !errors.As(err, &r.Intake) {
		r.Error = err.Error()
	}
	return r
}
