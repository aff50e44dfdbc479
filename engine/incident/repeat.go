package incident

import (
	"fmt"
	"time"

	"github.com/pullbook/pullbook/engine/approval"
	"github.com/pullbook/pullbook/engine/runbook"
)

// RepeatStarted is the intent of a repetition: a step that has succeeded is done again, until the incident is mitigated. How
// the step ended, and what it put out, stays as it is.
type RepeatStarted struct {
	Step     string    `json:"step"`
	Attempt  int       `json:"attempt"` // counted on from the attempt that succeeded
	Key      string    `json:"key"`
	Digest   string    `json:"digest"`         // of the step and everything upstream of it, hex
	Gate     string    `json:"gate,omitempty"` // SHA-256 of the approved gate page
	Deadline time.Time `json:"deadline"`
}

// RepeatEnded is the outcome of a repetition. One that failed holds nothing up: the next is due at its time.
type RepeatEnded struct {
	Step       string             `json:"step"`
	Attempt    int                `json:"attempt"`
	Conclusion runbook.Conclusion `json:"conclusion"`
	Started    time.Time          `json:"started"`
	Ended      time.Time          `json:"ended"`
	Evidence   string             `json:"evidence,omitempty"` // SHA-256 of evidence/.../log.txt, hex
	Cut        []runbook.Cut      `json:"cut,omitempty"`
	Facts      map[string]string  `json:"facts,omitempty"`
	Error      string             `json:"error,omitempty"`
}

// Kind implements Data.
func (RepeatStarted) Kind() string { return "repeat-started" }

// Kind implements Data.
func (RepeatEnded) Kind() string { return "repeat-ended" }

// Repeats is what the journal says of the repetitions of a step.
type Repeats struct {
	Attempt    int // the latest; 0 before the first
	Running    bool
	Begun      time.Time // of the latest
	Ended      time.Time // of the latest that ended
	Conclusion runbook.Conclusion
	Why        string // the latest that ended failed
	Done       int    // that ended
	Failed     int    // of those
}

// RepeatAt is when a step that has succeeded is due again, which is so only in the main stage of an incident that is not
// mitigated; zero if it is not. It counts from the beginning of the latest attempt, so that what was missed while nothing
// ran is made up for once, and not each time.
func (s State) RepeatAt(step runbook.Step) time.Time {
	st := s.Step(step.Name)
	switch {
	case step.Every <= 0 || step.Each || step.TakesLocks || !step.Kind.NeedsRunner() || step.Stage != runbook.StageMain || !s.unmitigated() || st.Repeats.Running:
		return time.Time{}
	case st.Phase != PhaseEnded || st.Conclusion != runbook.Succeeded || st.WouldRun:
		return time.Time{}
	case st.Repeats.Attempt > 0:
		return st.Repeats.Begun.Add(step.Every)
	}
	return st.Started.Add(step.Every)
}

// unmitigated reports whether the incident is in its main stage, and the problem is not over.
func (s State) unmitigated() bool {
	return s.End == "" && s.Stage() == runbook.StageMain && !s.Stopped() && s.MitigatedAt.IsZero()
}

// next is the number of the next repetition.
func (s StepState) next() int { return max(s.Attempt, s.Repeats.Attempt) + 1 }

func (s *State) repeatStarted(e Event, d RepeatStarted) error {
	st := s.Step(d.Step)
	gate := st.Gate
	if template, _, isElement := runbook.SplitName(d.Step); isElement && st.Round == 1 {
		gate = s.Step(template).Gate
	}
	switch {
	case st.Phase != PhaseEnded || st.Conclusion != runbook.Succeeded || st.settledList():
		return fmt.Errorf("step %s cannot be repeated before it has succeeded", d.Step)
	case s.Paused != nil:
		return errPaused
	case !s.unmitigated():
		return fmt.Errorf("step %s is repeated although the incident is mitigated, or its main stage over", d.Step)
	case st.WouldRun:
		return fmt.Errorf("step %s is repeated: %w", d.Step, errRehearsed)
	case st.Repeats.Running || d.Attempt != st.next():
		return fmt.Errorf("repetition %d of step %s does not follow attempt %d", d.Attempt, d.Step, st.next()-1)
	case d.Gate != "" && (d.Gate != gate.Page || !gate.Open()):
		return fmt.Errorf("step %s is repeated behind a gate that was not approved", d.Step)
	}
	st.Repeats.Attempt, st.Repeats.Running, st.Repeats.Begun = d.Attempt, true, e.At
	s.set(d.Step, st)
	return nil
}

func (s *State) repeatEnded(d RepeatEnded) error {
	st := s.Step(d.Step)
	if !st.Repeats.Running || st.Repeats.Attempt != d.Attempt {
		return fmt.Errorf("repetition %d of step %s has not begun", d.Attempt, d.Step)
	}
	r := &st.Repeats
	r.Running, r.Ended, r.Conclusion, r.Why = false, d.Ended, d.Conclusion, d.Error
	r.Done++
	if d.Conclusion != runbook.Succeeded {
		r.Failed++
	}
	s.set(d.Step, st)
	return nil
}

// recordRepeats writes down how repetitions ended. Nothing rests on that, and of what nobody knows nobody is asked: the
// next one comes.
func (d *decider) recordRepeats() {
	for step, st := range d.astir() {
		if !st.Repeats.Running {
			continue
		}
		lost := runbook.Outcome{Step: step.Name, Attempt: st.Repeats.Attempt, Conclusion: runbook.Failed, Started: st.Repeats.Begun, Ended: d.now,
			Error: "nobody knows whether it happened: the runner was lost"}
		switch a, known := d.attempt(step.Name, st.Repeats.Attempt); {
		case known && a.State == AttemptEnded && a.Outcome != nil:
			d.recordRepeat(*a.Outcome)
		case known && (a.State == AttemptLost || a.State == AttemptEnded):
			d.recordRepeat(lost)
		case !known && !(step.Repeatable() && d.state.unmitigated()):
			d.recordRepeat(lost)
		}
	}
}

func (d *decider) recordRepeat(o runbook.Outcome) {
	if o.Conclusion == runbook.Unknown {
		o.Conclusion = runbook.Failed
	}
	ended := RepeatEnded{Step: o.Step, Attempt: o.Attempt, Conclusion: o.Conclusion, Started: o.Started.UTC(), Ended: o.Ended.UTC(),
		Cut: o.Cut, Facts: o.Facts, Error: o.Error}
	if o.Log != "" {
		ended.Evidence = runbook.PageDigest([]byte(o.Log))
	}
	if d.record(ended) && o.Log != "" {
		d.commit.Evidence = append(d.commit.Evidence, Evidence{Step: o.Step, Attempt: o.Attempt, Log: o.Log})
	}
}

// repeat does again what is due again. An incident that is halted, or waits for people, goes on telling so; one of which
// every step is over only awaits what is under way.
func (d *decider) repeat(over bool) {
	if !d.state.unmitigated() {
		return
	}
	for i := range d.plan.Steps {
		if at, named := d.state.Steps[d.plan.Steps[i].Name]; d.plan.Steps[i].Every <= 0 && !(named && at.Repeats.Running) {
			continue
		}
		step := d.plan.Steps[i]
		st := d.state.Step(step.Name)
		if _, known := d.attempt(step.Name, st.Repeats.Attempt); st.Repeats.Running && !known {
			d.starts = append(d.starts, d.start(step, st.Repeats.Attempt)) // it may be repeated, or it would be recorded as lost
			continue
		}
		due := d.state.RepeatAt(step)
		switch {
		case over || due.IsZero() || d.state.Paused != nil:
		case d.clock.Before(due):
			d.wakeAt(due, step.Name+" is repeated")
		case !d.full(step):
			d.repeatNow(step, st)
		}
	}
}

// repeatNow begins a repetition of what the step is now. One behind a gate is what was approved, by approvals that stand.
func (d *decider) repeatNow(step runbook.Step, st StepState) {
	if step.Now.Status != runbook.StatusReady {
		return
	}
	intent := RepeatStarted{Step: step.Name, Attempt: st.next(), Key: d.key(step, st.next()), Deadline: d.now.Add(step.Timeout)}
	intent.Digest, intent.Gate = d.bound(step, st)
	if step.Approval != nil {
		gate, stands := d.standing(step, st)
		if !stands {
			d.wakeForCalendar(step)
			return
		}
		d.confirm = append(d.confirm, gate)
	}
	if !d.record(intent) {
		return
	}
	d.departs(step)
	d.room--
	d.flushFor("the intent of " + step.Name)
	d.starts = append(d.starts, d.start(step, intent.Attempt))
	d.wakeAt(d.now.Add(step.Every), step.Name+" is repeated")
}

// standing is the gate of a step that was passed; stands is false if it was for something else than would run now, or its
// approvals are gone.
func (d *decider) standing(step runbook.Step, st StepState) (gate approval.Gate, stands bool) {
	if underTemplate(step, st) {
		template, ok := d.plan.Step(step.Of)
		if !ok {
			return gate, false // unreachable: an element stands beside its template
		}
		c := d.coverOf(template)
		return c.gate, c.covers
	}
	opened, _ := d.asked(step, st)
	gate = d.approvalGate(step, st)
	return gate, gate.Page == opened.Page && d.answer(gate).Verdict.Status == approval.StatusApproved
}

// repeated reports whether no repetition is under way.
func (d *decider) repeated() bool {
	for _, step := range d.plan.Steps {
		if d.state.Step(step.Name).Repeats.Running {
			return false
		}
	}
	return true
}
