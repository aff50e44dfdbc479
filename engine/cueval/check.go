package cueval

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"os/exec"
	"runtime"
	"slices"
	"sync"
	"time"

	"cuelang.org/go/cue/cuecontext"

	"github.com/pullbook/pullbook/engine/runbook"
)

// sharedMatches is how many matches are read in one context: what a context has seen stays in it.
const sharedMatches = 64

// replies answers a request: with one reply, or with one for each runbook as soon as it is checked.
func (t *texts) replies(q childRequest) iter.Seq[childReply] {
	return func(yield func(childReply) bool) {
		t.asked = q.Book
		if q.Op != opCheck {
			yield(t.guarded(q))
			return
		}
		for _, name := range q.Check {
			c := t.checkup(q.Files, name)
			if !yield(childReply{Checkup: &c}) {
				return
			}
		}
		ctx := cuecontext.New()
		for i, name := range q.Match {
			if i%sharedMatches == sharedMatches-1 {
				ctx = cuecontext.New()
			}
			c := matchOf(ctx, q.Files, name)
			if !yield(childReply{Checkup: &c}) {
				return
			}
		}
	}
}

// CheckAll checks many runbooks of one ledger, in children that each take a share of them one after the other. A runbook
// that stops its child has a problem that says so, and the others are checked all the same: the wall is for each runbook.
// The answers are in the order of the batch, those to Check first.
func (e *Evaluator) CheckAll(ctx context.Context, b runbook.Batch) ([]runbook.Checkup, error) {
	shares := make([]share, min(cap(e.slots), max(1, len(b.Check)+len(b.Match))))
	for i := range shares {
		shares[i] = share{e: e, files: b.Files, done: map[string]runbook.Checkup{}}
	}
	for i, name := range b.Check { // neighbours are alike, so each share gets some of them
		s := &shares[i%len(shares)]
		s.check = append(s.check, name)
	}
	for i, name := range b.Match {
		s := &shares[i%len(shares)]
		s.match = append(s.match, name)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var all sync.WaitGroup
	errs := make([]error, len(shares))
	for i := range shares {
		all.Go(func() {
			if errs[i] = shares[i].work(ctx); errs[i] != nil {
				cancel()
			}
		})
	}
	all.Wait()
	if err := firstCause(errs); err != nil {
		return nil, fmt.Errorf("check the runbooks: %w", err)
	}
	var out []runbook.Checkup
	for _, name := range slices.Concat(b.Check, b.Match) {
		for _, s := range shares {
			if c, ok := s.done[name]; ok {
				out = append(out, c)
			}
		}
	}
	return out, nil
}

// firstCause is the error of which the others are a consequence.
func firstCause(errs []error) error {
	for _, err := range errs {
		if err != nil && !errors.Is(err, context.Canceled) {
			return err
		}
	}
	return errors.Join(errs...)
}

// share is what one child after the other works off.
type share struct {
	e            *Evaluator
	files        map[string][]byte
	check, match []string
	done         map[string]runbook.Checkup
}

func (s *share) work(ctx context.Context) error {
	for len(s.check)+len(s.match) > 0 {
		answered, err := s.once(ctx)
		if err == nil {
			continue
		}
		if !stopped(err) {
			return err
		}
		if answered > 0 {
			continue // what came before may have left little: the next child begins with the one that was not answered
		}
		name := s.next()
		s.take(runbook.Checkup{Runbook: name, Problems: []runbook.Problem{{File: name, Text: err.Error(),
			Hint: "it, or what it imports, makes too much out of little; list less"}}})
	}
	return nil
}

// next is the runbook whose turn it is.
func (s *share) next() string {
	if len(s.check) > 0 {
		return s.check[0]
	}
	return s.match[0]
}

// take keeps the answer for the runbook whose turn it is.
func (s *share) take(c runbook.Checkup) {
	s.done[c.Runbook] = c
	if len(s.check) > 0 {
		s.check = s.check[1:]
	} else {
		s.match = s.match[1:]
	}
}

// once starts a child for what is left, and says how many runbooks it has answered.
func (s *share) once(ctx context.Context) (answered int, err error) {
	e, left := s.e, len(s.check)+len(s.match)
	in, err := json.Marshal(childRequest{Op: opCheck, Files: s.files, Check: s.check, Match: s.match, Memory: e.memory,
		CPU: uint64(e.wall/time.Second+1) * uint64(max(2, runtime.NumCPU())) * uint64(left)})
	if err != nil {
		return 0, fmt.Errorf("write the request: %w", err)
	}
	if len(in) > maxRequest {
		return 0, fmt.Errorf("write the request: has %d bytes; at most %d are read", len(in), maxRequest)
	}
	select {
	case e.slots <- struct{}{}:
	case <-ctx.Done():
		return 0, fmt.Errorf("wait for the evaluator: %w", ctx.Err())
	}
	defer func() { <-e.slots }()
	timed, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	alarm := time.AfterFunc(e.wall, func() { cancel(ErrDeadline) })
	defer alarm.Stop()
	c := exec.CommandContext(timed, e.child[0], e.child[1:]...)
	c.Env = []string{}
	detach(c)
	c.WaitDelay = time.Second
	c.Stdin = bytes.NewReader(in)
	notes := &bounded{most: 64 << 10}
	c.Stderr = notes
	out, err := c.StdoutPipe()
	if err != nil {
		return 0, fmt.Errorf("start the evaluator: %w", err)
	}
	if err := c.Start(); err != nil {
		return 0, fmt.Errorf("start the evaluator %s: %w", e.child[0], err)
	}
	answered, read := s.read(out, func() { alarm.Reset(e.wall) })
	if read != nil {
		cancel(read)
	}
	switch err := c.Wait(); {
	case read != nil:
		return answered, read
	case err != nil:
		return answered, e.cause(timed, c, err, notes)
	case answered < left:
		return answered, fmt.Errorf("read the reply of the evaluator: %d of %d answers", answered, left)
	}
	return answered, nil
}

// read takes the answers of a child as they come. The error is about what it wrote, not about its end.
func (s *share) read(out io.Reader, again func()) (answered int, err error) {
	limited := &io.LimitedReader{R: out}
	dec := json.NewDecoder(limited)
	for len(s.check)+len(s.match) > 0 {
		limited.N = maxReply
		var r childReply
		if err := dec.Decode(&r); err != nil {
			if limited.N <= 0 {
				return answered, fmt.Errorf("the evaluator wrote more than %d bytes", maxReply)
			}
			return answered, nil // it was stopped
		}
		again()
		if r.Checkup == nil || r.Checkup.Runbook != s.next() {
			return answered, errors.New("read the reply of the evaluator: it answers something else")
		}
		s.take(*r.Checkup)
		answered++
	}
	return answered, nil
}
