package audit

import (
	"testing"

	"github.com/pullbook/pullbook/engine/incident"
)

// rehearsing makes the first incident of a ledger a rehearsal, in which the step that changes something was not run.
func rehearsing(r incident.Rehearsal) func(*ledger) {
	return both(func(l *ledger) { l.game = &r },
		say("approve", func(_ *ledger, d *incident.StepStarted) { d.WouldRun = true }),
		say("end", func(_ *ledger, d *incident.StepEnded) { d.WouldRun = true }))
}

// TestRehearsalsAreVerified writes a ledger with a rehearsal, and others whose rehearsal changed something, or that say of a
// step that it was rehearsed.
func TestRehearsalsAreVerified(t *testing.T) {
	l := newLedger(t)
	rehearsing(incident.Rehearsal{})(l)
	l.whole()
	r := verify(l, Options{Trust: trusting(1)})
	if !r.OK() || len(r.Incidents) != 2 || !r.Incidents[0].Rehearsal || r.Incidents[1].Rehearsal {
		t.Errorf("a rehearsal beside an incident: %v, %+v", r.Findings, r.Incidents)
	}
	runMutations(t, []mutation{
		{"a change was run", func(l *ledger) { l.game = &incident.Rehearsal{} }, "approve", "a rehearsal changes nothing"},
		{"its outcome was real", both(rehearsing(incident.Rehearsal{}), say("end", func(_ *ledger, d *incident.StepEnded) { d.WouldRun = false })),
			"end", "a rehearsal changes nothing"},
		{"a read was run that was not to be", rehearsing(incident.Rehearsal{NoReads: true}), "gate", "was run in a rehearsal"},
		{"a read was not run that was to be", both(rehearsing(incident.Rehearsal{}), say("gate", func(_ *ledger, d *incident.StepEnded) { d.WouldRun = true })),
			"gate", "was to be run"},
		{"no rehearsal, and a change was not run", say("approve", func(_ *ledger, d *incident.StepStarted) { d.WouldRun = true }), "approve", "nothing else is one"},
		{"no rehearsal, and the trailers say so", edit("gate", func(d *draft) { d.message += "Rehearsal: yes\n" }), "gate", "trailers"},
		{"the identity does not say it", both(rehearsing(incident.Rehearsal{}), edit("open", func(d *draft) {
			for path, data := range d.files {
				if len(path) > 13 && path[len(path)-13:] == "incident.json" {
					d.files[path] = data[:len(data)-1]
				}
			}
		})), "open", "does not say what the journal says"},
	})
}
