package sim

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/pullbook/pullbook/engine"
)

// Options say what a simulation is like.
type Options struct {
	Story   bool                              // keep the story
	Clean   bool                              // nothing goes wrong
	mishaps []Fault                           // those that happen, whatever the seed draws; none: as it draws
	twins   bool                              // two engines have the ledger all the time, and nobody else writes to branches
	script  trouble                           // what goes wrong instead of what the seed draws; nil as a rule
	witness func(*World)                      // sees the world when all is over; nil as a rule
	purse   func(purse) purse                 // puts something wrong between the engine and its budget; nil as a rule
	spoil   func(engine.Config) engine.Config // puts something wrong between the engine and its ports; nil as a rule
}

func (o Options) trouble(w *World) trouble {
	if o.twins {
		return newTwins(w)
	}
	if o.script != nil {
		return o.script
	}
	s := newSwarm(w)
	if o.Clean {
		s = &swarm{w: w}
	}
	return s
}

// Report is what came of a simulation.
type Report struct {
	Seed  uint64
	Tally Tally
	Story string
	Err   error // the first violation of an invariant; nil if all held
}

// helpRounds bounds how often people do what they are asked until everything has to be over.
const helpRounds = 60

// Run simulates one seed.
func Run(seed uint64, o Options) (report Report) {
	w := newWorld(seed, o)
	defer func() {
		if p := recover(); p != nil {
			w.fail("panic", "%v", p)
		}
		report = Report{Seed: seed, Tally: w.tally, Err: w.broken}
		if w.story != nil {
			report.Story = w.story.text.String()
		}
		w.close()
	}()
	until := between(w.dice.time, 3*time.Minute, 20*time.Minute)
	m := &machine{name: "A", store: newStore(w)}
	w.machines = append(w.machines, m)
	w.boot(m)
	for _, s := range w.sources {
		s.plan(until)
	}
	if _, is := o.script.(staged); is {
		until = 6 * time.Minute
	} else {
		crowd{w: w, rough: oneIn(w.dice.people, 3) && !o.twins}.plan(until)
		w.editing.plan(until)
	}
	w.mishaps.plan(until)
	w.trouble.plan(w, until)
	w.run(w.now.Add(until))
	w.settle()
	for until := w.now; w.broken == nil && until.Before(w.settled.Add(atRestWithin)); { // it may be put off: the hub asks for silence
		until = w.settled.Add(atRestWithin)
		w.run(until)
	}
	w.rest()
	for range helpRounds {
		if w.broken != nil || w.finished() {
			break
		}
		if !w.help() {
			w.waitForTimer()
		}
		w.run(later(w.now.Add(20*time.Second), w.settled))
	}
	if w.rest(); !w.finished() {
		w.fail("I8", "people do what they are asked, and it does not end: %v", w.unfinished())
	}
	w.mishaps.outlast()
	w.chronicle.verify()
	if o.witness != nil {
		o.witness(w)
	}
	return report
}

// finished reports whether every incident has ended that can.
func (w *World) finished() bool { return w.unfinished() == nil }

func (w *World) unfinished() error {
	for _, r := range w.chronicle.records {
		if !w.excused(r) && (!r.merged || w.remote.heads[r.branch] != "") {
			_, text := r.waits(w.now)
			return fmt.Errorf("%s: %s", r.id, text)
		}
	}
	for _, a := range w.chronicle.acks {
		if !w.chronicle.disturbed(a.group) {
			return errors.New("an alert of " + a.group + " waits")
		}
	}
	return nil
}

// disturbed reports whether somebody wrote to a branch of an alert group, or deleted it: the engine then waits for people.
func (c *chronicle) disturbed(group string) bool {
	return slices.ContainsFunc(c.records, func(r *record) bool { return r.disturbed && r.state.Opened.Group == group })
}

// waitForTimer lets time pass until the next timer of any incident.
func (w *World) waitForTimer() {
	var due time.Time
	for _, r := range w.chronicle.records {
		if at := r.state.Due(r.state.Expand(r.plan)); !r.disturbed && !r.merged && !r.void && at.After(w.now) && (due.IsZero() || at.Before(due)) {
			due = at
		}
	}
	if !due.IsZero() {
		w.run(due)
	}
}
