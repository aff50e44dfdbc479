package incident

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/pullbook/pullbook/engine/approval"
	"github.com/pullbook/pullbook/engine/runbook"
)

// EachExpanded settles which elements a template has. From then on each of them is a step of its own, called TEMPLATE.KEY,
// and no other is ever known. With a gate they are those of the approved page.
type EachExpanded struct {
	Step string   `json:"step"`
	Keys []string `json:"keys"` // in order; empty: there is nothing to do
}

// Kind implements Data.
func (EachExpanded) Kind() string { return "each-expanded" }

// StepOf is the name of the step that an event moves, empty if it moves none.
func StepOf(data Data) string {
	switch d := data.(type) {
	case GateOpened:
		return d.Step
	case GateApproved:
		return d.Step
	case GateRejected:
		return d.Step
	case GateExpired:
		return d.Step
	case GateLifted:
		return d.Step
	case GateReminded:
		return d.Step
	case GateEscalated:
		return d.Step
	case GlassBroken:
		return d.Step
	case GlassReviewed:
		return d.Step
	case EachExpanded:
		return d.Step
	case StepStarted:
		return d.Step
	case ChildOpened:
		return d.Step
	case RunDispatched:
		return d.Step
	case RunStopAsked:
		return d.Step
	case RepeatStarted:
		return d.Step
	case RepeatEnded:
		return d.Step
	case StepEnded:
		return d.Step
	case StepSkipped:
		return d.Step
	case StepBroken:
		return d.Step
	case StepUnknown:
		return d.Step
	case StepByHand:
		return d.Step
	case RetryAsked:
		return d.Step
	case Assigned:
		return d.Step
	}
	return ""
}

// Expand returns the plan with the elements that the journal has settled. A plan that has just these is returned as it is.
func (s State) Expand(p runbook.Plan) runbook.Plan {
	if s.expanded(p) {
		return p
	}
	keys := map[string][]string{}
	for i := range p.Steps {
		if step := &p.Steps[i]; step.Each {
			keys[step.Name] = s.Step(step.Name).Keys
		}
	}
	return p.Expand(keys)
}

// expanded reports whether a plan has just the elements that the journal has settled.
func (s State) expanded(p runbook.Plan) bool {
	first := 0 // of the elements before the step that is looked at
	for i := range p.Steps {
		step := &p.Steps[i]
		if step.Of != "" {
			continue
		}
		var keys []string
		if step.Each {
			keys = s.Step(step.Name).Keys
		}
		if len(keys) != i-first {
			return false
		}
		for j, key := range keys {
			if e := &p.Steps[first+j]; e.Of != step.Name || e.Key != key {
				return false
			}
		}
		first = i + 1
	}
	return first == len(p.Steps)
}

// Find returns a step of the plan with what it is now, or an element that the journal has settled: what Expand would have of it,
// without the others. index is its place in the plan as it was frozen; of an element, that of its template.
func (s State) Find(p runbook.Plan, name string) (step runbook.Step, index int, ok bool) {
	template, key, isElement := runbook.SplitName(name)
	step, index, ok = p.Written(template)
	if !ok || !isElement {
		return step, index, ok
	}
	if !step.Each || !slices.Contains(s.Step(template).Keys, key) {
		return runbook.Step{}, 0, false
	}
	return step.ElementNow(key), index, true
}

// settledList reports whether the elements of the template are settled.
func (s StepState) settledList() bool { return s.Phase == PhaseEach || len(s.Keys) > 0 }

// eachFits checks what an event says of a template or of an element, as far as the journal alone can tell.
func (s *State) eachFits(data Data) error {
	name := StepOf(data)
	if template, _, isElement := runbook.SplitName(name); isElement {
		if !s.elements[name] {
			return fmt.Errorf("step %s is no element that was settled", name)
		}
		if _, again := data.(EachExpanded); again {
			return fmt.Errorf("step %s is an element of %s and has none of its own", name, template)
		}
		return nil
	}
	if st := s.Step(name); st.settledList() {
		switch data.(type) {
		case StepStarted, StepUnknown, EachExpanded:
			return fmt.Errorf("step %s does nothing but through its elements", name)
		case StepSkipped, StepBroken, StepByHand:
			if st.Phase == PhaseEach {
				return fmt.Errorf("step %s ends when its elements have ended", name)
			}
		}
	}
	return nil
}

func (s *State) eachExpanded(e Event, d EachExpanded) error {
	st := s.Step(d.Step)
	switch {
	case st.Phase != PhaseIdle && st.Phase != PhaseCleared:
		return fmt.Errorf("the elements of step %s cannot be settled while it is %q", d.Step, st.Phase)
	case st.Phase == PhaseCleared && !slices.Equal(d.Keys, st.Gate.Elements):
		return fmt.Errorf("the elements of step %s are not those that were approved", d.Step)
	case len(d.Keys) > runbook.MostElements:
		return fmt.Errorf("step %s has %d elements; at most %d are possible", d.Step, len(d.Keys), runbook.MostElements)
	}
	if s.elements == nil {
		s.elements = make(map[string]bool, len(d.Keys))
	}
	seen := make(map[string]bool, len(d.Keys))
	for _, key := range d.Keys {
		if !runbook.ElementKey(key) || seen[key] {
			return fmt.Errorf("the key %q of step %s is not plain, or there twice", key, d.Step)
		}
		seen[key] = true
	}
	for _, key := range d.Keys {
		s.elements[d.Step+"."+key] = true
	}
	st.Phase, st.Keys, st.Started, st.listed = PhaseEach, d.Keys, e.At, e.Seq
	s.set(d.Step, st)
	return nil
}

// elementStarts checks an intent of an element: its template is not held back, and where that has a gate, the intent names
// it, or the gate of its own that the element has after /retry.
func (s *State) elementStarts(template string, st StepState, d StepStarted) (Gate, error) {
	t := s.Step(template)
	switch {
	case t.Phase != PhaseEach:
		return Gate{}, fmt.Errorf("step %s cannot start while %s is %q", d.Step, template, t.Phase)
	case st.Round == 1 && !t.Gate.Opened.IsZero() && d.Gate == "": // in a later round it may be that only the calendar had asked
		return Gate{}, fmt.Errorf("step %s starts without the gate of %s", d.Step, template)
	case st.Round == 1:
		return t.Gate, nil
	}
	return st.Gate, nil
}

// collects checks the end of a template against its elements.
func (s *State) collects(st StepState, d StepEnded) error {
	c := s.collected(d.Step, st.Keys)
	want := runbook.Succeeded
	if len(c.bad) > 0 || c.tooLong() {
		want = runbook.Failed
	}
	switch {
	case st.Phase != PhaseEach:
		return fmt.Errorf("step %s cannot end while it is %q", d.Step, st.Phase)
	case c.left > 0:
		return fmt.Errorf("step %s ends before %d of its elements", d.Step, c.left)
	case d.Conclusion != want:
		return fmt.Errorf("step %s ends as %q, and its elements say %q", d.Step, d.Conclusion, want)
	case len(d.Output) > 0 && !bytes.Equal(d.Output, c.output):
		return fmt.Errorf("step %s puts out something else than its elements", d.Step)
	}
	return nil
}

// reopen lets a template collect again: one of its elements, which had failed, is tried again or was done by hand.
func (s *State) reopen(element string) {
	name, _, isElement := runbook.SplitName(element)
	t := s.Step(name)
	if !isElement || t.Phase != PhaseEnded || t.Conclusion == runbook.Succeeded {
		return
	}
	t.Phase, t.Conclusion, t.Output, t.Why, t.Seq, t.Ended = PhaseEach, "", nil, "", 0, time.Time{}
	s.set(name, t)
}

// collection is what the elements of a template have come to.
type collection struct {
	output   []byte // JSON: by key what each put out, in the order of the keys
	outputs  int    // how many put something out
	happened []string
	bad      []string // keys of those that did not end well
	left     int      // how many are not over
}

func (c collection) tooLong() bool { return len(c.output) > runbook.MostCollected }

func (s State) collected(template string, keys []string) (c collection) {
	var b bytes.Buffer
	b.WriteByte('{')
	for _, key := range keys {
		st := s.Step(template + "." + key)
		switch {
		case !st.Over():
			c.left++
			continue
		case !st.Good():
			c.bad = append(c.bad, key)
			continue
		case st.Phase == PhaseSkipped:
			continue
		}
		c.happened = append(c.happened, key)
		if len(st.Output) == 0 || st.Phase != PhaseEnded {
			continue
		}
		if c.outputs++; c.outputs > 1 {
			b.WriteByte(',')
		}
		b.WriteByte('"') // a key has nothing that JSON would escape
		b.WriteString(key)
		b.WriteString(`":`)
		b.Write(st.Output)
	}
	b.WriteByte('}')
	c.output = b.Bytes()
	return c
}

// happened are the keys of the elements of a template that there is something to undo of, with what they put out.
func (s State) happened(template string) (keys []string, output json.RawMessage) {
	c := s.collected(template, s.Step(template).Keys)
	return c.happened, c.output
}

// advanceTemplate settles the elements of a template, behind its gate where it has one, and collects them in the end.
func (d *decider) advanceTemplate(step runbook.Step, st StepState) {
	switch {
	case st.Phase == PhaseEach:
		d.collect(step, st)
	case st.Phase == PhaseGate:
		d.gate(step, st)
	case st.Phase != PhaseIdle || d.nothingStarts():
	case step.Now.Status != runbook.StatusReady:
		d.unready(step)
	case step.Approval != nil && len(step.Now.Elements) > 0:
		d.gate(step, st)
	default:
		d.settleElements(step)
	}
}

func (d *decider) settleElements(step runbook.Step) {
	d.stale = d.record(EachExpanded{Step: step.Name, Keys: step.Now.Keys()}) || d.stale
}

// collect ends a template when all its elements have ended.
func (d *decider) collect(step runbook.Step, st StepState) {
	for _, key := range st.Keys {
		if !d.state.settled(step.Element(key)) {
			return
		}
	}
	c := d.state.collected(step.Name, st.Keys)
	ended := StepEnded{Step: step.Name, Attempt: st.Attempt + 1, Conclusion: runbook.Succeeded, Started: st.Started, Ended: d.now}
	if step.HasOutput {
		ended.Output = c.output
	}
	switch {
	case len(c.bad) > 0:
		ended.Conclusion = runbook.Failed
		ended.Error = fmt.Sprintf("%d of %d elements did not succeed: %s", len(c.bad), len(st.Keys), someOf(c.bad))
	case c.tooLong():
		ended.Conclusion = runbook.Failed
		ended.Error = fmt.Sprintf("its elements put out %d bytes together; at most %d are collected", len(c.output), runbook.MostCollected)
	}
	if c.tooLong() {
		ended.Output = nil
	}
	d.stale = d.record(ended) || d.stale
}

// mostNamed is how many of many names a sentence holds.
const mostNamed = 8

// someOf lists the first of many names.
func someOf(names []string) string {
	if len(names) <= mostNamed {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:mostNamed], ", "), len(names)-mostNamed)
}

// cover is the gate of a template at this look.
type cover struct {
	gate   approval.Gate
	opened GateOpened // as it would be asked now
	page   []byte
	covers bool // its approvals stand, for exactly what would run now
}

// coverOf works out the gate of a template once for all its elements.
func (d *decider) coverOf(template runbook.Step) cover {
	if c, known := d.covers[template.Name]; known {
		return c
	}
	st := d.state.Step(template.Name)
	c := cover{gate: d.approvalGate(template, st)}
	c.opened, c.page = d.asked(template, st)
	c.covers = c.gate.Page == c.opened.Page && d.answer(c.gate).Verdict.Status == approval.StatusApproved
	if d.covers == nil {
		d.covers = map[string]cover{}
	}
	d.covers[template.Name] = c
	return c
}

// underTemplate reports whether the gate of its template holds for an attempt of a step. After a person's /retry an element
// has a gate of its own.
func underTemplate(step runbook.Step, st StepState) bool { return step.Of != "" && st.Round == 1 }

// Passed reports whether the gate of a step is approved: of an element, that of its template or its own.
func (s State) Passed(step runbook.Step) bool {
	st := s.Step(step.Name)
	if underTemplate(step, st) {
		st = s.Step(step.Of)
	}
	return st.Gate.Open()
}

// bound is what the intent of a step is bound to: the digest of what runs, and the page of the gate, if it has one.
func (d *decider) bound(step runbook.Step, st StepState) (digest, page string) {
	switch {
	case step.Approval == nil && !(underTemplate(step, st) && d.state.Passed(step)): // what its template was asked for then still binds it
		return d.question(step, st).Digest(), ""
	case underTemplate(step, st):
		gate := d.state.Step(step.Of).Gate
		return gate.Digest, gate.Page
	}
	return d.question(step, st).Digest(), st.Gate.Page
}

// listedBeforehand makes sure that the remote branch knows of an element before it starts without an intent: after a crash
// nobody would know what it is that runs.
func (d *decider) listedBeforehand(step runbook.Step) bool {
	if step.Of == "" || d.view.Branch.Pushed >= d.state.Step(step.Of).listed {
		return true
	}
	d.flushFor("the elements of " + step.Of)
	return false
}

// heldByTemplate reports whether a step has to wait for the gate of its template, which asks again.
func (d *decider) heldByTemplate(step runbook.Step, st StepState) bool {
	return step.Of != "" && st.Phase != PhaseStarted && st.Phase != PhaseUnknown && d.state.Step(step.Of).Phase != PhaseEach
}

// behindTemplate starts an element that the gate of its template covers, if its approvals stand at this moment for what
// would run now. If they do not, the gate of the template asks again, and elements that have not begun wait for it.
func (d *decider) behindTemplate(step runbook.Step, st StepState) {
	template, ok := d.plan.Step(step.Of)
	if !ok {
		return // unreachable: an element stands beside its template
	}
	c := d.coverOf(template)
	switch {
	case c.covers && d.waits(step):
	case c.covers:
		confirmed := func(g approval.Gate) bool { return g.Step == c.gate.Step }
		if d.begin(step, st); !slices.ContainsFunc(d.confirm, confirmed) {
			d.confirm = append(d.confirm, c.gate)
		}
	default:
		d.ask(template, c.opened, c.page)
	}
}

// misdirected says why a command is not about a template, but about one of its elements; empty if it may be about it.
func (d *decider) misdirected(step runbook.Step, st StepState) string {
	if !step.Each || !st.settledList() || st.Phase == PhaseRefused || len(st.Keys) == 0 {
		return ""
	}
	return "`" + step.Name + "` has elements: say it of one of them, such as `" + step.Name + "." + st.Keys[0] + "`"
}

// baseName is the name of the step of the frozen plan that a step belongs to.
func baseName(step runbook.Step) string {
	if step.Of != "" {
		return step.Of
	}
	return step.Name
}
