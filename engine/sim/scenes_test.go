package sim

import (
	"slices"
	"time"

	"github.com/pullbook/pullbook/engine"
	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/runbook"
)

// scenes are those of the bugs by their numbers, and of what has no number.
func scenes() map[string]*scene {
	return map[string]*scene{
		"6":      deletedWhileWaiting(),
		"7":      cancelledWhenLost(),
		"10":     oldHead(),
		"11":     closedMeanwhile(),
		"13":     mitigatedHere(),
		"14":     openedElsewhere(),
		"15":     onceFrozen(),
		"16":     placeGivenUp(),
		"17":     reviewedBefore(),
		"18":     cancelledUnknown(),
		"19":     deletedAndBack(),
		"20":     secondPull(),
		"21":     laterDeleted(),
		"24":     reopenedElsewhere(),
		"25":     deletedAtOnce(),
		"27":     bothHold(),
		"28":     notGivenBack(),
		"29":     skippedFailure(),
		"30":     clockSetBack(),
		"32":     calledOffWhenLost(),
		"33":     closedAtOnce(),
		"34":     leftBehind(),
		"35":     endedElsewhere(),
		"37":     doneBehind(),
		"38":     undoneUnseen(),
		"39":     editedForOneself(),
		"41":     timerCameEarly(),
		"42":     strangersWork(),
		"43":     editedBeforeRetry(),
		"49":     toldAgain(),
		"frozen": writtenTo(),
		"repeat": {books: []*book{of(repeated(), human("m"))}},
		"reread": dismissedLate(),
		"child":  orderedAgain(),
		"asker":  askedAndApproves(),
	}
}

func repeated() bookStep {
	s := run("u", runbook.RiskChange)
	s.Kind, s.Idempotent, s.Every = kindUpdate, true, 2*time.Minute
	return s
}

// deletedWhileWaiting: somebody deletes a branch, and the hub closes its pull request, while the incident only waits.
func deletedWhileWaiting() *scene {
	return &scene{books: []*book{of(human("m"))}, beats: []beat{
		{when: is(0, "m", incident.PhaseStarted), do: func(s *scene) { s.w.vandalise(s.pull(0)); s.look(0) }},
	}}
}

// cancelledWhenLost: an engine's disk is lost with a step under way that may be done twice and that nobody undoes, and somebody cancels before another one begins.
// People are asked to undo the step before it.
func cancelledWhenLost() *scene {
	undo, twice := human("s0_undo"), run("s1", runbook.RiskChange, "s0")
	undo.Stage, undo.Undoes, twice.Idempotent = runbook.StageUndo, "s0", true
	return &scene{books: []*book{of(run("s0", runbook.RiskChange), twice, undo)}, beats: []beat{
		{when: is(0, "s1", incident.PhaseStarted), at: "runner.effect.", fault: KillBefore, do: func(s *scene) {
			s.says(0, "/cancel so")
			s.w.loseInbox(s.w.active())
		}},
	}}
}

// calledOffWhenLost: the same with a step that has a lock, before anything was done that could be undone. A finally step has the same lock.
func calledOffWhenLost() *scene {
	twice := run("s0", runbook.RiskChange).locking("db")
	twice.Idempotent = true
	return &scene{books: []*book{of(twice, run("f0", runbook.RiskChange).locking("db").finally())}, beats: []beat{
		{when: is(0, "s0", incident.PhaseStarted), at: "runner.effect.", fault: KillBefore, do: func(s *scene) {
			s.says(0, "/cancel so")
			s.w.loseInbox(s.w.active())
		}},
	}}
}

// oldHead: the hub shows an old head for a while when a gate is approved.
func oldHead() *scene {
	return &scene{books: []*book{of(gated("s0"))}, beats: []beat{
		{when: is(0, "s0", incident.PhaseGate), do: func(s *scene) {
			p := s.pull(0)
			p.stale, p.staleUntil = s.w.remote.commits[p.head].parent, s.w.now.Add(20*time.Second)
			s.approve(0, "s0")
			s.look(0)
		}},
		{when: is(0, "s0", incident.PhaseEnded)},
	}}
}

// closedMeanwhile: somebody closes a pull request, its branch goes on, and then somebody approves.
func closedMeanwhile() *scene {
	return &scene{books: []*book{of(gated("s0"), run("s1", runbook.RiskChange))}, beats: []beat{
		{when: is(0, "s0", incident.PhaseGate), do: func(s *scene) { _ = s.w.forge.setState(s.pull(0), false) }},
		{when: is(0, "s1", incident.PhaseEnded), do: func(s *scene) { s.approve(0, "s0"); s.look(0) }},
		{when: is(0, "s0", incident.PhaseEnded), soon: "a gate that was approved is not confirmed"},
	}}
}

// mitigatedHere: a look finds that an incident is mitigated, and cannot go on before that is pushed. The problem comes back.
func mitigatedHere() *scene {
	beats := []beat{{at: "journal.append.mitigated", do: func(s *scene) { s.w.in(2*time.Second, "", func() { s.alert(0) }) }}}
	for range 6 {
		beats = append(beats, beat{at: "inbox.attempts", fault: Refused})
	}
	return &scene{books: []*book{probed()}, beats: append(beats, beat{when: is(0, "m", incident.PhaseStarted)})}
}

// probed is a book whose incident is mitigated, and waits for a person.
func probed() *book {
	p := run("p", runbook.RiskRead)
	p.Kind = runbook.KindProbe
	return of(p, human("m", "p"))
}

// onceFrozen: a freeze asks for the gate of a template, one of its elements fails, and somebody tries it again after the freeze.
func onceFrozen() *scene {
	s := run("s0", runbook.RiskChange)
	s.Each = written
	b := of(s)
	b.Calendar.Freezes = []runbook.Freeze{{From: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), Why: "sales", Rule: runbook.Approval{From: []string{sreTeam}, Count: 1}}}
	once := func(a engine.Attempt) runbook.Conclusion {
		if a.Step == "s0.0" && a.Attempt == 1 {
			return runbook.Failed
		}
		return runbook.Succeeded
	}
	return &scene{books: []*book{b}, freeze: 2 * time.Minute, ends: once, beats: []beat{
		{when: is(0, "s0", incident.PhaseGate), do: func(s *scene) { s.approve(0, "s0"); s.look(0) }},
		{when: is(0, "s0.0", incident.PhaseEnded)},
		{when: after(3 * time.Minute), do: func(s *scene) { s.says(0, "/retry s0.0") }},
		{when: is(0, "s0.0", incident.PhaseEnded), soon: "an element is not tried again"},
	}}
}

// placeGivenUp: a step that waits for two locks, of which one is free, loses its approval, while another step of its incident waits.
func placeGivenUp() *scene {
	free := gated("a1").locking("db", "web")
	var vote *review
	return &scene{books: []*book{of(human("h").locking("db")), of(free, run("a2", runbook.RiskChange).locking("db")), of(run("b1", runbook.RiskChange).locking("web"))},
		beats: []beat{
			{when: is(0, "h", incident.PhaseStarted), do: func(s *scene) { s.alert(1) }},
			{when: is(1, "a1", incident.PhaseGate), do: func(s *scene) { vote = s.approve(1, "a1"); s.look(1) }},
			{when: after(5 * time.Second), do: func(s *scene) { s.alert(2) }},
			{when: after(20 * time.Second), do: func(s *scene) { _ = s.w.forge.dismiss(vote); s.look(1) }},
			{when: is(2, "b1", incident.PhaseStarted), soon: "nobody wakes who has stood behind a step that gave up its place"},
		}}
}

// reviewedBefore: one of a team reviews something else just before the team is needed, and the engine does not know yet.
func reviewedBefore() *scene {
	first := gated("s0")
	first.Approval.Count = 2
	return &scene{books: []*book{of(first, run("s1", runbook.RiskRead), gated("s2", "s1"))}, beats: []beat{
		{when: is(0, "s0", incident.PhaseGate)},
		{when: after(2 * time.Second), do: func(s *scene) { s.approve(0, "another") }}, // of which the check of the gate says nothing
		{when: is(0, "s2", incident.PhaseGate)},
	}}
}

// cancelledUnknown: somebody cancels while nobody knows whether a step with a lock has happened. A finally step has the same lock.
func cancelledUnknown() *scene {
	return &scene{books: []*book{of(run("s0", runbook.RiskChange).locking("db"), run("f0", runbook.RiskChange).locking("db").finally())}, beats: []beat{
		{at: "runner.effect.", fault: KillBefore},
		{when: is(0, "s0", incident.PhaseUnknown), do: func(s *scene) { s.says(0, "/cancel so") }},
	}}
}

// deletedAtOnce: an engine dies before its journal knows the pull request; somebody writes to the branch, and deletes it.
func deletedAtOnce() *scene {
	return &scene{books: []*book{of(human("m"))}, beats: []beat{
		{at: "hub.open-pull", fault: KillAfter, do: func(s *scene) {
			s.w.in(time.Millisecond, "", func() { p := s.pull(0); s.w.intrude(p.branch); s.w.vandalise(p) })
		}},
	}}
}

// deletedAndBack: such a branch is given back, and the engine dies again.
func deletedAndBack() *scene {
	s := deletedAtOnce()
	s.beats = append(s.beats,
		beat{when: after(20 * time.Second), do: func(s *scene) { s.w.giveBack(s.pull(0), s.w.chronicle.records[0]); s.look(0) }},
		beat{at: "journal.flush.thawed", fault: KillAfter})
	return s
}

// closedAtOnce: an engine dies before its journal knows the pull request; somebody writes to the branch, and closes the pull request. When
// the next engine has seen that, the branch is deleted.
func closedAtOnce() *scene {
	return &scene{books: []*book{of(human("m"))}, beats: []beat{
		{at: "hub.open-pull", fault: KillAfter, do: func(s *scene) {
			s.w.in(time.Millisecond, "", func() { p := s.pull(0); s.w.intrude(p.branch); _ = s.w.forge.setState(p, false) })
		}},
		{when: after(20 * time.Second), do: func(s *scene) { s.look(0) }},
		{when: after(5 * time.Second), do: func(s *scene) { s.w.vandalise(s.pull(0)); s.look(0) }},
	}}
}

// leftBehind: a commit with an intent is made and counts as failed, behind one that is not pushed yet. Then the approval is dismissed.
func leftBehind() *scene {
	var vote *review
	b := of(run("s0", runbook.RiskChange), gated("s1"))
	b.Concurrency = 1
	return &scene{books: []*book{b}, beats: []beat{
		{when: is(0, "s1", incident.PhaseGate), do: func(s *scene) { vote = s.approve(0, "s1"); s.look(0) }},
		{at: "journal.append.step-started", fault: ReplyLost, do: func(s *scene) {
			s.w.in(100*time.Millisecond, "", func() { _ = s.w.forge.dismiss(vote); s.look(0) })
		}},
	}}
}

// secondPull: somebody closes a pull request that the hub does not show to readers yet, and an engine begins.
func secondPull() *scene {
	return &scene{books: []*book{of(human("m"))}, beats: []beat{
		{when: is(0, "m", incident.PhaseStarted), do: func(s *scene) {
			p := s.pull(0)
			p.hiddenUntil = s.w.now.Add(20 * time.Second)
			_ = s.w.forge.setState(p, false)
			s.w.restart(s.w.active(), false)
		}},
		{when: after(30 * time.Second), do: func(s *scene) { s.look(0) }},
	}}
}

// laterDeleted: somebody deletes the branch of the incident that followed another one, and then reopens that.
func laterDeleted() *scene {
	return &scene{books: []*book{probed()}, beats: []beat{
		{when: is(0, "m", incident.PhaseStarted)},
		{when: after(2 * time.Second), do: func(s *scene) { s.alert(0) }},
		{when: is(1, "p", incident.PhaseIdle), do: func(s *scene) { s.w.vandalise(s.pull(1)); s.says(0, "/reopen") }},
	}}
}

// reopenedElsewhere: a second engine that believes it has the ledger records /reopen, and then the first one gets an alert.
func reopenedElsewhere() *scene {
	var second *process
	return &scene{books: []*book{probed()}, beats: []beat{
		{when: is(0, "m", incident.PhaseStarted), do: func(s *scene) { second = s.w.second() }},
		{when: after(5 * time.Second), do: func(s *scene) {
			s.w.say(s.pull(0), s.w.forge.person("dora"), "/reopen")
			second.machine.store.add(second, engine.Message{Kind: engine.KindHub, Key: s.w.chronicle.records[0].branch})
		}},
		{when: func(s *scene) bool { return s.w.chronicle.records[0].state.Reopened != nil }, do: func(s *scene) { s.alert(0) }},
		{when: after(30 * time.Second), do: func(s *scene) { second.machine.retire(second) }},
	}}
}

// endedElsewhere: a second engine ends and merges an incident that the first one has in memory, and one that stood still with its opening
// makes the branch anew.
func endedElsewhere() *scene {
	var still, second *process
	merged := func(s *scene) bool {
		return s.w.chronicle.records[0].merged && s.w.remote.heads[s.w.chronicle.records[0].branch] == ""
	}
	return &scene{books: []*book{of(human("m"))}, beats: []beat{
		{at: "journal.flush.opened", fault: Paused, do: func(s *scene) { still, s.w.bent.stands = s.w.active(), 10*time.Minute }},
		{when: is(0, "m", incident.PhaseStarted), do: func(s *scene) { second = s.w.second() }},
		{when: after(2 * time.Second), do: func(s *scene) {
			s.w.say(s.pull(0), s.w.forge.person("dora"), "/done m")
			second.machine.store.add(second, engine.Message{Kind: engine.KindHub, Key: s.w.chronicle.records[0].branch})
		}},
		{when: merged, do: func(*scene) { still.goOn() }},
		{when: after(10 * time.Second), do: func(s *scene) { s.look(0) }},
	}}
}

// openedElsewhere: an opening takes long to get to the hub. A second engine opens the incident meanwhile and runs its first step, and somebody deletes the
// branch, so that it is free when the first one gets there.
func openedElsewhere() *scene {
	var second *process
	return &scene{books: []*book{of(run("s0", runbook.RiskChange), human("m", "s0"))}, beats: []beat{
		{at: "journal.append.opened", do: func(s *scene) {
			second, s.slow = s.w.second(), 90*time.Second
			s.tell(second, 0)
		}},
		{when: is(0, "m", incident.PhaseStarted), do: func(s *scene) {
			second.machine.retire(second)
			s.w.vandalise(s.pull(0))
		}},
		{when: func(s *scene) bool { return len(s.w.chronicle.records[0].again) > 0 }},
	}}
}

// bothHold: two incidents with the same lock are frozen when their attempts have ended, and the inbox is lost.
func bothHold() *scene {
	giveBack := func(n int) func(s *scene) {
		return func(s *scene) { s.w.giveBack(s.pull(n), s.w.chronicle.records[n]); s.look(n) }
	}
	intrude := func(n int) func(s *scene) {
		return func(s *scene) { s.w.intrude(s.w.chronicle.records[n].branch); s.look(n) }
	}
	return &scene{books: []*book{of(run("a", runbook.RiskChange).locking("db")), of(run("b", runbook.RiskChange).locking("db"))}, beats: []beat{
		{when: is(0, "a", incident.PhaseStarted), do: intrude(0)},
		{when: ran(0, "a"), do: func(s *scene) { s.alert(1) }},
		{when: is(1, "b", incident.PhaseStarted), do: intrude(1)},
		{when: ran(1, "b"), do: func(s *scene) { s.w.loseInbox(s.w.active()) }},
		{when: after(20 * time.Second), do: giveBack(0)},
		{when: after(5 * time.Second), do: giveBack(1)},
		{when: undisturbed, soon: "neither of two incidents that hold the same lock can be given back"},
	}}
}

// notGivenBack: the commit that gives a deleted branch back cannot be made.
func notGivenBack() *scene {
	return &scene{books: []*book{of(human("m"))}, beats: []beat{
		{when: is(0, "m", incident.PhaseStarted), do: func(s *scene) { s.w.vandalise(s.pull(0)); s.look(0) }},
		{when: after(5 * time.Second), do: func(s *scene) { s.w.giveBack(s.pull(0), s.w.chronicle.records[0]); s.look(0) }},
		{at: "journal.append.thawed", fault: Refused},
		{when: undisturbed, soon: "a branch is not given back when its commit could be made"},
	}}
}

// skippedFailure: somebody skips a step whose failure let the next one go on, which waits for its gate.
func skippedFailure() *scene {
	s0 := run("s0", runbook.RiskChange)
	s0.OnFailure = runbook.FailureContinues
	fails := func(a engine.Attempt) runbook.Conclusion {
		if a.Step == "s0" {
			return runbook.Failed
		}
		return runbook.Succeeded
	}
	return &scene{books: []*book{of(s0, gated("s1", "s0"))}, ends: fails, beats: []beat{
		{when: is(0, "s1", incident.PhaseGate), do: func(s *scene) { s.says(0, "/skip s0 so") }},
	}}
}

// clockSetBack: while a message is handled that came together with one from just before, the clock is set back, and the handling fails.
func clockSetBack() *scene {
	return &scene{books: []*book{of(human("m"))}, beats: []beat{
		{when: is(0, "m", incident.PhaseStarted)},
		{when: after(time.Second), do: func(s *scene) {
			s.w.deliver("first", engine.Message{Kind: engine.KindLook, Key: s.w.chronicle.records[0].branch})
			s.look(0)
			s.w.in(20*time.Second, "", func() { s.look(0) })
			s.w.in(time.Minute, "", func() { s.look(0) })
		}},
		{at: "inbox.attempts", do: func(s *scene) { s.slow = 30 * time.Second }},
		{at: "hub.look", fault: Refused, do: func(s *scene) { s.w.setClock(s.w.machines[0], -25*time.Second) }},
		{at: "hub.look"},
		{at: "hub.look", fault: Refused},
	}}
}

// timerCameEarly: the clock is ahead when it is looked whether a wait is over, and is set back before that is answered.
func timerCameEarly() *scene {
	s0 := bookStep{Name: "s0", Kind: runbook.KindWait, Risk: runbook.RiskRead, OnFailure: runbook.FailureHalts, Timeout: longest, Wait: &runbook.Wait{For: 30 * time.Second}}
	return &scene{books: []*book{of(s0, human("m"))}, beats: []beat{
		{when: is(0, "m", incident.PhaseStarted)},
		{when: after(time.Second), do: func(s *scene) { s.w.setClock(s.w.machines[0], time.Hour) }},
		{at: "hub.look", do: func(s *scene) { s.w.setClock(s.w.machines[0], 0) }},
		{when: is(0, "s0", incident.PhaseEnded), soon: "a wait goes on for ever whose timer came early"},
	}}
}

// doneBehind: nobody knows whether a step happened, the one behind it is done by hand, and people are asked for the one behind that.
func doneBehind() *scene {
	return &scene{books: []*book{of(run("s0", runbook.RiskChange), run("s1", runbook.RiskChange, "s0"), human("m", "s1"))}, beats: []beat{
		{at: "runner.effect.", fault: KillBefore},
		{when: is(0, "s0", incident.PhaseUnknown), do: func(s *scene) { s.says(0, "/did-it-by-hand s1 so") }},
		{when: is(0, "m", incident.PhaseStarted), do: func(s *scene) { s.says(0, "/retry s0 so") }},
		{when: is(0, "s0", incident.PhaseEnded), soon: "what somebody says of a step waits for what rests on one that was done by hand"},
	}}
}

// undoneUnseen: two steps are undone by steps that only read, and the engine dies before the journal knows of either.
func undoneUnseen() *scene {
	undo := func(of string) bookStep {
		s := run(of+"_undo", runbook.RiskRead)
		s.Stage, s.Undoes = runbook.StageUndo, of
		return s
	}
	return &scene{books: []*book{of(run("s0", runbook.RiskChange), run("s1", runbook.RiskChange, "s0"), human("m", "s1"), undo("s0"), undo("s1"))}, beats: []beat{
		{when: is(0, "m", incident.PhaseStarted), do: func(s *scene) { s.says(0, "/cancel so") }},
		{when: ran(0, "s1_undo")},
		{when: ran(0, "s0_undo"), do: func(s *scene) { s.w.restart(s.w.active(), false) }},
	}}
}

// writtenTo: somebody writes to a branch, and then somebody else does what is asked.
func writtenTo() *scene {
	return &scene{books: []*book{of(human("m"), run("s0", runbook.RiskChange, "m"))}, beats: []beat{
		{when: is(0, "m", incident.PhaseStarted), do: func(s *scene) {
			s.w.intrude(s.w.chronicle.records[0].branch)
			s.says(0, "/done m")
		}},
	}}
}

// dismissedLate: an approval is dismissed when the intent that rests on it is about to be pushed.
func dismissedLate() *scene {
	var vote *review
	return &scene{books: []*book{of(gated("s0"))}, beats: []beat{
		{when: is(0, "s0", incident.PhaseGate), do: func(s *scene) { vote = s.approve(0, "s0"); s.look(0) }},
		{at: "journal.append.step-started", do: func(s *scene) { _ = s.w.forge.dismiss(vote) }},
	}}
}

// askedAndApproves: who asks for another attempt of a step that failed is the only one who approves it.
func askedAndApproves() *scene {
	return &scene{books: []*book{of(gated("s0"))}, ends: failsOnce, beats: []beat{
		{when: is(0, "s0", incident.PhaseGate), do: func(s *scene) { s.approve(0, "s0"); s.look(0) }},
		{when: is(0, "s0", incident.PhaseEnded), do: func(s *scene) {
			s.w.say(s.pull(0), s.w.forge.person("alice"), "/retry s0")
			s.look(0)
		}},
		{when: is(0, "s0", incident.PhaseGate), do: func(s *scene) { s.approve(0, "s0"); s.look(0) }},
	}}
}

// toldAgain: the message of an alert comes once more when its incident has been merged.
func toldAgain() *scene {
	var told engine.Message
	return &scene{books: []*book{of(run("s0", runbook.RiskChange))}, beats: []beat{
		{at: "hub.open", do: func(s *scene) {
			messages := s.w.active().machine.store.messages
			told = messages[slices.IndexFunc(messages, func(m *message) bool { return m.Kind == engine.KindAlert })].Message
		}},
		{at: "inbox.forget", do: func(s *scene) { s.w.in(time.Second, "", func() { s.w.deliver("again", told) }) }},
	}}
}

// orderedAgain: the message that opens the incident of a step comes once more when that incident has been merged.
func orderedAgain() *scene {
	var order engine.Message
	s0 := bookStep{Name: "s0", Kind: runbook.KindRunbook, Risk: runbook.RiskChange, OnFailure: runbook.FailureHalts, Timeout: longest, Child: "child"}
	return &scene{books: []*book{of(s0)}, child: of(run("c0", runbook.RiskChange)), beats: []beat{
		{at: "inbox.put.child", do: func(s *scene) {
			s.w.in(0, "", func() { order = s.w.active().machine.store.messages[0].Message })
		}},
		{at: "inbox.forget", do: func(s *scene) { s.w.deliver("again", order) }},
	}}
}

// editedForOneself: an edit adds a step that only one person may approve, who wrote it.
func editedForOneself() *scene {
	b := of(human("m"))
	b.Edit = &runbook.Approval{From: []string{"grace"}, Count: 1}
	return &scene{books: []*book{b}, beats: []beat{
		{when: is(0, "m", incident.PhaseStarted), do: func(s *scene) {
			s.edit(0, "alice", func(b *book) {
				mine := gated("s0")
				mine.Approval.From = []string{"alice"}
				b.Steps = append(b.Steps, mine)
			})
		}},
		{when: is(0, "s0", incident.PhaseGate)},
	}}
}
