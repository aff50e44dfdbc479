package sim

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// edit replaces a text of a file of the engine, which must be there once.
type edit struct{ file, from, to string }

// mutation is the engine with a defence taken away, or with a bug that it once had. The simulation has to find it.
type mutation struct {
	name  string
	edits []edit
	test  string // that finds it, at all times; empty: some seed of TestSeeds
}

func one(name, file, from, to string) mutation {
	return mutation{name: name, edits: []edit{{file, from, to}}}
}

// seenBy is a mutation that one of the other tests finds.
func (m mutation) seenBy(test string) mutation { m.test = test; return m }

// mutations are defences of the core and of the join ring. Those at the ports are in mutant_test.go.
func mutations() []mutation {
	return slices.Concat(mutatedCore(), mutatedRing(), mutatedEdits(), oldBugs())
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
		{name: "the outcome of an old attempt is taken", edits: []edit{
			{"incident/facts.go", "		return d.attempt(step.Name, st.Attempt)", "		return d.attempt(step.Name, max(1, st.Attempt-1))"},
			{"incident/facts.go", "		d.recordOutcome(*a.Outcome)", "		o := *a.Outcome\n		if st.Phase == PhaseStarted {\n			o.Attempt = st.Attempt\n		}\n		d.recordOutcome(o)"}}},
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
		one("who asked for the attempt approves it", "incident/advance.go", "	not, wrote := excluded(barred)", "	_, wrote := excluded(barred)\n	not := map[int64]string{}").seenBy("TestScenes/asker"),
		one("an approval of another commit counts", "approval/approval.go", "	case page != t.gate.Page:\n		return abstains", "	case page == \"\":\n		return abstains"),
		one("a repetition does not wait", "incident/repeat.go", "		return st.Repeats.Begun.Add(step.Every)", "		return st.Repeats.Begun").seenBy("TestScenes/repeat"),
		one("a lock is free while nobody knows whether its step happened", "incident/locks.go", "func (s StepState) holds() bool { return s.Phase == PhaseStarted || s.Phase == PhaseUnknown }",
			"func (s StepState) holds() bool { return s.Phase == PhaseStarted }"),
		one("what is frozen goes on", "incident/decide.go", "	case v.Branch.Foreign != nil || v.Branch.Gone:\n", "	case v.Branch.Gone && v.Branch.Deleted:\n").seenBy("TestScenes/frozen"),
	}
}

func mutatedRing() []mutation {
	return []mutation{
		{name: "a lock is ignored", edits: []edit{
			{"locks.go", "		if by, taken := l.takenBy(branch, lock); taken {\n			return fmt", "		if by, taken := l.takenBy(branch, lock); taken && lock == \"\" {\n			return fmt"},
			{"incident/locks.go", "	return len(out) > 0\n}\n\n// lockedStep", "	d.locked, d.awaited = nil, AwaitLocks{}\n	return false\n}\n\n// lockedStep"}}},
		one("memberships and reviews are not read again before an intent departs", "perform.go", "f.Withdrawn(seen.Reviews, ", "f.Withdrawn(w.hub.Reviews, ").seenBy("TestScenes/reread"),
		{name: "the incident of a step is opened again after its merge", test: "TestScenes/child", edits: []edit{
			{"child.go", "	case kin != nil:\n		return e.wakeParent(ctx, &o.Parent)\n	}\n	if e.unwanted", "	case kin != nil && !kin.merged:\n		return e.wakeParent(ctx, &o.Parent)\n	}\n	if e.unwanted"},
			{"child.go", "	if err := e.checkFree(ctx, w.branch); err != nil {", "	if err := ctx.Err(); err != nil {"},
			{"opening.go", "err == nil && heads[e.DefaultBranch] != w.ledger.state.Opened.Commit {", "err == nil && heads[e.DefaultBranch] == \"\" {"}}},
	}
}

func mutatedEdits() []mutation {
	return []mutation{
		one("who edited a step approves it", "incident/duties.go", "	out = append(out, s.editors(name)...)\n", ""),
		one("a gate that an edit touched keeps its approvals", "incident/advance.go", "st.Phase == PhaseIdle || st.Gate.Page != opened.Page {",
			"st.Phase == PhaseIdle || st.Gate.Page != opened.Page && len(d.state.Edits) == 0 {"),
		one("an edit of a step that ran is taken", "incident/edit.go", "step, _ := was.Step(name); !s.editable(step) {", "step, _ := was.Step(name); !s.editable(step) && name == \"\" {"),
		one("an edit may change who approves a step", "runbook/edit.go", "case kept && !bytes.Equal(encoded(old.Approval), encoded(step.Approval)):", "case kept && step.Approval != nil && step.Approval.Count > 1<<20:"),
	}
}

// TestMutationsApply holds that every mutation can still be made, and that the README's table says by what each is found.
func TestMutationsApply(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	known, alone := knownSeeds(), scenes()
	for _, m := range mutations() {
		at, is := known[m.name]
		by := "seed " + fmt.Sprint(at)
		if m.test != "" {
			by = "`" + m.test + "`"
		}
		if is == (m.test != "") || !strings.Contains(string(readme), fmt.Sprintf("| %s | %s |", m.name, by)) {
			t.Errorf("one thing has to find %q, and the README's table to say that it does: %s", m.name, by)
		}
		delete(known, m.name)
		name, _ := strings.CutPrefix(m.test, "TestScenes/")
		delete(alone, name)
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
	for name := range alone {
		t.Errorf("no mutation is found by the scene %q", name)
	}
	for name := range known {
		t.Errorf("a seed is known of %q, which is no mutation", name)
	}
}
