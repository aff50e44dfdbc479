package sim

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/pullbook/pullbook/engine"
	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/runbook"
)

// store is what an inbox has on disk. It outlives processes.
type store struct {
	w        *World
	epoch    int // raised by each process that takes it
	ids      int
	messages []*message
	deleted  []*message // since the last write that had to reach the disk: a power cut brings them back
	steps    []*stepRow
	spent    map[string]bool // keys of attempts that are forgotten
	seen     map[string]bool // ids of deliveries
	marks    map[string]string
}

// message is a stored wake-up. Times are by the clock of the machine.
type message struct {
	engine.Message
	id       int
	due      time.Time
	retry    time.Time
	failures int
	digest   string // of the alert that it brings
}

// The states of a stored attempt, as package inbox has them.
const (
	stepQueued    = "queued"
	stepRunning   = "running"
	stepEnded     = "ended"
	stepLost      = "lost"
	stepCancelled = "cancelled"
)

// stepRow is a stored attempt.
type stepRow struct {
	job     engine.StepJob
	state   string
	cancel  bool
	starts  int
	ready   time.Time
	queued  time.Time
	ended   time.Time
	outcome *runbook.Outcome // as its JSON reads
	place   int64
}

func newStore(w *World) *store {
	return &store{w: w, spent: map[string]bool{}, seen: map[string]bool{}, marks: map[string]string{}}
}

// synced is called by each write that is on disk when it returns: all before it is on disk too.
func (s *store) synced() { s.deleted = nil }

func (s *store) add(p *process, m engine.Message) {
	s.ids++
	row := &message{Message: m, id: s.ids, due: p.clock()}
	if !m.Due.IsZero() {
		row.due = m.Due.Add(time.Millisecond - time.Nanosecond).Truncate(time.Millisecond)
	}
	row.retry, row.digest = row.due, digestOf(m)
	s.messages = append(s.messages, row)
	s.synced()
	p.pokeAt(row.retry)
}

// hint reports whether one handling satisfies all equal messages of a kind.
func hint(kind string) bool {
	return kind == engine.KindHub || kind == engine.KindPull || kind == engine.KindSweep || kind == engine.KindLook || kind == engine.KindProposals
}

// next is the first message of a key that was due when handling began. last is the newest of then: one that came since is due by
// the time that it is now.
func (s *store) next(key string, begun time.Time, last int, now time.Time) *message {
	var best *message
	for _, m := range s.messages {
		if m.Key == key && !m.retry.After(begun) && (m.id <= last || !m.retry.After(now)) && (best == nil || m.due.Before(best.due)) {
			best = m
		}
	}
	return best
}

// equal are the messages that one handling of m satisfies.
func (s *store) equal(m *message, now time.Time) []*message {
	if !hint(m.Kind) {
		return []*message{m}
	}
	var out []*message
	for _, o := range s.messages {
		if o.Key == m.Key && o.Kind == m.Kind && !o.due.After(now) {
			out = append(out, o)
		}
	}
	return out
}

func (s *store) delete(handled []*message) {
	s.messages = slices.DeleteFunc(s.messages, func(m *message) bool { return slices.Contains(handled, m) })
	s.deleted = append(s.deleted, handled...)
}

// postpone makes messages due again after a pause that grows to a minute.
func (s *store) postpone(p *process, failed []*message, now time.Time) {
	n := 0
	for _, m := range failed {
		n = max(n, m.failures+1)
	}
	pause := min(250*time.Millisecond<<min(n-1, 10), time.Minute)
	for _, m := range failed {
		m.failures, m.retry = n, now.Add(pause)
	}
	p.pokeAt(now.Add(pause))
}

// powerCut brings back what had been deleted without waiting for the disk.
func (s *store) powerCut() {
	s.messages = append(s.messages, s.deleted...)
	slices.SortFunc(s.messages, func(a, b *message) int { return a.id - b.id })
	s.deleted = nil
}

// holds reports whether an alert is still to be handled.
func (s *store) holds(digest string) bool {
	return slices.ContainsFunc(s.messages, func(m *message) bool { return m.digest == digest })
}

// digestOf is the digest of the alert in a message, empty where there is none.
func digestOf(m engine.Message) string {
	var a engine.Arrival
	if m.Kind != engine.KindAlert || json.Unmarshal(m.Body, &a) != nil {
		return ""
	}
	return a.Alert.Digest()
}

func (s *store) step(key string) *stepRow {
	i := slices.IndexFunc(s.steps, func(r *stepRow) bool { return r.job.Key == key })
	if i < 0 {
		return nil
	}
	return s.steps[i]
}

func (s *store) look(p *process, branch string) {
	s.add(p, engine.Message{Kind: engine.KindLook, Key: branch})
}

// giveUp takes back an attempt that was started and has no outcome.
func (s *store) giveUp(p *process, r *stepRow, pause time.Duration) {
	switch {
	case !r.job.Repeatable:
		r.state, r.ended = stepLost, p.clock()
	case r.cancel:
		r.state, r.ended = stepCancelled, p.clock()
	default:
		r.state, r.ready = stepQueued, p.clock().Add(pause)
		p.pokeAt(r.ready)
		return
	}
	s.look(p, r.job.Branch)
}

// takeBack gives up every attempt that a process before has left running.
func (s *store) takeBack(p *process) {
	for _, r := range s.steps {
		if r.state == stepRunning {
			p.w.tell(p.name, "takes back %s", r.job.Key)
			s.giveUp(p, r, 0)
		}
	}
}

// attempts are the rows of a branch as the engine sees them.
// queue adds an attempt, in the place after the last one that is there.
func (s *store) queue(r stepRow) {
	if r.place = 1; len(s.steps) > 0 {
		r.place += s.steps[len(s.steps)-1].place
	}
	s.steps = append(s.steps, &r)
}

func (s *store) attempts(branch string, after int64) []incident.Attempt {
	var out []incident.Attempt
	for _, r := range s.steps {
		if r.job.Branch != branch || r.place <= after {
			continue
		}
		a := incident.Attempt{Key: r.job.Key, Step: r.job.Step, Number: r.job.Attempt, State: incident.AttemptLost, Place: r.place}
		switch r.state {
		case stepQueued:
			a.State = incident.AttemptQueued
		case stepRunning:
			a.State = incident.AttemptRunning
		case stepEnded:
			o := *r.outcome
			a.State, a.Outcome = incident.AttemptEnded, &o
		case stepCancelled:
			a.State = incident.AttemptEnded
			a.Outcome = &runbook.Outcome{Key: r.job.Key, Step: r.job.Step, Attempt: r.job.Attempt, Conclusion: runbook.Cancelled,
				Started: r.queued, Ended: r.ended, Error: "it was cancelled before it ran"}
		}
		out = append(out, a)
	}
	return out
}
