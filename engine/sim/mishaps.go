package sim

import (
	"fmt"
	"slices"
	"time"

	"github.com/pullbook/pullbook/engine"
)

// mishaps are what goes wrong in some worlds only, beside their trouble. All that is drawn for them comes from a stream of its own.
type mishaps struct {
	w    *World
	some map[Fault]bool
	good int       // the number of the App's token that the hub takes
	none time.Time // until then it gives out no other one
	last time.Time // when the last webhook comes that is late
}

// The mishaps. Those of tokens happen at every call of the hub and of the ledger that comes with a token.
const (
	TokenEnded  Fault = "token ended" // the hub takes the App's token no more, and at times gives out no new one for a while
	DaysLate    Fault = "days late"   // a webhook comes hours or days after what it tells of, for the first time or once more
	Unprotected Fault = "unprotected" // somebody does what a rule of the hub forbids, while it is taken away
)

// Mishaps are all of them.
func Mishaps() []Fault { return []Fault{TokenEnded, DaysLate, Unprotected} }

// newMishaps draws which of them a world has, at least one; nil: it has none.
func newMishaps(w *World) *mishaps {
	o, r := w.options, w.dice.mishaps
	m := &mishaps{w: w, some: map[Fault]bool{}, good: 1}
	switch {
	case o.script != nil || o.twins:
		return nil
	case len(o.mishaps) > 0:
		for _, f := range o.mishaps {
			m.some[f] = true
		}
	case !oneIn(r, 8):
		return nil
	default:
		m.some[pick(r, Mishaps()...)] = true
		for _, f := range Mishaps() {
			m.some[f] = oneIn(r, 2) || m.some[f]
		}
	}
	w.smooth = false
	return m
}

// plan puts them on the agenda.
func (m *mishaps) plan(until time.Duration) {
	if m == nil {
		return
	}
	r := m.w.dice.mishaps
	during := func(n int, from, to time.Duration, do func()) {
		for range n {
			m.w.in(between(r, from, to), "", func() {
				if !m.w.calm {
					do()
				}
			})
		}
	}
	if m.some[TokenEnded] {
		during(1+r.IntN(4), 0, until, m.endToken)
	}
	if m.some[Unprotected] {
		from := between(r, 0, until)
		during(1+r.IntN(6), from, from+between(r, time.Minute, 10*time.Minute), m.misuse)
	}
}

// endToken lets the hub take no token that was given out before.
func (m *mishaps) endToken() {
	r := m.w.dice.mishaps
	m.good++
	m.none = m.w.now.Add(pick(r, 0, 0, between(r, time.Second, 5*time.Minute)))
	m.w.tell("", "TOKENS are void, and there are none until %s", m.none.Format(time.TimeOnly))
}

// signed does something that needs the App's token: with the one that the process has, or a new one. An answer that it is void makes
// the process drop it, as packages github and gitstore do.
func (m *mishaps) signed(p *process, pt Point, do func() error) func() error {
	if m == nil || !pt.below("hub.") && !pt.below("ledger.") && !pt.below("journal.flush.") {
		return do
	}
	return func() error {
		if p.token == 0 && !m.w.now.Before(m.none) {
			p.token = m.good
		}
		if p.token == m.good {
			return do()
		}
		p.token = 0
		m.w.tally.Faults[TokenEnded]++
		m.w.tell(p.name, "FAULT %s at %s", TokenEnded, pt)
		return fmt.Errorf("%s: 401 (%s)", pt, canary)
	}
}

// late keeps a webhook back, for hours or days. At times it has come before as well.
func (m *mishaps) late(message engine.Message) bool {
	if m == nil || !m.some[DaysLate] || !oneIn(m.w.dice.mishaps, 4) {
		return false
	}
	w, r := m.w, m.w.dice.mishaps
	w.order++
	id, by := fmt.Sprint(w.order), between(r, time.Hour, 6*24*time.Hour)
	w.tally.Faults[DaysLate]++
	if oneIn(r, 3) {
		w.in(between(r, 10*time.Millisecond, 2*time.Second), "", func() { w.deliver(id, message) })
	}
	m.last = later(m.last, w.now.Add(by))
	w.in(by, "", func() {
		w.tell("", "a webhook of %s comes, %s late", message.Key, by)
		w.deliver(id, message)
	})
	return true
}

// outlast lets the webhooks come that are days late: where everything is over they change nothing. Where an alert waits for people for
// ever, it comes again every minute, and days of that are not simulated.
func (m *mishaps) outlast() {
	if m == nil || m.w.broken != nil || slices.ContainsFunc(m.w.chronicle.records, func(r *record) bool { return !r.merged }) ||
		slices.ContainsFunc(m.w.machines[0].store.messages, func(o *message) bool { return o.digest != "" }) {
		return
	}
	m.w.run(m.w.now.Add(sparseSweep)) // edits that were open have their answer
	before := m.traces()
	m.w.run(later(m.w.now, m.last.Add(time.Minute)))
	if after := m.traces(); after != before {
		m.w.fail("I8", "everything was over, and webhooks that were late have changed %s to %s", before, after)
	}
}

// traces tell what the hub has.
func (m *mishaps) traces() string {
	comments := 0
	for _, p := range m.w.forge.pulls {
		comments += len(p.comments)
	}
	return fmt.Sprintf("%d commits, %d pull requests, %d comments, %d checks, %v", len(m.w.remote.commits), len(m.w.forge.pulls), comments,
		len(m.w.forge.checks), m.w.remote.heads)
}

// misuse lets somebody do what no rule of the hub forbids any more.
func (m *mishaps) misuse() {
	var open []*pull
	for _, p := range m.w.forge.pulls {
		if !p.merged && p.by == nil {
			open = append(open, p)
		}
	}
	r := m.w.dice.mishaps
	if len(open) == 0 {
		return
	}
	p := open[r.IntN(len(open))]
	known := m.w.machines[0].store.marks[p.branch] == m.w.remote.heads[p.branch] // else it was killed between a push and its bookmark, and nobody can tell it what it pushed
	m.w.tally.Faults[Unprotected]++
	switch n := r.IntN(4); {
	case n == 0:
		m.w.vandalise(p)
	case n == 1:
		m.pushMain()
	case !known:
	case n == 2:
		m.rewrite(p)
	default:
		m.w.moveBack(p)
	}
}

// rewrite puts a commit of somebody's in the place of the engine's last ones, where the engine can know of it.
func (m *mishaps) rewrite(p *pull) {
	w := m.w
	rec := w.missed(p)
	if rec == nil {
		return
	}
	onto := w.remote.heads[p.branch]
	for range 1 + w.dice.mishaps.IntN(3) {
		if before := w.remote.commits[onto].parent; rec.commits[before] > 0 {
			onto = before
		}
	}
	made := w.remote.keep((&commit{parent: onto, files: w.editing.strange(p.branch, onto), message: "mine", by: "mallory", at: w.now}).named())
	w.disturb(p.branch)
	w.remote.heads[p.branch] = made.id
	w.tell("mallory", "rewrites %s: %s on %s", p.branch, short(made.id), short(onto))
	w.forge.moved(p.branch, made.id)
	w.hook(p, engine.KindHub)
}

// pushMain pushes to the default branch.
func (m *mishaps) pushMain() {
	w := m.w
	made := w.remote.add(&commit{files: map[string][]byte{"notes.md": []byte(w.now.String())}, message: "notes", by: "carol", at: w.now})
	w.tell("carol", "pushes %s to the default branch", short(made))
}
