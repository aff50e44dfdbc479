package incident

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/pullbook/pullbook/engine/runbook"
)

var (
	errGap      = errors.New("does not follow the event before it")
	errNotOpen  = errors.New("the journal does not begin with opened")
	errAfterEnd = errors.New("nothing may follow the end")
)

// apply adds one event, and changes nothing if it returns an error. It checks what must hold in every journal that this engine writes; a journal that breaks it is
// refused, never guessed at.
func (s *State) apply(e Event) error {
	switch {
	case e.Seq != s.Seq+1:
		return fmt.Errorf("%w: after %d", errGap, s.Seq)
	case s.Seq == 0 && e.Data.Kind() != Opened{}.Kind():
		return errNotOpen
	case s.End != "" && e.Data.Kind() != Thawed{}.Kind() && e.Data.Kind() != Reopened{}.Kind():
		return errAfterEnd
	case e.At.Before(s.At):
		return fmt.Errorf("its time %s is before that of the event before it", e.At)
	}
	if err := s.take(e); err != nil {
		return err
	}
	s.Seq, s.At = e.Seq, e.At
	s.countWaiting(e)
	return nil
}

func (s *State) take(e Event) error {
	if word, err := s.takeWord(e); word {
		return err
	}
	switch d := e.Data.(type) {
	case Opened:
		if s.Seq != 0 {
			return errors.New("the incident is open already")
		}
		s.Opened, s.OpenedAt, s.Alert, s.Plan = d, e.At, d.Alert, d.Plan
		s.Known[d.Alert.Digest()] = true
	case PullOpened:
		s.Pull, s.PullURL = d.Number, d.URL
	case AlertUpdated:
		s.Alert = d.Alert
		s.Known[d.Alert.Digest()] = true
	case Thawed:
		return s.thawed(e, d)
	case PlanEdited:
		return s.planEdited(e, d)
	case Recalled:
		return s.recalled(e, d)
	case UndoBegun:
		return s.undoBegun(e, d)
	case FinallyBegun:
		return s.finallyBegun(e, d)
	case Mitigated:
		if d.Deed != nil {
			s.hear(e, *d.Deed)
			s.Reopened = nil
		}
		if s.MitigatedAt.IsZero() {
			s.MitigatedAt = e.At
		}
	case Ended:
		if s.Finally != nil && !s.Stopped() && d.End != s.Finally.End {
			return fmt.Errorf("it ends as %q after it was to end as %q", d.End, s.Finally.End)
		}
		if err := s.mayEnd(d.End); err != nil {
			return err
		}
		s.End, s.EndedAt = d.End, e.At
		clear(s.locks)
		if s.MitigatedAt.IsZero() && d.End == EndResolved {
			s.MitigatedAt = e.At
		}
	default:
		return s.takeStep(e)
	}
	return nil
}

// takeStep applies the events that move one step.
func (s *State) takeStep(e Event) error {
	if err := s.eachFits(e.Data); err != nil {
		return err
	}
	switch d := e.Data.(type) {
	case EachExpanded:
		return s.eachExpanded(e, d)
	case StepStarted:
		return s.stepStarted(e, d)
	case StepEnded:
		return s.stepEnded(e, d)
	case RepeatStarted:
		return s.repeatStarted(e, d)
	case RepeatEnded:
		return s.repeatEnded(d)
	case ChildOpened:
		return s.childOpened(d)
	case RunDispatched:
		return s.runDispatched(d)
	case RunStopAsked:
		return s.runStopAsked(e, d)
	case StepSkipped:
		return s.skipped(e, d)
	case Assigned:
		return s.assigned(e, d)
	case StepBroken:
		return s.end(e, d.Step, PhaseBroken, d.Problem)
	case StepUnknown:
		st := s.Step(d.Step)
		if st.Phase != PhaseStarted || st.Attempt != d.Attempt {
			return fmt.Errorf("step %s is not in attempt %d", d.Step, d.Attempt)
		}
		st.Phase, st.since = PhaseUnknown, e.Seq
		s.set(d.Step, st)
	case StepByHand:
		return s.byHand(e, d)
	case RetryAsked:
		if err := s.retryAsked(d); err != nil {
			return err
		}
		s.hear(e, d.Deed)
	default:
		return s.takeGate(e)
	}
	return nil
}

// takeGate applies the events that move a gate.
func (s *State) takeGate(e Event) error {
	switch d := e.Data.(type) {
	case GateOpened:
		return s.gateOpened(e, d)
	case GateApproved:
		return s.gateApproved(e, d)
	case GateRejected:
		if err := s.gateRefused(e, d.Step, "rejected by "+d.Vote.By.Login); err != nil {
			return err
		}
		s.acknowledge(e)
		return nil
	case GlassBroken:
		return s.glassBroken(e, d)
	case GlassReviewed:
		return s.glassReviewed(e, d)
	case GateLifted:
		return s.gateLifted(e, d)
	case GateExpired:
		return s.gateExpired(e, d)
	case GateReminded:
		return s.gateReminded(e, d)
	case GateEscalated:
		return s.gateEscalated(e, d)
	}
	return fmt.Errorf("unknown type %T", e.Data)
}

func (s *State) gateOpened(e Event, d GateOpened) error {
	st := s.Step(d.Step)
	if st.Phase != PhaseGate && st.Phase != PhaseEach && !st.unasked() || st.Round != d.Round { // after a failed attempt, approvals that are gone are asked for again
		return fmt.Errorf("step %s cannot be asked for while it is %q in round %d", d.Step, st.Phase, st.Round)
	}
	if st.settledList() && !slices.Equal(d.Elements, st.Keys) {
		return fmt.Errorf("step %s is asked for with other elements than it has", d.Step)
	}
	s.closeGate(d.Step, e.Seq)
	s.spans = append(s.spans, span{step: d.Step, page: d.Page, from: e.Seq})
	st.Phase, st.since, st.Gate = PhaseGate, e.Seq, Gate{Opened: e.At, Page: d.Page, Digest: d.Digest, Rule: d.Rule, Because: d.Because, Authors: d.Authors, Elements: d.Elements,
		Asked: d.Rule, Since: e.At}
	s.set(d.Step, st)
	return nil
}

func (s *State) gateApproved(e Event, d GateApproved) error {
	st := s.Step(d.Step)
	switch {
	case st.Phase != PhaseGate:
		return errNoGate(d.Step)
	case st.Gate.Page != d.Page:
		return fmt.Errorf("the votes are for another page of step %s", d.Step)
	case len(d.Votes) < st.Gate.Rule.Least():
		return fmt.Errorf("step %s has %d of %d approvals", d.Step, len(d.Votes), st.Gate.Rule.Least())
	}
	voters := map[int64]bool{}
	for _, v := range d.Votes {
		if voters[v.By.ID] {
			return fmt.Errorf("%s approved step %s twice", v.By.Login, d.Step)
		}
		voters[v.By.ID] = true
	}
	st.Gate.Votes = d.Votes
	s.cleared(e, d.Step, st)
	return nil
}

func errNoGate(step string) error { return fmt.Errorf("step %s has no open gate", step) }

func (s *State) gateRefused(e Event, step, why string) error {
	if s.Step(step).Phase != PhaseGate {
		return errNoGate(step)
	}
	return s.end(e, step, PhaseRefused, why)
}

func (s *State) stepStarted(e Event, d StepStarted) error {
	st := s.Step(d.Step)
	if s.Paused != nil {
		return errPaused
	}
	if st.Phase != PhaseCleared && !st.unasked() {
		return fmt.Errorf("step %s cannot start while it is %q", d.Step, st.Phase)
	}
	if d.Attempt != st.Attempt+1 {
		return fmt.Errorf("attempt %d of step %s does not follow attempt %d", d.Attempt, d.Step, st.Attempt)
	}
	gate := st.Gate
	if template, _, isElement := runbook.SplitName(d.Step); isElement {
		var err error
		if gate, err = s.elementStarts(template, st, d); err != nil {
			return err
		}
	}
	if d.Gate != "" && (d.Gate != gate.Page || !gate.Open()) {
		return fmt.Errorf("step %s starts behind a gate that was not approved", d.Step)
	}
	if err := errors.Join(s.lockable(d), s.rehearses(d)); err != nil {
		return err
	}
	st.WouldRun = d.WouldRun
	st.Phase, st.Kind, st.Attempt, st.Started, st.Deadline, st.since, st.Child = PhaseStarted, d.Work, d.Attempt, e.At, d.Deadline, e.Seq, ""
	st.Locks, st.Workflow, st.Run, st.RunURL, st.Runs = d.Locks, d.Workflow, 0, "", 0
	s.set(d.Step, st)
	return nil
}

func (s *State) stepEnded(e Event, d StepEnded) error {
	st := s.Step(d.Step)
	if st.settledList() {
		if err := s.collects(st, d); err != nil {
			return err
		}
	}
	if err := s.rehearsed(st, d); err != nil {
		return err
	}
	switch {
	case st.Phase == PhaseStarted && d.Attempt != st.Attempt:
		return fmt.Errorf("outcome of attempt %d of step %s, which is in attempt %d", d.Attempt, d.Step, st.Attempt)
	case st.Phase != PhaseStarted && st.Phase != PhaseEach && !st.unasked():
		return fmt.Errorf("step %s cannot end while it is %q", d.Step, st.Phase)
	case st.Phase != PhaseStarted && d.Attempt != st.Attempt+1:
		return fmt.Errorf("attempt %d of step %s does not follow attempt %d", d.Attempt, d.Step, st.Attempt)
	}
	if d.Deed != nil {
		s.hear(e, *d.Deed)
	}
	st.Phase, st.Attempt, st.Conclusion, st.Output, st.Why = PhaseEnded, d.Attempt, d.Conclusion, d.Output, d.Error
	st.Word, st.Spoke, st.WouldRun = d.Deed, d.Spoke, d.WouldRun
	st.Started, st.Ended, st.Seq = d.Started, d.Ended, e.Seq
	st.Tried++
	came, err := d.came(st.Child)
	if err != nil {
		return err
	}
	st.Came += came
	st.ChildURL = ""
	if st.Child != "" {
		st.ChildURL = d.Facts[factPull]
	}
	st.Runs, _ = strconv.Atoi(d.Facts[factRunAttempt])
	s.set(d.Step, st)
	return nil
}

// unasked reports whether an attempt of the step may begin without a gate that is open or was passed: it has not begun,
// or its latest attempt ended badly.
func (s StepState) unasked() bool {
	return s.Phase == PhaseIdle || s.Phase == PhaseEnded && s.Conclusion != runbook.Succeeded
}

func (s *State) retryAsked(d RetryAsked) error {
	st := s.Step(d.Step)
	if d.Round != st.Round+1 {
		return fmt.Errorf("round %d of step %s does not follow round %d", d.Round, d.Step, st.Round)
	}
	badly := st
	if d.For != "" {
		if badly = s.Step(d.For); !st.Over() {
			return fmt.Errorf("step %s is not over, so it is not begun anew for %s", d.Step, d.For)
		}
	}
	if badly.Good() || !badly.Over() && badly.Phase != PhaseUnknown {
		return fmt.Errorf("step %s has not ended badly", cmp.Or(d.For, d.Step))
	}
	if st.settledList() && st.Phase == PhaseEnded {
		return fmt.Errorf("step %s does nothing but through its elements", d.Step)
	}
	s.set(d.Step, StepState{Round: d.Round, Attempt: st.Attempt, Asked: append(slices.Clone(st.Asked), d.Deed), Owner: st.Owner, Keys: st.Keys, Came: st.Came, listed: st.listed})
	s.reopen(d.Step)
	return nil
}

func (s *State) end(e Event, step string, phase Phase, why string) error {
	st := s.Step(step)
	if st.Good() && st.Over() {
		return fmt.Errorf("step %s is over", step)
	}
	s.closeGate(step, e.Seq)
	st.Phase, st.Why, st.Seq, st.Ended = phase, why, e.Seq, e.At
	s.set(step, st)
	return nil
}

func (s *State) closeGate(step string, seq int) {
	for i := range s.spans {
		if s.spans[i].step == step && s.spans[i].to == 0 && s.spans[i].debt == 0 {
			s.spans[i].to = seq
		}
	}
}

func (s *State) closeGates(seq int) {
	for i := range s.spans {
		if s.spans[i].to == 0 && s.spans[i].debt == 0 {
			s.spans[i].to = seq
		}
	}
}

func (s *State) hear(e Event, d Deed) {
	switch d.Via {
	case ViaComment:
		s.Heard[d.ID] = true
	case ViaReview:
		s.HeardReviews[d.ID] = true
	case ViaButton:
		s.Pressed[d.Delivery] = true
	}
	s.acknowledge(e)
}

func (s *State) acknowledge(e Event) {
	if s.AckedAt.IsZero() {
		s.AckedAt = e.At
	}
}

// countWaiting adds up the time in which the incident waited for people.
func (s *State) countWaiting(e Event) {
	waits := s.End == "" && !s.Stopped() && s.asking > 0
	switch {
	case waits && s.waitedFrom.IsZero():
		s.waitedFrom = e.At
	case !waits && !s.waitedFrom.IsZero():
		s.Waited += e.At.Sub(s.waitedFrom)
		s.waitedFrom = time.Time{}
	}
}

// set moves one step, and keeps count of those that wait for people.
func (s *State) set(name string, st StepState) {
	before := s.Step(name)
	s.relock(name, before, st)
	if before.asksPeople() {
		s.asking--
	}
	if st.asksPeople() {
		s.asking++
	}
	s.Steps[name] = &st
}

func (s StepState) asksPeople() bool {
	return s.Phase == PhaseGate || s.Phase == PhaseUnknown && !s.Closed || s.Phase == PhaseStarted && s.Kind.AsksPeople()
}
