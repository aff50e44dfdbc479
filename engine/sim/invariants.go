package sim

import (
	"strings"

	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/runbook"
)

// invariant is what must be so after every event. I6, I7 and I9 are checked where a push arrives, I8 when there is calm.
type invariant struct {
	name  string
	check func(w *World)
}

func invariants() []invariant {
	return []invariant{
		{"I1 an acknowledged alert is in the inbox or in a journal", alertsKept},
		{"I2 at most one open incident for an alert group", oneOpen},
		{"I3 a step that is neither read nor idempotent starts at most once, unless a person asked for more", onceOnly},
		{"I4 no effect without its intent on the remote branch", intended},
		{"I8 in the calm everything comes to rest within a minute", comesToRest},
		{"I10 no check shows success without a result", checksTrue},
		{"I11 no secret leaves", noLeaks},
		{"I12 the budget of calls is kept, and the hub's silence", withinBudget},
	}
}

// ask runs every invariant on what has happened since the last time.
func (w *World) ask() {
	if !w.fresh.changed && len(w.fresh.effects)+len(w.fresh.requests) == 0 {
		return
	}
	for _, i := range w.watch {
		i.check(w)
	}
	w.fresh = facts{}
}

func alertsKept(w *World) {
	c := w.chronicle
	kept := c.acks[:0]
	for _, a := range c.acks {
		switch {
		case c.recorded[a.group][a.digest]:
			continue
		case !a.store.holds(a.digest):
			w.fail("I1", "the alert %s of %s was acknowledged, and is nowhere", short(a.digest), a.group)
		}
		kept = append(kept, a)
	}
	c.acks = kept
}

func oneOpen(w *World) {
	open := map[string]incident.ID{}
	for _, r := range w.chronicle.records {
		group := r.state.Opened.Group
		if r.state.End != "" || !r.state.MitigatedAt.IsZero() || r.merged || r.void {
			continue
		}
		if other, twice := open[group]; twice {
			w.fail("I2", "%s has two open incidents: %s and %s", group, other, r.id)
		}
		open[group] = r.id
	}
}

func onceOnly(w *World) {
	for _, e := range w.fresh.effects {
		r := w.chronicle.of(e.job.Incident)
		if r == nil {
			continue // intended says so
		}
		step, _ := r.step(e.job.Step)
		r.effects[step.Name]++
		r.byKey[e.job.Key]++
		if step.Repeatable() {
			continue
		}
		if r.byKey[e.job.Key] > 1 {
			w.fail("I3", "%s happened twice", e.job.Key)
		}
		if allowed := 1 + r.retries[step.Name]; r.effects[step.Name] > allowed {
			w.fail("I3", "step %s of %s happened %d times, and people asked for %d", step.Name, r.id, r.effects[step.Name], allowed)
		}
	}
}

func intended(w *World) {
	for _, e := range w.fresh.effects {
		r := w.chronicle.of(e.job.Incident)
		if r == nil {
			w.fail("I4", "%s happened, and nobody opened its incident", e.job.Key)
			continue
		}
		if r.void {
			w.fail("I3", "%s happened, and an incident of that name was merged before", e.job.Key)
		}
		w.asWritten(r, e.job)
		step, ok := r.step(e.job.Step)
		if game := w.rehearsal; game != nil && (step.Risk != runbook.RiskRead || game.NoReads) {
			w.fail("I3", "%s happened on a game day", e.job.Key)
		}
		if !ok || (step.Risk != runbook.RiskRead || step.Approval != nil) && !r.intents[e.job.Key] {
			w.fail("I4", "%s happened without an intent on the remote", e.job.Key)
		}
	}
}

func checksTrue(w *World) {
	for _, c := range w.fresh.checks {
		if c.Conclusion != "success" {
			continue
		}
		r := w.chronicle.ofCommit(c.Commit)
		if r == nil {
			w.fail("I10", "the check %s shows success on %s, which records nothing", c.Name, short(c.Commit))
			continue
		}
		if c.Name == incident.RollupName {
			// Another engine may have opened it again since, while the one that shows this stood still: the commit is not the head then.
			if then, err := incident.Fold(r.events[:r.commits[c.Commit]]); err != nil || then.End == "" {
				w.fail("I10", "the rollup of %s shows success before the end", r.id)
			}
			continue
		}
		if !r.showsGood(c) {
			w.fail("I10", "the check %s of %s shows success without a good result at its commit", c.Name, r.id)
		}
	}
}

// ofCommit finds the incident that a commit belongs to.
func (c *chronicle) ofCommit(id string) *record {
	for _, r := range c.records {
		if r.commits[id] > 0 {
			return r
		}
	}
	return nil
}

// showsGood reports whether the journal up to the check's commit holds a good end of the step that its external id names.
func (r *record) showsGood(c incident.CheckRun) bool {
	for _, e := range r.events[:r.commits[c.Commit]] {
		step := ""
		switch d := e.Data.(type) {
		case incident.StepEnded:
			if d.Conclusion == runbook.Succeeded {
				step = d.Step
			}
		case incident.StepByHand:
			step = d.Step
		}
		if step != "" && strings.HasPrefix(c.ExternalID, string(r.id)+"/"+step+"/") {
			return true
		}
	}
	return false
}

func noLeaks(w *World) {
	for _, text := range w.fresh.leaks {
		w.fail("I11", "a secret leaves in %q", text)
	}
}
