package cueval

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os/exec"
	"runtime"
	"slices"
	"sync/atomic"
	"time"

	"github.com/pullbook/pullbook/engine/runbook"
	"github.com/pullbook/pullbook/schema"
)

// Config says how evaluations run.
type Config struct {
	Child    []string      // argv of a process that calls Child, such as the engine's own executable and eval-child
	Wall     time.Duration // how long one evaluation may take; 0 means 2 s
	Memory   uint64        // how much memory one evaluation may hold, in bytes; 0 means 256 MiB
	Children int           // how many may run at a time; 0 means one for each processor
	Stay     bool          // children stay for further requests, for commands that evaluate much in a short life; Close ends them
	// Linger is how long a child that was asked about a plan waits for the next question about the same plan with the same alert; Close
	// ends those that wait. 0: each question has a child of its own.
	Linger time.Duration
}

// Evaluator evaluates CUE in child processes. It can be used from many goroutines; as many children run at a
// time as its configuration says, the others wait.
type Evaluator struct {
	child  []string
	wall   time.Duration
	memory uint64
	slots  chan struct{}
	plans  plans

	stay    bool
	linger  time.Duration
	waiting waiting

	outlooks outlooks // what evaluations told of later ones
	asked    atomic.Int64
}

// Evaluations is how many evaluations were begun so far.
func (e *Evaluator) Evaluations() int64 { return e.asked.Load() }

// New makes an evaluator. It starts nothing.
func New(c Config) *Evaluator {
	e := &Evaluator{child: slices.Clone(c.Child), wall: c.Wall, memory: c.Memory, slots: make(chan struct{}, cmp.Or(c.Children, runtime.NumCPU())),
		stay: c.Stay, linger: c.Linger}
	if e.wall <= 0 {
		e.wall = 2 * time.Second
	}
	if e.memory == 0 {
		e.memory = 256 << 20
	}
	return e
}

// Route finds the runbook for an alert among files: all of runbooks/*.cue, and pullbook.cue where there is one. A
// runbook that is wrong, or cannot be evaluated in time, is a problem of the route and matches nothing. Without any
// match it is runbooks/triage.cue if that is there and right, else none.
func (e *Evaluator) Route(ctx context.Context, files map[string][]byte, alert json.RawMessage) (runbook.Route, error) {
	r, err := e.run(ctx, childRequest{Op: opRoute, Files: files, Value: alert})
	if err == nil {
		return r.Route, r.err()
	}
	if !stopped(err) {
		return runbook.Route{}, fmt.Errorf("route the alert: %w", err)
	}
	return e.routeWithout(ctx, files, alert)
}

// routeWithout finds the files that stop an evaluation, each in a child of its own, and routes among the others.
func (e *Evaluator) routeWithout(ctx context.Context, files map[string][]byte, alert json.RawMessage) (runbook.Route, error) {
	good := map[string][]byte{}
	for name, text := range files {
		if !runbook.IsRunbook(name) {
			good[name] = text
		}
	}
	shared := maps.Clone(good)
	var bad []runbook.Problem
	for _, name := range runbooksOf(files) {
		alone := runbook.SourceOf(files, name).Files
		maps.Copy(alone, shared)
		_, err := e.run(ctx, childRequest{Op: opRoute, Files: alone, Value: alert})
		switch {
		case err == nil:
			maps.Copy(good, alone)
		case stopped(err):
			bad = append(bad, runbook.Problem{File: name, Text: err.Error()})
		default:
			return runbook.Route{}, fmt.Errorf("route the alert: %w", err)
		}
	}
	r, err := e.run(ctx, childRequest{Op: opRoute, Files: good, Value: alert})
	if err != nil {
		return runbook.Route{}, fmt.Errorf("route the alert: %w", err)
	}
	r.Route.Problems = tidy(append(r.Route.Problems, bad...))
	return r.Route, r.err()
}

func stopped(err error) bool { return errors.Is(err, ErrDeadline) || errors.Is(err, ErrMemory) }

// Load checks a runbook in every way there is and makes a plan of it, without alert and outputs. With problems there is
// no plan; the error is about the evaluation itself.
func (e *Evaluator) Load(ctx context.Context, src runbook.Source) (runbook.Plan, []runbook.Problem, error) {
	r, err := e.run(ctx, childRequest{Op: opLoad, Query: runbook.Query{Source: src}})
	if err == nil {
		err = r.err()
	}
	if err != nil {
		return runbook.Plan{}, nil, fmt.Errorf("load %s: %w", src.Runbook, err)
	}
	if len(r.Problems) == 0 {
		e.plans.keep(src.Of(r.Plan), r.Plan) // as the incident will keep it
	}
	return r.Plan, r.Problems, nil
}

// question is a request about a runbook, with the plan of its source if there is one, and without what need not travel.
func (e *Evaluator) question(op string, q runbook.Query, step string, value json.RawMessage) childRequest {
	if bytes.Equal(q.Source.Schema, schema.Runbook()) {
		q.Source.Schema = nil
	}
	known := q.Frozen
	if known == nil {
		known = e.plans.of(q.Source)
	}
	q.Frozen = nil
	return childRequest{Op: op, Query: q, Known: known, Book: bookKey(q.Source, known), Step: step, Value: value}
}

// Until says whether the condition of a probe holds for an answer {status, headers, body}. It returns an *OutputError
// if the answer is not of the type that the probe declares, or the condition cannot be decided with it.
func (e *Evaluator) Until(ctx context.Context, q runbook.Query, step string, answer json.RawMessage) (bool, error) {
	r, err := e.run(ctx, e.question(opUntil, q, step, answer))
	if err == nil {
		err = r.err()
	}
	if err != nil {
		return false, fmt.Errorf("decide the probe %s: %w", step, err)
	}
	return r.Holds, nil
}

// Alert makes an alert in the generic format of package intake out of a payload, as the intake with a name says in the
// pullbook.cue among files. It returns an *IntakeError if there is no such intake or the payload does not fit it, and a
// *SourceError if pullbook.cue cannot be read; what it imports and is not among the files is named in that.
func (e *Evaluator) Alert(ctx context.Context, files map[string][]byte, name string, payload json.RawMessage) (json.RawMessage, error) {
	r, err := e.run(ctx, childRequest{Op: opIntake, Files: files, Step: name, Value: payload})
	if err == nil {
		err = r.err()
	}
	if err != nil {
		return nil, fmt.Errorf("make an alert of the payload for %s: %w", name, err)
	}
	return r.Output, nil
}

// run starts a child for one request and waits for its reply.
func (e *Evaluator) run(ctx context.Context, q childRequest) (childReply, error) {
	if len(e.child) == 0 {
		return childReply{}, errors.New("start the evaluator: no command is configured")
	}
	q.Memory, q.CPU = e.memory, uint64(e.wall/time.Second+1)*uint64(max(2, runtime.NumCPU()))
	if e.stay {
		q.about = subject{} // any child answers
	}
	stays := e.stay || e.linger > 0 && q.about != (subject{})
	if stays {
		q.CPU *= mostUses // of the process as a whole; the deadline holds for each request
	}
	select {
	case e.slots <- struct{}{}:
	case <-ctx.Done():
		return childReply{}, fmt.Errorf("wait for the evaluator: %w", ctx.Err())
	}
	defer func() { <-e.slots }()
	e.asked.Add(1)
	if stays {
		return e.askStayed(ctx, q)
	}
	in, err := q.text()
	if err != nil {
		return childReply{}, err
	}
	timed, cancel := context.WithTimeoutCause(ctx, e.wall, ErrDeadline)
	defer cancel()
	c := exec.CommandContext(timed, e.child[0], e.child[1:]...)
	c.Env = []string{} // nothing is inherited: neither tokens nor the variables that change CUE
	detach(c)
	c.WaitDelay = time.Second
	c.Stdin = bytes.NewReader(in)
	out, notes := &bounded{most: maxReply}, &bounded{most: 64 << 10}
	c.Stdout, c.Stderr = out, notes
	if err := c.Run(); err != nil {
		return childReply{}, e.cause(timed, c, err, notes)
	}
	var r childReply
	if err := json.Unmarshal(out.Bytes(), &r); err != nil {
		return childReply{}, fmt.Errorf("read the reply of the evaluator: %w", err)
	}
	r.size = out.Len()
	return r, nil
}

// cause says why a child did not end well.
func (e *Evaluator) cause(ctx context.Context, c *exec.Cmd, err error, notes *bounded) error {
	switch {
	case c.ProcessState == nil:
		return fmt.Errorf("start the evaluator %s: %w", e.child[0], err)
	case errors.Is(context.Cause(ctx), ErrDeadline), outOfTime(c):
		return fmt.Errorf("%w: more than %v", ErrDeadline, e.wall)
	case ctx.Err() != nil:
		return fmt.Errorf("evaluate: %w", ctx.Err())
	case c.ProcessState.ExitCode() == exitMemory, c.ProcessState.ExitCode() == exitFatal:
		return fmt.Errorf("%w: more than %d MiB", ErrMemory, e.memory>>20)
	}
	return fmt.Errorf("evaluate: %w: %.200q", err, notes.String())
}

// bounded keeps what a child writes, and stops it when that is too much.
type bounded struct {
	bytes.Buffer
	most int
}

func (b *bounded) Write(p []byte) (int, error) {
	if b.Len()+len(p) > b.most {
		return 0, fmt.Errorf("the evaluator wrote more than %d bytes", b.most)
	}
	return b.Buffer.Write(p)
}
