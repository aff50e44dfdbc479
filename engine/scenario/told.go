package scenario

import (
	"encoding/json"
	"strconv"
	"strings"

	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/runbook"
)

// tellStart prints what a runner is handed.
func (s *stage) tellStart(a incident.Start) {
	step, ok := s.expanded().Step(a.Step)
	if !ok {
		return // unreachable: what starts is a step of the plan
	}
	text := "starts " + a.Step + " (" + string(step.Risk)
	if a.Attempt > 1 {
		text += ", attempt " + strconv.Itoa(a.Attempt)
	}
	s.line(text + ")")
	s.tellWhat("", step.Kind, runbook.Resolution{Work: runbook.Work{Run: a.Work}, Locks: step.Now.Locks})
}

// expanded is the plan with the elements that are settled.
func (s *stage) expanded() runbook.Plan { return s.state.Expand(s.plan) }

// tellWork prints what people approve, do, choose or wait for, below the event that asks them.
func (s *stage) tellWork(data incident.Data) {
	var name string
	switch d := data.(type) {
	case incident.GateOpened:
		name = d.Step
	case incident.StepStarted:
		name = d.Step
	default:
		return
	}
	plan := s.expanded()
	step, ok := plan.Step(name)
	if !ok {
		return // unreachable: the journal names steps of the plan
	}
	if !step.Each {
		s.tellWhat("", step.Kind, step.Now)
		return
	}
	for _, e := range step.Now.Elements {
		s.tellWhat(e.Key+": ", step.Kind, e.Now)
	}
}

func (s *stage) tellWhat(of string, kind runbook.Kind, now runbook.Resolution) {
	text := workText(kind, now.Work)
	if len(now.Locks) > 0 {
		text = strings.TrimSpace(text + " with the locks " + strings.Join(now.Locks, ", "))
	}
	if text != "" {
		s.line("  " + of + text)
	}
}

// workText is what would run, as a gate page has it, on one line: its kind and JSON.
func workText(kind runbook.Kind, work runbook.Work) string {
	var what any
	switch {
	case work.Manual != nil:
		what = work.Manual
	case work.Choose != nil:
		what = work.Choose
	case work.Runbook != nil:
		what = work.Runbook
	case work.Run != nil:
		what = work.Run
	default: // a wait: the event says until when
		return ""
	}
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(what); err != nil {
		return string(kind) // unreachable: it was read from JSON
	}
	return string(kind) + " " + strings.TrimSpace(b.String())
}

// tellRollup prints that an incident has halted: no event says so.
func (s *stage) tellRollup(a incident.PublishRollup) {
	if a.Status == incident.RollupFailed && a.ExternalID != s.shown {
		s.shown = a.ExternalID
		s.line("shows " + strings.Join(strings.Fields(a.Summary), " "))
	}
}

// tellLocks prints which locks are waited for, once until others are.
func (s *stage) tellLocks(names []string) {
	if text := strings.Join(names, ", "); text != s.awaited {
		s.awaited = text
		s.line("waits for the locks " + text)
	}
}
