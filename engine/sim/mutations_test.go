package sim

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// edit replaces a text of a file of the engine, which must be there once.
type edit struct{ file, from, to string }

// mutation is the engine with a defence taken away, or with a bug that it once had. The simulation has to find it.
type mutation struct {
	name  string
	edits []edit
}

func one(name, file, from, to string) mutation { return mutation{name, []edit{{file, from, to}}} }

// mutations are defences of the core and of the join ring. Those at the ports are in mutant_test.go.
func mutations() []mutation {
	return append(mutatedCore(), mutatedRing()...)
}

func mutatedCore() []mutation {
	return []mutation{
		one("an effect comes before its intent", "incident/decide.go", "	if d.flush {\n		d.actions = append(d.actions, Flush{",
			"	if d.actions, d.starts = append(d.actions, d.starts...), nil; d.flush {\n		d.actions = append(d.actions, Flush{"),
		one("a wait lasts twice as long", "incident/advance.go", "		return wait.Over(d.now)", "		at, ok = wait.Over(d.now)\n		return at.Add(at.Sub(d.now)), ok"),
		one("a wait ends a little early", "incident/advance.go", "	if d.clock.Before(st.Deadline) && !st.WouldRun {", "	if d.clock.Add(3*time.Second).Before(st.Deadline) && !st.WouldRun {"),
		one("a retry does not wait for its pause", "incident/advance.go", "	case d.now.Before(due):", "	case d.now.Before(d.now):"),
		one("everything is taken for idempotent", "incident/rehearsal.go", "	return step.Repeatable() || d.state.WouldRun(step)", "	return true"),
		one("what nobody knows is a failure", "incident/facts.go", "	if !d.repeatable(step) && st.Phase == PhaseStarted {", "	if d.repeatable(step) && st.Phase == PhaseIdle {"),
		{"the outcome of an old attempt is taken", []edit{
			{"incident/facts.go", "		a, known := d.attempt(step.Name, expected)", "		a, known := d.attempt(step.Name, max(1, expected-1))"},
			{"incident/facts.go", "			d.recordOutcome(*a.Outcome)", "			o := *a.Outcome\n			o.Attempt = expected\n			d.recordOutcome(o)"}}},
		one("the finally steps are skipped", "incident/stages.go", "	if slices.ContainsFunc(d.plan.Steps, func(s runbook.Step) bool { return s.Stage == runbook.StageFinally }) {",
			"	if slices.ContainsFunc(d.plan.Steps, func(s runbook.Step) bool { return s.Stage == \"none\" }) {"),
		one("what happened first is undone first", "incident/stages.go", "at > latest && !s.settled(step)", "at > 0 && (latest == 0 || at < latest) && !s.settled(step)"),
		one("an incident ends with a debt", "incident/glass.go", "	if len(d.state.Owed()) == 0 {\n		return false", "	if len(d.state.Owed()) >= 0 {\n		return false"),
		one("who broke the glass reviews it", "incident/glass.go", "	not[b.Vote.By.ID] = \"broke the glass\"", "	_ = not"),
		one("anybody breaks the glass", "approval/glass.go", "	case !r.By.Write || !Named(r.By, t.gate.Glass):", "	case !r.By.Write:"),
		one("a gate is overridden by somebody else", "incident/override.go", "	gate.Verb, gate.Glass = q.verb, nil",
			"	gate.Verb, gate.Glass, gate.Rule = q.verb, nil, runbook.Approval{From: d.base.Command, Count: 1}"),
		one("a gate opens after its time", "incident/advance.go", "	case d.late(st, answer):", "	case d.late(st, answer) && answer.Verdict.Status != approval.StatusApproved:"),
		one("a freeze is ignored", "incident/calendar.go", "	return plan.Under(d.demands)", "	return plan"),
		one("who asked for the attempt approves it", "incident/advance.go", "	not, wrote := d.state.excluded(d.base, step.Name)", "	_, wrote := d.state.excluded(d.base, step.Name)\n	not := map[int64]string{}"),
		one("an approval of another commit counts", "approval/approval.go", "	case page != t.gate.Page:\n		return abstains", "	case page == \"\":\n		return abstains"),
		one("a repetition does not wait", "incident/repeat.go", "		return st.Repeats.Begun.Add(step.Every)", "		return st.Repeats.Begun"),
		one("a lock is free while nobody knows whether its step happened", "incident/locks.go", "func (s StepState) holds() bool { return s.Phase == PhaseStarted || s.Phase == PhaseUnknown }",
			"func (s StepState) holds() bool { return s.Phase == PhaseStarted }"),
		one("what is frozen goes on", "incident/decide.go", "	case v.Branch.Foreign != nil || v.Branch.Gone:\n", "	case v.Branch.Gone && v.Branch.Deleted:\n"),
	}
}

func mutatedRing() []mutation {
	return []mutation{
		{"a lock is ignored", []edit{
			{"locks.go", "		if by, taken := l.takenBy(branch, lock); taken {\n			return fmt", "		if by, taken := l.takenBy(branch, lock); taken && lock == \"\" {\n			return fmt"},
			{"incident/locks.go", "	return len(out) > 0\n}\n\n// lockedStep", "	d.locked, d.awaited = nil, AwaitLocks{}\n	return false\n}\n\n// lockedStep"}}},
		one("memberships and reviews are not read again before an intent departs", "perform.go", "f.Withdrawn(seen.Reviews, ", "f.Withdrawn(w.hub.Reviews, "),
		{"the incident of a step is opened again after its merge", []edit{
			{"child.go", "	case kin != nil:\n		return e.wakeParent(ctx, &o.Parent)\n	}\n	if e.unwanted", "	case kin != nil && !kin.merged:\n		return e.wakeParent(ctx, &o.Parent)\n	}\n	if e.unwanted"},
			{"child.go", "	if err := e.checkFree(ctx, w.branch); err != nil {", "	if err := ctx.Err(); err != nil {"},
			{"opening.go", "err == nil && heads[e.DefaultBranch] != w.ledger.state.Opened.Commit {", "err == nil && heads[e.DefaultBranch] == \"\" {"}}},
		one("bug 3: the branch goes before the records of its attempts", "perform.go", "	if err := e.Inbox.Forget(ctx, w.branch); err != nil {", "	if err := e.Hub.Publish(ctx, incident.Publication{DeleteBranch: w.branch}); err != nil {\n		return err\n	}\n	if err := e.Inbox.Forget(ctx, w.branch); err != nil {"),
		one("bug 4: a branch that was deleted is free", "opening.go", "			return p, e.checkFree(ctx, branch)", "			return p, nil"),
		one("bug 5: what was merged meanwhile is opened again", "opening.go", "err == nil && heads[e.DefaultBranch] != w.ledger.state.Opened.Commit {", "err == nil && heads[e.DefaultBranch] == \"\" {"),
		one("bug 6: a closed pull request is no sign of a deleted branch", "look.go", "(!seen.Pull.Open || seen.Pull.Head != n.remote)", "seen.Pull.Open && seen.Pull.Head != n.remote"),
		one("bug 7: what the queue has lost is waited for when an undo is due", "incident/stages.go", "st.Phase == PhaseStarted && !d.leftBehind(main, st) {", "st.Phase == PhaseStarted {"),
		one("bug 8: what is queued of a merged incident stays", "perform.go", "		if err := e.Inbox.StopStep(ctx, a.Key); err != nil { // another engine", "		if err := ctx.Err(); err != nil { // another engine"),
		one("bug 10: a look begins anew without end", "look.go", "if anew++; anew > maxAnew {", "if anew++; anew > maxRounds {"),
		one("bug 11: the head of a closed pull request is compared", "perform.go", "if seen.Pull == nil || seen.Pull.Open && seen.Pull.Head != n.remote {", "if seen.Pull == nil || seen.Pull.Head != n.remote {"),
		one("bug 13: what is only here decides where an alert belongs", "opening.go", "	return w.report.Load().state, nil", "	return w.ledger.state, nil"),
		one("bug 15: an element of a later round names the gate of its template", "incident/each.go", "	case st.Round == 1 && !t.Gate.Opened.IsZero()", "	case !t.Gate.Opened.IsZero()"),
		one("bug 16: who stood behind a place that is given up sleeps on", "locks.go", "			l.owe(branch, func(lock string) bool { return slices.Contains(before.Locks, lock) })", "			_ = before"),
		one("bug 17: a review from before a gate counts as an answer to it", "incident/routing.go", "(r.At.IsZero() || !r.At.Before(since))", "(r.At.IsZero() || !r.At.Before(since) || !since.IsZero())"),
		one("bug 18: what nobody is asked about keeps the finally steps out", "incident/locks.go", "		if ours && s.Steps[own].Closed {", "		if ours && s.Steps[own].Closed && own == \"\" {"),
		one("bug 19: a branch that was given back counts as opened twice", "look.go", "n.state.Pull == 0 && !n.state.GivenBack() && ", "n.state.Pull == 0 && "),
		one("bug 20: a second pull request stays open", "show.go", "		if lookErr != nil || seen.Pull == nil ||", "		if lookErr == nil || seen.Pull == nil ||"),
		one("bug 21: a later incident whose branch was deleted is not seen", "results.go", "	if seen.Pull == nil {", "	if seen.Pull != nil {"),
		one("bug 14: an opening takes as long as it likes", "opening.go", "took < 0 || took > atOnce {", "took < -1<<62 {"),
	}
}

// TestMutationsApply holds that every mutation can still be made.
func TestMutationsApply(t *testing.T) {
	for _, m := range mutations() {
		for _, e := range m.edits {
			text, err := os.ReadFile(filepath.Join("..", e.file))
			if err != nil {
				t.Fatal(err)
			}
			if n := strings.Count(string(text), e.from); n != 1 {
				t.Errorf("%s: the text to replace is in %s %d times:\n%s", m.name, e.file, n, e.from)
			}
		}
	}
}
