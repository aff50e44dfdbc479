package incident

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/pullbook/pullbook/engine/runbook"
)

// Parent says which attempt of which step opened an incident. An incident that an alert opened has none.
type Parent struct {
	Incident ID       `json:"incident"`
	Step     string   `json:"step"`
	Attempt  int      `json:"attempt"`
	Pull     string   `json:"pull,omitempty"`   // URL of its pull request
	Runbooks []string `json:"runbooks"`         // of all ancestors, as their journals name them: the first incident's first
	Room     int      `json:"room,omitempty"`   // see State.Room; 0: the journal is older than this bound
	Barred   []Barred `json:"barred,omitempty"` // who may approve no gate of the incident: what it was opened with rests on their word
}

// Key is the attempt key of the step.
func (p Parent) Key() string { return runbook.AttemptKey(string(p.Incident), p.Step, p.Attempt) }

// The facts that the end of a step of KindRunbook records.
const (
	factIncident = "incident"
	factPull     = "pull"      // URL of the pull request, empty where nobody knows it
	factCame     = "incidents" // how many incidents came from the attempt, the one that it opened included
)

// ChildGroup is the alert group of the incident that an attempt opened. No notification reaches it: incidents are found by
// their slots, and that of a child follows from no group.
func ChildGroup(key string) string { return "child of " + key }

// ChildSlot makes two openings for one attempt collide. It differs from every slot of an alert group: an attempt key is no
// name of an earlier incident.
func ChildSlot(key string) string { return Slot("child", ID(key)) }

// ChildOpened records the incident that an attempt opened, so that it is never opened again and the journal names it.
type ChildOpened struct {
	Step     string          `json:"step"`
	Attempt  int             `json:"attempt"`
	Incident ID              `json:"incident"`
	Inputs   json.RawMessage `json:"inputs,omitempty"` // the values that the step gives for its inputs, a JSON object by name
}

// Recalled records that the parent does not want an incident to go on. Its main stage stops, as by /cancel.
type Recalled struct {
	Why  string `json:"why"`
	Deed *Deed  `json:"deed,omitempty"` // on the pull request of the parent, or of one of its ancestors, if a person is the reason
}

// Kind implements Data.
func (ChildOpened) Kind() string { return "child-opened" }

// Kind implements Data.
func (Recalled) Kind() string { return "recalled" }

// Child is the incident of a step that is a runbook, as git has it.
type Child struct {
	Attempt  int // of the step
	Incident ID  // empty where there is none
	Pull     int // 0 while it is not known
	URL      string
	Stage    runbook.Stage
	Asks     bool   // it waits for people
	Recalled bool   // it has been told not to go on
	Stuck    string // why nothing runs on it, as a part of a sentence; empty as a rule
	Merged   bool
	End      End // empty while it is open
	EndedAt  time.Time
	Output   []byte   // JSON of what the step puts out, checked and projected to its declared type
	Problem  string   // why it could not be opened, or what is wrong with what it put out
	Spoke    []Barred // on whose words it rests
	Came     int      // how many incidents came from it, itself included; 0: it may be more than are known
}

// OpenChild opens the incident of a step that is a runbook. A second one for the same attempt does nothing.
type OpenChild struct {
	Parent Parent
	Work   runbook.Child
}

// TellChild makes a child look at what its parent wants of it.
type TellChild struct{ Incident ID }

func (OpenChild) action() {}
func (TellChild) action() {}

// CalledOff reports whether a person, the parent or a gate that nobody answered has stopped the incident.
func (s State) CalledOff() bool { return s.Cancelled != nil || s.Recalled != nil || s.Aborted != nil }

// Chain are the runbooks of an incident's ancestors and its own.
func (s State) Chain() []string {
	var chain []string
	if s.Opened.Parent != nil {
		chain = slices.Clone(s.Opened.Parent.Runbooks)
	}
	return append(chain, s.Opened.Runbook)
}

// AsksPeople reports whether the incident waits for people.
func (s State) AsksPeople() bool { return s.End == "" && (s.asking > 0 || len(s.Owed()) > 0) }

// Recall says why the incident of an attempt should not go on: what the step waits for is of no use any more. Nil: it
// should. It depends on the journal and the time alone, so it is found again whatever is lost.
func (s State) Recall(step string, attempt int, now time.Time) *Recalled {
	st := s.Step(step)
	c := s.Cancelled
	switch {
	case s.Recalled != nil && (s.Stage() == runbook.StageMain || st.since < s.stageSince):
		return s.Recalled
	case c != nil && c.During == s.Stage():
		return &Recalled{Why: fmt.Sprintf("%s cancelled %s: %s", c.Deed.By.Login, s.Opened.ID, c.Why), Deed: &c.Deed}
	case s.Stopped() && s.Aborted != nil:
		return &Recalled{Why: fmt.Sprintf("nobody approved %s of %s in time", s.Aborted.Step, s.Opened.ID)}
	case s.Stopped():
		return &Recalled{Why: fmt.Sprintf("a person has stopped the stage %s of %s", s.Stage(), s.Opened.ID)}
	case st.Attempt != attempt || st.Phase != PhaseStarted:
		return &Recalled{Why: fmt.Sprintf("%s of %s does not wait for it any more", step, s.Opened.ID)}
	case st.since < s.stageSince:
		return &Recalled{Why: fmt.Sprintf("%s is being undone", s.Opened.ID)}
	case !now.Before(st.Deadline):
		return &Recalled{Why: fmt.Sprintf("%s of %s was to be over by %s", step, s.Opened.ID, st.Deadline.UTC().Format(time.RFC3339))}
	}
	return nil
}

func (s *State) recalled(e Event, d Recalled) error {
	switch {
	case s.Opened.Parent == nil:
		return errors.New("it has no parent")
	case s.Stage() != runbook.StageMain || s.Stopped():
		return errors.New("its main stage is over already")
	}
	s.Recalled = &d
	s.stopped[runbook.StageMain] = true
	s.Paused, s.Reopened = nil, nil
	s.closeGates(e.Seq)
	return nil
}

func (s *State) childOpened(d ChildOpened) error {
	st := s.Step(d.Step)
	_, err := ParseID(string(d.Incident))
	switch key := runbook.AttemptKey(string(s.Opened.ID), d.Step, d.Attempt); {
	case err != nil:
		return err
	case !st.hasChild() || st.Attempt != d.Attempt || st.Child != "":
		return fmt.Errorf("attempt %d of step %s does not wait for an incident to be opened", d.Attempt, d.Step)
	case d.Incident.Slot() != ChildSlot(key):
		return fmt.Errorf("%s is not the incident of %s", d.Incident, key)
	}
	st.Child = d.Incident
	s.set(d.Step, st)
	return nil
}

// recordRecall obeys the parent. What an incident undoes or tidies up, it brings to its end.
func (d *decider) recordRecall() {
	if d.view.Recall == nil || d.state.Stage() != runbook.StageMain || d.state.Stopped() {
		return
	}
	if d.record(*d.view.Recall) {
		d.stale = true
		d.flushFor("its parent does not want it to go on")
	}
}

// recordChildren writes down how the children of steps ended, in plan order.
func (d *decider) recordChildren() {
	for step, st := range d.astir() {
		if !st.hasChild() {
			continue
		}
		c, recall := d.childOf(step.Name, st), d.state.Recall(step.Name, st.Attempt, d.now)
		if c.Incident != "" && st.Child == "" {
			d.record(namedChild(step, st.Attempt, c.Incident))
		}
		conclusion, why := c.conclusion(st, recall != nil)
		if conclusion == "" {
			continue
		}
		o := runbook.Outcome{Key: d.key(step, st.Attempt), Step: step.Name, Attempt: st.Attempt, Conclusion: conclusion,
			Started: st.Started, Ended: d.now, Error: why}
		if c.Incident != "" {
			came := c.Came
			if came == 0 || c.End == "" && !c.Merged { // as many as it was left
				came = max(1, d.state.Room(d.base, step.Name))
			}
			o.Facts = map[string]string{factIncident: string(c.Incident), factPull: c.URL, factCame: strconv.Itoa(came)}
		}
		if c.End != "" && c.EndedAt.After(st.Started) {
			o.Ended = c.EndedAt
		}
		if conclusion == runbook.Succeeded {
			o.Output = c.Output
		}
		d.recordEnd(o, c.Spoke)
	}
}

// namedChild names the incident of an attempt, and what the step gave to it, as far as its values can be worked out.
func namedChild(step runbook.Step, attempt int, id ID) ChildOpened {
	opened := ChildOpened{Step: step.Name, Attempt: attempt, Incident: id}
	if work := step.Now.Work.Runbook; work != nil {
		opened.Inputs = work.With
	}
	return opened
}

// conclusion is how the attempt of a step ended whose child is c; empty while it has not. What has been told not to go on
// did not fail: a person or the plan decided so.
func (c Child) conclusion(st StepState, recalled bool) (how runbook.Conclusion, why string) {
	late := runbook.Cancelled
	if c.Recalled && !c.EndedAt.Before(st.Deadline) {
		late = runbook.TimedOut
	}
	switch {
	case c.Problem != "" && (c.Incident == "" || c.End == EndResolved):
		return runbook.Failed, c.Problem
	case c.End == EndResolved:
		return runbook.Succeeded, ""
	case c.End != "" && c.Recalled:
		return late, "its incident was told not to go on, and ended as " + string(c.End)
	case c.End != "":
		return runbook.Failed, "its incident ended as " + string(c.End)
	case c.Merged:
		return runbook.Failed, "the pull request of its incident was merged before the incident had ended"
	case recalled && c.Stuck != "":
		return runbook.Cancelled, "nothing runs on its incident: " + c.Stuck
	case recalled && c.Incident == "":
		return runbook.Cancelled, "its incident was not opened any more"
	}
	return "", ""
}

// hasChild reports whether the step waits for another incident.
func (s StepState) hasChild() bool { return s.Phase == PhaseStarted && s.Kind == runbook.KindRunbook }

// childOf is the child of the attempt that waits.
func (d *decider) childOf(step string, st StepState) Child { return st.ChildIn(d.view, step) }

// ChildIn is the child of the latest attempt of a step, as the view has it; one without a name if there is none yet. One
// that was there and is nowhere to be found any more is stuck.
func (s StepState) ChildIn(v View, step string) Child {
	c := v.Children[step]
	if c.Attempt != s.Attempt {
		c = Child{Attempt: s.Attempt}
	}
	if c.Incident == "" && s.Child != "" {
		c.Incident, c.Stuck = s.Child, "its branch was deleted"
	}
	return c
}

// child opens the incident of a step that waits for it, or tells it not to go on.
func (d *decider) child(step runbook.Step, st StepState) {
	c := d.childOf(step.Name, st)
	work := step.Now.Work.Runbook
	switch {
	case c.Incident != "":
		d.tell(step, st, c)
	case work != nil && c.Stuck == "":
		d.starts = append(d.starts, d.openChild(step, st.Attempt, *work))
	}
	if st.Deadline.After(d.now) {
		d.wakeAt(st.Deadline, step.Name+" is to be over")
	}
}

func (d *decider) openChild(step runbook.Step, attempt int, work runbook.Child) OpenChild {
	return OpenChild{Work: work, Parent: Parent{Incident: d.state.Opened.ID, Step: step.Name, Attempt: attempt, Pull: d.state.PullURL, Runbooks: d.state.Chain(),
		Room: d.state.Room(d.base, step.Name), Barred: d.state.handDown(d.base, step.Name)}}
}

// tell makes a child look at its parent, where it should not go on and goes on.
func (d *decider) tell(step runbook.Step, st StepState, c Child) {
	if c.Recalled || c.Stage != runbook.StageMain || d.state.Recall(step.Name, st.Attempt, d.now) == nil {
		return
	}
	if d.view.Branch.Pushed < d.state.Seq {
		d.flushFor("the incident of " + step.Name + " is told not to go on")
	}
	d.starts = append(d.starts, TellChild{c.Incident})
}

// childless reports whether no step of the stages waits for another incident. Those that should not go on are told.
func (d *decider) childless(stages ...runbook.Stage) bool {
	none := true
	for _, step := range d.plan.Steps {
		if !slices.Contains(stages, step.Stage) {
			continue
		}
		if st := d.state.Step(step.Name); st.hasChild() {
			d.tell(step, st, d.childOf(step.Name, st))
			none = false
		}
	}
	return none
}

// calledOff is the beginning of undoing what had succeeded before a person, or the parent, stopped the incident.
func (d *decider) calledOff() UndoBegun {
	if c := d.state.Cancelled; c != nil {
		deed := c.Deed
		return UndoBegun{Why: "the incident was cancelled", Deed: &deed}
	}
	if a := d.state.Aborted; a != nil && d.state.Recalled == nil {
		return UndoBegun{Why: "nobody approved " + a.Step + " in time"}
	}
	return UndoBegun{Why: "its parent does not want it to go on"}
}
