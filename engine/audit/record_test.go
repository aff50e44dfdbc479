package audit

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/journal"
)

func TestLogTellsAllIncidentsInOrder(t *testing.T) {
	l := openLedger(t)
	l.publish("refs/remotes/origin/" + l.inc.id.Branch())
	lines, err := Log(l.open(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if len(lines) != 12+4 {
		t.Errorf("%d lines, want one for each of 16 events", len(lines))
	}
	both := map[incident.ID]int{}
	for i, line := range lines {
		both[line.Incident]++
		if i > 0 && line.At.Before(lines[i-1].At) {
			t.Errorf("line %d is earlier than the one before it", i)
		}
		if line.Who == "" || line.What == "" {
			t.Errorf("line %d says nothing: %+v", i, line)
		}
	}
	if len(both) != 2 || both[l.inc.id] != 4 {
		t.Errorf("lines by incident: %v", both)
	}
}

func TestLogOfOneIncident(t *testing.T) {
	l := newLedger(t)
	l.whole()
	lines, err := Log(l.open(), Options{Incident: l.inc.id})
	if err != nil {
		t.Fatal(err)
	}
	var text []string
	for _, line := range lines {
		text = append(text, fmt.Sprintf("%s %s", line.Who, line.What))
	}
	all := strings.Join(text, "\n")
	for _, want := range []string{"alice, bob approved the gate of rollback", "bob finished note", "the incident has ended: resolved"} {
		if !strings.Contains(all, want) {
			t.Errorf("no %q in:\n%s", want, all)
		}
	}
	if len(lines) != 12 {
		t.Errorf("%d lines, want 12", len(lines))
	}
	if _, err := Log(l.open(), Options{Incident: "20261122-aaaaaaaaaa"}); err == nil {
		t.Error("an incident that is not there has a log")
	}
}

func TestNumbers(t *testing.T) {
	l := openLedger(t)
	l.publish("refs/heads/" + l.inc.id.Branch())
	records, err := Records(l.open(), Options{})
	if err != nil || len(records) != 2 || !records[0].Merged || records[1].Merged {
		t.Fatalf("%d records, %v", len(records), err)
	}
	n := records[0].Numbers()
	if n.Resolve != 28*time.Second || n.Automated != 3 || n.Manual != 1 || n.Approvals != 2 || n.Gates != 1 || n.Events != 12 {
		t.Errorf("%+v", n)
	}
}

func TestLogOfABrokenJournalIsAnError(t *testing.T) {
	l := newLedger(t)
	l.edits["gate"] = func(d *draft) { delete(d.files, journal.Path(first, 3, "step-ended")) }
	l.whole()
	if lines, err := Log(l.open(), Options{}); err == nil || !strings.Contains(err.Error(), "event 3 is missing") {
		t.Errorf("%d lines, %v", len(lines), err)
	}
}
