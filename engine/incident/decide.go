package incident

import (
	"iter"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/pullbook/pullbook/engine/approval"
	"github.com/pullbook/pullbook/engine/runbook"
)

// Decide returns what one look has to do, in order. An empty answer means that nothing is due: something will put another
// look when people, runners or time have moved.
//
// The plan must have been resolved with s.Ended(plan). When new facts change what later steps rest on, Decide only
// records them: the caller looks again at once, with the plan resolved anew.
func Decide(plan runbook.Plan, s State, v View, now time.Time) []Action {
	d := decider{state: s, view: v, now: s.Clock(now), clock: now, attempts: make(map[attemptName]Attempt, len(v.Attempts))}
	plan = d.ruled(plan)
	d.plan, d.base = d.inFamily(s.Expand(plan)), plan.Base()
	for _, a := range v.Attempts {
		d.attempts[attemptName{a.Step, a.Number}] = a
	}
	switch {
	case v.Pull != nil && v.Pull.Merged:
		d.merged()
	case v.Branch.Foreign != nil || v.Branch.Gone:
		d.freeze()
	case s.End != "":
		d.finish()
	case v.Unread != "":
		d.freeze()
	default:
		d.live()
	}
	return d.actions
}

// Clock returns the time to write into the next event: whole milliseconds, never before the event before it, so that a
// clock that jumps back leaves no trace in the order of the journal.
func (s State) Clock(now time.Time) time.Time {
	now = now.UTC().Truncate(time.Millisecond)
	if now.Before(s.At) {
		return s.At
	}
	return now
}

// Next numbers and dates the events that follow s.
func (s State) Next(data []Data, now time.Time) []Event {
	at := s.Clock(now)
	out := make([]Event, len(data))
	for i, d := range data {
		out[i] = Event{Seq: s.Seq + 1 + i, At: at, Data: d}
	}
	return out
}

// decider collects the actions of one look. state runs ahead of what was passed in: it holds the events recorded so far.
type decider struct {
	plan     runbook.Plan // with the elements that are settled
	base     runbook.Plan // without any
	state    State
	owned    bool // state shares nothing with what was passed in, or with what may be gone back to
	view     View
	attempts map[attemptName]Attempt
	shown    map[string][]approval.Shown // at the commits of view; what this look records does not change it
	restsOn  map[string][]runbook.Upstream
	covers   map[string]cover
	now      time.Time // to write down: never before the latest event
	clock    time.Time // as it was passed in
	room     int       // how many attempts may begin
	actions  []Action

	commit    Commit
	flush     bool // what was recorded must reach the remote branch in this look
	why       string
	confirm   []approval.Gate
	overrides []Override
	edit      *EditConfirm     // of the plan, that is taken in this look
	demands   []runbook.Demand // of the calendar, at this moment
	until     time.Time        // when they may change; zero: never
	before    time.Time        // until when the push may depart
	stale     bool             // what was recorded changes what later steps rest on
	early     []Action         // starts of read steps: they need no intent
	starts    []Action         // starts behind the flush of their intent
	people    []Action         // what people see of it: review requests, replies
	wake      time.Time
	wakeWhy   string
	halted    bool
	asking    bool
	unwritten []string         // whose gates wait for the hub to say who wrote them
	locked    []lockedStep     // that would start if they could have a lock
	refused   []CommandRefused // that the end keeps from being recorded
	awaited   AwaitLocks       // the locks among them that other incidents hold, or come first for
}

// astir yields the steps that have not ended well, and those that are being repeated, with how they stand: in plan order, each as the
// journal has it when its turn comes. All others of a long incident are over, and wait for nobody.
func (d *decider) astir() iter.Seq2[runbook.Step, StepState] {
	return func(yield func(runbook.Step, StepState) bool) {
		for i := range d.plan.Steps {
			step := &d.plan.Steps[i]
			at, named := d.state.Steps[step.Name]
			if named && at.Good() && !at.Repeats.Running {
				continue
			}
			if !yield(*step, d.state.Step(step.Name)) {
				return
			}
		}
	}
}

type attemptName struct {
	step   string
	number int
}

// merged forgets an incident whose pull request has been merged.
func (d *decider) merged() {
	if d.state.End != "" {
		d.actions = append(d.actions, CleanUp{})
		return
	}
	d.stopQueued()
	d.reply("merged-early", "This pull request was merged before the incident had ended. Nothing more will run.")
	d.actions = append(d.actions, d.people...)
}

// freeze stops everything that has not started: the branch is not the engine's any more, or its plan cannot be worked out.
func (d *decider) freeze() {
	d.stopQueued()
	if d.view.Pull == nil {
		return
	}
	if d.thaw(); len(d.commit.Events) > 0 {
		return // what the hub shows follows from it
	}
	d.thawComments()
	d.frozenPresses()
	why, id := "The branch was deleted, moved back or rewritten by somebody else.", "gone-"+d.view.Pull.Head
	if d.view.Unread != "" {
		why, id = "This version of the engine cannot work out the frozen plan: "+words(d.view.Unread)+". The version that incident.json names can.", "unread"
	}
	if f := d.view.Branch.Foreign; f != nil {
		why, id = "Commit "+f.Commit+" is not the engine's: "+words(f.Why)+".", "foreign-"+f.Commit
	}
	if key := "frozen-" + id; !d.view.Checks[key] && d.view.Pull.Head != "" {
		d.actions = append(d.actions, PublishRollup{ExternalID: key, Status: RollupFailed, Summary: why + " Nothing runs."})
	}
	d.reply("frozen-"+id, "**Frozen.** "+why+" Nothing runs on this incident until a person has looked into it."+d.thawHelp())
	d.actions = append(append(d.actions, d.people...), PublishBody{Urgent: true})
}

// words leaves of a text nothing that could mention, link or format: what is wrong with a foreign commit may quote it.
func words(text string) string {
	return strings.Map(func(c rune) rune {
		if unicode.IsLetter(c) || unicode.IsDigit(c) || strings.ContainsRune(" ,:;'()", c) {
			return c
		}
		return ' '
	}, text)
}

// stopQueued takes back the attempts that wait for a runner. What runs has its intent on the remote branch and ends.
func (d *decider) stopQueued() {
	for _, a := range d.view.Attempts {
		if a.State == AttemptQueued {
			d.actions = append(d.actions, Stop{a.Key})
		}
	}
}

// live decides on an incident that has not ended.
func (d *decider) live() {
	if d.view.Pull == nil && d.view.Branch.Pushed > 0 {
		d.actions = append(d.actions, OpenPull{}) // first of all: people must be able to see what follows
		return
	}
	if d.takeEdit() {
		return
	}
	before := d.state
	d.recordPull()
	facts := len(d.commit.Events)
	d.recordAlerts()
	d.recordRuns()
	d.recordOutcomes()
	d.recordRepeats()
	d.recordChildren()
	d.recordRecall()
	d.recordCommands()
	d.recordOverrides()
	d.recordMitigation()
	d.recordDebts()
	if !d.stale {
		d.advance()
	}
	if len(d.commit.Events) == facts {
		d.commit, d.state, d.owned = Commit{}, before, false // the pull request's number alone is not worth a commit: it travels with the next one
		if d.mustShow() {
			d.flushFor("what happened is shown")
		}
	}
	if d.frees(before) {
		d.flushFor("a lock is free")
	}
	d.emit()
}

// mustShow reports whether what is local has to be seen now: people are asked, or nothing is running that will end soon.
func (d *decider) mustShow() bool {
	return d.view.Branch.Pushed < d.state.Seq && (d.asking || d.halted || d.state.Paused != nil || !d.busy())
}

func (d *decider) busy() bool {
	return len(d.early) > 0 || slices.ContainsFunc(d.view.Attempts, func(a Attempt) bool {
		return a.State == AttemptQueued || a.State == AttemptRunning
	})
}

// emit puts the actions in the order that the package comment promises.
func (d *decider) emit() {
	d.actions = append(d.actions, d.early...)
	if len(d.commit.Events) > 0 {
		d.actions = append(d.actions, d.commit)
	}
	if d.flush {
		d.actions = append(d.actions, Flush{Confirm: d.confirm, Overrides: d.overrides, Edit: d.edit, Before: d.before, Why: d.why})
	}
	d.actions = append(append(d.actions, d.starts...), d.people...)
	if len(d.commit.Events) == 0 && !d.flush {
		d.publish()
	}
	if len(d.awaited.Names) > 0 {
		d.actions = append(d.actions, d.awaited)
	}
	if !d.wake.IsZero() {
		d.actions = append(d.actions, WakeAt{At: d.wake, Why: d.wakeWhy})
	}
}

// record adds one event to the commit of this look and moves the state on.
func (d *decider) record(data Data) bool {
	if !d.owned {
		d.state, d.owned = d.state.clone(), true
	}
	if err := d.state.apply(Event{Seq: d.state.Seq + 1, At: d.now, Data: data}); err != nil {
		return false // the fact contradicts the journal (an old attempt's outcome, a late vote): it changes nothing
	}
	d.commit.Events, d.commit.At = append(d.commit.Events, data), d.now
	return true
}

func (d *decider) flushFor(why string) {
	d.flush = true
	if d.why == "" {
		d.why = why
	}
}

func (d *decider) wakeAt(at time.Time, why string) {
	if d.wake.IsZero() || at.Before(d.wake) {
		d.wake, d.wakeWhy = at, why
	}
}

// reply answers once: the key is found again in the engine's own comments.
func (d *decider) reply(key, text string) {
	said := func(a Action) bool { r, ok := a.(Reply); return ok && r.Key == key }
	if d.view.Pull == nil || d.answered(key) || slices.ContainsFunc(d.people, said) {
		return
	}
	d.people = append(d.people, Reply{Key: key, Text: text})
}

// answered reports whether the reply with this key is on the pull request.
func (d *decider) answered(key string) bool {
	return slices.ContainsFunc(d.view.Comments, func(c Comment) bool { return c.Own && HasReplyKey(c.Body, key) })
}
