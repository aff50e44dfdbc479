package sim

import (
	"time"

	"github.com/pullbook/pullbook/engine"
	"github.com/pullbook/pullbook/engine/approval"
	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/runbook"
)

// proposes lets bob propose to say something else in a step of an incident's plan.
func (s *scene) proposes(n int, step string) *pull {
	w, of := s.w, s.pull(n)
	path, b := w.editing.book(w.chronicle.records[n], of.head)
	b.step(step).Said = "w001"
	made := (&commit{parent: of.head, files: map[string][]byte{path: b.text()}, message: b.step(step).called(), by: "bob", at: w.now}).named()
	p := w.forge.propose(w.forge.person("bob"), incident.EditPrefix+"1", of.branch, made)
	w.tell("bob", "proposes by pull request %d an edit at %s", p.number, short(made.id))
	s.proposed()
	return p
}

// proposed is a webhook about what people propose.
func (s *scene) proposed() {
	s.w.deliver("proposed at "+s.w.now.String(), engine.Message{Kind: engine.KindProposals, Key: engine.KindProposals})
}

// strangersWork: somebody writes to an incident's branch, and an edit merges that. Another engine gives the branch back, and the first
// one finds that at the look at which the edit has its approvals.
func strangersWork() *scene {
	var edit *pull
	b := of(human("m"), human("n", "m"))
	b.Edit = &runbook.Approval{From: []string{sreTeam}, Count: 1}
	return &scene{books: []*book{b}, beats: []beat{
		{when: is(0, "m", incident.PhaseStarted), do: func(s *scene) { edit = s.proposes(0, "n") }},
		{when: after(time.Second), do: func(s *scene) { s.w.intrude(edit.base); s.look(0) }},
		{when: after(time.Second), do: func(s *scene) { s.w.editing.merge(edit, s.w.chronicle.records[0]); s.proposed() }},
		{when: after(time.Second), do: func(s *scene) {
			s.w.forge.review(s.pull(0), s.w.forge.person("alice"), approval.Commented, s.pull(0).head, "/thaw so")
			s.w.second()
		}},
		{when: undisturbed, do: func(s *scene) {
			s.w.forge.review(edit, s.w.forge.person("erin"), approval.Approved, edit.head, "")
			s.look(0)
		}},
		{when: after(time.Second)},
	}}
}

// editedBeforeRetry: a step with a gate has failed, and is edited in the pause before it is tried again by itself.
func editedBeforeRetry() *scene {
	s0 := gated("s0")
	s0.Idempotent, s0.Retry = true, runbook.Retry{Attempts: 2, Backoff: 20 * time.Second}
	b := of(s0)
	b.Edit = &runbook.Approval{From: []string{sreTeam}, Count: 1}
	return &scene{books: []*book{b}, ends: failsOnce, beats: []beat{
		{when: is(0, "s0", incident.PhaseGate), do: func(s *scene) { s.approve(0, "s0"); s.look(0) }},
		{when: is(0, "s0", incident.PhaseEnded), do: func(s *scene) {
			edit := s.proposes(0, "s0")
			s.w.forge.review(edit, s.w.forge.person("erin"), approval.Approved, edit.head, "")
		}},
		{when: is(0, "s0", incident.PhaseGate), soon: "nobody is asked about an edited step that is tried again"},
	}}
}

// failsOnce lets the first attempt of everything fail.
func failsOnce(a engine.Attempt) runbook.Conclusion {
	if a.Attempt == 1 {
		return runbook.Failed
	}
	return runbook.Succeeded
}
