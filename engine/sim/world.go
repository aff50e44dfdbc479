package sim

import (
	"container/heap"
	"fmt"
	"time"

	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/runbook"
)

// World is one simulation.
type World struct {
	seed    uint64
	options Options
	dice    dice
	now     time.Time
	agenda  agenda
	order   int // of what was put on the agenda
	current *task
	idle    []*routine // coroutines that run no task
	story   *story

	books     map[string]*book // by name
	parsed    map[string]*book // by text
	remote    *remote
	forge     *forge
	machines  []*machine
	procs     []*process // every one that ever ran, the dead included
	sources   []*source
	trouble   trouble
	bent      bent
	allowance *allowance // what the hub grants; nil: it has no limits
	editing   *editing   // people who edit plans; nil: nobody does
	dated     bool       // alerts say when they came
	mishaps   *mishaps   // what goes wrong in some worlds only; nil: nothing of that
	smooth    bool       // nothing ever goes wrong: what is late has no excuse

	rehearsal     *incident.Rehearsal             // the incidents of this world are game days; nil: they are not
	sweepEvery    time.Duration                   // how often every incident is looked at during the trouble
	lookingAround bool                            // it is looked soon who is at rest
	forgotten     bool                            // a disk was lost, and with it where the engine had left each branch
	calm          bool                            // faults have stopped
	settled       time.Time                       // when what the trouble has left behind is over: what runs, what a clock that was ahead has dated
	ahead         time.Duration                   // the most that any clock was ahead
	skewed        bool                            // some clock was wrong
	ends          map[string][]runbook.Conclusion // by attempt key: what runners said

	chronicle *chronicle
	watch     []invariant
	fresh     facts // since the invariants were asked last
	broken    error // the first violation
	tally     Tally
}

// Tally counts what a simulation did.
type Tally struct {
	Events      int // of the agenda
	Calls       int // of ports
	Transitions int // journal events that reached the remote
	Incidents   int
	Merged      int
	Edits       int // that were taken
	Faults      map[Fault]int
	Points      map[Point]int
}

// event is something on the agenda.
type event struct {
	at    time.Time
	order int
	what  string // for the story; empty for what tells of itself
	do    func()
}

type agenda []event

func (a agenda) Len() int      { return len(a) }
func (a agenda) Swap(i, j int) { a[i], a[j] = a[j], a[i] }
func (a *agenda) Push(x any)   { *a = append(*a, x.(event)) }

func (a agenda) Less(i, j int) bool {
	if !a[i].at.Equal(a[j].at) {
		return a[i].at.Before(a[j].at)
	}
	return a[i].order < a[j].order
}

func (a *agenda) Pop() any {
	old := *a
	e := old[len(old)-1]
	old[len(old)-1] = event{}
	*a = old[:len(old)-1]
	return e
}

// in puts something on the agenda.
func (w *World) in(d time.Duration, what string, do func()) {
	w.order++
	heap.Push(&w.agenda, event{at: w.now.Add(max(d, 0)), order: w.order, what: what, do: do})
}

// maxEvents bounds one simulation: what needs more does not come to rest.
const maxEvents = 20_000

// run lets time pass until the given moment, or until an invariant is violated.
func (w *World) run(until time.Time) {
	for w.broken == nil && len(w.agenda) > 0 && !w.agenda[0].at.After(until) {
		e := heap.Pop(&w.agenda).(event)
		w.now = e.at
		if e.what != "" {
			w.tell("", "%s", e.what)
		}
		e.do()
		w.reap()
		w.tally.Events++
		w.ask()
		if w.tally.Events > maxEvents {
			w.fail("I8", "it does not come to rest: %d events", w.tally.Events)
		}
	}
	if w.broken == nil {
		w.now = until
	}
}

// fail notes the first violation of an invariant.
func (w *World) fail(invariant, format string, args ...any) {
	if w.broken != nil {
		return
	}
	w.broken = fmt.Errorf("%s: %s", invariant, fmt.Sprintf(format, args...))
	w.tell("", "VIOLATED %v", w.broken)
}

// newWorld is a world with a ledger, people and generated runbooks, and nothing running yet.
func newWorld(seed uint64, o Options) *World {
	w := &World{seed: seed, options: o, dice: newDice(seed), books: map[string]*book{}, parsed: map[string]*book{}, ends: map[string][]runbook.Conclusion{},
		bent:  straight(),
		tally: Tally{Faults: map[Fault]int{}, Points: map[Point]int{}}}
	w.now = time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC).Add(between(w.dice.time, 0, 72*time.Hour))
	if o.Story {
		w.story = &story{start: w.now}
	}
	w.remote, w.forge, w.chronicle = newRemote(), newForge(w), newChronicle(w)
	w.watch = invariants()
	w.sweepEvery = pick(w.dice.time, time.Minute, 5*time.Minute)
	w.trouble, w.dated = o.trouble(w), o.script != nil || oneIn(w.dice.dated, 4)
	if o.script == nil {
		w.drawLimits()
	}
	if s, is := o.script.(staged); is {
		s.found(w)
		return w
	}
	if oneIn(w.dice.game, 8) {
		w.rehearsal = &incident.Rehearsal{NoReads: oneIn(w.dice.game, 3)}
	}
	if o.script == nil && !o.twins && oneIn(w.dice.edits, 8) {
		w.editing = &editing{w: w}
	}
	w.mishaps = newMishaps(w)
	w.found(1 + w.dice.plan.IntN(3))
	return w
}

// found makes the ledger: the organisation, and a runbook for each alert group.
func (w *World) found(groups int) {
	files := map[string][]byte{}
	add := func(b *book) {
		if w.editing != nil {
			b.Edit = w.editing.rule()
		}
		path := "runbooks/" + b.Name + ".cue"
		files[path], w.books[b.Name] = b.text(), b
		w.tell("", "%s:\n%s", path, b)
	}
	child := ""
	if oneIn(w.dice.plan, 3) {
		child = "child"
		add(w.newBook(child, ""))
	}
	for i := range groups {
		b := w.newBook(fmt.Sprintf("book%d", i), pick(w.dice.plan, "", child))
		add(b)
		w.sources = append(w.sources, &source{w: w, group: fmt.Sprintf("group-%d", i), book: b.Name, flaps: oneIn(w.dice.bent, 4)})
	}
	w.remote.first(files, w.now)
}

// triage is the runbook for what no other claims, and for what claims it wrongly.
func (w *World) triage() runbook.Source {
	b := &book{Name: "triage", Command: commanders(), Steps: []bookStep{{Name: "look", Kind: runbook.KindManual, Risk: runbook.RiskRead,
		OnFailure: runbook.FailureHalts, Timeout: 24 * time.Hour}}}
	return runbook.Source{Runbook: "runbooks/triage.cue", Files: map[string][]byte{"runbooks/triage.cue": b.text()}}
}
