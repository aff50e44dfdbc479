package sim

import (
	"errors"
	"fmt"
	"time"

	"github.com/pullbook/pullbook/engine"
)

// Point is a named place at which the engine calls a port.
type Point string

// Fault is what goes wrong at a point.
type Fault string

// The faults of a point.
const (
	NoFault    Fault = ""
	Refused    Fault = "refused"     // nothing was done, and the caller is told so
	ReplyLost  Fault = "reply lost"  // it was done, and the caller is told that it was not
	Twice      Fault = "twice"       // it was done, and done once more
	KillBefore Fault = "kill before" // the process dies before it is done
	KillAfter  Fault = "kill after"  // the process dies after it was done, before it knows
	Paused     Fault = "paused"      // the process stands still until another one has taken over, and then goes on
	Overtaken  Fault = "overtaken"   // somebody else writes to the branch just before a push
)

// DiskFull is what only single faults bring: nothing can be written on the machine for half a minute, from this call on. In
// random trouble it is an outage.
const DiskFull Fault = "disk full"

// Faults are all of them.
func Faults() []Fault {
	return []Fault{Refused, ReplyLost, Twice, KillBefore, KillAfter, Paused, Overtaken}
}

// canary stands in every error that an injected fault brings, as a token stands in a URL. It must never leave the engine.
const canary = "c4n4ry-3f9a"

// errInjected is what a port answers to a fault.
var errInjected = errors.New("it went wrong (" + canary + ")")

// errEvaluator is what the evaluator answers when it could not do its work.
var errEvaluator = errors.New("the evaluator was stopped")

// trouble decides what goes wrong.
type trouble interface {
	// at is asked each time that a point is reached.
	at(p *process, pt Point) Fault
	// latency is how long the call takes before it does anything.
	latency(pt Point) time.Duration
	// plan puts what goes wrong by itself on the agenda.
	plan(w *World, until time.Duration)
	// door is the process that alerts are sent to, or nil.
	door(w *World) *process
}

// staged is trouble with a world of its own: runbooks that are written down, attempts that go as it says, and people who do nothing that
// it does not let them do.
type staged interface {
	trouble
	// found makes the ledger, and what tells of its problems.
	found(w *World)
	// fate says how an attempt goes, for which another way was drawn.
	fate(a engine.Attempt, drawn fate) fate
}

// maxCalls bounds one simulation: what needs more goes round in circles.
const maxCalls = 50_000

// call is how every port acts: it lets time pass, lets things go wrong, and does it.
func (p *process) call(pt Point, do func() error) error {
	w, t := p.w, p.w.current
	if p.dead {
		return errDead
	}
	if w.tally.Calls++; w.tally.Calls > maxCalls {
		w.fail("I8", "it does not come to rest: %d calls of ports", w.tally.Calls)
		return errDead
	}
	w.tally.Points[pt]++
	if !t.park() {
		return errDead
	}
	if d := w.trouble.latency(pt); d > 0 && (!t.sleep(d) || !t.park()) {
		return errDead
	}
	f := NoFault
	if !w.calm {
		f = w.trouble.at(p, pt)
	}
	if f != NoFault {
		w.tally.Faults[f]++
		w.tell(p.name, "FAULT %s at %s", f, pt)
	}
	if f == Paused {
		w.pause(p)
		if !t.park() {
			return errDead
		}
	}
	return p.with(f, pt, w.mishaps.signed(p, pt, do))
}

// with does what a call asks for under a fault.
func (p *process) with(f Fault, pt Point, do func() error) error {
	switch f {
	case Refused:
		if pt.below("eval.") {
			return errEvaluator // what it says may be shown: it has no secrets
		}
		return fmt.Errorf("%s: %w", pt, errInjected)
	case ReplyLost:
		if err := do(); err != nil {
			return err
		}
		return fmt.Errorf("%s: %w", pt, errInjected)
	case Twice:
		if err := do(); err != nil {
			return err
		}
		_ = do() // the second answer is the one that gets lost
		return nil
	case KillBefore:
		p.kill()
		return errDead
	case Overtaken:
		p.w.intrude(p.w.current.branch)
	case KillAfter:
		err := do()
		p.kill()
		return errors.Join(err, errDead)
	}
	return do()
}

// outage is a time in which everything of one kind is refused: a full disk, a hub that answers 502, a limit that is used up.
type outage struct {
	prefix string // of the points
	until  time.Time
}

// swarm is random trouble. Each seed has its own mix: some things go wrong often, others never.
type swarm struct {
	w       *World
	rates   map[Fault]int // one in so many calls; absent: never
	slow    int           // one call in so many takes long; 0: never
	outages []outage
	some    struct{ outages, skews, rivals, restarts, losses, powerCuts bool }
}

func newSwarm(w *World) *swarm {
	r := w.dice.trouble
	s := &swarm{w: w, rates: map[Fault]int{}}
	if oneIn(r, 6) {
		w.smooth = true
		return s // nothing goes wrong: what is slow or never happens here has no excuse
	}
	for _, f := range Faults() {
		if oneIn(r, 2) {
			s.rates[f] = pick(r, f.often()...)
		}
	}
	s.slow = pick(r, 0, 3, 10)
	w.bent = newBent(w.dice)
	for _, b := range []*bool{&s.some.outages, &s.some.skews, &s.some.rivals, &s.some.restarts, &s.some.losses, &s.some.powerCuts} {
		*b = oneIn(r, 3)
	}
	return s
}

// often are the rates of a fault: one in so many calls. A process that is killed, or shut out, needs some twenty calls to be
// where it was.
func (f Fault) often() []int {
	switch f {
	case KillBefore, KillAfter, Paused:
		return []int{40, 100, 300}
	}
	return []int{15, 40, 100, 300}
}

// door is one of the engines that believe to have the ledger.
func (s *swarm) door(w *World) *process {
	var open []*process
	for _, p := range w.procs {
		if !p.dead && p.epoch == p.machine.store.epoch {
			open = append(open, p)
		}
	}
	switch len(open) {
	case 0:
		return nil
	case 1:
		return open[0]
	}
	return open[w.dice.alerts.IntN(len(open))]
}

func (s *swarm) latency(Point) time.Duration {
	if s.slow == 0 || !oneIn(s.w.dice.time, s.slow) {
		return 0
	}
	if s.w.calm {
		return between(s.w.dice.time, time.Millisecond, 20*time.Millisecond)
	}
	return between(s.w.dice.time, time.Millisecond, pick(s.w.dice.time, 50*time.Millisecond, time.Second, 20*time.Second))
}

func (s *swarm) at(p *process, pt Point) Fault {
	for _, o := range s.outages {
		if s.w.now.Before(o.until) && pt.below(o.prefix) {
			return Refused
		}
	}
	for _, f := range Faults() {
		if rate := s.rates[f]; rate > 0 && f.fits(pt) && oneIn(s.w.dice.trouble, rate) {
			return f
		}
	}
	return NoFault
}

func (pt Point) below(prefix string) bool {
	return len(pt) >= len(prefix) && string(pt[:len(prefix)]) == prefix
}

// reads are the points that change nothing: doing them twice is the same as doing them once.
func (pt Point) reads() bool {
	for _, prefix := range []string{"ledger.", "eval.", "hub.look", "inbox.attempts"} {
		if pt.below(prefix) {
			return true
		}
	}
	return false
}

// fits reports whether a fault can happen at a point.
func (f Fault) fits(pt Point) bool {
	switch f {
	case Overtaken:
		return pt.below("journal.flush.")
	case Twice, ReplyLost:
		return !pt.reads() && !pt.below("runner.")
	case Refused:
		return !pt.below("runner.")
	}
	return true
}

// plan puts outages, jumps of clocks, restarts, rivals and losses on the agenda.
func (s *swarm) plan(w *World, until time.Duration) {
	r := w.dice.trouble
	often := func(on bool, n int, what func()) {
		if !on {
			return
		}
		for range 1 + r.IntN(n) {
			w.in(between(r, 0, until), "", func() {
				if !w.calm {
					what()
				}
			})
		}
	}
	often(s.some.outages, 3, func() {
		o := outage{pick(r, "hub.", "inbox.", "ledger.", "journal.flush", "eval.", "hub.publish"), w.now.Add(between(r, time.Second, 5*time.Minute))}
		w.tell("", "OUTAGE of %s until %s", o.prefix, o.until.Format(time.TimeOnly))
		s.outages = append(s.outages, o)
	})
	often(s.some.skews, 3, func() {
		w.setClock(pick(r, w.machines...), pick(r, -time.Hour, time.Hour, 0, between(r, -5*time.Minute, 5*time.Minute)))
	})
	often(s.some.restarts, 4, func() { w.restart(w.active(), false) })
	often(s.some.powerCuts, 2, func() { w.restart(w.active(), true) })
	often(s.some.losses, 1, func() { w.loseInbox(w.active()) })
	often(s.some.rivals, 1, w.rival)
}
