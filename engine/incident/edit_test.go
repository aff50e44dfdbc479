package incident

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"github.com/pullbook/pullbook/engine/approval"
	"github.com/pullbook/pullbook/engine/runbook"
)

// edits performs the commands about edits of the plan: edit, whose input is the plan that it makes, and edit-review.
func (s *stage) edits(t *testing.T, d *datadriven.TestData, args map[string]string) string {
	switch d.Cmd {
	case "edit":
		return s.edit(t, d, args)
	case "edit-review":
		e := s.editOf(int(number(t, args["pull"])))
		state := approval.Approved
		if args["state"] != "" {
			state = approval.ReviewState(args["state"])
		}
		commit := e.Pull.Head
		if args["at"] != "" {
			commit = args["at"]
		}
		e.Reviews = append(e.Reviews, approval.Review{ID: number(t, args["id"]), By: person(args), State: state, Commit: commit, Body: d.Input, At: s.now})
	case "edit-withdraw": // just before the next push
		s.unsaid = number(t, args["id"])
	}
	return "ok\n"
}

func (s *stage) editOf(pull int) *Edit {
	i := slices.IndexFunc(s.view.Edits, func(e Edit) bool { return e.Pull.Number == pull })
	if i < 0 {
		s.view.Edits = append(s.view.Edits, Edit{Pull: Pull{Number: pull, Open: true}})
		i = len(s.view.Edits) - 1
	}
	return &s.view.Edits[i]
}

func (s *stage) edit(t *testing.T, d *datadriven.TestData, args map[string]string) string {
	t.Helper()
	was := s.inForce()
	if said := s.makePlan(t, d.Input); said != "ok\n" {
		return said
	}
	steps := s.plan.Steps
	s.plan = was
	now := was
	now.Steps, now.Edits = steps, was.Edits+1
	e := s.editOf(int(number(t, args["pull"])))
	e.Pull.Head, e.Problem, e.Draft, e.Authors = args["head"], args["problem"], nil, nil
	for _, login := range append([]string{args["by"]}, keys(args["also"])...) {
		e.Authors = append(e.Authors, runbook.Author{ID: person(map[string]string{"by": login}).ID, Login: login, By: "commit " + args["head"]})
	}
	if e.Problem != "" {
		return "ok\n"
	}
	made, problems := runbook.Compare(was, now, nil, nil)
	if e.Problems = problems; len(problems) > 0 {
		return problems[0].String() + "\n"
	}
	e.Draft = &EditDraft{Edit: made, Plan: now, Was: s.state.Plan, Digest: "p of " + args["head"], Files: map[string][]byte{"plan.json": nil}, Diff: "..."}
	s.plans[e.Draft.Digest] = now
	return fmt.Sprintf("changed %v added %v removed %v\n", made.Changed, made.Added, made.Removed)
}

// inForce is the plan that the journal says is followed.
func (s *stage) inForce() runbook.Plan {
	if s.plans == nil {
		s.plans = map[string]runbook.Plan{s.state.Plan: s.plan}
	}
	return s.plans[s.state.Plan]
}

// follow takes the plan that the journal says is followed.
func (s *stage) follow() {
	if p, edited := s.plans[s.state.Plan]; edited {
		s.plan = p
	}
}

// confirmEdit is what the engine asks of an edit just before it pushes.
func (s *stage) confirmEdit(f Flush) (why string) {
	if f.Edit == nil {
		return ""
	}
	e := s.editOf(f.Edit.Pull)
	for i := range e.Reviews {
		if e.Reviews[i].ID == s.unsaid {
			e.Reviews[i].State, s.unsaid = approval.Dismissed, 0
		}
	}
	return f.Edit.Holds(HubView{Pull: &e.Pull, Reviews: e.Reviews})
}

func (s *stage) edited(a Action) {
	switch a := a.(type) {
	case AnswerEdit:
		s.editOf(a.Pull).Told = a.Key
	case CloseEdit:
		s.editOf(a.Pull).Pull.Open = false
	}
}

// showEdit prints an answer to an edit.
func showEdit(a AnswerEdit) string {
	if a.Problem != "" {
		return fmt.Sprintf("answer edit %d: not taken: %s", a.Pull, a.Problem)
	}
	said := []string{a.Answer.Verdict.Sentence}
	for _, c := range a.Answer.Verdict.Children {
		said = append(said, c.Sentence)
	}
	return fmt.Sprintf("answer edit %d: %s", a.Pull, strings.Join(said, "; "))
}

// TestFoldRefusesEdits: an edit that does not follow from the plan in force, or that its own author approves, is no part of a
// journal.
func TestFoldRefusesEdits(t *testing.T) {
	s := newStage()
	s.open(t)
	alice := approval.Vote{Review: 1, By: approval.Person{ID: 101, Login: "alice", Write: true}, Commit: "h1"}
	good := PlanEdited{Pull: 9, Head: "h1", Was: "p", Plan: "q", Authors: []runbook.Author{{ID: 102, Login: "bob"}}, Votes: []approval.Vote{alice}}
	with := func(change func(*PlanEdited)) PlanEdited {
		d := good
		change(&d)
		return d
	}
	for want, d := range map[string]PlanEdited{
		"another plan":     with(func(d *PlanEdited) { d.Was = "x" }),
		"changes nothing":  with(func(d *PlanEdited) { d.Plan = "p" }),
		"names nobody":     with(func(d *PlanEdited) { d.Votes = nil }),
		"names nobody who": with(func(d *PlanEdited) { d.Authors = nil }),
		"what they wrote":  with(func(d *PlanEdited) { d.Authors = []runbook.Author{{ID: 101}} }),
		"approves twice":   with(func(d *PlanEdited) { d.Votes = append(d.Votes, alice) }),
	} {
		if _, err := s.state.With(s.state.Next([]Data{d}, s.now)...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	after, err := s.state.With(s.state.Next([]Data{good}, s.now)...)
	if err != nil || after.Plan != "q" || after.EditOf(9) == nil || s.state.EditOf(9) != nil {
		t.Fatalf("%v, %+v", err, after.Edits)
	}
	again := with(func(d *PlanEdited) { d.Was, d.Plan = "q", "r" })
	if _, err := after.With(after.Next([]Data{again}, s.now)...); err == nil || !strings.Contains(err.Error(), "taken already") {
		t.Error(err)
	}
}
