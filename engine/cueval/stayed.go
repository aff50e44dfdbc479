package cueval

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"time"
)

// mostUses is how many requests a child that stays answers. What CUE keeps of an evaluation goes with the process.
const mostUses = 200

// stayed is a child that waits for its next request. To start a process and to find its memory costs more than most
// evaluations.
type stayed struct {
	cmd   *exec.Cmd
	in    io.WriteCloser
	out   *json.Decoder
	notes *bounded
	reply *io.LimitedReader // what is left of the bound of one reply
	uses  int
}

// askStayed has a request answered by a child that stays. The same bounds hold as for one of its own: it is killed at the
// deadline, and by itself when there is too little memory.
func (e *Evaluator) askStayed(ctx context.Context, in []byte) (r childReply, err error) {
	s, err := e.takeStayed()
	if err != nil {
		return r, err
	}
	timed, cancel := context.WithTimeoutCause(ctx, e.wall, ErrDeadline)
	defer cancel()
	stop := context.AfterFunc(timed, func() { _ = s.cmd.Cancel() }) // one that is gone is gone
	s.reply.N = maxReply
	_, err = s.in.Write(append(in, '\n'))
	if err == nil {
		err = s.out.Decode(&r)
	}
	if !stop() || err != nil {
		_ = s.in.Close()
		_ = s.cmd.Cancel()
		ended := s.cmd.Wait()
		return childReply{}, e.cause(timed, s.cmd, errors.Join(err, ended), s.notes)
	}
	r.size = maxReply - int(s.reply.N)
	if s.uses++; s.uses >= mostUses {
		s.end()
		return r, nil
	}
	e.stayed <- s
	return r, nil
}

// takeStayed returns a child that waits, or starts one. The caller holds a slot, so there are never more than slots.
func (e *Evaluator) takeStayed() (*stayed, error) {
	select {
	case s := <-e.stayed:
		return s, nil
	default:
	}
	s := &stayed{cmd: exec.CommandContext(context.Background(), e.child[0], e.child[1:]...), notes: &bounded{most: 64 << 10}}
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
	for {
		select {
		case s := <-e.stayed:
			s.end()
		default:
			return
		}
	}
}
