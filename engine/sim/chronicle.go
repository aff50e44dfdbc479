package sim

import (
	"bytes"
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/pullbook/pullbook/engine"
	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/journal"
	"github.com/pullbook/pullbook/engine/runbook"
)

// chronicle is what the remote has seen, in order, read with the journal's decoder. It belongs to nobody in the world.
type chronicle struct {
	w        *World
	records  []*record                  // in the order of their opening
	branches map[string]*record         // the latest on each branch
	recorded map[string]map[string]bool // by group: digests of the notifications that some journal holds
	acks     []ack                      // that no journal holds yet
	told     map[string]time.Time       // by digest: when a notification came last, as its message says
}

// record is one incident as the remote has seen it.
type record struct {
	id        incident.ID
	branch    string
	plan      runbook.Plan
	events    []incident.Event
	chain     journal.Head
	state     incident.State
	head      string
	commits   map[string]int // to the number of the last event
	intents   map[string]bool
	effects   map[string]int // by step
	byKey     map[string]int // effects by attempt key
	retries   map[string]int // by step: what people asked for
	gates     map[string]time.Time
	reckoned  reckoning
	merged    bool
	void      bool             // opened when an incident of its name had been merged: nothing of it may happen
	begged    int              // how often somebody gave its branch back
	again     []incident.Event // second openings, by engines that stood still when somebody had deleted the branch
	disturbed bool             // somebody else has written to its branch, or deleted it
	busy      time.Time        // in the calm: since when it has not been at rest
	edits     edited
}

// ack is a notification that was answered 202.
type ack struct {
	digest, group string
	firing        bool
	store         *store
}

func newChronicle(w *World) *chronicle {
	return &chronicle{w: w, branches: map[string]*record{}, recorded: map[string]map[string]bool{}, told: map[string]time.Time{}}
}

// acknowledged notes an alert that was answered 202.
func (c *chronicle) acknowledged(p *process, a incident.Alert) {
	c.acks = append(c.acks, ack{digest: a.Digest(), group: a.Group, firing: a.Status == incident.Firing, store: p.machine.store})
	c.w.fresh.changed = true
}

// lost excuses what was acknowledged on a disk that is gone: the sources tell again.
func (c *chronicle) lost(s *store) {
	c.acks = slices.DeleteFunc(c.acks, func(a ack) bool { return a.store == s })
}

// handled excuses notifications that a problem is over, where no incident is open for it.
func (c *chronicle) handled(_ *process, messages []*message) {
	for _, m := range messages {
		if m.digest != "" {
			c.acks = slices.DeleteFunc(c.acks, func(a ack) bool { return a.digest == m.digest && !a.firing })
		}
	}
	c.w.fresh.changed = true
}

// pushed reads the commits of a push that the remote took.
func (c *chronicle) pushed(p *process, branch string, n *pending) {
	c.w.fresh.changed = true
	for _, made := range n.commits {
		r := c.branches[branch]
		if n.old == "" && made == n.commits[0] && opens(made) {
			if r != nil && !r.merged && !r.void {
				c.w.tell("", "%s is opened a second time over %s", branch, r.id) // somebody had deleted it
				again, _, err := journal.Decode(r.id.Dir(), made.files)
				if r.again = append(r.again, again...); err != nil {
					c.w.fail("I6", "%s: its second opening cannot be read: %v", r.id, err)
				}
				r.disturbed = true
				return
			}
			if r = c.open(branch, made); r == nil {
				return
			}
		}
		if r == nil {
			c.w.fail("I6", "%s: a commit on a branch that nobody opened", branch)
			return
		}
		for path, data := range made.files {
			if bytes.Contains(data, []byte(canary)) {
				c.w.fail("I11", "%s holds a secret in %s", branch, path)
			}
		}
		c.extend(p, r, made)
	}
}

// open begins the record of a new incident.
func (c *chronicle) open(branch string, made *commit) *record {
	r := &record{branch: branch, commits: map[string]int{}, intents: map[string]bool{}, effects: map[string]int{}, byKey: map[string]int{},
		retries: map[string]int{}, gates: map[string]time.Time{}, reckoned: newReckoning(), head: made.parent}
	for path, data := range made.files {
		if dir, ok := strings.CutSuffix(path, "/plan/plan.json"); ok {
			r.id = incident.ID(dir[strings.LastIndexByte(dir, '/')+1:])
			if err := json.Unmarshal(data, &r.plan); err != nil {
				c.w.fail("I6", "%s: its plan cannot be read: %v", branch, err)
				return nil
			}
		}
	}
	if r.id == "" || r.id.Branch() != branch {
		c.w.fail("I6", "%s: its first commit opens %q", branch, r.id)
		return nil
	}
	r.void = slices.ContainsFunc(c.w.remote.names, func(id incident.ID) bool { return id.Branch() == branch })
	c.branches[branch] = r
	c.records = append(c.records, r)
	c.w.tally.Incidents++
	return r
}

// extend reads one commit.
func (c *chronicle) extend(p *process, r *record, made *commit) {
	events, chain, err := journal.DecodeAfter(r.id.Dir(), r.chain, made.files)
	if err != nil {
		c.w.fail("I6", "%s: the journal cannot be read: %v", r.id, err)
		return
	}
	if why := c.follows(r, made, events); why != "" {
		c.w.fail("I6", "%s: commit %s: %s", r.id, short(made.id), why)
		return
	}
	if c.w.editing != nil {
		c.keepsPlan(r, made, events)
	}
	for _, e := range events {
		before := r.state
		if e.Seq == 1 {
			r.state, err = incident.Fold([]incident.Event{e})
		} else {
			r.state, err = r.state.With(e)
		}
		if err != nil {
			c.w.fail("I6", "%s: the journal cannot be folded: %v", r.id, err)
			return
		}
		r.events = append(r.events, e)
		c.w.tally.Transitions++
		c.note(p, r, before, e, made)
		c.reckon(p, r, before, e)
		if c.w.editing != nil {
			c.noteEdited(p, r, e, made)
		}
	}
	r.chain, r.head = chain, made.id
	r.commits[made.id] = r.state.Seq
}

// opens reports whether a commit opens an incident.
func opens(made *commit) bool {
	return slices.ContainsFunc(slices.Collect(maps.Keys(made.files)), func(path string) bool { return strings.HasSuffix(path, "/incident.json") })
}

// note keeps of an event what invariants ask for.
func (c *chronicle) note(p *process, r *record, before incident.State, e incident.Event, made *commit) {
	switch d := e.Data.(type) {
	case incident.Opened:
		c.isNews(r, d)
		c.keep(d.Group, d.Alert)
	case incident.AlertUpdated:
		c.keep(r.state.Opened.Group, d.Alert)
	case incident.GateOpened:
		r.gates[d.Step] = c.w.now
		c.w.forge.stillAsked(r.branch)
		if page := made.files[r.gatePath(d.Step)]; runbook.PageDigest(page) != d.Page {
			c.w.fail("I5", "%s: the gate of %s opens with another page than the one beside it", r.id, d.Step)
		}
	case incident.StepStarted:
		r.intents[d.Key] = true
		c.judge(p, r, intent{d.Step, d.Gate, e.At})
		c.early(p, r, before, d)
	case incident.RepeatStarted:
		r.intents[d.Key] = true
		c.judge(p, r, intent{d.Step, d.Gate, e.At})
	case incident.RetryAsked:
		r.retries[d.Step]++
	case incident.StepEnded:
		key := runbook.AttemptKey(string(r.id), d.Step, d.Attempt)
		if step, ok := r.step(d.Step); ok && step.Kind.NeedsRunner() && !step.Each && d.Conclusion == runbook.Succeeded && r.byKey[key] == 0 && !r.disturbed && !d.WouldRun {
			c.w.fail("I10", "%s: %s is recorded as succeeded, and never happened", r.id, key)
		}
		if st := before.Step(d.Step); c.w.smooth && !r.reckoned.thawed && st.Kind == runbook.KindWait && st.Phase == incident.PhaseStarted && e.At.Sub(st.Deadline) > time.Second && !c.lagged(r, st.Deadline) {
			c.w.fail("I7", "%s: the wait %s ends %s late, and nothing went wrong", r.id, d.Step, e.At.Sub(st.Deadline))
		}
		if st := before.Step(d.Step); st.Kind == runbook.KindWait && st.Phase == incident.PhaseStarted && !d.WouldRun && p.latest().Before(st.Deadline) {
			c.w.fail("I7", "%s: the wait %s ends %s early", r.id, d.Step, st.Deadline.Sub(p.latest()))
		}
	case incident.GateExpired:
		if st := before.Step(d.Step); p.latest().Before(st.Gate.Expires()) {
			c.w.fail("I7", "%s: the gate of %s expires early", r.id, d.Step)
		}
	}
}

// lagged reports whether the hub has shown an old head of an incident's pull request after a time. What is recorded beside an intent waits with
// it until reviews can be read again on the right one.
func (c *chronicle) lagged(r *record, since time.Time) bool {
	p := c.w.forge.of(r.branch)
	return p != nil && p.staleUntil.After(since)
}

// early checks that an automatic retry waits for its pause.
func (c *chronicle) early(p *process, r *record, before incident.State, d incident.StepStarted) {
	st := before.Step(d.Step)
	step, _ := r.step(d.Step)
	if st.Phase != incident.PhaseEnded || st.Tried == 0 || p.latest().After(st.Ended.Add(step.Retry.Pause(st.Tried, runbook.AttemptKey(string(r.id), d.Step, st.Attempt))-time.Nanosecond)) {
		return
	}
	c.w.fail("I7", "%s: attempt %d of %s begins before its pause is over", r.id, d.Attempt, d.Step)
}

// sent notes a notification on its way to the inbox.
func (c *chronicle) sent(a engine.Arrival) { c.told[a.Alert.Digest()] = a.Received }

// isNews demands that what an incident is opened for is not what the one before it was told before it ended.
func (c *chronicle) isNews(r *record, d incident.Opened) {
	before := c.of(d.Previous)
	told, dated := c.told[d.Alert.Digest()]
	if before != nil && dated && before.state.Known[d.Alert.Digest()] && told.Before(before.state.EndedAt) {
		c.w.fail("I2", "%s is opened for the alert %s, with which %s has dealt", r.id, short(d.Alert.Digest()), d.Previous)
	}
}

func (c *chronicle) keep(group string, a incident.Alert) {
	if c.recorded[group] == nil {
		c.recorded[group] = map[string]bool{}
	}
	c.recorded[group][a.Digest()] = true
}

// step is a step of the plan, or an element of one.
func (r *record) step(name string) (runbook.Step, bool) {
	s, _, ok := r.plan.Written(name)
	return s, ok
}

// gatePath is where the page of a gate lies.
func (r *record) gatePath(step string) string {
	_, index, _ := r.plan.Written(step)
	return journal.GatePath(r.id.Dir(), step, index)
}

// of finds an incident.
func (c *chronicle) of(id incident.ID) *record {
	for _, r := range slices.Backward(c.records) {
		if r.id == id && !r.void {
			return r
		}
	}
	return nil
}

// merged notes that a pull request was merged.
func (c *chronicle) merged(p *pull) {
	c.w.fresh.changed = true
	r := c.branches[p.branch]
	r.merged = true
	c.w.tally.Merged++
	if r.state.End == "" || r.head != p.head {
		c.w.fail("I10", "%s is merged by the engine at %s, where its journal has not ended", r.id, short(p.head))
	}
}

// compare holds events that an engine believes to be on the remote against those that are there.
func (c *chronicle) compare(p *process, id incident.ID, events []incident.Event) {
	r := c.branches[id.Branch()]
	for _, e := range events {
		if r != nil && slices.ContainsFunc(r.again, func(a incident.Event) bool { return reflect.DeepEqual(a, e) }) {
			continue
		}
		if r == nil || e.Seq > len(r.events) || !reflect.DeepEqual(r.events[e.Seq-1], e) {
			c.w.fail("I9", "%s: %s believes in event %d (%s), which the remote does not have", id, p.name, e.Seq, e.Data.Kind())
			return
		}
	}
}

// verify reads everything anew from the remote, and compares.
func (c *chronicle) verify() {
	for _, r := range c.records {
		if r.disturbed || r.void {
			continue
		}
		files := map[string][]byte{}
		for id := r.head; r.commits[id] > 0; id = c.w.remote.commits[id].before() {
			for path := range c.w.remote.commits[id].files {
				if _, twice := files[path]; twice && strings.Contains(path, "/journal/") {
					c.w.fail("I6", "%s: %s is written twice", r.id, path)
				}
			}
			maps.Copy(files, c.w.remote.commits[id].files)
		}
		events, _, err := journal.Decode(r.id.Dir(), files)
		if err != nil {
			c.w.fail("I9", "%s: %v", r.id, err)
			return
		}
		again, err := incident.Fold(events)
		if err != nil || !reflect.DeepEqual(again, r.state) {
			c.w.fail("I9", "%s: its journal folds to another state when it is read at once: %v", r.id, err)
		}
	}
}
