// Package forecast says what a runbook would do, before anything is done.
//
// Words:
//
//   - A forecast is made of a plan that was resolved as if every step had ended well (Evaluator.Forecast), and of a moment at
//     which the incident would open.
//   - The wave of a step is how many steps come before it, one after the other. Steps of one wave run side by side.
//   - Not before: the earliest moment at which a step can begin, if all that runs took no time and all people answered at once.
//     Only waits and windows move it.
//   - A verdict says what becomes of a step: it runs, asks, waits, opens another incident, is skipped, cannot be worked out, or is
//     not known yet because it rests on an output that nobody has given.
//
// Flow:
//
//	plan, resolved ─ Of ─ Forecast ─ Text, JSON, Graph
//
// The package decides nothing: what really happens is up to package incident, and to people.
package forecast

import (
	"encoding/json"
	"time"

	"github.com/pullbook/pullbook/engine/runbook"
)

// Verdict is what becomes of a step.
type Verdict string

// The verdicts.
const (
	Runs   Verdict = "runs"
	Asks   Verdict = "asks"  // a person does it, or chooses
	Waits  Verdict = "waits" // for time
	Opens  Verdict = "opens" // another incident
	Skips  Verdict = "skips"
	Broken Verdict = "broken"
	Later  Verdict = "later" // known when Rests has ended
)

// Forecast is what would happen. Its JSON form is the output of `pullbook plan --json`.
type Forecast struct {
	Runbook  string    `json:"runbook"`
	Title    string    `json:"title"`
	Severity string    `json:"severity,omitempty"`
	Service  string    `json:"service,omitempty"`
	Affected []string  `json:"affected,omitempty"`
	Owners   []string  `json:"owners,omitempty"`
	At       time.Time `json:"at"` // of the opening
	Steps    []Step    `json:"steps"`
}

// Step is what would become of one step.
type Step struct {
	Name       string         `json:"name"`
	Title      string         `json:"title"`
	Kind       runbook.Kind   `json:"kind"`
	Risk       runbook.Risk   `json:"risk"`
	Stage      runbook.Stage  `json:"stage"`
	Wave       int            `json:"wave"`
	After      []string       `json:"after,omitempty"` // steps
	NotBefore  time.Time      `json:"not_before,omitzero"`
	Verdict    Verdict        `json:"verdict"`
	Why        string         `json:"why,omitempty"`   // it is skipped or broken
	Rests      string         `json:"rests,omitempty"` // the step whose output is not known
	Gate       *Gate          `json:"gate,omitempty"`
	From       string         `json:"from,omitempty"` // who is asked to do it or to choose; empty: whoever may command
	Until      time.Time      `json:"until,omitzero"` // of a wait
	Timeout    string         `json:"timeout"`
	Work       map[string]any `json:"work,omitempty"` // by kind, as a gate page has it
	Elements   []Element      `json:"elements,omitempty"`
	Locks      []string       `json:"locks,omitempty"`
	Attempts   int            `json:"attempts,omitempty"`
	OnFailure  string         `json:"on_failure"`
	Undo       string         `json:"undo,omitempty"` // the step that takes it back
	Reversible bool           `json:"reversible"`
}

// Gate is what people are asked before a step.
type Gate struct {
	Rule    string   `json:"rule"`
	From    []string `json:"from"`
	Least   int      `json:"least"` // how many people it takes
	Within  string   `json:"within,omitempty"`
	Because []string `json:"because,omitempty"` // what the calendar demands at that moment
}

// Element is what a step with a list does for one of them.
type Element struct {
	Key     string         `json:"key"`
	Verdict Verdict        `json:"verdict"`
	Why     string         `json:"why,omitempty"`
	Until   time.Time      `json:"until,omitzero"` // of a wait
	Work    map[string]any `json:"work,omitempty"`
	Locks   []string       `json:"locks,omitempty"`
}

// Of makes a forecast of a plan for an incident that opens at a moment.
func Of(p runbook.Plan, at time.Time) Forecast {
	at = at.UTC().Truncate(time.Second)
	f := Forecast{Runbook: p.Name, Title: p.Title, Severity: p.Severity, Service: p.Service, Affected: p.Affected, Owners: p.Owners, At: at}
	done, waves := map[string]time.Time{}, map[string]int{}
	last, most := at, 0
	for _, step := range p.Steps {
		s := describe(step)
		s.NotBefore = at
		if step.Stage == runbook.StageFinally {
			s.NotBefore, s.Wave = last, most+1
		}
		for _, need := range step.Needs {
			s.Wave = max(s.Wave, waves[need]+1)
			if t, ok := done[need]; ok && t.After(s.NotBefore) {
				s.NotBefore = t
			}
		}
		s.gate(p, step)
		over := s.until(step)
		done[s.Name], waves[s.Name] = over, s.Wave
		if step.Stage == runbook.StageMain {
			most = max(most, s.Wave)
			if over.After(last) {
				last = over
			}
		}
		if _, has := p.Step(step.Name + "_undo"); has && step.Stage == runbook.StageMain {
			s.Undo = step.Name + "_undo"
		}
		f.Steps = append(f.Steps, s)
	}
	return f
}

func describe(step runbook.Step) Step {
	stage := step.Stage
	if stage == runbook.StageMain {
		stage = "main"
	}
	s := Step{Name: step.Name, Title: step.Title, Kind: step.Kind, Risk: step.Risk, Stage: stage, After: step.Needs, Timeout: runbook.Span(step.Timeout),
		OnFailure: string(step.OnFailure), Attempts: step.Retry.Attempts, Reversible: step.Reversible, Locks: step.Now.Locks}
	s.Verdict, s.Why = verdict(step.Kind, step.Now)
	if s.Verdict == Later {
		s.Rests, s.Why = step.Now.Problem, ""
	}
	if s.Verdict == Later || s.Verdict == Skips || s.Verdict == Broken {
		return s
	}
	s.Work = workOf(step.Kind, step.Now.Work)
	switch w := step.Now.Work; {
	case w.Manual != nil:
		s.From = w.Manual.Owner
	case w.Choose != nil:
		s.From = w.Choose.Owner
	}
	for _, e := range step.Now.Elements {
		one := Element{Key: e.Key, Work: workOf(step.Kind, e.Now.Work), Locks: e.Now.Locks}
		one.Verdict, one.Why = verdict(step.Kind, e.Now)
		s.Elements = append(s.Elements, one)
	}
	return s
}

func verdict(kind runbook.Kind, now runbook.Resolution) (Verdict, string) {
	switch now.Status {
	case runbook.StatusWaiting:
		return Later, ""
	case runbook.StatusSkip:
		return Skips, now.Problem
	case runbook.StatusBroken:
		return Broken, now.Problem
	}
	switch {
	case kind.AsksPeople():
		return Asks, ""
	case kind == runbook.KindWait:
		return Waits, ""
	case kind == runbook.KindRunbook:
		return Opens, ""
	}
	return Runs, ""
}

// workOf is what would run, under the name of its kind.
func workOf(kind runbook.Kind, w runbook.Work) map[string]any {
	switch {
	case w.Run != nil:
		return map[string]any{string(kind): json.RawMessage(w.Run)}
	case w.Manual != nil:
		return map[string]any{string(kind): w.Manual}
	case w.Choose != nil:
		return map[string]any{string(kind): w.Choose}
	case w.Runbook != nil:
		return map[string]any{string(kind): w.Runbook}
	}
	return nil
}

// gate says who would be asked before the step at the moment at which it could begin.
func (s *Step) gate(p runbook.Plan, step runbook.Step) {
	if s.Verdict == Skips || s.Verdict == Broken || step.Each && s.Verdict != Later && len(s.Elements) == 0 {
		return
	}
	var demands []runbook.Demand
	if step.Risk != runbook.RiskRead {
		demands = p.Calendar.InForce(s.NotBefore)
	}
	rule := runbook.Under(step.Approval, demands)
	if rule == nil {
		return
	}
	g := &Gate{Rule: rule.String(), From: rule.People(), Least: rule.Least()}
	if rule.Within > 0 {
		g.Within = runbook.Span(rule.Within)
	}
	for _, d := range demands {
		g.Because = append(g.Because, d.String())
	}
	s.Gate = g
}

// until is when a step is over that begins as early as it can.
func (s *Step) until(step runbook.Step) time.Time {
	if s.Verdict != Waits {
		return s.NotBefore
	}
	over, last := s.NotBefore, s.NotBefore
	waits := func(w *runbook.Wait) (v Verdict, why string) {
		var opens bool
		switch over, opens = w.Over(s.NotBefore); {
		case !opens:
			over = s.NotBefore
			return Broken, "its window never opens"
		case over.Before(s.NotBefore):
			over = s.NotBefore
		}
		return Waits, ""
	}
	if w := step.Now.Work.Wait; w != nil {
		if s.Verdict, s.Why = waits(w); s.Verdict == Waits {
			s.Until = over
		}
		return over
	}
	for i, e := range step.Now.Elements { // they wait side by side
		one := &s.Elements[i]
		if w := e.Now.Work.Wait; w != nil && one.Verdict == Waits {
			if one.Verdict, one.Why = waits(w); one.Verdict == Waits {
				one.Until = over
				if over.After(last) {
					last = over
				}
				s.Until = last
			}
		}
	}
	return last
}
