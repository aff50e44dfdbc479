package audit

import (
	"strings"
	"testing"

	"github.com/pullbook/pullbook/engine/approval"
	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/runbook"
)

// TestDutiesOfKin shows that no word gets lost on the way to another incident, so that who gave it could approve there.
func TestDutiesOfKin(t *testing.T) {
	bob := incident.Barred{ID: 2, Login: "bob", Why: "asked for this attempt"}
	born := incident.Parent{Incident: "20261122-aaaaaaaaaa", Step: "failover", Attempt: 1, Runbooks: []string{runbookPath}, Barred: []incident.Barred{bob}}
	kin := func() (child, parent *trail) {
		p := born
		opened := incident.Opened{ID: "20261122-bbbbbbbbbb", Runbook: childPath, Parent: &p}
		word := &incident.Deed{By: approval.Person{ID: 3, Login: "carol"}}
		child = &trail{state: incident.State{Opened: opened, End: incident.EndResolved, Steps: map[string]*incident.StepState{"pick": {Word: word}}}}
		spoke := []incident.Barred{{ID: word.By.ID, Login: word.By.Login, Why: "so"}}
		o := order{runbook: "failover", ended: runbook.Succeeded, barred: []incident.Barred{bob}, spoke: spoke}
		parent = &trail{state: incident.State{Opened: incident.Opened{ID: born.Incident, Runbook: runbookPath}}, orders: map[string]order{born.Key(): o}}
		return child, parent
	}
	child, parent := kin()
	if why := child.agrees(parent); why != "" {
		t.Fatalf("two incidents that agree: %s", why)
	}
	child.state.Opened.Parent.Barred = nil
	if why := child.agrees(parent); !strings.Contains(why, "that bob may approve nothing on it") {
		t.Errorf("a child that does not name whom it rests on: %q", why)
	}
	child, parent = kin()
	o := parent.orders[born.Key()]
	o.spoke = nil
	parent.orders[born.Key()] = o
	if why := child.agrees(parent); !strings.Contains(why, "rests on the word of carol") {
		t.Errorf("an end that does not name whom it rests on: %q", why)
	}
	child, parent = kin()
	o = parent.orders[born.Key()]
	o.approved = []byte(`{"to":"eu"}`)
	parent.orders[born.Key()] = o
	child.state.Opened.Inputs = []byte(`{"to":"us"}`)
	if why := child.agrees(parent); !strings.Contains(why, "other inputs than the gate page") {
		t.Errorf("a child with other inputs than people approved: %q", why)
	}
}
