package incident

import (
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/pullbook/pullbook/engine/approval"
	"github.com/pullbook/pullbook/engine/runbook"
)

func start(step string, attempt int) StepStarted {
	return StepStarted{Step: step, Attempt: attempt, Work: runbook.KindExec}
}

func ending(step string, attempt int, c runbook.Conclusion) StepEnded {
	return StepEnded{Step: step, Attempt: attempt, Conclusion: c}
}

func deed(id int64) Deed {
	return Deed{By: approval.Person{ID: id, Login: "bob"}, Via: "comment", ID: id}
}

func gateEvent(step, page string, count int) GateOpened {
	return GateOpened{Step: step, Round: 1, Page: page, Rule: runbook.Approval{From: []string{"acme/sre"}, Count: count}}
}

func votes(ids ...int64) []approval.Vote {
	var out []approval.Vote
	for _, id := range ids {
		out = append(out, approval.Vote{Review: id, By: approval.Person{ID: id, Login: "alice"}})
	}
	return out
}

// journals: the last event of each is refused, all before it are accepted.
func journals() map[string][]Data {
	o, bad, good := Opened{ID: "20261122-aaaaaaaaaa"}, runbook.Failed, runbook.Succeeded
	gate, ok := gateEvent("a", "p", 2), GateApproved{Step: "a", Page: "p", Votes: votes(1, 2)}
	return map[string][]Data{
		"does not begin with opened":                                 {Acknowledged{}},
		"is open already":                                            {o, o},
		"nothing may follow the end":                                 {o, Ended{End: EndResolved}, Acknowledged{}},
		"attempt 2 of step a does not follow attempt 0":              {o, start("a", 2)},
		"attempt 1 of step a does not follow attempt 1":              {o, start("a", 1), ending("a", 1, bad), start("a", 1)},
		`step a cannot start while it is "started"`:                  {o, start("a", 1), start("a", 2)},
		`step a cannot start while it is "ended"`:                    {o, start("a", 1), ending("a", 1, good), start("a", 2)},
		`step a cannot start while it is "gate"`:                     {o, gate, start("a", 1)},
		`step a cannot start while it is "unknown"`:                  {o, start("a", 1), StepUnknown{"a", 1}, start("a", 2)},
		`step a cannot start while it is "skipped"`:                  {o, StepSkipped{Step: "a"}, start("a", 1)},
		`step a cannot start while it is "broken"`:                   {o, StepBroken{Step: "a"}, start("a", 1)},
		"behind a gate that was not approved":                        {o, StepStarted{Step: "a", Attempt: 1, Gate: "p"}},
		"outcome of attempt 2 of step a, which is in attempt 1":      {o, start("a", 1), ending("a", 2, good)},
		"attempt 3 of step a does not follow attempt 0":              {o, ending("a", 3, good)},
		`step a cannot end while it is "ended"`:                      {o, ending("a", 1, good), ending("a", 2, good)},
		`step a cannot end while it is "gate"`:                       {o, gate, ending("a", 1, good)},
		`step a cannot end while it is "cleared"`:                    {o, gate, ok, ending("a", 1, good)},
		`step a cannot end while it is "unknown"`:                    {o, start("a", 1), StepUnknown{"a", 1}, ending("a", 1, good)},
		`step a cannot end while it is "refused"`:                    {o, gate, GateExpired{Step: "a"}, ending("a", 1, good)},
		`step a cannot be asked for while it is "started" in`:        {o, start("a", 1), gate},
		`while it is "" in round 1`:                                  {o, GateOpened{Step: "a", Round: 2}},
		"step a has no open gate":                                    {o, GateRejected{Step: "a"}},
		"step b has no open gate":                                    {o, gate, GateExpired{Step: "b"}},
		"step c has no open gate":                                    {o, GateApproved{Step: "c"}},
		"the votes are for another page of step a":                   {o, gate, GateApproved{Step: "a", Page: "q", Votes: votes(1, 2)}},
		"step a has 1 of 2 approvals":                                {o, gate, GateApproved{Step: "a", Page: "p", Votes: votes(1)}},
		"alice approved step a twice":                                {o, gate, GateApproved{Step: "a", Page: "p", Votes: votes(1, 1)}},
		"step a is not in attempt 1":                                 {o, StepUnknown{"a", 1}},
		"step a is not in attempt 2":                                 {o, start("a", 1), StepUnknown{"a", 2}},
		"step a is over":                                             {o, ending("a", 1, good), StepByHand{Step: "a", Deed: deed(1)}},
		"step b is over":                                             {o, StepSkipped{Step: "b"}, StepBroken{Step: "b"}},
		"round 3 of step a does not follow round 1":                  {o, ending("a", 1, bad), RetryAsked{Step: "a", Round: 3}},
		"step a has not ended badly":                                 {o, ending("a", 1, good), RetryAsked{Step: "a", Round: 2}},
		"step b has not ended badly":                                 {o, start("b", 1), RetryAsked{Step: "b", Round: 2}},
		`stage "undo" was stopped while the incident is in stage ""`: {o, CancelAsked{During: runbook.StageUndo}},
		`stage "" was stopped while the incident is in stage "undo"`: {o, UndoBegun{}, CancelAsked{}},
		"it is undone, or finished, already":                         {o, UndoBegun{}, UndoBegun{}},
		"it is undone, or finished":                                  {o, FinallyBegun{EndResolved}, UndoBegun{}},
		"its finally steps have begun already":                       {o, FinallyBegun{EndResolved}, FinallyBegun{EndResolved}},
		`it ends as "resolved" after it was to end as "undone"`:      {o, FinallyBegun{EndUndone}, Ended{EndResolved}},
		"unknown type incident.foreignData":                          {o, foreignData{}},
	}
}

type foreignData struct{}

func (foreignData) Kind() string { return "foreign" }

func TestFoldRefuses(t *testing.T) {
	for want, journal := range journals() {
		events := State{}.Next(journal, time.Unix(0, 0))
		last := len(events) - 1
		if _, err := Fold(events); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		} else if !strings.HasPrefix(err.Error(), "event ") || !strings.Contains(err.Error(), events[last].Data.Kind()) {
			t.Errorf("%v does not name the event", err)
		}
		before, err := Fold(events[:last])
		if err != nil {
			t.Errorf("%q: the events before it: %v", want, err)
		}
		kept := before.clone()
		if err := before.apply(events[last]); err == nil || !reflect.DeepEqual(before, kept) {
			t.Errorf("%q: a refused event changed the state", want)
		}
	}
}

func TestFoldRefusesNumbersAndTimes(t *testing.T) {
	at := time.Unix(100, 0)
	open := Event{Seq: 1, At: at, Data: Opened{}}
	cases := map[string][]Event{
		"does not follow the event before it: after 0": {{Seq: 2, At: at, Data: Opened{}}},
		"does not follow the event before it: after 1": {open, {Seq: 3, At: at, Data: Acknowledged{}}},
		"event 1 (acknowledged): does not follow":      {open, {Seq: 1, At: at, Data: Acknowledged{}}},
		"is before that of the event before it":        {open, {Seq: 2, At: at.Add(-time.Millisecond), Data: Acknowledged{}}},
	}
	for want, events := range cases {
		if _, err := Fold(events); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
	if s, err := Fold(nil); err != nil || s.Seq != 0 {
		t.Errorf("an empty journal: %v", err)
	}
}

// randomData is any event about one of two steps; most do not fit.
func randomData(random *rand.Rand) Data {
	step, n := string(rune('a'+random.IntN(2))), 1+random.IntN(3)
	conclusions := []runbook.Conclusion{runbook.Succeeded, runbook.Failed, runbook.TimedOut, runbook.Cancelled}
	all := []Data{
		PullOpened{Number: 1}, AlertUpdated{Alert{Fingerprint: step}}, Acknowledged{deed(int64(n))},
		GateOpened{Step: step, Round: n, Page: "p", Rule: runbook.Approval{From: []string{"x"}, Count: 1}},
		GateApproved{Step: step, Page: "p", Votes: votes(int64(n))}, GateRejected{Step: step}, GateExpired{Step: step},
		start(step, n), start(step, n), ending(step, n, conclusions[random.IntN(4)]), ending(step, n, runbook.Failed),
		StepSkipped{Step: step}, StepBroken{Step: step}, StepUnknown{step, n}, StepByHand{Step: step, Deed: deed(int64(n))},
		RetryAsked{Step: step, Round: n, Deed: deed(int64(n))}, CancelAsked{Deed: deed(int64(n))}, Mitigated{}, Ended{EndCancelled},
		UndoBegun{Why: step}, FinallyBegun{EndCancelled}, CancelAsked{Deed: deed(int64(n)), During: runbook.StageUndo},
	}
	return all[random.IntN(len(all))]
}

// TestWithChangesNoReceiver walks over random journals: a state never changes once it is there, a refused event changes
// nothing, and folding step by step is the same as folding at once.
func TestWithChangesNoReceiver(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 8))
	for range 200 {
		events := State{}.Next([]Data{Opened{ID: "20261122-aaaaaaaaaa"}}, time.Unix(0, 0))
		state, err := Fold(events)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 60 {
			kept := state.clone()
			more := state.Next([]Data{randomData(random)}, time.Unix(int64(i), 0))
			next, err := state.With(more...)
			if !reflect.DeepEqual(state, kept) {
				t.Fatalf("%v changed its receiver", more[0])
			}
			if err == nil {
				state, events = next, append(events, more...)
			}
		}
		again, err := Fold(events)
		if err != nil || !reflect.DeepEqual(again, state) {
			t.Fatalf("folding at once gives another state: %v", err)
		}
	}
}

func TestShown(t *testing.T) {
	events := State{}.Next([]Data{Opened{}, // 1
		gateEvent("a", "p1", 1), gateEvent("b", "q", 1), // 2, 3
		gateEvent("a", "p2", 1),                             // 4: another page
		GateApproved{Step: "b", Page: "q", Votes: votes(1)}, // 5
		GateRejected{Step: "a"},                             // 6
		RetryAsked{Step: "a", Round: 2},                     // 7
		GateOpened{Step: "a", Round: 2, Page: "p3"},         // 8
		CancelAsked{},                                       // 9: closes all
	}, time.Unix(0, 0))
	s, err := Fold(events)
	if err != nil {
		t.Fatal(err)
	}
	commits, want := map[string]int{}, map[string][]approval.Shown{
		"1": {}, "2": {{Step: "a", Page: "p1"}}, "3": {{Step: "a", Page: "p1"}, {Step: "b", Page: "q"}},
		"4": {{Step: "b", Page: "q"}, {Step: "a", Page: "p2"}}, "5": {{Step: "a", Page: "p2"}}, "6": {}, "7": {},
		"8": {{Step: "a", Page: "p3"}}, "9": {},
	}
	for i := range 9 {
		commits[string(rune('1'+i))] = i + 1
	}
	if got := s.Shown(commits); !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// TestWaited: time in which several gates are open counts once, and time in which nobody is asked does not.
func TestWaited(t *testing.T) {
	var s State
	var err error
	at := func(second int64, data Data) {
		t.Helper()
		if s, err = s.With(s.Next([]Data{data}, time.Unix(second, 0))...); err != nil {
			t.Fatal(err)
		}
	}
	s, _ = Fold(nil)
	at(0, Opened{})
	at(10, gateEvent("a", "p", 1))
	at(20, gateEvent("b", "p", 1))
	at(30, GateApproved{Step: "a", Page: "p", Votes: votes(1)})
	at(40, GateExpired{Step: "b"}) // 30 s until here
	at(100, StepStarted{Step: "m", Attempt: 1, Work: runbook.KindManual})
	at(105, ending("m", 1, runbook.Succeeded)) // 5 s
	at(200, start("c", 1))
	at(210, StepUnknown{"c", 1})
	at(217, CancelAsked{}) // 7 s
	at(500, Ended{EndCancelled})
	if s.Waited != 42*time.Second {
		t.Errorf("waited %s", s.Waited)
	}
}
