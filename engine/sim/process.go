package sim

import (
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/pullbook/pullbook/engine"
	"github.com/pullbook/pullbook/engine/incident"
)

// machine is where processes run: an inbox on a disk, and a clock.
type machine struct {
	name  string
	store *store
	skew  time.Duration // how far its clock is ahead of the world's
	ahead time.Duration // the most that it ever was
}

// process is one run of the engine.
type process struct {
	w        *World
	name     string
	machine  *machine
	epoch    int // of the store when it took it: another process that takes the store shuts it out
	engine   *engine.Engine
	dead     bool
	paused   bool
	reaped   bool
	tasks    []*task
	keys     map[string]bool       // message keys in the hands of a task
	pending  map[string]*pending   // git commits that are only here
	looked   map[string]*testimony // by branch: the latest look at the hub
	pace     *pace
	purse    purse
	sent     []request // to the hub, where it has limits
	silent   time.Time // until then the hub has asked it to be
	answered time.Time // when the answer to its last write came
	writing  bool      // and that to the one under way has not come
	token    int       // the number of the App's token that it has; 0: none
	stood    bool      // it stood still for a while
	poked    time.Time // when it looks at its inbox next, by the world's clock; zero: it does not
}

// While things go wrong every incident is looked at at the interval that the world has drawn, as serve and advance have it. In
// the calm it is found soon what webhooks have lost, and where nothing happens the pauses grow.
const (
	calmSweep   = 20 * time.Second
	sparseSweep = 2 * time.Hour
)

// boot starts a process on a machine. Whoever had its inbox before is shut out.
func (w *World) boot(m *machine) *process {
	m.store.epoch++
	p := &process{w: w, machine: m, epoch: m.store.epoch, keys: map[string]bool{},
		pending: map[string]*pending{}, looked: map[string]*testimony{}}
	p.name = m.name + string(rune('0'+m.store.epoch%10))
	p.newPurse()
	w.procs = append(w.procs, p)
	w.tell(p.name, "boots")
	config := engine.Config{Hub: hubPort{p}, Ledger: ledgerPort{p}, Journal: journalPort{p}, Eval: evalPort{p}, Inbox: inboxPort{p},
		Runner: runnerPort{p}, Clock: clockPort{p}, Bookmarks: bookmarksPort{p}, DefaultBranch: mainBranch, Triage: w.triage(), Versions: map[string]string{"pullbook": "sim"},
		Schema: []byte("// simulated\n"), Observe: p.observe,
		Rehearsal: w.rehearsal, Lock: func() sync.Locker { return &turnstile{w: w} }, Log: slog.New(teller{w: w, who: p.name})}
	if w.editing != nil {
		config.Reviewing.Hub = deskPort{p}
	}
	if w.options.spoil != nil {
		config = w.options.spoil(config)
	}
	p.engine = engine.New(config)
	m.store.takeBack(p)
	p.sweep(map[bool]time.Duration{true: calmSweep, false: w.sweepEvery}[w.calm])
	p.poke(0)
	return p
}

// sweep puts a look at every incident, now and after every pause.
func (p *process) sweep(pause time.Duration) {
	if p.dead {
		return
	}
	if !p.paused {
		p.machine.store.add(p, engine.Message{Kind: engine.KindSweep, Key: "ledger"})
	}
	calm, pushes := p.w.calm, p.w.tally.Transitions
	p.w.in(pause, "", func() {
		switch {
		case calm && p.w.tally.Transitions == pushes:
			p.sweep(min(2*pause, sparseSweep))
		case calm:
			p.sweep(calmSweep)
		case !p.w.calm: // in the calm another chain of sweeps has begun
			p.sweep(pause)
		}
	})
}

// clock is the time by the machine's clock.
func (p *process) clock() time.Time { return p.w.now.Add(p.machine.skew) }

// latest is the latest time that a clock can have shown to a decision that arrives now: its own machine's, or that of another one
// whose events it follows, since the time of a journal never goes back.
func (p *process) latest() time.Time { return p.w.now.Add(p.w.ahead) }

// kill ends a process as a power switch does. What is under way unwinds before the next event.
func (p *process) kill() {
	if !p.dead {
		p.dead = true
		p.w.tell(p.name, "KILLED")
	}
}

// reap unwinds the tasks of dead processes, and sees to it that somebody takes over.
func (w *World) reap() {
	for _, p := range w.procs {
		if !p.dead || p.reaped {
			continue
		}
		p.reaped = true
		for _, t := range p.tasks {
			w.unwind(t)
		}
		p.tasks = nil
		if m := p.machine; m.store.epoch == p.epoch {
			w.in(between(w.dice.time, 200*time.Millisecond, w.bent.absent), "", func() {
				if m.store.epoch == p.epoch {
					w.boot(m)
				}
			})
		}
	}
	w.procs = slices.DeleteFunc(w.procs, func(p *process) bool { return p.reaped })
}

// pause makes a process stand still, lets another one take over, and lets it go on some time later, shut out of its inbox
// but not of the hub and the ledger.
func (w *World) pause(p *process) {
	if p.paused || p.epoch != p.machine.store.epoch {
		return
	}
	p.paused, p.stood = true, true
	w.in(between(w.dice.time, time.Second, 10*time.Second), "", func() {
		if !p.dead && p.epoch == p.machine.store.epoch {
			w.boot(p.machine)
		}
	})
	w.in(between(w.dice.time, 12*time.Second, w.bent.stands), "", func() { p.goOn() })
}

// goOn lets a paused process run again. It finds out by itself that it is shut out, and dies of it a little later.
func (p *process) goOn() {
	if p.dead || !p.paused {
		return
	}
	p.paused = false
	p.w.tell(p.name, "goes on")
	for _, t := range slices.Clone(p.tasks) {
		if t.parked {
			t.wakeNow()
		}
	}
	if p.epoch != p.machine.store.epoch {
		p.w.in(between(p.w.dice.time, time.Second, time.Minute), "", p.kill)
	}
}

// active is the process that holds the inbox of the first machine, or nil.
func (w *World) active() *process {
	for _, p := range w.procs {
		if p.machine == w.machines[0] && !p.dead && p.epoch == p.machine.store.epoch {
			return p
		}
	}
	return nil
}

// restart kills a process. After a power cut the disk lacks what it did not have to keep yet.
func (w *World) restart(p *process, power bool) {
	if p == nil {
		return
	}
	if power {
		w.tell(p.name, "POWER CUT")
		p.machine.store.powerCut()
	}
	p.kill()
}

// loseInbox destroys the disk under a process.
func (w *World) loseInbox(p *process) {
	if p == nil {
		return
	}
	w.tell(p.name, "INBOX LOST")
	w.forgotten = true
	p.kill()
	s := newStore(w)
	s.epoch = p.machine.store.epoch
	w.chronicle.lost(p.machine.store)
	p.machine.store = s
}

// rival starts an engine on another machine that believes it has the ledger too.
func (w *World) rival() {
	if len(w.machines) > 1 {
		return
	}
	p := w.second()
	w.in(between(w.dice.trouble, 10*time.Second, 10*time.Minute), "", func() { p.machine.retire(p) })
}

// second starts an engine on another machine.
func (w *World) second() *process {
	m := &machine{name: "B", store: newStore(w)}
	w.machines = append(w.machines, m)
	return w.boot(m)
}

// retire ends a machine for good.
func (m *machine) retire(p *process) {
	w := p.w
	for _, other := range w.procs {
		if other.machine == m {
			other.kill()
		}
	}
	m.store.epoch = -1
	w.chronicle.lost(m.store)
}

// setClock makes the clock of a machine jump.
func (w *World) setClock(m *machine, skew time.Duration) {
	w.tell(m.name, "CLOCK is off by %s", skew)
	m.skew, m.ahead = skew, max(m.ahead, skew)
	w.ahead, w.skewed = max(w.ahead, skew), true
	for _, p := range w.procs {
		if p.machine == m && !p.dead {
			p.poke(0)
		}
	}
}

// observe holds what the engine has in memory against what the remote has.
func (p *process) observe(id incident.ID, events []incident.Event) {
	if !p.dead {
		p.w.chronicle.compare(p, id, events)
	}
}
