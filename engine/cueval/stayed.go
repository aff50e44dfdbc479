package cueval

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"sync"
	"time"

	"github.com/pullbook/pullbook/engine/runbook"
)

// Bounds of children that stay.
const (
	mostUses    = 200      // requests that one answers: what CUE keeps of an evaluation goes with the process
	mostWaiting = 4        // of those that linger; the one that waits longest gives way
	mostHeld    = 96 << 20 // bytes that one may hold while it lingers
)

// stayed is a child that waits for its next request. To start a process and to find its memory costs more than most
// evaluations.
type stayed struct {
	about subject // what it is asked about; zero: anything
	cmd   *exec.Cmd
	in    io.WriteCloser
	out   *json.Decoder
	notes *bounded
	reply *io.LimitedReader // what is left of the bound of one reply
	uses  int
	told  map[string]bool // keys of runbooks that requests have brought
}

// waiting are the children that wait. The zero value has none.
type waiting struct {
	mu  sync.Mutex
	all []*stayed // the one that was asked last stands last
}

// take returns a child that was asked about the same, or nil.
func (w *waiting) take(about subject) *stayed {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i, s := range slices.Backward(w.all) {
		if s.about == about {
			w.all = slices.Delete(w.all, i, i+1)
			return s
		}
	}
	return nil
}

// put lets a child wait, and returns those that are too many.
func (w *waiting) put(s *stayed, most int) (gone []*stayed) {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := append(w.all, s)
	many := max(0, len(all)-most)
	gone, w.all = slices.Clone(all[:many]), slices.Delete(all, 0, many)
	return gone
}

// leave reports whether a child that has been asked so many times still waits since then, and lets it wait no more.
func (w *waiting) leave(s *stayed, uses int) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	i := slices.Index(w.all, s)
	if i < 0 || s.uses != uses {
		return false
	}
	w.all = slices.Delete(w.all, i, i+1)
	return true
}

// askStayed has a request answered by a child that stays. The same bounds hold as for one of its own: it is killed at the
// deadline, and by itself when there is too little memory.
func (e *Evaluator) askStayed(ctx context.Context, q childRequest) (r childReply, err error) {
	s := e.waiting.take(q.about)
	if s == nil {
		if s, err = e.startStayed(q.about); err != nil {
			return r, err
		}
	}
	in, err := q.textFor(s)
	if err != nil {
		s.end()
		return r, err
	}
	timed, cancel := context.WithTimeoutCause(ctx, e.wall, ErrDeadline)
	defer cancel()
	stop := context.AfterFunc(timed, func() { _ = s.cmd.Cancel() }) // one that is gone is gone
	if r, err = s.ask(in); err == nil && r.Lost {
		if in, err = q.text(); err == nil {
			r, err = s.ask(in)
		}
	}
	if !stop() || err != nil {
		_ = s.in.Close()
		_ = s.cmd.Cancel()
		ended := s.cmd.Wait()
		return childReply{}, e.cause(timed, s.cmd, errors.Join(err, ended), s.notes)
	}
	s.uses++
	e.wait(s, r.Held)
	return r, nil
}

// wait keeps a child for its next request, if it has not had enough of them. One that lingers does so for a while.
func (e *Evaluator) wait(s *stayed, held uint64) {
	if s.uses >= mostUses || !e.stay && held > mostHeld {
		s.end()
		return
	}
	most, uses := cap(e.slots), s.uses
	if !e.stay {
		most = mostWaiting
	}
	for _, old := range e.waiting.put(s, most) {
		old.end()
	}
	if e.stay {
		return
	}
	time.AfterFunc(e.linger, func() { // once it waits: it would wait for ever if its time were over before
		if e.waiting.leave(s, uses) {
			s.end()
		}
	})
}

// ask sends a request, and reads the reply.
func (s *stayed) ask(in []byte) (r childReply, err error) {
	s.reply.N = maxReply
	if _, err = s.in.Write(append(in, '\n')); err == nil {
		err = s.out.Decode(&r)
	}
	r.size = maxReply - int(s.reply.N)
	return r, err
}

// textFor is a request as a child reads it that was told of the runbook before: it has that still, or says so.
func (q childRequest) textFor(s *stayed) ([]byte, error) {
	key := string(q.Book)
	if s.told[key] {
		q.Query.Source, q.Known = runbook.Source{}, nil
	}
	if key != "" && s.uses > 0 { // it keeps what it reads from its second request on
		s.told[key] = true
	}
	return q.text()
}

// text is a request as a child reads it.
func (q childRequest) text() ([]byte, error) {
	in, err := json.Marshal(q)
	if err != nil {
		return nil, fmt.Errorf("write the request: %w", err)
	}
	if len(in) > maxRequest {
		return nil, fmt.Errorf("write the request: has %d bytes; at most %d are read", len(in), maxRequest)
	}
	return in, nil
}

// startStayed starts a child that stays. The caller holds a slot.
func (e *Evaluator) startStayed(about subject) (*stayed, error) {
	s := &stayed{about: about, cmd: exec.CommandContext(context.Background(), e.child[0], e.child[1:]...), notes: &bounded{most: 64 << 10}, told: map[string]bool{}}
	s.cmd.Env = []string{} // as in run
	detach(s.cmd)
	s.cmd.WaitDelay = time.Second
	s.cmd.Stderr = s.notes
	in, err := s.cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("start the evaluator: %w", err)
	}
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("start the evaluator: %w", err)
	}
	if err := s.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the evaluator %s: %w", e.child[0], err)
	}
	s.in, s.reply = in, &io.LimitedReader{R: out}
	s.out = json.NewDecoder(s.reply)
	return s, nil
}

// end lets a child end by itself: nothing more comes.
func (s *stayed) end() {
	_ = s.in.Close()
	_ = s.cmd.Wait() // whatever it says now, it has answered
}

// Close ends the children that wait. The evaluator can be used again.
func (e *Evaluator) Close() {
	for _, s := range e.waiting.clear() {
		s.end()
	}
}

// clear lets no child wait any more, and returns them.
func (w *waiting) clear() (gone []*stayed) {
	w.mu.Lock()
	defer w.mu.Unlock()
	gone, w.all = w.all, nil
	return gone
}
