package audit

import (
	"slices"
	"strings"
	"time"

	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/runbook"
)

// hold is a time in which an incident held a lock, by its journal: from the intent that took it until its attempt had ended.
type hold struct {
	lock     string
	incident incident.ID
	commit   string // of the intent
	from, to time.Time
}

// holdsAfter follows what the incident holds past one event.
func (t *trail) holdsAfter(b *batch, e incident.Event, next incident.State) {
	if d, ok := e.Data.(incident.StepStarted); ok {
		for _, lock := range d.Locks {
			t.holding = append(t.holding, hold{lock: lock, incident: t.record.ID, commit: b.commit.Hash.String(), from: e.At})
		}
	}
	if len(t.holding) == 0 {
		return
	}
	held, until := next.Locks(), e.At
	if d, ok := e.Data.(incident.StepEnded); ok && d.Ended.Before(until) {
		until = d.Ended // its effect was over before it was written down
	}
	t.holding = slices.DeleteFunc(t.holding, func(h hold) bool {
		if _, still := held[h.lock]; still {
			return false
		}
		if h.to = until; h.to.After(h.from) {
			t.held = append(t.held, h)
		}
		return true
	})
}

// overlaps finds the locks that two incidents held at one time, as their journals tell the time. What an open incident
// still holds has no end yet and is not looked at.
func overlaps(holds []hold) (found []Finding) {
	slices.SortStableFunc(holds, func(a, b hold) int {
		if c := strings.Compare(a.lock, b.lock); c != 0 {
			return c
		}
		return a.from.Compare(b.from)
	})
	var longest hold // of those with the same lock that began before
	for _, h := range holds {
		if h.lock == longest.lock && h.incident != longest.incident && h.from.Before(longest.to) {
			f := Finding{Commit: h.commit, Incident: h.incident}
			f.Why = "it takes the lock " + h.lock + " at " + stamp(h.from) + ", which incident " + string(longest.incident) + " held until " + stamp(longest.to)
			found = append(found, f)
		}
		if h.lock != longest.lock || h.to.After(longest.to) {
			longest = h
		}
	}
	return found
}

func stamp(t time.Time) string { return t.Format("2006-01-02T15:04:05.000Z07:00") }

// locked checks that an intent takes the locks that its step may take. Which names the plan gives them, the alert may have
// decided.
func (m moment) locked(d incident.StepStarted) *Finding {
	switch {
	case len(d.Locks) > 0 && !m.step.TakesLocks:
		return m.wrong("", "step %s takes locks, and the plan gives it none", d.Step)
	case len(d.Locks) > runbook.MaxLocks:
		return m.wrong("", "step %s takes %d locks", d.Step, len(d.Locks))
	}
	return nil
}
