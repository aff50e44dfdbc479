package engine

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/pullbook/pullbook/engine/approval"
	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/render"
	"github.com/pullbook/pullbook/engine/runbook"
)

// wall shows what was published, and nothing else of a hub.
type wall struct {
	Hub
	screens []incident.Screen
}

func (w *wall) Publish(_ context.Context, p incident.Publication) error {
	w.screens = append(w.screens, *p.Screen)
	return nil
}

// shelf keeps the timers that were set.
type shelf struct {
	Inbox
	due time.Time
}

func (s *shelf) Put(_ context.Context, messages ...Message) error {
	for _, m := range messages {
		s.due = m.Due
	}
	return nil
}

// hand is a clock that is moved by hand.
type hand struct{ at time.Time }

func (h *hand) Now() time.Time { return h.at }

// longPlan has n steps, one after the other, and the events that open an incident of it.
func longPlan(n int, at time.Time) (p runbook.Plan, events []incident.Event) {
	p = runbook.Plan{Name: "long", Title: "A long runbook", Severity: "sev2"}
	for i := range n {
		p.Steps = append(p.Steps, runbook.Step{Name: fmt.Sprintf("step_%03d", i), Kind: runbook.KindExec, Risk: runbook.RiskRead, OnFailure: runbook.FailureHalts})
	}
	opened := incident.Opened{ID: "20261122-k3jq5zabcd", Group: "long", Runbook: "runbooks/long.cue", Alert: incident.Alert{Name: "Long"}}
	return p, []incident.Event{{Seq: 1, At: at, Data: opened}}
}

// TestBodyOfALongIncidentLags: 300 steps that end one a second are shown at most once in ten seconds, in one request each
// time, the last of it is shown all the same, and what people added to the labels stays.
func TestBodyOfALongIncidentLags(t *testing.T) {
	begin := time.Date(2026, 11, 22, 3, 4, 5, 0, time.UTC)
	hub, inbox, clock := &wall{}, &shelf{}, &hand{begin}
	e := New(Config{Hub: hub, Inbox: inbox, Clock: clock, Log: slog.New(slog.NewTextHandler(io.Discard, nil))})
	plan, events := longPlan(300, begin)
	w := &worker{branch: "incident/k3jq5zabcd", mu: e.newLock(), hub: &incident.HubView{Pull: &incident.Pull{Number: 1, Labels: []string{"state:waiting", "customer"}}}}
	show := func() {
		t.Helper()
		state, err := incident.Fold(events)
		if err != nil {
			t.Fatal(err)
		}
		w.ledger = &notes{state: state, events: events}
		if err := e.publishBody(t.Context(), w, plan, incident.PublishBody{}); err != nil {
			t.Fatal(err)
		}
	}
	show()
	for _, step := range plan.Steps {
		clock.at = clock.at.Add(time.Second)
		events = append(events, incident.Event{Seq: len(events) + 1, At: clock.at, Data: incident.StepEnded{Step: step.Name, Attempt: 1,
			Conclusion: runbook.Succeeded, Started: clock.at, Ended: clock.at}})
		show()
	}
	if inbox.due.IsZero() || inbox.due.Before(clock.at) {
		t.Fatalf("nothing brings what was left out: the timer is at %s", inbox.due)
	}
	clock.at = inbox.due
	show()
	if n := len(hub.screens); n < 30 || n > 32 {
		t.Errorf("%d requests in five minutes, want one in ten seconds", n)
	}
	last := hub.screens[len(hub.screens)-1]
	if want := render.Body(plan, w.ledger.state, w.view(nil, nil)); last.Body != want {
		t.Error("what is shown last is not how it is")
	}
	if got := hub.screens[0].Labels; !slices.Equal(got, []string{"customer", "state:running", "severity:sev2"}) {
		t.Errorf("labels are %v", got)
	}
	if last.Labels != nil {
		t.Errorf("labels that are right are written again: %v", last.Labels)
	}
	show()
	if n := len(hub.screens); n > 32 {
		t.Error("what is shown is shown again")
	}
}

// TestAssigneesArePeoplesToo: who takes notice is assigned beside those whom people assigned, and who was taken off since
// is not assigned again.
func TestAssigneesArePeoplesToo(t *testing.T) {
	begin := time.Date(2026, 11, 22, 3, 4, 5, 0, time.UTC)
	hub := &wall{}
	e := New(Config{Hub: hub, Inbox: &shelf{}, Clock: &hand{begin}, Log: slog.New(slog.NewTextHandler(io.Discard, nil))})
	plan, events := longPlan(2, begin)
	deed := incident.Deed{By: approval.Person{ID: 101, Login: "alice", Write: true}, Via: "comment", ID: 7, At: begin, Words: "/ack"}
	state, err := incident.Fold(append(events, incident.Event{Seq: 2, At: begin, Data: incident.Acknowledged{Deed: deed}}))
	if err != nil {
		t.Fatal(err)
	}
	w := &worker{branch: "incident/k3jq5zabcd", mu: e.newLock(), ledger: &notes{state: state},
		hub: &incident.HubView{Pull: &incident.Pull{Number: 1, Assignees: []string{"bob"}}}}
	for range 2 {
		if err := e.publishBody(t.Context(), w, plan, incident.PublishBody{Urgent: true}); err != nil {
			t.Fatal(err)
		}
		w.hub.Pull.Assignees = []string{"bob"} // somebody takes alice off
	}
	if len(hub.screens) != 1 || !slices.Equal(hub.screens[0].Assignees, []string{"bob", "alice"}) {
		t.Errorf("%+v", hub.screens)
	}
}
