package incident

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/pullbook/pullbook/engine/runbook"
)

// gameOf reads no_reads and, for each other argument, the output of the step of that name.
func gameOf(args map[string]string) *Rehearsal {
	r := &Rehearsal{Outputs: map[string]json.RawMessage{}}
	for name, output := range args {
		if name == "no_reads" {
			r.NoReads = true
			continue
		}
		r.Outputs[name] = json.RawMessage(output)
	}
	return r
}

// TestRehearsalChangesNothing folds journals that say of a step that it ran, or that it only would have: in a rehearsal nothing
// that changes something runs, and in no other incident anything only would.
func TestRehearsalChangesNothing(t *testing.T) {
	now := time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)
	game, real := &Rehearsal{}, (*Rehearsal)(nil)
	start := func(kind runbook.Kind, risk runbook.Risk, would bool) StepStarted {
		return StepStarted{Step: "a", Attempt: 1, Work: kind, Risk: risk, WouldRun: would}
	}
	end := func(would bool) StepEnded {
		return StepEnded{Step: "a", Attempt: 1, Conclusion: runbook.Succeeded, WouldRun: would}
	}
	for _, x := range []struct {
		name string
		of   *Rehearsal
		data []Data
		good bool
	}{
		{"a change would run", game, []Data{start(runbook.KindExec, runbook.RiskChange, true), end(true)}, true},
		{"a change runs", game, []Data{start(runbook.KindExec, runbook.RiskChange, false)}, false},
		{"something destructive runs", game, []Data{start(runbook.KindHTTP, runbook.RiskDestructive, false)}, false},
		{"a change would run and ran", game, []Data{start(runbook.KindExec, runbook.RiskChange, true), end(false)}, false},
		{"a notice is sent", game, []Data{start("notify", runbook.RiskChange, false)}, false},
		{"a gated read runs", game, []Data{start(runbook.KindExec, runbook.RiskRead, false), end(false)}, true},
		{"a gated read would run", game, []Data{start(runbook.KindExec, runbook.RiskRead, true)}, false},
		{"a gated read would run, with no reads", &Rehearsal{NoReads: true}, []Data{start(runbook.KindExec, runbook.RiskRead, true), end(true)}, true},
		{"a read whose output is given runs", &Rehearsal{Outputs: map[string]json.RawMessage{"a": nil}}, []Data{start(runbook.KindExec, runbook.RiskRead, false)}, false},
		{"a person is asked", game, []Data{start(runbook.KindManual, runbook.RiskRead, false)}, true},
		{"a runbook is opened", game, []Data{start(runbook.KindRunbook, runbook.RiskChange, false)}, true},
		{"a wait waits", game, []Data{start(runbook.KindWait, runbook.RiskRead, false)}, false},
		{"a change that is none", real, []Data{start(runbook.KindExec, runbook.RiskChange, true)}, false},
		{"a read that is none", real, []Data{end(true)}, false},
		{"an ordinary change", real, []Data{start(runbook.KindExec, runbook.RiskChange, false), end(false)}, true},
	} {
		events := State{}.Next(append([]Data{Opened{ID: "20261122-aaaaaaaaaa", Rehearsal: x.of}}, x.data...), now)
		if _, err := Fold(events); (err == nil) != x.good || err != nil && !errors.Is(err, errRehearsed) {
			t.Errorf("%s: %v, want good %t", x.name, err, x.good)
		}
	}
}
