package engine

import (
	"fmt"
	"io"
	"log/slog"
	"runtime"
	"testing"
	"time"

	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/runbook"
)

// longList is an incident whose plan is one template with n elements, of which all but the last have ended, and the queue that has the
// outcome of that one.
func longList(t testing.TB, n int, at time.Time) (*Engine, *worker) {
	t.Helper()
	template := runbook.Step{Name: "look", Kind: runbook.KindExec, Risk: runbook.RiskRead, OnFailure: runbook.FailureHalts, Each: true,
		Now: runbook.Resolution{Status: runbook.StatusReady}}
	_, events := longPlan(0, at)
	record := func(data incident.Data) {
		events = append(events, incident.Event{Seq: len(events) + 1, At: at, Data: data})
	}
	q, keys := &queue{}, make([]string, n)
	for i := range keys {
		keys[i] = fmt.Sprintf("n%d", i)
		template.Now.Elements = append(template.Now.Elements, runbook.Element{Key: keys[i], Now: runbook.Resolution{Status: runbook.StatusReady}})
	}
	record(incident.PullOpened{Number: 1})
	record(incident.EachExpanded{Step: "look", Keys: keys})
	for i, key := range keys {
		o := runbook.Outcome{Step: "look." + key, Attempt: 1, Conclusion: runbook.Succeeded, Started: at, Ended: at}
		q.all = append(q.all, incident.Attempt{Step: o.Step, Number: 1, State: incident.AttemptEnded, Outcome: &o, Place: int64(i + 1)})
		if i < n-1 {
			record(incident.StepEnded{Step: o.Step, Attempt: 1, Conclusion: o.Conclusion, Started: at, Ended: at})
		}
	}
	state, err := incident.Fold(events)
	if err != nil {
		t.Fatal(err)
	}
	plan := runbook.Plan{Name: "long", Title: "A long runbook", Steps: []runbook.Step{template}}
	e := New(Config{Inbox: q, Clock: &hand{at}, Log: slog.New(slog.NewTextHandler(io.Discard, nil))})
	return e, &worker{branch: "incident/k3jq5zabcd", mu: e.newLock(), plan: resolved{plan: plan, whole: plan, known: true},
		ledger: &notes{state: state, events: events, pushed: state.Seq, head: "c", remote: "c", commits: map[string]int{"c": state.Seq}},
		hub:    &incident.HubView{Pull: &incident.Pull{Number: 1, Open: true, Head: "c"}, Checks: map[string]bool{}}}
}

// costOfLook is what one look allocates that records the end of the last of n elements: how often, and how many bytes.
func costOfLook(t testing.TB, n int) (times, size float64) {
	t.Helper()
	e, w := longList(t, n, time.Date(2026, 11, 22, 3, 4, 5, 0, time.UTC))
	look := func() {
		plan, view, err := e.gather(t.Context(), w, nil)
		if err != nil || len(view.Attempts) != 1 {
			t.Fatalf("%d attempts are read: %v", len(view.Attempts), err)
		}
		actions := incident.Decide(plan, w.ledger.state, view, e.Clock.Now())
		commit, ok := actions[0].(incident.Commit)
		if !ok || len(commit.Events) != 1 {
			t.Fatalf("%v", actions)
		}
	}
	look() // what is worked out once is there now
	const runs = 20
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range runs {
		look()
	}
	runtime.ReadMemStats(&after)
	return float64(after.Mallocs-before.Mallocs) / runs, float64(after.TotalAlloc-before.TotalAlloc) / runs
}

// TestALookAtALongIncidentIsCheap: what a look allocates grows by less than a tenth of what an element of the plan is, for each element
// that is over, and hardly in number.
func TestALookAtALongIncidentIsCheap(t *testing.T) {
	fewTimes, fewBytes := costOfLook(t, 100)
	manyTimes, manyBytes := costOfLook(t, 1_600)
	t.Logf("%.0f allocations and %.0f bytes among 100 elements, %.0f and %.0f among 1,600", fewTimes, fewBytes, manyTimes, manyBytes)
	if each := (manyBytes - fewBytes) / 1_500; each > 100 {
		t.Errorf("each element that is over costs every look %.0f bytes", each)
	}
	if manyTimes > 3*fewTimes {
		t.Errorf("%.0f allocations among 1,600 elements, %.0f among 100", manyTimes, fewTimes)
	}
}
