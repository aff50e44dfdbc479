package incident

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/pullbook/pullbook/engine/runbook"
)

// Rehearsal makes of an incident a game day: people are asked, gates are opened and passed, and nothing is changed
// (decision 0025). An incident is a rehearsal from its first event or never.
type Rehearsal struct {
	NoReads bool                       `json:"no_reads,omitempty"` // steps that only read are not run either
	Outputs map[string]json.RawMessage `json:"outputs,omitempty"`  // by step, and of its children by "step/step of the child": what it puts out, as JSON; such a step is not run
}

// wouldRun reports whether a step is recorded as what would run, and not run. What people do is asked of them; a runbook is
// opened, as a rehearsal of its own; a wait is over at once.
func (r *Rehearsal) wouldRun(step string, kind runbook.Kind, risk runbook.Risk) bool {
	switch {
	case r == nil:
		return false
	case kind == runbook.KindWait:
		return true
	case !kind.NeedsRunner():
		return false
	}
	_, given := r.Outputs[step]
	return given || risk != runbook.RiskRead || r.NoReads
}

// WouldRun reports whether a step is recorded as what would run, and not run, since the incident is a rehearsal. A template
// does nothing but through its elements.
func (s State) WouldRun(step runbook.Step) bool {
	return !step.Each && s.Opened.Rehearsal.wouldRun(step.Name, step.Kind, step.Risk)
}

// errRehearsed refuses a journal in which a rehearsal changes something, or an incident only pretends to.
var errRehearsed = errors.New("a rehearsal changes nothing, and nothing else is one")

// rehearses checks what an intent says of the rehearsal.
func (s *State) rehearses(d StepStarted) error {
	if d.WouldRun != s.Opened.Rehearsal.wouldRun(d.Step, d.Work, d.Risk) {
		return fmt.Errorf("step %s starts: %w", d.Step, errRehearsed)
	}
	return nil
}

// rehearsed checks what an outcome says of the rehearsal: the same as its intent, where it has one.
func (s *State) rehearsed(st StepState, d StepEnded) error {
	intent := st.Phase == PhaseStarted
	if intent && d.WouldRun != st.WouldRun || d.WouldRun && (s.Opened.Rehearsal == nil || st.Phase == PhaseEach) {
		return fmt.Errorf("step %s ends: %w", d.Step, errRehearsed)
	}
	return nil
}

// repeatable reports whether a second start of the step does no harm.
func (d *decider) repeatable(step runbook.Step) bool {
	return step.Repeatable() || d.state.WouldRun(step)
}

// unknowable reports whether the values of a step rest on an output that nobody gave to the rehearsal.
func (d *decider) unknowable(step runbook.Step) bool {
	for _, name := range d.base.UpstreamOf(baseName(step)) {
		up, _ := d.base.Step(name)
		if up.HasOutput && d.state.Opened.Rehearsal.wouldRun(up.Name, up.Kind, up.Risk) && (up.Each || len(d.state.Step(name).Output) == 0) {
			return true
		}
	}
	return false
}

// gameDay is what a gate page says of the rehearsal; empty in an incident that is none.
func (d *decider) gameDay(step runbook.Step) runbook.GameDay {
	r := d.state.Opened.Rehearsal
	switch {
	case r == nil:
		return ""
	case r.wouldRun(step.Name, step.Kind, step.Risk):
		return runbook.GameDayWould
	}
	return runbook.GameDayRuns
}
