package step

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/pullbook/pullbook/engine/runbook"
)

// sink says where the streams of a program go.
type sink struct {
	into io.Writer
	from []*io.Writer // fields of the command; two of them share one pipe, so that their order is kept
}

// drainTime is how long a pipe is read on after everything that can be killed has been killed. What is in the pipe is
// there by then; only a program that left the group can still hold it open.
const drainTime = 250 * time.Millisecond

// supervise starts the program and returns when it and all of its group are gone.
func (a *attempt) supervise(ctx stepContext, p place, cmd *exec.Cmd, sinks []sink) result {
	// Linux kills the program when the thread that started it ends. Locked, the thread cannot end before the program.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	readers, err := a.start(cmd, sinks)
	if err != nil {
		return failed("start %s: %w", a.facts["executable"], err)
	}
	copied := drain(readers, sinks)
	exited := make(chan struct{})
	go func() {
		awaitExit(cmd)
		close(exited)
	}()
	stopped := a.awaitEnd(ctx, cmd.Process.Pid, exited, copied)
	signalGroup(cmd.Process.Pid, syscall.SIGKILL)
	if stopped {
		if n := killStrays(mark(p.dir)); n > 0 {
			a.facts["strays_killed"] = strconv.Itoa(n)
		}
	}
	for _, r := range readers {
		// It fails only if the reader is closed, and then there is nothing to end.
		_ = r.SetReadDeadline(time.Now().Add(drainTime))
	}
	<-copied
	select {
	case <-exited:
	case <-time.After(a.grace):
		// Waits in the kernel, for example on a dead file server, where no signal reaches it.
		return ctx.ended(fmt.Sprintf("process %d could not be killed", cmd.Process.Pid))
	}
	if cmd.ProcessState == nil {
		// The error only repeats the state, which is asked below.
		_ = cmd.Wait()
	}
	return a.exitResult(ctx, cmd.ProcessState, stopped)
}

// start connects the pipes and starts the program. The readers belong to the caller.
func (a *attempt) start(cmd *exec.Cmd, sinks []sink) ([]*os.File, error) {
	var readers, writers []*os.File
	closeAll := func(files []*os.File) error {
		var err error
		for _, f := range files {
			err = errors.Join(err, f.Close())
		}
		return err
	}
	for _, s := range sinks {
		r, w, err := os.Pipe()
		if err != nil {
			return nil, errors.Join(fmt.Errorf("make a pipe: %w", err), closeAll(readers), closeAll(writers))
		}
		readers, writers = append(readers, r), append(writers, w)
		for _, field := range s.from {
			*field = w
		}
	}
	err := cmd.Start()
	err = errors.Join(err, closeAll(writers))
	if err != nil {
		return nil, errors.Join(err, closeAll(readers))
	}
	return readers, nil
}

// drain copies every reader into its sink and closes it; the channel is closed when all have ended.
func drain(readers []*os.File, sinks []sink) <-chan struct{} {
	var all sync.WaitGroup
	for i, r := range readers {
		all.Go(func() {
			defer r.Close()
			// It ends at the end of the stream or at the deadline, and what came until then is what counts.
			_, _ = io.Copy(sinks[i].into, r)
		})
	}
	copied := make(chan struct{})
	go func() {
		all.Wait()
		close(copied)
	}()
	return copied
}

// awaitEnd waits until the program has ended and its streams are closed. If ctx ends first, the group is asked to end; in
// any case the wait is over a grace after the first of both. It reports whether ctx ended while the program ran.
func (a *attempt) awaitEnd(ctx stepContext, pid int, exited, copied <-chan struct{}) (stopped bool) {
	over := ctx.Done()
	select {
	case <-exited:
	case <-over:
		// Both may have been ready, and then the choice was random: an end that was reached counts.
		select {
		case <-exited:
		default:
			stopped = true
			signalGroup(pid, syscall.SIGTERM)
		}
		over = nil
	}
	timer := time.NewTimer(a.grace)
	defer timer.Stop()
	for exited != nil || copied != nil {
		select {
		case <-exited:
			exited = nil
		case <-copied:
			copied = nil
		case <-over:
			return stopped
		case <-timer.C:
			return stopped
		}
	}
	return stopped
}

func (a *attempt) exitResult(ctx stepContext, state *os.ProcessState, stopped bool) result {
	a.facts["exit_status"] = strconv.Itoa(state.ExitCode())
	if !state.Exited() {
		a.facts["exit_status"] = state.String()
	}
	switch {
	case stopped:
		return ctx.ended("the program and its process group were ended")
	case !state.Success():
		return failed("%s ended with %s", a.facts["executable"], state)
	}
	return result{conclusion: runbook.Succeeded}
}

// signalGroup signals everything that is in the program's group. It fails if nothing is, which is as good.
func signalGroup(pid int, sig syscall.Signal) { _ = syscall.Kill(-pid, sig) }
