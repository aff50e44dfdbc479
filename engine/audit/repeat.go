package audit

import (
	"time"

	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/journal"
	"github.com/pullbook/pullbook/engine/runbook"
)

// repeatStarted checks the intent of a repetition: the plan asks for one, not before its time, and behind a gate it is what
// was approved. That the step has succeeded, and that the incident is not mitigated, the fold has checked.
func (t *trail) repeatStarted(m moment, d incident.RepeatStarted, e incident.Event) *Finding {
	due := t.state.RepeatAt(m.step)
	switch {
	case d.Key != runbook.AttemptKey(string(t.record.ID), d.Step, d.Attempt):
		return m.wrong("", "repetition %d of step %s has the key of another", d.Attempt, d.Step)
	case due.IsZero():
		return m.wrong("", "step %s is repeated, and the plan asks for no repetition of it", d.Step)
	case e.At.Before(due):
		return m.wrong("", "step %s is repeated before %s, when it was due", d.Step, due.Format(time.RFC3339))
	}
	gate := t.gateOf(m)
	switch {
	case t.gated(m, e) && (d.Gate == "" || !passed(gate)):
		return m.wrong("", "step %s is repeated without its approvals", d.Step)
	case d.Gate != "" && d.Digest != gate.Digest:
		return m.wrong("", "step %s is repeated with another digest than was approved", d.Step)
	}
	return nil
}

// repeatEnded checks the outcome of a repetition: its intent is in an earlier commit, and its log is what it says.
func (t *trail) repeatEnded(m moment, d incident.RepeatEnded) *Finding {
	if t.begun[d.Step] > m.batch.last {
		return m.wrong("", "the intent of repetition %d of step %s is in the same commit as its outcome", d.Attempt, d.Step)
	}
	path := journal.EvidencePath(t.dir, d.Step, d.Attempt, journal.LogName, m.index)
	_, logged := m.batch.files[path]
	said := t.claim(m.batch, path)
	switch {
	case logged != (d.Evidence != ""):
		return m.wrong(path, "the journal and the evidence disagree on whether there is a log")
	case logged && runbook.PageDigest(said) != d.Evidence:
		return m.wrong(path, "the log is not the one that the journal names")
	}
	return nil
}
