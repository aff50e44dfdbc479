package incident

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/pullbook/pullbook/engine/approval"
	"github.com/pullbook/pullbook/engine/runbook"
)

// Paused records that a person holds the incident: until Resumed nothing starts, no gate lets a step start, and the incident
// does not end. What runs ends, gates stay open and take votes, and the time of waits and gates goes on.
type Paused struct {
	Why  string `json:"why"`
	Deed Deed   `json:"deed"`
}

// Resumed ends a pause. So does a word that stops the incident: CancelAsked, and Recalled.
type Resumed struct {
	Deed Deed `json:"deed"`
}

// Noted puts a line into the timeline.
type Noted struct {
	Text string `json:"text"`
	Deed Deed   `json:"deed"`
}

// SeveritySet records that a person sees the problem as graver or slighter than the plan does.
type SeveritySet struct {
	Severity string `json:"severity"` // one of Severities
	Deed     Deed   `json:"deed"`
}

// Assigned records who is to do a manual step. Anybody who may command says that it is done; who is to do it does not approve it.
type Assigned struct {
	Step string          `json:"step"`
	To   approval.Person `json:"to"`
	Deed Deed            `json:"deed"`
}

// Reopened takes back that the incident is over: its end, before the merge; what /cancel stopped, before anything of it was
// undone; or that the problem is. From then on the incident ends only after a person has said /resolve or /cancel.
type Reopened struct {
	Deed Deed `json:"deed"`
}

// Kind implements Data.
func (Paused) Kind() string { return "paused" }

// Kind implements Data.
func (Resumed) Kind() string { return "resumed" }

// Kind implements Data.
func (Noted) Kind() string { return "noted" }

// Kind implements Data.
func (SeveritySet) Kind() string { return "severity-set" }

// Kind implements Data.
func (Assigned) Kind() string { return "assigned" }

// Kind implements Data.
func (Reopened) Kind() string { return "reopened" }

// Severities are those of the runbook language, gravest first.
func Severities() []string { return []string{"sev1", "sev2", "sev3", "sev4"} }

// SeverityOf is how grave the problem is: as a person said last, or as the plan says; empty when nobody says.
func (s State) SeverityOf(p runbook.Plan) string {
	if s.Severity != nil {
		return s.Severity.Severity
	}
	return p.Severity
}

// takeWord applies the events that only a person's word causes and that are about the incident; ok is false for others.
func (s *State) takeWord(e Event) (ok bool, err error) {
	switch d := e.Data.(type) {
	case Acknowledged:
		s.hear(e, d.Deed)
		if !slices.ContainsFunc(s.Ackers, func(p approval.Person) bool { return p.ID == d.Deed.By.ID }) {
			s.Ackers = append(slices.Clip(s.Ackers), d.Deed.By)
		}
	case CancelAsked:
		return true, s.cancelAsked(e, d)
	case Paused:
		return true, s.pause(e, d)
	case Resumed:
		if s.Paused == nil {
			return true, errors.New("it is not paused")
		}
		s.Paused, s.stageSince = nil, e.Seq
		s.hear(e, d.Deed)
	case Noted:
		s.hear(e, d.Deed)
	case SeveritySet:
		if s.Severity != nil && s.Severity.Severity == d.Severity {
			return true, fmt.Errorf("its severity is %s already", d.Severity)
		}
		s.Severity = &d
		s.hear(e, d.Deed)
	case Reopened:
		return true, s.reopened(e, d)
	case CommandRefused:
		return true, s.commandRefused(d)
	default:
		return false, nil
	}
	return true, nil
}

func (s *State) pause(e Event, d Paused) error {
	switch {
	case s.Paused != nil:
		return errors.New("it is paused already")
	case s.Stopped():
		return errors.New("it is being stopped")
	}
	s.Paused, s.heldSince = &d, e.Seq
	s.hear(e, d.Deed)
	return nil
}

// errPaused says that something began that has to wait for the end of a pause.
var errPaused = errors.New("it is paused")

// errReopened says that the incident ended although a person has to say so.
var errReopened = errors.New("a person has reopened it, and nobody has said since that it is over")

// mayEnd checks that the incident may come to an end, or to its finally steps.
func (s *State) mayEnd(end End) error {
	switch {
	case s.Paused != nil:
		return errPaused
	case s.Reopened != nil && end == EndResolved:
		return errReopened
	}
	return nil
}

// reopenProblem says why the incident cannot be reopened, or nothing.
func (s State) reopenProblem() string {
	switch {
	case s.Undo != nil:
		return "what had succeeded is being undone, or has been; that is not taken back"
	case s.Recalled != nil:
		return "the incident that opened this one does not want it to go on"
	case s.Aborted != nil:
		return "nobody approved " + s.Aborted.Step + " in time, and that is how its plan ends it"
	case s.Finally != nil && (s.Finally.End != EndResolved || s.stopped[runbook.StageFinally]):
		return "its finally steps have begun, after it was cancelled"
	case s.End == "" && s.Cancelled == nil && s.MitigatedAt.IsZero():
		return "the incident is open, and nobody has said that it is over"
	case s.End != "" && s.lockLost():
		return "nobody knows the outcome of a step whose locks others may have by now"
	}
	return ""
}

// lockLost reports whether the end has freed a lock that the state of a step would hold.
func (s State) lockLost() bool {
	for _, st := range s.Steps {
		if st.holds() && len(st.Locks) > 0 {
			return true
		}
	}
	return false
}

func (s *State) reopened(e Event, d Reopened) error {
	if why := s.reopenProblem(); why != "" {
		return errors.New(why)
	}
	if s.Cancelled != nil {
		for name, at := range maps.Clone(s.Steps) {
			st := *at
			if st.Phase == PhaseGate || st.Phase == PhaseCleared { // its gate was closed, and is asked again
				st.Phase, st.Gate = PhaseIdle, Gate{}
				s.set(name, st)
			}
		}
	}
	s.Cancelled, s.End, s.Reopened = nil, "", &d
	s.EndedAt, s.MitigatedAt = time.Time{}, time.Time{}
	delete(s.stopped, runbook.StageMain)
	s.stageSince, s.heldSince = e.Seq, e.Seq
	s.hear(e, d.Deed)
	return nil
}

func (s *State) assigned(e Event, d Assigned) error {
	st := s.Step(d.Step)
	switch {
	case st.Over():
		return fmt.Errorf("step %s is over", d.Step)
	case st.Owner != nil && st.Owner.ID == d.To.ID:
		return fmt.Errorf("step %s is assigned to %s already", d.Step, d.To.Login)
	}
	st.Owner = &d.To
	s.set(d.Step, st)
	s.hear(e, d.Deed)
	return nil
}

// skipped ends a step that will not run: as the plan says, or on the word of people.
func (s *State) skipped(e Event, d StepSkipped) error {
	if s.Step(d.Step).Phase == PhaseUnknown && d.Deed != nil {
		return fmt.Errorf("nobody knows whether step %s happened", d.Step)
	}
	if err := s.end(e, d.Step, PhaseSkipped, d.Why); err != nil || d.Deed == nil {
		return err
	}
	st := s.Step(d.Step)
	st.Word, st.Spoke = d.Deed, nil
	for _, v := range d.Votes {
		if v.By.ID != d.Deed.By.ID {
			st.Spoke = append(st.Spoke, Barred{ID: v.By.ID, Login: v.By.Login, Why: "this rests on their word about " + d.Step})
		}
	}
	s.set(d.Step, st)
	s.reopen(d.Step)
	s.hear(e, *d.Deed)
	s.hearVotes(d.Votes)
	return nil
}

func (s *State) byHand(e Event, d StepByHand) error {
	if err := s.end(e, d.Step, PhaseByHand, d.What); err != nil {
		return err
	}
	st := s.Step(d.Step)
	st.Word = &d.Deed
	s.set(d.Step, st)
	s.reopen(d.Step)
	s.hear(e, d.Deed)
	s.hearVotes(d.Votes)
	return nil
}

// hearVotes notes the reviews that a decision rests on: none of them decides anything a second time.
func (s *State) hearVotes(votes []approval.Vote) {
	for _, v := range votes {
		s.HeardReviews[v.Review] = true
	}
}
