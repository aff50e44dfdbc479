package sim

import (
	"slices"
	"time"

	"github.com/pullbook/pullbook/engine/runbook"
)

// More kinds that runners perform: one that may be repeated until the incident is mitigated, one that may be done twice, and
// one that is rehearsed.
const (
	kindUpdate    runbook.Kind = "update"
	kindTicket    runbook.Kind = "ticket"
	kindTerraform runbook.Kind = "terraform"
)

const rehearsal = "_rehearsal"

// extend draws what a book has beside its steps as they were drawn: a calendar, steps of other kinds in the place of some, and
// undo steps of its templates.
func (w *World) extend(b *book) {
	r := w.dice.plan
	for i := range b.Steps {
		s := &b.Steps[i]
		if s.Kind != kindExec || s.Each != "" || s.HasOutput || s.Stage == runbook.StageUndo || !oneIn(r, 3) {
			continue
		}
		s.Kind, s.Risk, s.Idempotent = pick(r, kindUpdate, kindTicket, kindTerraform), runbook.RiskChange, true
		switch s.Kind {
		case kindTerraform:
			s.Idempotent, s.Retry = false, runbook.Retry{}
		case kindUpdate:
			if s.Stage == runbook.StageMain {
				s.Every, s.Locks = pick(r, 0, 2*time.Minute, 20*time.Minute), nil
			}
			if u := b.step(s.Name + "_undo"); u != nil && len(s.Locks) == 0 {
				u.Locks = nil
			}
		}
	}
	b.Calendar = w.drawCalendar()
	if oneIn(r, 3) {
		b.Glass = &runbook.BreakGlass{By: []string{"bob", "carol"}, Review: runbook.Approval{From: []string{sreTeam}, Count: 1}}
	}
}

// drawCalendar draws freezes that begin and end while the incidents are open, and change windows.
func (w *World) drawCalendar() (c runbook.Calendar) {
	r := w.dice.plan
	day := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	rule := runbook.Approval{From: []string{"heidi"}, Count: 1} // nobody counts twice: of those whom steps name, none might be left
	if oneIn(r, 3) {
		from := w.now.Add(between(r, -time.Hour, 2*time.Hour)).Truncate(time.Second)
		c.Freezes = append(c.Freezes, runbook.Freeze{From: from, To: from.Add(pick(r, 3*time.Minute, 40*time.Minute, 30*time.Hour)), Why: "sales", Rule: rule})
	}
	if oneIn(r, 4) {
		from := w.now.Sub(day) % (24 * time.Hour)
		opens := (from + between(r, 0, 2*time.Hour)).Truncate(time.Minute) % (24 * time.Hour)
		c.Windows = []runbook.Window{{Days: everyDay(), From: opens, To: (opens + 3*time.Hour) % (24 * time.Hour)}}
		c.Outside = &rule
	}
	return c
}

// undoOfTemplate is an undo of each element of a template.
func (w *World) undoOfTemplate(s bookStep) bookStep {
	u := w.drawStep(&book{}, s.Name+"_undo", runbook.StageUndo)
	for u.Kind != kindExec && u.Kind != kindHTTP {
		u = w.drawStep(&book{}, s.Name+"_undo", runbook.StageUndo)
	}
	u.Undoes, u.JoinAny, u.Each, u.HasOutput, u.OnFailure = s.Name, false, s.Each, false, runbook.FailureHalts
	if u.Locks == nil {
		u.Locks = s.Locks
	}
	return u
}

// withRehearsal are the steps of the plan that a step makes: itself, and before it the rehearsal of one that is rehearsed.
func withRehearsal(s runbook.Step) []runbook.Step {
	if s.Kind != kindTerraform {
		return []runbook.Step{s}
	}
	r := s
	r.Name, r.Title, r.Rehearses, r.Risk = s.Name+rehearsal, "Rehearse: "+s.Title, s.Name, runbook.RiskRead
	r.Retry, r.Approval, r.TakesLocks, r.HasOutput, r.Idempotent = runbook.Retry{}, nil, false, true, false
	r.Needs, r.Refers = slices.Clone(s.Needs), slices.Clone(s.Refers)
	s.Needs, s.Refers = slices.Sorted(slices.Values(append(s.Needs, r.Name))), slices.Sorted(slices.Values(append(s.Refers, r.Name)))
	return []runbook.Step{r, s}
}

// elementsDone are the elements of an undo: those of its template that had succeeded, in the order in which they are undone.
func elementsDone(all []runbook.Element, done []string) (out []runbook.Element) {
	for _, key := range done {
		i := slices.IndexFunc(all, func(e runbook.Element) bool { return e.Key == key })
		if i < 0 {
			out = append(out, runbook.Element{Key: key, Now: runbook.Resolution{Status: runbook.StatusBroken}})
			continue
		}
		out = append(out, all[i])
	}
	return out
}
