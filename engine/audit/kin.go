package audit

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"

	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/journal"
	"github.com/pullbook/pullbook/engine/runbook"
)

// order is an attempt of a step that opens another incident.
type order struct {
	runbook  string
	child    incident.ID // empty: the journal names none
	inputs   json.RawMessage
	approved json.RawMessage // the inputs that the gate page showed; nil where no gate asked
	ended    runbook.Conclusion
	room     int               // how many incidents could come from it
	came     int               // how many did, as the end of the attempt says; 0: it has not ended
	barred   []incident.Barred // from the step itself
	spoke    []incident.Barred // as the end of the attempt names them
}

// bornOf reports whether what an incident says of its parent can be true: its name and its group follow from the attempt,
// and its runbook may be opened by those before it.
func bornOf(opened incident.Opened) bool {
	p := *opened.Parent
	_, err := incident.ParseID(string(p.Incident))
	return err == nil && opened.ID.Slot() == incident.ChildSlot(p.Key()) && opened.Group == incident.ChildGroup(p.Key()) &&
		opened.Previous == "" && len(p.Runbooks) > 0 && runbook.ChainProblem(p.Runbooks, runbook.NameOf(opened.Runbook)) == ""
}

// kin remembers what an event says of other incidents; next is the state after it.
func (t *trail) kin(data incident.Data, next incident.State) {
	key := func(step string, attempt int) string { return runbook.AttemptKey(string(t.record.ID), step, attempt) }
	switch d := data.(type) {
	case incident.StepStarted:
		if step, i, ok := t.plan.Written(d.Step); ok && d.Work == runbook.KindRunbook {
			approved, _ := t.approvedInputs(moment{step: step, index: i, was: t.state.Step(d.Step)}, d.Gate)
			t.orders[d.Key] = order{runbook: step.Runbook, approved: approved, barred: t.state.Barred(t.plan, d.Step), room: t.state.Room(t.plan, d.Step)}
		}
	case incident.ChildOpened:
		o := t.orders[key(d.Step, d.Attempt)]
		o.child, o.inputs = d.Incident, d.Inputs
		t.orders[key(d.Step, d.Attempt)] = o
	case incident.StepEnded:
		if o, ok := t.orders[key(d.Step, d.Attempt)]; ok {
			o.ended, o.spoke, o.came = d.Conclusion, d.Spoke, next.Step(d.Step).Came-t.state.Step(d.Step).Came
			t.orders[key(d.Step, d.Attempt)] = o
		}
	case incident.CancelAsked:
		t.words = append(t.words, d.Deed)
	case incident.Recalled:
		if d.Deed != nil {
			t.words = append(t.words, *d.Deed)
		}
	}
}

// kin holds the incidents that steps opened against those steps, where the clone has both.
func (a *auditor) kin() {
	byID := map[incident.ID]*trail{}
	for _, t := range a.trails {
		byID[t.record.ID] = t
	}
	for _, t := range a.trails {
		p := t.state.Opened.Parent
		if p == nil || byID[p.Incident] == nil {
			continue
		}
		if why := t.agrees(byID[p.Incident]); why != "" {
			f := wrong(t.first, journal.Path(t.dir, 1, incident.Opened{}.Kind()), "%s", why)
			a.report.Findings = append(a.report.Findings, *t.about(f))
		}
	}
}

// agrees says in what a child and its parent contradict each other; empty if in nothing.
func (t *trail) agrees(parent *trail) string {
	own, other := t.state.Opened, parent.state.Opened
	o, ordered := parent.orders[own.Parent.Key()]
	switch {
	case !ordered:
		return fmt.Sprintf("it names %s as the attempt that opened it, and the journal there has no such order", own.Parent.Key())
	case o.runbook != runbook.NameOf(own.Runbook):
		return fmt.Sprintf("it follows the runbook %s, and %s opens %s", own.Runbook, own.Parent.Key(), o.runbook)
	case o.child != "" && o.child != own.ID:
		return fmt.Sprintf("%s names %s as the incident that it opened", own.Parent.Key(), o.child)
	case otherInput(o.inputs, own.Inputs) != "":
		return fmt.Sprintf("its %s than %s gave it", otherInput(o.inputs, own.Inputs), own.Parent.Key())
	case otherInput(o.approved, []byte(runbook.Visible(string(own.Inputs)))) != "":
		return fmt.Sprintf("it has other inputs than the gate page of %s showed", own.Parent.Key())
	case own.Commit != other.Commit:
		return fmt.Sprintf("it was frozen at commit %s, and its parent at %s", own.Commit, other.Commit)
	case !slices.Equal(own.Parent.Runbooks, parent.state.Chain()):
		return "the runbooks of its ancestors are not those of its parent"
	case own.Parent.Room > o.room:
		return fmt.Sprintf("%d incidents may come from it, and %s leaves it %d", own.Parent.Room, own.Parent.Key(), o.room)
	case o.came > 0 && o.came < t.state.Came():
		return fmt.Sprintf("%d incidents came from it, and the end of %s says %d", t.state.Came(), own.Parent.Key(), o.came)
	case leftOut(o.barred, own.Parent.Barred) != "":
		return fmt.Sprintf("it does not say that %s may approve nothing on it: it rests on their word", leftOut(o.barred, own.Parent.Barred))
	case o.ended == runbook.Succeeded && leftOut(t.state.Spoke(), o.spoke) != "":
		return fmt.Sprintf("the end of %s does not say that it rests on the word of %s", own.Parent.Key(), leftOut(t.state.Spoke(), o.spoke))
	case (own.Rehearsal == nil) != (other.Rehearsal == nil):
		return "it and its parent do not agree on whether this is a rehearsal"
	case own.Alert.Digest() != other.Alert.Digest():
		return "its alert is not that of its parent"
	case o.ended == runbook.Succeeded && t.state.End != incident.EndResolved:
		return fmt.Sprintf("%s has succeeded, and its incident has not ended as resolved", own.Parent.Key())
	}
	if r := t.state.Recalled; r != nil && r.Deed != nil {
		if !slices.ContainsFunc(parent.words, func(d incident.Deed) bool { return reflect.DeepEqual(d, *r.Deed) }) {
			return "it was called off on a word that its parent does not know"
		}
	}
	return ""
}

// leftOut is the first person of some who are not among those that are named; empty if all are. Authors are those of one
// runbook alone.
func leftOut(due, named []incident.Barred) string {
	for _, b := range due {
		if !b.Wrote && !slices.ContainsFunc(named, func(n incident.Barred) bool { return n.ID == b.ID }) {
			return b.Login
		}
	}
	return ""
}
