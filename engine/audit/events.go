package audit

import (
	"bytes"
	"encoding/json"
	"slices"
	"time"

	"github.com/pullbook/pullbook/engine/approval"
	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/journal"
	"github.com/pullbook/pullbook/engine/runbook"
)

// moment is one event of a step, with all that it is judged by.
type moment struct {
	batch *batch
	step  runbook.Step
	index int                // of the step in the plan
	was   incident.StepState // before the event
}

func (m moment) wrong(path, format string, args ...any) *Finding {
	return wrong(m.batch.commit.Hash, path, format, args...)
}

// event verifies one event against the plan and what came before it, and moves the state on.
func (t *trail) event(b *batch, e incident.Event) *Finding {
	next, err := t.follow(e)
	if err != nil {
		return wrong(b.commit.Hash, journal.Path(t.dir, e.Seq, e.Data.Kind()), "%v", err)
	}
	f := t.judge(b, e)
	if f != nil && f.Path == "" {
		f.Path = journal.Path(t.dir, e.Seq, e.Data.Kind())
	}
	switch d := e.Data.(type) {
	case incident.StepStarted:
		t.begun[d.Step] = e.Seq
	case incident.RepeatStarted:
		t.begun[d.Step] = e.Seq
	}
	t.kin(e.Data, next)
	t.holdsAfter(b, e, next)
	t.state = next
	t.expand(e)
	return f
}

func (t *trail) follow(e incident.Event) (incident.State, error) {
	if t.state.Seq == 0 {
		return incident.Fold([]incident.Event{e})
	}
	return t.state.With(e)
}

func (t *trail) judge(b *batch, e incident.Event) *Finding {
	if f := t.commanded(b, e.Data); f != nil {
		return f
	}
	switch d := e.Data.(type) {
	case incident.EachExpanded:
		return t.at(b, d.Step, func(m moment) *Finding { return firstOf(t.eachExpanded(m, d), t.placed(m)) })
	case incident.StepStarted:
		return t.at(b, d.Step, func(m moment) *Finding {
			return firstOf(t.stepStarted(m, d, e), t.opensApproved(m, d), t.runsApproved(m, d), m.locked(d), t.demanded(m, e), t.placed(m))
		})
	case incident.StepEnded:
		return t.at(b, d.Step, func(m moment) *Finding {
			return firstOf(t.stepEnded(m, d), m.timely(e, d), t.rehearsed(m, d), t.approvedIt(m, d.Deed), t.carriedOut(m, d), m.ranIt(d))
		})
	case incident.RepeatStarted:
		return t.at(b, d.Step, func(m moment) *Finding { return firstOf(t.repeatStarted(m, d, e), t.demanded(m, e), t.placed(m)) })
	case incident.RepeatEnded:
		return t.at(b, d.Step, func(m moment) *Finding { return t.repeatEnded(m, d) })
	case incident.ChildOpened:
		return t.at(b, d.Step, func(m moment) *Finding { return t.sameInputs(m, d) })
	case incident.RunDispatched:
		return t.at(b, d.Step, func(m moment) *Finding { return t.dispatched(m, d) })
	case incident.RunStopAsked:
		return t.at(b, d.Step, func(m moment) *Finding { return t.stopAsked(m, e, d) })
	case incident.StepSkipped:
		return t.at(b, d.Step, func(m moment) *Finding { return t.skipped(m, d, e) })
	case incident.Assigned:
		return t.at(b, d.Step, func(m moment) *Finding { return t.assigned(m, d) })
	case incident.StepBroken:
		return t.at(b, d.Step, t.placed)
	case incident.StepUnknown:
		return t.at(b, d.Step, known)
	case incident.StepByHand:
		return t.at(b, d.Step, func(m moment) *Finding { return t.byHand(m, d, e) })
	case incident.RetryAsked:
		return t.at(b, d.Step, func(m moment) *Finding {
			if d.For != m.step.Rehearses && d.For != "" {
				return m.wrong("", "step %s begins anew for %s, which it does not rehearse", d.Step, d.For)
			}
			return t.answered(m)
		})
	case incident.Thawed:
		return t.thawed(b, d)
	case incident.PlanEdited:
		return t.planEdited(b, d)
	case incident.UndoBegun:
		return t.undoBegun(b, d)
	case incident.FinallyBegun:
		return t.finallyBegun(b, d)
	case incident.Reopened:
		t.reopened = true
	case incident.Ended:
		if owed := t.state.Owed(); len(owed) > 0 {
			return wrong(b.commit.Hash, "", "the incident ends, and nobody has reviewed that the glass of step %s was broken", owed[0].Step)
		}
		return t.end(b, d)
	}
	return t.judgeGate(b, e)
}

// judgeGate verifies the events of gates.
func (t *trail) judgeGate(b *batch, e incident.Event) *Finding {
	switch d := e.Data.(type) {
	case incident.GateOpened:
		return t.at(b, d.Step, func(m moment) *Finding { return firstOf(t.gateOpened(m, d, e), t.placed(m)) })
	case incident.GateApproved:
		return t.at(b, d.Step, func(m moment) *Finding { return firstOf(t.gateApproved(m, d), t.placed(m)) })
	case incident.GlassBroken:
		return t.at(b, d.Step, func(m moment) *Finding { return firstOf(t.glassBroken(m, d), t.placed(m)) })
	case incident.GlassReviewed:
		return t.at(b, d.Step, func(m moment) *Finding { return t.glassReviewed(m, d) })
	case incident.GateRejected:
		return t.at(b, d.Step, t.placed)
	case incident.GateLifted:
		return t.at(b, d.Step, func(m moment) *Finding { return firstOf(t.lifted(m, e), t.placed(m)) })
	case incident.GateExpired:
		return t.at(b, d.Step, func(m moment) *Finding { return firstOf(m.expired(d, e), t.placed(m)) })
	case incident.GateReminded:
		return t.at(b, d.Step, func(m moment) *Finding { return firstOf(m.reminded(e), t.placed(m)) })
	case incident.GateEscalated:
		return t.at(b, d.Step, func(m moment) *Finding { return firstOf(m.escalated(d, e), t.placed(m)) })
	}
	return nil
}

// firstOf is the first of some findings.
func firstOf(all ...*Finding) *Finding {
	for _, f := range all {
		if f != nil {
			return f
		}
	}
	return nil
}

// known is the judgement on events of which it is enough that the plan has the step.
func known(moment) *Finding { return nil }

// at looks up the step of an event.
func (t *trail) at(b *batch, name string, judge func(moment) *Finding) *Finding {
	step, i, ok := t.plan.Written(name)
	if !ok {
		return wrong(b.commit.Hash, "", "the plan has no step %q", name)
	}
	return judge(moment{batch: b, step: step, index: i, was: t.state.Step(name)})
}

func (t *trail) gateOpened(m moment, d incident.GateOpened, e incident.Event) *Finding {
	path := journal.GatePath(t.dir, d.Step, m.index)
	page, written := m.batch.files[path]
	if written {
		t.claim(m.batch, path)
		t.pages[path] = runbook.PageDigest(page)
		t.shows(m, path, page)
	}
	switch {
	case t.pages[path] != d.Page:
		return m.wrong(path, "the gate page is not the one that the journal names")
	}
	if f := firstOf(t.ruled(m, d, e), t.planShown(m, path)); f != nil {
		return f
	}
	return m.gateElements(d, path, page)
}

// gateApproved checks each vote against what was in front of the voter, and all of them against the rule. That no two come
// from one person, the fold has checked.
func (t *trail) gateApproved(m moment, d incident.GateApproved) *Finding {
	barred := t.state.Barred(t.plan, d.Step)
	for _, vote := range d.Votes {
		by := vote.By
		not := slices.IndexFunc(barred, func(b incident.Barred) bool {
			return b.ID == by.ID && !(b.Wrote && approval.Named(by, t.plan.SelfApproval))
		})
		switch {
		case by.ID <= 0 || by.Bot:
			return m.wrong("", "review %d counts as an approval of step %s, and is not a person's", vote.Review, d.Step)
		case !by.Write || !approval.Named(by, m.was.Gate.Rule.People()):
			return m.wrong("", "review %d is by %q, who may not approve step %s", vote.Review, by.Login, d.Step)
		case not >= 0:
			return m.wrong("", "review %d is by %q, who may not approve step %s: %s", vote.Review, by.Login, d.Step, barred[not].Why)
		}
		seq, ours := t.commits[vote.Commit]
		if !ours {
			return m.wrong("", "review %d was given on %q, which is no earlier commit of this incident", vote.Review, vote.Commit)
		}
		shown := t.state.Shown(map[string]int{vote.Commit: seq})[vote.Commit]
		if !slices.Contains(shown, approval.Shown{Step: d.Step, Page: d.Page}) {
			return m.wrong("", "review %d was given on %s, where the gate of step %s was not open with this page", vote.Review, vote.Commit, d.Step)
		}
	}
	if !approval.Met(m.was.Gate.Rule, approval.Voters(d.Votes)) {
		return m.wrong("", "the approvals of step %s do not meet its rule: %s", d.Step, m.was.Gate.Rule.String())
	}
	t.record.Votes += len(d.Votes)
	return nil
}

// stepStarted checks an intent: the plan's work and risk, a passed gate where the plan has one, and no more attempts than
// the plan allows unless a person asked for a new round. That a gate which it names was passed, the fold has checked.
func (t *trail) stepStarted(m moment, d incident.StepStarted, e incident.Event) *Finding {
	gate := t.gateOf(m)
	switch {
	case d.Work != m.step.Kind || d.Risk != m.step.Risk:
		return m.wrong("", "step %s starts as %q of risk %q, and the plan says %q of risk %q", d.Step, d.Work, d.Risk, m.step.Kind, m.step.Risk)
	case d.Key != runbook.AttemptKey(string(t.record.ID), d.Step, d.Attempt):
		return m.wrong("", "attempt %d of step %s has the key of another", d.Attempt, d.Step)
	case m.was.Tried >= max(1, m.step.Retry.Attempts):
		return m.wrong("", "step %s starts again after %d attempts, and nobody asked for that", d.Step, m.was.Tried)
	case t.gated(m, e) && (d.Gate == "" || !passed(gate)):
		return m.wrong("", "step %s starts without its approvals", d.Step)
	case d.Gate != "" && d.Digest != gate.Digest:
		return m.wrong("", "step %s starts with another digest than was approved", d.Step)
	case (m.step.Kind.AsksPeople() || m.step.Kind == runbook.KindRunbook) && !d.Deadline.Equal(e.At.Add(m.step.Timeout)): // it decides what their word still does
		return m.wrong("", "step %s has until %s, which is another time than the plan gives", d.Step, d.Deadline.Format(time.RFC3339Nano))
	}
	return nil
}

// stepEnded checks an outcome: its intent, where it needs one, is in an earlier commit, and its evidence is what it says.
func (t *trail) stepEnded(m moment, d incident.StepEnded) *Finding {
	if m.step.Each {
		return m.collected(d)
	}
	needsIntent := m.step.Risk != runbook.RiskRead || !m.step.Kind.NeedsRunner() || m.step.Approval != nil || m.step.TakesLocks
	switch {
	case needsIntent && m.was.Phase != incident.PhaseStarted:
		return m.wrong("", "attempt %d of step %s ended, and there is no intent of it", d.Attempt, d.Step)
	case m.was.Phase != incident.PhaseStarted && m.step.Stage != runbook.StageMain && t.answered(m) != nil: // it was begun without an intent
		return t.answered(m)
	case m.was.Phase == incident.PhaseStarted && t.begun[d.Step] > m.batch.last:
		return m.wrong("", "the intent of attempt %d of step %s is in the same commit as its outcome", d.Attempt, d.Step)
	}
	path := func(name string) string { return journal.EvidencePath(t.dir, d.Step, d.Attempt, name, m.index) }
	log, output := path(journal.LogName), path(journal.OutputName)
	_, logged := m.batch.files[log]
	_, put := m.batch.files[output]
	said, gave := t.claim(m.batch, log), t.claim(m.batch, output)
	switch {
	case logged != (d.Evidence != ""):
		return m.wrong(log, "the journal and the evidence disagree on whether there is a log")
	case logged && runbook.PageDigest(said) != d.Evidence:
		return m.wrong(log, "the log is not the one that the journal names")
	case put && !sameJSON(gave, d.Output):
		return m.wrong(output, "the output is not the one that the journal holds")
	}
	return nil
}

// sameJSON compares a file with a compact value, spaces aside.
func sameJSON(file, value []byte) bool {
	var b bytes.Buffer
	return json.Compact(&b, file) == nil && bytes.Equal(b.Bytes(), value)
}
