package incident

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/pullbook/pullbook/engine/runbook"
)

// child moves the incident that a step waits for: end=END, recalled, stuck=WHY, merged, problem=WHY, output=JSON, gone (its
// order was lost).
func (s *stage) child(args map[string]string) string {
	c, ok := s.view.Children[args["step"]]
	if !ok && args["problem"] == "" {
		return "there is no child\n"
	}
	if args["problem"] != "" && !ok {
		c.Attempt = s.state.Step(args["step"]).Attempt
	}
	if args["gone"] != "" {
		delete(s.view.Children, args["step"])
		return "ok\n"
	}
	c.End, c.Stuck, c.Problem, c.Output = End(args["end"]), args["stuck"], args["problem"], []byte(args["output"])
	if c.Came = 1; args["came"] != "" {
		c.Came, _ = strconv.Atoi(args["came"])
	}
	c.Merged, c.Recalled = args["merged"] != "", c.Recalled || args["recalled"] != ""
	if c.End != "" {
		c.EndedAt = s.now
	}
	if s.view.Children == nil {
		s.view.Children = map[string]Child{}
	}
	s.view.Children[args["step"]] = c
	return "ok\n"
}

// openingOf describes an order, and how many incidents may come from it where those are few.
func openingOf(a OpenChild) string {
	text := fmt.Sprintf("open %s for %s of %v", a.Work.Name, a.Parent.Key(), a.Parent.Runbooks)
	if a.Parent.Room < 100 {
		text += fmt.Sprintf(", at most %d", a.Parent.Room)
	}
	return text
}

func TestChildSlotIsNoAlertGroups(t *testing.T) {
	key := runbook.AttemptKey("20261122-aaaaaaaaaa", "failover", 1)
	slot := ChildSlot(key)
	if _, err := ParseID(string(NewID(slot, time.Now()))); err != nil {
		t.Error(err)
	}
	for group, previous := range map[string]ID{ChildGroup(key): "", "child": "20261122-aaaaaaaaaa", key: ""} {
		if Slot(group, previous) == slot {
			t.Errorf("an alert of the group %q takes the slot of a child", group)
		}
	}
	if other := ChildSlot(runbook.AttemptKey("20261122-aaaaaaaaaa", "failover", 2)); other == slot {
		t.Error("two attempts share a slot")
	}
}

// TestRecall shows each reason for which a child is told not to go on.
func TestRecall(t *testing.T) {
	started := StepStarted{Step: "a", Attempt: 1, Work: runbook.KindRunbook, Deadline: clockOf(60)}
	deed := Deed{Via: "comment", ID: 1}
	deed.By.Login = "alice"
	opened := Opened{ID: "20261122-aaaaaaaaaa", Parent: &Parent{}}
	for name, c := range map[string]struct {
		events []Data
		after  int
		want   string
	}{
		"it is waited for": {[]Data{started}, 59, ""},
		"its time is over": {[]Data{started}, 60, "a of 20261122-aaaaaaaaaa was to be over by 2026-11-22T03:01:00Z"},
		"cancelled":        {[]Data{started, CancelAsked{Why: "so", Deed: deed}}, 1, "alice cancelled 20261122-aaaaaaaaaa: so"},
		"undone":           {[]Data{started, UndoBegun{}}, 1, "20261122-aaaaaaaaaa is being undone"},
		"undone, stopped":  {[]Data{started, UndoBegun{}, CancelAsked{Why: "so", Deed: deed, During: runbook.StageUndo}}, 1, "alice cancelled 20261122-aaaaaaaaaa: so"},
		"stopped twice": {[]Data{started, CancelAsked{Why: "so", Deed: deed}, FinallyBegun{}, CancelAsked{Deed: deed, During: runbook.StageFinally}}, 1,
			"a person has stopped the stage finally of 20261122-aaaaaaaaaa"},
		"over":             {[]Data{started, StepEnded{Step: "a", Attempt: 1, Conclusion: runbook.Failed}}, 1, "a of 20261122-aaaaaaaaaa does not wait for it any more"},
		"of an ancestor":   {[]Data{started, Recalled{Why: "the first was cancelled"}}, 1, "the first was cancelled"},
		"another attempt":  {nil, 1, "a of 20261122-aaaaaaaaaa does not wait for it any more"},
		"started in undo":  {[]Data{UndoBegun{}, started}, 1, ""},
		"started, finally": {[]Data{FinallyBegun{}, started}, 1, ""},
	} {
		var empty State
		state, err := Fold(empty.Next(append([]Data{opened}, c.events...), clockOf(0)))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got := ""
		if r := state.Recall("a", 1, clockOf(c.after)); r != nil {
			got = r.Why
		}
		if got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func clockOf(second int) time.Time {
	return time.Date(2026, 11, 22, 3, 0, second, 0, time.UTC)
}

// TestChildOpenedHoldsWhatWasGiven names a child with the values of its step, and without any where they are not known.
func TestChildOpenedHoldsWhatWasGiven(t *testing.T) {
	step := runbook.Step{Name: "a", Now: runbook.Resolution{Work: runbook.Work{Runbook: &runbook.Child{Name: "b", With: []byte(`{"to":"eu"}`)}}}}
	if got := namedChild(step, 2, "x"); string(got.Inputs) != `{"to":"eu"}` || got.Step != "a" || got.Attempt != 2 || got.Incident != "x" {
		t.Errorf("%+v", got)
	}
	if got := namedChild(runbook.Step{Name: "a"}, 1, "x"); got.Inputs != nil {
		t.Errorf("%+v", got)
	}
}

func TestRecalledFitsOnlyAChild(t *testing.T) {
	var empty State
	for want, data := range map[string][]Data{
		"event 2 (recalled): it has no parent":                       {Opened{ID: "20261122-aaaaaaaaaa"}, Recalled{}},
		"event 3 (recalled): its main stage is over already":         {Opened{Parent: &Parent{}}, UndoBegun{}, Recalled{}},
		"event 3 (recalled): its main stage is over already (again)": {Opened{Parent: &Parent{}}, Recalled{}, Recalled{}},
	} {
		_, err := Fold(empty.Next(data, clockOf(0)))
		if got := fmt.Sprint(err); got != want && got+" (again)" != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

// stirChild lets something happen to the child of a step, or to the parent.
func (w *walk) stirChild(args map[string]string) {
	if w.parent != nil && w.oneIn(10) {
		w.view.Recall = &Recalled{Why: "so it is"}
	}
	for _, one := range []string{"stuck", "merged", "gone", "recalled", "problem"} {
		if w.oneIn(8) {
			args[one] = "so it is"
		}
	}
	if w.oneIn(2) {
		args["end"] = string([]End{EndResolved, EndCancelled, EndUndone}[w.random.IntN(3)])
	}
	if w.state.Step(args["step"]).hasChild() {
		w.child(args)
	}
}

// calmChildren brings every child to its end: a good one, unless it was told not to go on.
func (w *walk) calmChildren() (moved bool) {
	for name, c := range w.view.Children {
		st := w.state.Step(name)
		if c.Stuck == "" && c.Problem == "" && (c.End != "" || c.Incident == "") || !st.hasChild() {
			continue
		}
		end := EndResolved
		if w.state.Recall(name, st.Attempt, w.now) != nil {
			c.Recalled, end = true, EndCancelled
		}
		c.Stuck, c.Problem, c.End, c.EndedAt = "", "", end, w.now
		w.view.Children[name] = c
		moved = true
	}
	return moved
}

// checkOrder holds the order of a child against the journal as the remote branch has it.
func (w *walk) checkOrder(t *testing.T, a OpenChild) {
	t.Helper()
	step, _ := w.plan.Step(a.Parent.Step)
	st := w.pushed.Step(a.Parent.Step)
	if !st.hasChild() || st.Attempt != a.Parent.Attempt {
		t.Fatalf("%s is ordered without its intent on the remote branch", a.Parent.Key())
	}
	if step.Approval != nil && len(st.Gate.Votes) < step.Approval.Count {
		t.Fatalf("%s is ordered with %d of %d approvals", a.Parent.Key(), len(st.Gate.Votes), step.Approval.Count)
	}
	if w.pushed.Recall(a.Parent.Step, a.Parent.Attempt, w.pushed.At) != nil {
		t.Fatalf("%s is ordered, and is of no use any more", a.Parent.Key())
	}
}
