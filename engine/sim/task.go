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

// routine is a coroutine that runs one task after the other: its stack has grown already.
type routine struct {
	resume func() (more, ok bool)
	stop   func()
	yield  func(more bool) bool
	body   func()
	dying  bool // what it runs was killed, and unwinds
}

// rest lets others go on. It is false when what runs was killed meanwhile.
func (r *routine) rest() bool {
	if !r.dying {
		r.yield(true)
	}
	return !r.dying
}

// unwind lets what was killed run to its end.
func (r *routine) unwind() {
	r.dying = true
	r.resume()
	r.dying = false
}

// routine is an idle one, or a new one.
func (w *World) routine() *routine {
	if n := len(w.idle); n > 0 {
		r := w.idle[n-1]
		w.idle = w.idle[:n-1]
		return r
	}
	r := &routine{}
	r.resume, r.stop = iter.Pull(func(yield func(more bool) bool) {
		r.yield = yield
		for {
			r.body()
			if !yield(false) {
				return
			}
		}
	})
	return r
}

// task is one handler of a process as a coroutine.
type task struct {
	proc   *process
	name   string
	run    *routine
	cancel context.CancelCauseFunc
	after  func() // when it has ended by itself, and not when its process was killed
	sleeps int    // a wake-up for an earlier sleep is void
	free   bool   // it goes on while its process is paused: what it started is a process of its own
	parked bool   // it waits for its paused process
	key    string // of the attempt that it runs
	branch string // that it pushes
	looks  int    // at the hub, for the message that it handles
}

// spawn begins a task at once.
func (p *process) spawn(t *task, body func(ctx context.Context, t *task)) {
	var ctx context.Context
	ctx, t.cancel = context.WithCancelCause(context.Background())
	t.proc = p
	t.run = p.w.routine()
	t.run.body = func() {
		defer func() {
			if v := recover(); v != nil && !p.dead { // who is killed waits for no lock: what it finds then there never is
				p.w.tell(p.name, "PANIC %v\n%s", v, debug.Stack())
				p.w.fail("panic", "%s: %v", t.name, v)
			}
		}()
		body(ctx, t)
	}
	p.tasks = append(p.tasks, t)
	p.w.proceed(t)
}

// proceed lets a task go on until it sleeps or ends.
func (w *World) proceed(t *task) {
	before := w.current
	w.current = t
	more, _ := t.run.resume()
	w.current = before
	if more {
		return
	}
	w.idle = append(w.idle, t.run)
	t.run = nil
	t.sleeps++ // a second wake-up for its last sleep is void
	if t.proc.dead {
		return
	}
	t.proc.tasks = slices.DeleteFunc(t.proc.tasks, func(o *task) bool { return o == t })
	t.after()
}

// unwind lets a task of a dead process run to its end, unless it has come there by itself.
func (w *World) unwind(t *task) {
	if t.run == nil {
		return
	}
	before := w.current
	w.current = t
	t.run.unwind()
	w.idle = append(w.idle, t.run)
	t.run, w.current = nil, before
}

// close ends every coroutine: nothing of a world is left when it has been simulated.
func (w *World) close() {
	for _, p := range w.procs {
		p.dead = true
		for _, t := range p.tasks {
			w.unwind(t)
		}
	}
	for _, r := range w.idle {
		r.stop()
	}
	w.idle = nil
}

// sleep lets time pass for the current task. It is false when its process was killed meanwhile. A cancelled task wakes
// early.
func (t *task) sleep(d time.Duration) bool {
	t.sleeps++
	turn, w := t.sleeps, t.proc.w
	if !w.calm {
		w.settled = later(w.settled, w.now.Add(d))
	}
	w.in(d, "", func() { t.wake(turn) })
	return t.run.rest()
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
		if !t.run.rest() {
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
		if !t.run.rest() {
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
