package sim

import (
	"context"
	"errors"
	"iter"
	"runtime/debug"
	"slices"
	"time"
)

// errDead is what ports answer to a process that has been killed. It unwinds what was under way; nothing of it reaches the
// world.
var errDead = errors.New("the process is dead")

// task is one handler of a process as a coroutine.
type task struct {
	proc   *process
	name   string
	resume func() (struct{}, bool)
	unwind func()
	yield  func(struct{}) bool
	cancel context.CancelCauseFunc
	after  func() // when it has ended by itself, and not when its process was killed
	sleeps int    // a wake-up for an earlier sleep is void
	free   bool   // it goes on while its process is paused: what it started is a process of its own
	parked bool   // it waits for its paused process
	key    string // of the attempt that it runs
	branch string // that it pushes
}

// spawn begins a task at once.
func (p *process) spawn(t *task, body func(ctx context.Context, t *task)) {
	var ctx context.Context
	ctx, t.cancel = context.WithCancelCause(context.Background())
	t.proc = p
	t.resume, t.unwind = iter.Pull(func(yield func(struct{}) bool) {
		t.yield = yield
		defer func() {
			if v := recover(); v != nil {
				p.w.tell(p.name, "PANIC %v\n%s", v, debug.Stack())
				p.w.fail("panic", "%s: %v", t.name, v)
			}
		}()
		body(ctx, t)
	})
	p.tasks = append(p.tasks, t)
	p.w.proceed(t)
}

// proceed lets a task go on until it sleeps or ends.
func (w *World) proceed(t *task) {
	before := w.current
	w.current = t
	_, more := t.resume()
	w.current = before
	if more || t.proc.dead {
		return
	}
	t.proc.tasks = slices.DeleteFunc(t.proc.tasks, func(o *task) bool { return o == t })
	t.after()
}

// sleep lets time pass for the current task. It is false when its process was killed meanwhile. A cancelled task wakes
// early.
func (t *task) sleep(d time.Duration) bool {
	t.sleeps++
	turn := t.sleeps
	t.proc.w.in(d, "", func() { t.wake(turn) })
	return t.yield(struct{}{})
}

// wake ends a sleep, unless it has ended already.
func (t *task) wake(turn int) {
	switch {
	case t.proc.dead || turn != t.sleeps:
	case t.proc.paused && !t.free:
		t.parked = true
	default:
		t.parked = false
		t.proc.w.proceed(t)
	}
}

// wakeNow ends the sleep of a task that was told to stop.
func (t *task) wakeNow() {
	turn := t.sleeps
	t.proc.w.in(0, "", func() { t.wake(turn) })
}

// park waits while the process is paused. It is false when the process was killed meanwhile.
func (t *task) park() bool {
	for t.proc.paused {
		t.sleeps++
		t.parked = true
		if !t.yield(struct{}{}) {
			return false
		}
	}
	return true
}

// turnstile is a lock of the engine's. Who waits lets time pass; first come, first served.
type turnstile struct {
	w       *World
	held    bool
	waiting []*task
}

// Lock waits for the lock. A task whose process was killed does not wait: nothing that it does counts any more.
func (l *turnstile) Lock() {
	for t := l.w.current; l.held; {
		l.waiting = append(l.waiting, t)
		t.sleeps++
		if !t.yield(struct{}{}) {
			return
		}
	}
	l.held = true
}

// Unlock wakes those who wait: the first of them takes it.
func (l *turnstile) Unlock() {
	l.held = false
	for _, t := range l.waiting {
		t.wakeNow()
	}
	l.waiting = nil
}
