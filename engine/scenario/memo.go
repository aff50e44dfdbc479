package scenario

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"sync"

	"github.com/pullbook/pullbook/engine/runbook"
)

// Eval answers what a runbook says. An evaluator depends on nothing but the question.
type Eval interface {
	// Route finds the runbook of an alert among files.
	Route(ctx context.Context, files map[string][]byte, alert json.RawMessage) (runbook.Route, error)
	// Load checks a runbook wholly and returns its static plan, or its problems.
	Load(ctx context.Context, src runbook.Source) (runbook.Plan, []runbook.Problem, error)
	// Resolve returns what each step is now.
	Resolve(ctx context.Context, q runbook.Query) (runbook.Plan, error)
	// Output checks what a step put out against its declared type and returns the declared part.
	Output(ctx context.Context, q runbook.Query, step string, output json.RawMessage) (json.RawMessage, error)
}

// mostAnswers is how many answers are remembered; then all are forgotten. One is mostly a plan, some kilobytes.
const mostAnswers = 8192

// Remembering asks an evaluator each question once, as long as it can remember. Cases of one runbook begin alike, and their ways part late.
type Remembering struct {
	of Eval

	mu      sync.Mutex
	answers map[[sha256.Size]byte]*answer
}

// answer is given once, however many wait for it.
type answer struct {
	once  sync.Once
	value any
	err   error
}

// Remember returns an evaluator that is safe for use from several goroutines if the given one is.
func Remember(of Eval) *Remembering {
	return &Remembering{of: of, answers: map[[sha256.Size]byte]*answer{}}
}

// loaded is the answer of Load.
type loaded struct {
	plan     runbook.Plan
	problems []runbook.Problem
}

// remembered asks only if nobody has asked the same before. An answer that the context cut short is not kept.
func remembered[T any](ctx context.Context, r *Remembering, asked []any, ask func() (T, error)) (T, error) {
	text, err := json.Marshal(asked)
	if err != nil {
		var none T
		return none, fmt.Errorf("write a question to the evaluator: %w", err)
	}
	key := sha256.Sum256(text)
	r.mu.Lock()
	a, ok := r.answers[key]
	if !ok {
		if len(r.answers) >= mostAnswers {
			clear(r.answers)
		}
		a = &answer{}
		r.answers[key] = a
	}
	r.mu.Unlock()
	a.once.Do(func() {
		value, err := ask()
		a.value, a.err = value, err
		if ctx.Err() != nil {
			r.mu.Lock()
			if r.answers[key] == a {
				delete(r.answers, key)
			}
			r.mu.Unlock()
		}
	})
	value, _ := a.value.(T)
	return value, a.err
}

// question is a question about a source in few bytes. The plan that was made of the source is none of it: of one source there is one.
func question(op string, src runbook.Source, more ...any) []any {
	sum := src.Digest()
	return append([]any{op, sum[:]}, more...)
}

// Route implements Eval.
func (r *Remembering) Route(ctx context.Context, files map[string][]byte, alert json.RawMessage) (runbook.Route, error) {
	asked := question("route", runbook.Source{Files: files}, alert)
	return remembered(ctx, r, asked, func() (runbook.Route, error) { return r.of.Route(ctx, files, alert) })
}

// Load implements Eval.
func (r *Remembering) Load(ctx context.Context, src runbook.Source) (runbook.Plan, []runbook.Problem, error) {
	l, err := remembered(ctx, r, question("load", src), func() (loaded, error) {
		plan, problems, err := r.of.Load(ctx, src)
		return loaded{plan, problems}, err
	})
	return l.plan, l.problems, err
}

// Resolve implements Eval.
func (r *Remembering) Resolve(ctx context.Context, q runbook.Query) (runbook.Plan, error) {
	asked := question("resolve", q.Source, q.Alert, q.Ended)
	return remembered(ctx, r, asked, func() (runbook.Plan, error) { return r.of.Resolve(ctx, q) })
}

// Output implements Eval.
func (r *Remembering) Output(ctx context.Context, q runbook.Query, step string, output json.RawMessage) (json.RawMessage, error) {
	asked := question("output", q.Source, q.Alert, q.Ended, q.Words, step, output)
	return remembered(ctx, r, asked, func() (json.RawMessage, error) { return r.of.Output(ctx, q, step, output) })
}
