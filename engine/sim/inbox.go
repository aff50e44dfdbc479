package sim

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/pullbook/pullbook/engine"
	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/runbook"
)

// inboxPort lets the engine use the store of its machine. It answers as package inbox does.
type inboxPort struct{ p *process }

var (
	errShutOut   = errors.New("another engine has the inbox")
	errCancelled = errors.New("step was cancelled")
)

// on does something in the store, unless another process has taken it.
func (p *process) on(pt Point, do func(s *store) error) error {
	return p.call(pt, func() error {
		if p.epoch != p.machine.store.epoch {
			return errShutOut
		}
		return do(p.machine.store)
	})
}

func (i inboxPort) Put(_ context.Context, messages ...engine.Message) error {
	return i.p.on(Point("inbox.put."+messages[0].Kind), func(s *store) error {
		for _, m := range messages {
			if !m.Due.IsZero() {
				i.p.w.tell(i.p.name, "wake %s by %s at %s", m.Key, m.Kind, m.Due.Format("15:04:05.000"))
			}
			s.add(i.p, m)
		}
		return nil
	})
}

func (i inboxPort) StartStep(_ context.Context, j engine.StepJob) error {
	return i.p.on(Point("inbox.start."+j.Kind), func(s *store) error {
		if s.spent[j.Key] || s.step(j.Key) != nil {
			return nil
		}
		i.p.w.tell(i.p.name, "queue %s", j.Key)
		now := i.p.clock()
		s.queue(stepRow{job: j, state: stepQueued, ready: now, queued: now})
		s.synced()
		i.p.poke(0)
		return nil
	})
}

func (i inboxPort) StopStep(_ context.Context, key string) error {
	return i.p.on("inbox.stop", func(s *store) error {
		r := s.step(key)
		switch {
		case r == nil:
		case r.state == stepQueued:
			i.p.w.tell(i.p.name, "stop %s, which had not begun", key)
			r.state, r.cancel, r.ended = stepCancelled, true, i.p.clock()
			s.look(i.p, r.job.Branch)
		case r.state == stepRunning:
			i.p.w.tell(i.p.name, "stop %s", key)
			r.cancel = true
			for _, t := range i.p.tasks {
				if t.key == key {
					t.cancel(errCancelled)
					t.wakeNow()
				}
			}
		}
		s.synced()
		return nil
	})
}

func (i inboxPort) Attempts(_ context.Context, branch string, after int64) (out []incident.Attempt, err error) {
	err = i.p.on("inbox.attempts", func(s *store) error {
		out = s.attempts(branch, after)
		return nil
	})
	return out, err
}

func (i inboxPort) Forget(_ context.Context, branch string) error {
	return i.p.on("inbox.forget", func(s *store) error {
		of := func(r *stepRow) bool { return r.job.Branch == branch }
		for _, r := range s.steps {
			if of(r) && (r.state == stepQueued || r.state == stepRunning) {
				return fmt.Errorf("%s is %s", r.job.Key, r.state)
			}
		}
		for _, r := range s.steps {
			if of(r) {
				s.spent[r.job.Key] = true
			}
		}
		s.steps = slices.DeleteFunc(s.steps, of)
		s.synced()
		return nil
	})
}

// poke lets the process look at its inbox after a while.
func (p *process) poke(d time.Duration) {
	at := p.w.now.Add(max(d, 0))
	if p.dead || !p.poked.IsZero() && !at.Before(p.poked) {
		return
	}
	p.poked = at
	p.w.in(d, "", func() {
		if p.poked.Equal(p.w.now) {
			p.poked = time.Time{}
			p.dispatch()
		}
	})
}

// pokeAt is poke at a time by the machine's clock.
func (p *process) pokeAt(at time.Time) { p.poke(at.Sub(p.clock())) }

// dispatch begins what is due, one task a message key.
func (p *process) dispatch() {
	s := p.machine.store
	if p.dead || p.paused || p.epoch != s.epoch {
		return
	}
	now := p.clock()
	var soonest time.Time
	later := func(at time.Time) {
		if soonest.IsZero() || at.Before(soonest) {
			soonest = at
		}
	}
	for _, m := range slices.Clone(s.messages) {
		switch {
		case m.retry.After(now):
			later(m.retry)
		case p.dead || p.keys[m.Key] || !slices.Contains(s.messages, m):
		default:
			p.take(m.Kind+" "+m.Key, m.Key)
		}
	}
	for _, r := range slices.Clone(s.steps) {
		switch {
		case r.state != stepQueued:
		case r.ready.After(now):
			later(r.ready)
		case p.dead:
		default:
			p.work(r)
		}
	}
	if !soonest.IsZero() {
		p.pokeAt(soonest)
	}
}

// take handles the messages of a key that are due, one after the other.
func (p *process) take(name, key string) {
	p.keys[key] = true
	wait := time.Duration(0)
	t := &task{name: name}
	t.after = func() {
		p.w.in(wait, "", func() {
			delete(p.keys, key)
			p.poke(0)
		})
	}
	p.spawn(t, func(ctx context.Context, t *task) {
		if !p.handle(ctx, key) {
			wait = 5 * time.Second // what the inbox could not write down is found by its own sweep
		}
	})
}

// handle is false if the inbox could not be written.
func (p *process) handle(ctx context.Context, key string) bool {
	now, last := p.clock(), p.machine.store.ids
	for !p.dead {
		s := p.machine.store
		m := s.next(key, now, last, p.clock())
		if m == nil || p.epoch != s.epoch {
			return true
		}
		begun := later(now, p.clock())
		together := s.equal(m, begun)
		p.w.current.looks = 0
		whole := m.Message
		for _, o := range together {
			whole.Due = later(whole.Due, o.due)
		}
		err := p.engine.Handle(ctx, whole)
		if p.dead {
			return true
		}
		if err != nil {
			p.w.tell(p.name, "%s %s failed: %v", m.Kind, m.Key, err)
			err = p.on("inbox.postpone", func(s *store) error {
				s.postpone(p, together, later(begun, p.clock()))
				return nil
			})
		} else {
			err = p.on("inbox.delete", func(s *store) error {
				p.w.chronicle.handled(p, together)
				s.delete(together)
				return nil
			})
		}
		if err != nil {
			return false
		}
	}
	return true
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// work runs an attempt.
func (p *process) work(r *stepRow) {
	t := &task{name: r.job.Key, key: r.job.Key, after: func() {}}
	p.spawn(t, func(ctx context.Context, t *task) {
		begun := false
		err := p.on(Point("inbox.begin."+r.job.Kind), func(s *store) error {
			if r.state == stepQueued {
				r.state, begun = stepRunning, true
				r.starts++
				s.synced()
			}
			return nil
		})
		if err != nil || !begun {
			r.ready = p.clock().Add(5 * time.Second)
			p.w.in(5*time.Second, "", func() { p.foundRunning(r) })
			return
		}
		p.w.tell(p.name, "run %s", r.job.Key)
		outcome, err := p.engine.RunStep(ctx, r.job)
		t.free = false
		var stored runbook.Outcome
		if err == nil {
			stored, err = reread(outcome)
		}
		p.w.ends[r.job.Key] = append(p.w.ends[r.job.Key], outcome.Conclusion)
		p.record(t, r, &stored, err)
	})
}

// reread is an outcome as the inbox gives it back: from its JSON.
func reread(o runbook.Outcome) (stored runbook.Outcome, err error) {
	body, err := json.Marshal(o)
	if err != nil {
		return stored, err
	}
	err = json.Unmarshal(body, &stored)
	return stored, err
}

// foundRunning takes back an attempt that is marked as running although nobody runs it, as the inbox's own sweep does.
func (p *process) foundRunning(r *stepRow) {
	held := slices.ContainsFunc(p.tasks, func(t *task) bool { return t.key == r.job.Key })
	if !p.dead && p.epoch == p.machine.store.epoch && r.state == stepRunning && !held {
		p.machine.store.giveUp(p, r, 0)
	}
}

// record stores the outcome of an attempt, or takes it back. While the disk refuses, it tries again.
func (p *process) record(t *task, r *stepRow, outcome *runbook.Outcome, failure error) {
	for !p.dead {
		err := p.on(Point("inbox.end."+r.job.Kind), func(s *store) error {
			if failure != nil {
				p.w.tell(p.name, "%s has no outcome: %v", r.job.Key, failure)
				if r.state == stepRunning {
					s.giveUp(p, r, 250*time.Millisecond<<min(r.starts, 8))
				}
				return nil
			}
			if r.state == stepRunning {
				r.state, r.outcome, r.ended = stepEnded, outcome, p.clock()
			}
			s.look(p, r.job.Branch)
			return nil
		})
		if err == nil || errors.Is(err, errShutOut) || !t.sleep(200*time.Millisecond) {
			return
		}
	}
}
