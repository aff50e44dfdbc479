package sim

import (
	"slices"
	"time"

	"github.com/pullbook/pullbook/engine/approval"
	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/runbook"
)

// reckoning is what the simulation works out of a journal by itself, by rules that it does not share with the engine.
type reckoning struct {
	locks   map[string]string     // to the step that holds it
	good    map[string]int        // by step: the event that ended it well
	begun   map[string]time.Time  // by step: its latest success, or repetition, began then
	named   map[string]bool       // steps of which some event since the stage began says something
	finally bool                  // the finally steps have begun
	stopped bool                  // a person stopped them, or a gate whose time was over
	thawed  bool                  // the incident was frozen for a while
	level   map[string]int        // by step: how often its gate was escalated
	owed    map[int]approval.Vote // by the event that broke a glass: who did it
}

func newReckoning() reckoning {
	return reckoning{locks: map[string]string{}, good: map[string]int{}, begun: map[string]time.Time{}, named: map[string]bool{}, level: map[string]int{}, owed: map[int]approval.Vote{}}
}

// reckon holds an event of a journal against what must be so, and goes on to the next.
func (c *chronicle) reckon(p *process, r *record, before incident.State, e incident.Event) {
	k := &r.reckoned
	switch d := e.Data.(type) {
	case incident.StepStarted:
		c.takes(r, before, d)
		c.turn(r, d.Step)
		c.waitsFor(r, d, e.At)
	case incident.StepEnded:
		c.turn(r, d.Step)
		c.reported(r, d)
		if d.Conclusion != runbook.Unknown {
			k.release(d.Step)
		}
		if d.Conclusion == runbook.Succeeded {
			k.good[d.Step], k.begun[d.Step] = e.Seq, d.Started
		}
	case incident.RepeatStarted:
		if step, ok := r.step(d.Step); ok && p.latest().Before(k.begun[d.Step].Add(step.Every)) {
			c.w.fail("I7", "%s: %s is repeated before its time", r.id, d.Step)
		}
		k.begun[d.Step] = e.At
	case incident.StepByHand:
		c.overridden(r, before, d.Step, d.Votes)
		k.good[d.Step] = e.Seq
		k.over(d.Step)
	case incident.StepSkipped:
		c.skipped(r, before, d)
		k.over(d.Step)
	case incident.RetryAsked:
		k.release(d.Step)
	case incident.StepBroken:
		k.named[d.Step] = true
	case incident.GateOpened:
		k.named[d.Step] = true
		delete(k.level, d.Step)
	case incident.GateEscalated:
		k.level[d.Step]++
	case incident.GlassBroken:
		k.owed[e.Seq] = d.Vote
	case incident.GlassReviewed:
		c.reviewed(r, d)
	case incident.CancelAsked:
		k.stopped = k.stopped || d.During == runbook.StageFinally
	case incident.GateExpired:
		k.stopped = k.stopped || d.Abort && k.finally // as /cancel
	case incident.Thawed:
		k.thawed = true
	case incident.UndoBegun:
		k.withdraw(r)
	case incident.FinallyBegun:
		k.withdraw(r)
		k.finally = true
	case incident.Ended:
		c.tidied(r)
		if len(k.owed) > 0 {
			c.w.fail("I5", "%s ends, and nobody has looked at %d glasses that were broken", r.id, len(k.owed))
		}
		k.locks = map[string]string{}
	}
}

// over notes that people have ended a step.
func (k *reckoning) over(step string) {
	k.release(step)
	k.named[step] = true
}

func (k *reckoning) release(step string) {
	for lock, by := range k.locks {
		if by == step {
			delete(k.locks, lock)
		}
	}
}

// withdraw releases what steps hold that people or a time were waited for: the stage is over, and nobody waits any more.
func (k *reckoning) withdraw(r *record) {
	for _, name := range k.locks {
		if step, ok := r.step(name); ok && !step.Kind.NeedsRunner() {
			k.release(name)
		}
	}
}

// takes holds that nobody else has a lock that a step takes. Where two engines believe that they have the ledger, the lease
// keeps them apart, which is not simulated. A finally step takes what a step before it has left behind.
func (c *chronicle) takes(r *record, before incident.State, d incident.StepStarted) {
	alone := len(c.w.machines) == 1 && c.w.tally.Faults[Paused] == 0
	for _, lock := range d.Locks {
		for _, other := range c.records {
			by, held := other.reckoned.locks[lock]
			if alone && held && !other.merged && !other.void && !other.disturbed && (other != r || by != d.Step && !r.leftBehind(before, by)) {
				c.w.fail("I3", "%s of %s takes the lock %s, which %s of %s has", d.Step, r.id, lock, by, other.id)
			}
		}
		r.reckoned.locks[lock] = d.Step
	}
}

// leftBehind reports whether nobody knows of a step whether it happened, and only the finally steps are left.
func (r *record) leftBehind(before incident.State, step string) bool {
	return r.reckoned.finally && before.Step(step).Phase == incident.PhaseUnknown
}

// turn holds that what happened last is undone first.
func (c *chronicle) turn(r *record, name string) {
	k, step := &r.reckoned, r.written(name)
	first := !k.named[name]
	k.named[name] = true
	if step.Stage != runbook.StageUndo || step.Each || step.Of != "" || !first {
		return
	}
	for _, other := range r.plan.Steps {
		if other.Stage == runbook.StageUndo && !other.Each && !k.named[other.Name] && k.good[other.Undoes] > k.good[step.Undoes] {
			c.w.fail("I5", "%s: %s begins before %s, which undoes what happened later", r.id, name, other.Name)
		}
	}
}

// written is a step as the plan has it; one without a name for an element.
func (r *record) written(name string) runbook.Step {
	i := slices.IndexFunc(r.plan.Steps, func(s runbook.Step) bool { return s.Name == name })
	if i < 0 {
		return runbook.Step{Of: template(name)}
	}
	return r.plan.Steps[i]
}

// waitsFor holds that a wait lasts as long as its author wrote.
func (c *chronicle) waitsFor(r *record, d incident.StepStarted, at time.Time) {
	b := c.w.bookOf(r)
	if d.Work != runbook.KindWait || b == nil || b.step(d.Step) == nil {
		return
	}
	if want, ok := b.step(d.Step).Wait.Over(at); ok && !d.Deadline.Equal(want) {
		c.w.fail("I7", "%s: the wait %s is to end at %s, and not at %s", r.id, d.Step, d.Deadline, want)
	}
}

// reported holds that an attempt ended as its runner said.
func (c *chronicle) reported(r *record, d incident.StepEnded) {
	step, ok := r.step(d.Step)
	if !ok || !step.Kind.NeedsRunner() || step.Each || r.disturbed || d.WouldRun {
		return
	}
	said := c.w.ends[runbook.AttemptKey(string(r.id), d.Step, d.Attempt)]
	switch {
	case slices.Contains(said, d.Conclusion), d.Conclusion == runbook.Cancelled:
	case d.Conclusion == runbook.Failed && step.Repeatable(): // nobody knows, and it does no harm to do it again
	default:
		c.w.fail("I10", "%s: attempt %d of %s is recorded as %s, and its runner said %v", r.id, d.Attempt, d.Step, d.Conclusion, said)
	}
}

// overridden holds that a gate is overridden by as many of its own approvers as its rule asks for.
func (c *chronicle) overridden(r *record, before incident.State, name string, votes []approval.Vote) {
	step, ok := r.step(name)
	st := before.Step(name)
	if !ok || step.Approval == nil || len(votes) == 0 && st.Phase != incident.PhaseGate {
		return
	}
	rule := *step.Approval
	if st.Phase == incident.PhaseGate {
		rule = st.Gate.Rule
	}
	var people []approval.Person
	for _, v := range votes {
		if v.By.Bot || !v.By.Write || r.wrote(name, v.By.ID) || slices.ContainsFunc(people, func(p approval.Person) bool { return p.ID == v.By.ID }) {
			continue
		}
		people = append(people, v.By)
	}
	if !slices.ContainsFunc(rule.Ways(), func(way []runbook.Leaf) bool { return filled(way, people) }) {
		c.w.fail("I5", "%s: the gate of %s is overridden by %d people, which is not %s", r.id, name, len(people), &rule)
	}
}

// tidied holds that the finally steps have had their turn when an incident ends.
func (c *chronicle) tidied(r *record) {
	k := &r.reckoned
	for _, step := range r.plan.Steps {
		if step.Stage == runbook.StageFinally && !k.stopped && (!k.finally || !k.named[step.Name] && !step.Each) {
			c.w.fail("I8", "%s ends, and %s has not had its turn", r.id, step.Name)
		}
	}
}

// inTime are the votes that were given before a gate's time was over. Clocks that were wrong say nothing about that.
func (c *chronicle) inTime(r *record, step string, said []approval.Review) bool {
	expires := r.state.Step(step).Gate.Expires()
	if expires.IsZero() || c.w.skewed || len(said) == 0 {
		return true
	}
	return slices.ContainsFunc(said, func(v approval.Review) bool { return v.At.Before(expires) })
}

// glassBroken reports whether one of those who may has broken the glass of a gate for this page.
func (c *chronicle) glassBroken(r *record, step, page string, said []approval.Review) bool {
	g, rule := r.plan.BreakGlass, r.state.Step(step).Gate.Rule
	return g != nil && !rule.NoGlass && slices.ContainsFunc(said, func(v approval.Review) bool {
		_, breaks := approval.BreakGlass(v.Body, step)
		return breaks && !v.By.Bot && v.By.Write && approval.Named(v.By, g.By) && !v.Edited &&
			v.State != approval.Dismissed && v.State != approval.ChangesRequested && c.pageAt(r, v.Commit, step) == page
	})
}

// reviewed holds that a broken glass is reviewed by those whom the organisation names, and not by who broke it.
func (c *chronicle) reviewed(r *record, d incident.GlassReviewed) {
	broke, owed := r.reckoned.owed[d.Event]
	var people []approval.Person
	for _, v := range d.Votes {
		if v.By.ID != broke.By.ID && !v.By.Bot && v.By.Write {
			people = append(people, v.By)
		}
	}
	met := r.plan.BreakGlass != nil && slices.ContainsFunc(r.plan.BreakGlass.Review.Ways(), func(way []runbook.Leaf) bool { return filled(way, people) })
	if !owed || !met {
		c.w.fail("I5", "%s: the glass of %s counts as reviewed by %d people", r.id, d.Step, len(people))
	}
	delete(r.reckoned.owed, d.Event)
}
