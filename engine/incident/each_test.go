package incident

import (
	"strings"
	"testing"
	"time"

	"github.com/pullbook/pullbook/engine/approval"
	"github.com/pullbook/pullbook/engine/runbook"
)

// eachJournal is an incident of which the template restart, behind a gate, has the elements a and b.
func eachJournal() []Data {
	opened := Opened{ID: "20261122-aaaaaaaaaa", Alert: Alert{Name: "Alert", Status: Firing}}
	rule := runbook.Approval{From: []string{"acme/sre"}, Count: 1}
	vote := approval.Vote{Review: 1, By: approval.Person{ID: 101, Login: "alice", Write: true}, Commit: "c2"}
	return []Data{opened, GateOpened{Step: "restart", Round: 1, Page: "p", Rule: rule, Digest: "d", Elements: []string{"a", "b"}},
		GateApproved{Step: "restart", Page: "p", Votes: []approval.Vote{vote}}, EachExpanded{Step: "restart", Keys: []string{"a", "b"}}}
}

func began(step, gate string) StepStarted {
	return StepStarted{Step: step, Attempt: 1, Work: runbook.KindExec, Risk: runbook.RiskChange, Gate: gate}
}

func came(step string, how runbook.Conclusion, output string) StepEnded {
	return StepEnded{Step: step, Attempt: 1, Conclusion: how, Output: []byte(output)}
}

// TestElementsAreStrict: a journal that says of elements what cannot be is refused.
func TestElementsAreStrict(t *testing.T) {
	gated := eachJournal()
	free := []Data{gated[0], EachExpanded{Step: "restart", Keys: []string{"a", "b"}}}
	ended := append(free[:2:2], came("restart.a", runbook.Succeeded, `{"n":1}`), came("restart.b", runbook.Failed, ""))
	cases := map[string]struct {
		data []Data
		why  string
	}{
		"an element nobody settled":            {append(free[:2:2], began("restart.c", "")), "no element that was settled"},
		"an element before any is settled":     {[]Data{gated[0], began("restart.a", "")}, "no element that was settled"},
		"elements of an element":               {append(free[:2:2], EachExpanded{Step: "restart.a", Keys: []string{"x"}}), "has none of its own"},
		"settled twice":                        {append(free[:2:2], EachExpanded{Step: "restart", Keys: []string{"a"}}), "does nothing but through its elements"},
		"a key twice":                          {[]Data{gated[0], EachExpanded{Step: "restart", Keys: []string{"a", "a"}}}, "not plain, or there twice"},
		"a key that leads elsewhere":           {[]Data{gated[0], EachExpanded{Step: "restart", Keys: []string{"../a"}}}, "not plain, or there twice"},
		"other elements than were approved":    {append(gated[:3:3], EachExpanded{Step: "restart", Keys: []string{"a", "b", "c"}}), "not those that were approved"},
		"without the gate of the template":     {append(gated[:4:4], began("restart.a", "")), "without the gate of restart"},
		"behind another page":                  {append(gated[:4:4], began("restart.a", "q")), "a gate that was not approved"},
		"while the gate asks again":            {append(gated[:4:4], GateOpened{Step: "restart", Round: 1, Page: "q", Elements: []string{"a", "b"}}, began("restart.a", "p")), `while restart is "gate"`},
		"asked again for other elements":       {append(gated[:4:4], GateOpened{Step: "restart", Round: 1, Page: "q", Elements: []string{"a"}}), "other elements than it has"},
		"a template that starts":               {append(free[:2:2], began("restart", "")), "does nothing but through its elements"},
		"a template that is skipped":           {append(free[:2:2], StepSkipped{Step: "restart"}), "when its elements have ended"},
		"over before its elements":             {append(free[:2:2], came("restart", runbook.Succeeded, "")), "before 2 of its elements"},
		"good although an element was not":     {append(ended[:4:4], came("restart", runbook.Succeeded, "")), `its elements say "failed"`},
		"another output than that of elements": {append(ended[:4:4], came("restart", runbook.Failed, `{"a":{"n":2}}`)), "something else than its elements"},
		"a template that is tried again": {append(ended[:4:4], came("restart", runbook.Failed, `{"a":{"n":1}}`), RetryAsked{Step: "restart", Round: 2}),
			"does nothing but through its elements"},
	}
	for name, c := range cases {
		var before State
		_, err := Fold(before.Next(c.data, time.Unix(0, 0)))
		if err == nil || !strings.Contains(err.Error(), c.why) {
			t.Errorf("%s: %v", name, err)
		}
	}
	var before State
	s, err := Fold(before.Next(append(ended[:4:4], came("restart", runbook.Failed, `{"a":{"n":1}}`), RetryAsked{Step: "restart.b", Round: 2}), time.Unix(0, 0)))
	if err != nil || s.Step("restart").Phase != PhaseEach || len(s.Step("restart").Output) > 0 {
		t.Errorf("a template does not collect again: %v, %+v", err, s.Step("restart"))
	}
}

// TestCollectedOutputIsBounded: what elements put out together is not taken beyond its bound.
func TestCollectedOutputIsBounded(t *testing.T) {
	s := newStage()
	s.makePlan(t, "restart exec change each=a,b output\ntell exec change needs=restart\n")
	s.open(t)
	s.look(t)
	big := `"` + strings.Repeat("x", runbook.MostCollected*2/3) + `"`
	for i := range s.view.Attempts {
		s.end(i, runbook.Succeeded, big)
	}
	s.look(t)
	if st := s.state.Step("restart"); st.Conclusion != runbook.Failed || !strings.Contains(st.Why, "at most 1048576 are collected") || len(st.Output) > 0 {
		t.Errorf("%q %s, %d bytes", st.Conclusion, st.Why, len(st.Output))
	}
}
