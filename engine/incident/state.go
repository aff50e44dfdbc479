package incident

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/pullbook/pullbook/engine/approval"
	"github.com/pullbook/pullbook/engine/runbook"
)

// Phase is where a step stands in the journal.
type Phase string

// The phases. A step of risk read goes from PhaseIdle to an end without PhaseStarted: it needs no intent.
const (
	PhaseIdle    Phase = ""        // nothing has happened, or a new round has begun
	PhaseGate    Phase = "gate"    // people are asked
	PhaseCleared Phase = "cleared" // its gate was approved and it has not started
	PhaseEach    Phase = "each"    // of a template: its elements are settled, and it waits for them
	PhaseStarted Phase = "started" // the intent is written
	PhaseUnknown Phase = "unknown" // nobody knows whether the effect happened: people are asked
	PhaseEnded   Phase = "ended"   // an attempt came to an end; Conclusion says how
	PhaseByHand  Phase = "by hand" // a person did it
	PhaseSkipped Phase = "skipped"
	PhaseBroken  Phase = "broken"  // its values could not be worked out
	PhaseRefused Phase = "refused" // its gate was rejected or expired
)

// StepState is what the journal says of one step.
type StepState struct {
	Phase      Phase
	Kind       runbook.Kind // of the attempt that started
	Round      int          // from 1
	Attempt    int          // the latest that started or ended, over all rounds; 0 before the first
	Tried      int          // attempts that ended in this round
	Conclusion runbook.Conclusion
	Output     json.RawMessage
	Started    time.Time // of the latest attempt
	Ended      time.Time // of the latest attempt, or when it was skipped, refused or done by hand
	Seq        int       // of the event that brought it to an end
	Why        string    // of a skip, a refusal, a failure: one sentence
	Gate       Gate
	Deadline   time.Time // of the attempt that started
	Repeats    Repeats
	Child      ID               // the incident that the latest attempt opened, if it opened one
	ChildURL   string           // of its pull request, once the attempt has ended
	Came       int              // how many incidents came from all attempts that have ended
	Workflow   string           // of a workflow that the latest attempt runs: blob id of its file
	Run        int64            // the workflow run that the latest attempt dispatched; 0: none is known
	RunURL     string           // its page
	StopAsked  time.Time        // when that run was told to stop; zero: it was not
	Runs       int              // how often it had been run when the attempt ended; 0 before
	Asked      []Deed           // who asked for a retry: they cannot approve it
	Owner      *approval.Person // who is to do it, where a person has said so: they cannot approve it
	Word       *Deed            // of the person who brought it to its end: they cannot approve what rests on it
	Spoke      []Barred         // of a step that opened a runbook: likewise, on that incident
	Locks      []string         // that the latest attempt took; State.Locks says which are held
	Closed     bool             // its outcome is unknown, and nobody is asked about it any more
	WouldRun   bool             // in a rehearsal: the latest attempt was not run
	Keys       []string         // of a template: of its elements, once they are settled
	since      int              // the event that asked people
	listed     int              // of a template: the event that settled its elements
}

// Gate is the latest gate of a step.
type Gate struct {
	Opened  time.Time // zero: never
	Page    string
	Digest  string
	Rule    runbook.Approval // in force: as it was asked, or with those to whom it was escalated
	Because []runbook.Demand // what the calendar demanded
	Votes   []approval.Vote  // that opened it
	Broken  *approval.Vote   // the review that opened it without votes

	Authors *runbook.Authorship // who wrote the step
	Edited  bool                // an edit has changed the step since: who wrote it is asked again

	Elements []string // of a template: the keys of those on the page

	Asked    runbook.Approval // as the gate was opened, with all lists of people
	Level    int              // how often it was escalated
	Why      string           // it was escalated the last time
	Since    time.Time        // when the time of Rule began
	Reminded bool             // within the time of Rule
}

// span is a time in which a gate was open with one page, in sequence numbers.
type span struct {
	step     string
	page     string
	from, to int // open at every seq with from <= seq < to; to is 0 while it is open
	debt     int // of a debt: the event that made it
}

// State is the fold of a journal.
type State struct {
	Seq          int // of the last event
	At           time.Time
	Opened       Opened
	OpenedAt     time.Time
	Pull         int
	PullURL      string
	Alert        Alert             // as last reported
	Plan         string            // SHA-256 of the plan directory as it is now, hex
	Edits        []PlanEdited      // of the plan, in order
	Known        map[string]bool   // digests of the notifications that are recorded
	AckedAt      time.Time         // the first time a person did anything
	Ackers       []approval.Person // who took notice by /ack, in order, each once
	MitigatedAt  time.Time
	Cancelled    *CancelAsked  // the first
	Recalled     *Recalled     // by its parent
	Aborted      *GateExpired  // by a gate that nobody answered
	Debts        []Debt        // gates whose glass was broken
	Paused       *Paused       // nil unless a person holds it
	Reopened     *Reopened     // nil unless a person has to say that it is over, since another one took that back
	Severity     *SeveritySet  // nil: as the plan says
	Undo         *UndoBegun    // nil unless what was done is, or was, undone
	Finally      *FinallyBegun // nil until the finally steps
	End          End           // empty while open
	EndedAt      time.Time
	Steps        map[string]*StepState  // as the journal has named them; what a pointer leads to never changes
	Heard        map[int64]bool         // comments that were obeyed
	Refused      map[int64]bool         // comments of which nothing was done, for good
	Strange      map[int64]int64        // by user id: up to which comment nothing is done of what they wrote, since they might not write then
	HeardReviews map[int64]bool         // reviews that skipped a step, or took it as done by hand
	Pressed      map[string]bool        // deliveries of the buttons that are recorded
	Waited       time.Duration          // during which at least one gate or request waited for people
	thaws        map[int64]bool         // reviews that gave the branch back
	thawedAt     int                    // the latest event that did
	elements     map[string]bool        // names of the elements that are settled
	stopped      map[runbook.Stage]bool // by /cancel
	stageSince   int                    // the event that began the stage it is in, or let it go on
	heldSince    int                    // the event of the latest pause or reopening
	spans        []span
	locks        map[string]string // that are held, by name: the step
	asking       int               // steps that wait for people
	waitedFrom   time.Time
}

// Fold makes the state of a journal. It returns an error that names the first event that cannot follow the ones before
// it: such a journal was not written by this engine.
func Fold(events []Event) (State, error) {
	s := State{Known: map[string]bool{}, Steps: map[string]*StepState{}, Heard: map[int64]bool{}, Refused: map[int64]bool{}, Strange: map[int64]int64{}, HeardReviews: map[int64]bool{}, Pressed: map[string]bool{}, stopped: map[runbook.Stage]bool{}, locks: map[string]string{}, thaws: map[int64]bool{}}
	for _, e := range events {
		if err := s.apply(e); err != nil {
			return State{}, fmt.Errorf("event %d (%s): %w", e.Seq, e.Data.Kind(), err)
		}
	}
	return s, nil
}

// With returns the state after further events. The receiver does not change.
func (s State) With(events ...Event) (State, error) {
	s = s.clone()
	for _, e := range events {
		if err := s.apply(e); err != nil {
			return State{}, fmt.Errorf("event %d (%s): %w", e.Seq, e.Data.Kind(), err)
		}
	}
	return s, nil
}

// clone returns a state that shares nothing that apply changes.
func (s State) clone() State {
	s.Known, s.Steps, s.Heard = maps.Clone(s.Known), maps.Clone(s.Steps), maps.Clone(s.Heard)
	s.spans, s.stopped, s.elements = slices.Clone(s.spans), maps.Clone(s.stopped), maps.Clone(s.elements)
	s.locks, s.thaws, s.HeardReviews = maps.Clone(s.locks), maps.Clone(s.thaws), maps.Clone(s.HeardReviews)
	s.Pressed, s.Refused, s.Strange = maps.Clone(s.Pressed), maps.Clone(s.Refused), maps.Clone(s.Strange)
	return s
}

// Over reports whether the step will not run again unless a person says so.
func (s StepState) Over() bool {
	switch s.Phase {
	case PhaseEnded, PhaseByHand, PhaseSkipped, PhaseBroken, PhaseRefused:
		return true
	}
	return false
}

// Good reports whether the step has ended as the plan wants it.
func (s StepState) Good() bool {
	return s.Phase == PhaseByHand || s.Phase == PhaseSkipped || s.Phase == PhaseEnded && s.Conclusion == runbook.Succeeded
}

// Step returns the state of a step, idle in its first round if the journal has not named it.
func (s State) Step(name string) StepState {
	if st, ok := s.Steps[name]; ok {
		return *st
	}
	return StepState{Round: 1}
}

// Shown gives, for each commit of the engine, the gates that were open at it, and the debts of other steps that were owed.
// commits maps a commit to the sequence number of the last event in it.
func (s State) Shown(commits map[string]int) map[string][]approval.Shown {
	out := make(map[string][]approval.Shown, len(commits))
	for sha, seq := range commits {
		out[sha] = s.shownAt(seq)
	}
	return out
}

func (s State) shownAt(seq int) []approval.Shown {
	shown, owed := []approval.Shown{}, []approval.Shown{}
	for _, sp := range s.spans {
		one := approval.Shown{Step: sp.step, Page: sp.page}
		switch {
		case sp.from > seq || sp.to > 0 && seq >= sp.to:
		case sp.debt > 0:
			owed = append(owed, one)
		default:
			shown = append(shown, one)
		}
	}
	for _, debt := range owed { // of several of one step the first is asked about first
		if !slices.ContainsFunc(shown, func(x approval.Shown) bool { return x.Step == debt.Step }) {
			shown = append(shown, debt)
		}
	}
	return shown
}

// Ended gives what later steps may refer to: every step that will not run again, as far as plan lets it be over. For the
// finally steps every step of the other stages has ended; one that had not begun, or whose outcome nobody knows, counts as
// cancelled. Of elements others see what their template collects; while it is undone, what it has collected so far.
func (s State) Ended(plan runbook.Plan) map[string]runbook.Ended {
	out := map[string]runbook.Ended{}
	for _, step := range plan.Steps {
		if step.Of != "" {
			continue
		}
		st := s.Step(step.Name)
		undone := step.Each && len(st.Keys) > 0 && s.Stage() == runbook.StageUndo && step.Stage == runbook.StageMain
		if s.Settled(step) || undone {
			end := st.seenLater()
			if st.Phase == PhaseEach && s.oneFailed(step.Name, st.Keys) {
				end.Conclusion = runbook.Failed // the incident went on because of that, and did not wait for the others
			}
			if undone {
				end.Happened, end.Output = s.happened(step.Name)
			}
			out[step.Name] = end
		}
	}
	return out
}

// oneFailed reports whether an element of a template has ended badly by itself: not because somebody or something called it off.
func (s State) oneFailed(template string, keys []string) bool {
	return slices.ContainsFunc(keys, func(key string) bool {
		st := s.Step(template + "." + key)
		return st.Over() && !st.Good() && st.seenLater().Conclusion != runbook.Cancelled
	})
}

func (s StepState) seenLater() runbook.Ended {
	e := runbook.Ended{Conclusion: runbook.Cancelled, Output: s.Output}
	switch s.Phase {
	case PhaseEnded:
		e.Conclusion = s.Conclusion
	case PhaseByHand:
		e.Conclusion = runbook.Succeeded
	case PhaseBroken, PhaseRefused:
		e.Conclusion = runbook.Failed
	case PhaseSkipped:
		e.Conclusion, e.Skipped = "", true
	}
	return e
}

// Settled reports whether a step is over for the plan, with what stage the incident is in.
func (s State) Settled(step runbook.Step) bool {
	return s.settled(step) || s.Finally != nil && step.Stage != runbook.StageFinally
}

// settled reports whether a step has ended in a way after which the plan goes on: it is good, or it failed for good and
// the author said that the incident continues without it.
func (s State) settled(step runbook.Step) bool {
	st := s.Step(step.Name)
	if step.Of != "" && st.Phase != PhaseStarted && st.Phase != PhaseUnknown && s.Step(step.Of).Over() {
		return true // what had not begun when its template was over never begins
	}
	return st.Over() && (st.Good() || step.OnFailure == runbook.FailureContinues && !retriesLeft(step, st))
}

func retriesLeft(step runbook.Step, st StepState) bool {
	return !step.Each && st.Phase == PhaseEnded && st.Conclusion != runbook.Succeeded && st.Conclusion != runbook.Cancelled &&
		st.Tried < step.Retry.Attempts
}

// RetryAt is when a failed step is tried again by itself; zero if it is not.
func (s State) RetryAt(step runbook.Step) time.Time {
	st := s.Step(step.Name)
	if step.Stage != s.Stage() || s.Stopped() || !retriesLeft(step, st) {
		return time.Time{}
	}
	return st.Ended.Add(step.Retry.Pause(st.Tried, runbook.AttemptKey(string(s.Opened.ID), step.Name, st.Attempt)))
}
