package incident

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/pullbook/pullbook/engine/approval"
	"github.com/pullbook/pullbook/engine/runbook"
)

// EditPrefix begins the names of branches whose pull requests against an incident's branch ask for an edit of its plan.
const EditPrefix = "edit/"

// editGate is what the reviews of an edit are about, where those of an incident name a step.
const editGate = "edit"

// PlanEdited records that the plan was changed while the incident follows it. Its commit holds this event, the changed files
// of the frozen plan, and nothing else. The pull request that brought them is never merged.
type PlanEdited struct {
	Pull    int              `json:"pull"` // number of that pull request
	Head    string           `json:"head"` // its commit that the reviews were given on, hex
	Authors []runbook.Author `json:"authors"`
	Was     string           `json:"was"`  // SHA-256 of the plan directory before, hex
	Plan    string           `json:"plan"` // and after
	Changed []string         `json:"changed,omitempty"`
	Added   []string         `json:"added,omitempty"`
	Removed []string         `json:"removed,omitempty"`
	Diff    string           `json:"diff"` // of the sources of the plan, unified, as runbook.Diff writes it
	Votes   []approval.Vote  `json:"votes"`
}

// Kind implements Data.
func (PlanEdited) Kind() string { return "plan-edited" }

// Edit is an open pull request that asks for an edit of the plan, as it is now.
type Edit struct {
	Pull     Pull
	Authors  []runbook.Author // of its commits, and who opened it
	Reviews  []approval.Review
	Comments []Comment
	Problem  string            // why it cannot be taken at all, a part of a sentence; empty if it can
	Problems []runbook.Problem // mistakes in the plan that it would make
	Draft    *EditDraft        // nil where there is a problem
	Told     string            // AnswerEdit.Key of what was said of it last
}

// EditDraft is the plan that an edit would make.
type EditDraft struct {
	runbook.Edit
	Plan   runbook.Plan
	Was    string            // digest of the plan that it was made from, hex
	Digest string            // of the new one
	Files  map[string][]byte // that change, by path below the plan directory
	Diff   string
}

// EditConfirm is what has to hold when the push of an edit departs: the reviews are read again.
type EditConfirm struct {
	Pull int
	Head string
	Gate approval.Gate
}

// Holds says why an edit is not to be pushed, by what the hub says just before; empty if it is.
func (c EditConfirm) Holds(seen HubView) string {
	if seen.Pull == nil || !seen.Pull.Open || seen.Pull.Head != c.Head {
		return fmt.Sprintf("the pull request %d of the edit is not open at %s any more", c.Pull, c.Head)
	}
	if v := approval.Evaluate(c.Gate, seen.Reviews, shownOfEdit(c.Head, seen.Reviews)).Verdict; v.Status != approval.StatusApproved {
		return fmt.Sprintf("the edit of pull request %d: %s", c.Pull, v.Sentence)
	}
	return ""
}

// AnswerEdit says on the head of an edit how it stands: what is wrong with it, or whose approval it waits for.
type AnswerEdit struct {
	Pull    int
	Key     string // tells this answer from others
	Problem string // why it is not taken; empty: Answer says what it waits for
	Answer  approval.Decision
}

// CloseEdit closes the pull request of an edit that was taken.
type CloseEdit struct {
	Pull      int
	Commented bool // it was said why
}

func (AnswerEdit) action() {}
func (CloseEdit) action()  {}

// planEdited applies the event.
func (s *State) planEdited(e Event, d PlanEdited) error {
	switch {
	case d.Was != s.Plan:
		return errors.New("it changes another plan than the incident has")
	case d.Plan == d.Was:
		return errors.New("it changes nothing of the plan")
	case s.EditOf(d.Pull) != nil:
		return fmt.Errorf("the edit of pull request %d was taken already", d.Pull)
	case len(d.Authors) == 0 || len(d.Votes) == 0:
		return errors.New("it names nobody who wrote it, or nobody who approved it")
	}
	for i, v := range d.Votes {
		if d.wrote(v.By.ID) || approval.Voted(d.Votes[:i], v.By.ID) {
			return fmt.Errorf("%s approves what they wrote, or approves twice", v.By.Login)
		}
	}
	for _, name := range d.Changed {
		if st := s.Step(name); st.Gate.Authors != nil {
			st.Gate.Edited = true
			s.set(name, st)
		}
	}
	s.Plan, s.Edits = d.Plan, append(slices.Clip(s.Edits), d)
	s.acknowledge(e)
	return nil
}

func (d PlanEdited) wrote(id int64) bool {
	return slices.ContainsFunc(d.Authors, func(a runbook.Author) bool { return a.ID == id })
}

// EditOf is the edit that a pull request brought, nil if none.
func (s State) EditOf(pull int) *PlanEdited {
	i := slices.IndexFunc(s.Edits, func(d PlanEdited) bool { return d.Pull == pull })
	if i < 0 {
		return nil
	}
	return &s.Edits[i]
}

// editors lists those who changed a step while the incident was open.
func (s State) editors(step string) (out []Barred) {
	for _, d := range s.Edits {
		if !slices.Contains(d.Changed, step) && !slices.Contains(d.Added, step) {
			continue
		}
		for _, a := range d.Authors {
			out = append(out, Barred{ID: a.ID, Login: a.Login, Why: "changed this step in pull request " + fmt.Sprint(d.Pull)})
		}
	}
	return out
}

// EditProblem says why the plan cannot be changed so now, a part of a sentence; empty if it can. What has begun stays as it
// is, unless it failed and nothing has followed from that.
func (s State) EditProblem(was, now runbook.Plan, e runbook.Edit) string {
	for _, name := range e.Changed {
		if step, _ := was.Step(name); !s.editable(step) {
			how := s.reached(name)
			if how == hasBegun {
				return "step " + name + " has begun, and what has begun is not changed"
			}
			return "step " + name + " " + how + ", and so it is not changed any more"
		}
	}
	for _, name := range e.Removed {
		step, _ := was.Step(name)
		if _, known := s.Steps[name]; known {
			return "step " + name + " stands in the journal, and is not taken away"
		}
		if _, known := s.Steps[step.Undoes]; known {
			return "step " + step.Undoes + " " + s.reached(step.Undoes) + ", and its undo is not taken away"
		}
	}
	for _, name := range slices.Sorted(maps.Keys(s.Steps)) {
		_, i, _ := was.Written(name)
		if _, j, kept := now.Written(name); kept && runbook.Place(name, i) != runbook.Place(name, j) {
			return "what is recorded of step " + name + " would have another place in the ledger; put new steps behind it"
		}
	}
	return ""
}

const hasBegun = "has begun"

// reached says how far a step has come, a part of a sentence.
func (s State) reached(name string) string {
	switch st := s.Step(name); {
	case st.Phase == PhaseSkipped:
		return "is skipped"
	case st.Phase == PhaseByHand:
		return "was done by hand"
	case st.Attempt > 0, st.Phase == PhaseEach:
		return hasBegun
	case st.Phase == PhaseGate:
		return "waits at its gate"
	case st.Phase == PhaseCleared:
		return "has passed its gate"
	case st.Over():
		return "is over"
	}
	return "has no turn any more"
}

// editable reports whether a step may be changed.
func (s State) editable(step runbook.Step) bool {
	st := s.Step(step.Name)
	switch stage := s.Stage(); {
	case s.Settled(step), st.settledList():
		return false
	case stage != step.Stage && (stage == runbook.StageFinally || step.Stage == runbook.StageMain):
		return false
	}
	return st.Phase == PhaseIdle || st.Phase == PhaseGate || st.Over()
}

// EditProblem says why an edit is not taken, before anybody approves it; empty if only approvals can be missing.
func (d *decider) editProblem(e Edit) string {
	switch {
	case d.base.Edit == nil:
		return "`edit` of pullbook.cue names nobody who approves edits: the plan of a running incident is not changed"
	case e.Problem != "":
		return e.Problem
	case len(e.Problems) > 0 || e.Draft == nil:
		return "the plan that it makes is wrong"
	case e.Draft.Was != d.state.Plan:
		return "it was made from another plan than the incident has now"
	}
	if why := d.state.EditProblem(d.base, e.Draft.Plan, e.Draft.Edit); why != "" {
		return why
	}
	for _, a := range d.view.Attempts {
		template, _, element := runbook.SplitName(a.Step)
		if !element {
			template = a.Step
		}
		if a.Number > d.state.Step(a.Step).Attempt && slices.Contains(slices.Concat(e.Draft.Changed, e.Draft.Removed), template) {
			return "step " + a.Step + " is running, and what has begun is not changed"
		}
	}
	return ""
}

// shownOfEdit is what those who review an edit have in front of them: the edit as it was at each commit.
func shownOfEdit(head string, reviews []approval.Review) map[string][]approval.Shown {
	out := map[string][]approval.Shown{head: {{Step: editGate, Page: head}}}
	for _, r := range reviews {
		out[r.Commit] = []approval.Shown{{Step: editGate, Page: r.Commit}}
	}
	return out
}

// editAsked is an edit as the verdict sees it: bound to its head, and so to all bytes of it.
func (d *decider) editAsked(e Edit) approval.Gate {
	not := map[int64]string{}
	for _, a := range e.Authors {
		not[a.ID] = "wrote the edit"
	}
	return approval.Gate{Step: editGate, Page: e.Pull.Head, Rule: *d.base.Edit, Excluded: not, Teams: d.view.Teams, Logins: d.view.Logins}
}

// EditVerdict explains how an edit stands: what is wrong with it, or else who has approved and who still can.
func (s State) EditVerdict(plan runbook.Plan, v View, e Edit) (problem string, answer approval.Decision) {
	d := decider{base: plan.Base(), state: s, view: v}
	return d.editVerdict(e)
}

func (d *decider) editVerdict(e Edit) (problem string, answer approval.Decision) {
	if problem = d.editProblem(e); problem == "" {
		g := d.editAsked(e)
		answer = approval.Evaluate(g, e.Reviews, shownOfEdit(e.Pull.Head, e.Reviews))
	}
	return problem, answer
}

// takeEdit takes the first edit that has its approvals, and reports whether there was one: nothing else happens in this look.
func (d *decider) takeEdit() bool {
	for _, e := range d.view.Edits {
		if !e.Pull.Open || d.state.EditOf(e.Pull.Number) != nil {
			continue
		}
		problem, answer := d.editVerdict(e)
		if problem != "" || answer.Verdict.Status != approval.StatusApproved {
			continue
		}
		event := PlanEdited{Pull: e.Pull.Number, Head: e.Pull.Head, Authors: e.Authors, Was: e.Draft.Was, Plan: e.Draft.Digest, Diff: e.Draft.Diff,
			Changed: e.Draft.Changed, Added: e.Draft.Added, Removed: e.Draft.Removed, Votes: answer.Votes}
		if d.record(event) {
			d.commit.Plan = e.Draft.Files
			d.edit = &EditConfirm{Pull: e.Pull.Number, Head: e.Pull.Head, Gate: d.editAsked(e)}
			d.flushFor("the plan is edited")
			d.emit()
			return true
		}
	}
	return false
}

// editTaken is the mark of the comment that says so.
const editTaken = "edit-taken"

// showEdits answers open edits on their heads, and closes those that were taken.
func (d *decider) showEdits() {
	for _, e := range d.view.Edits {
		switch taken := d.state.EditOf(e.Pull.Number); {
		case !e.Pull.Open:
		case taken != nil:
			said := slices.ContainsFunc(e.Comments, func(c Comment) bool { return c.Own && HasReplyKey(c.Body, editTaken) })
			d.actions = append(d.actions, CloseEdit{Pull: e.Pull.Number, Commented: said})
		default:
			problem, answer := d.editVerdict(e)
			key := runbook.PageDigest(fmt.Appendf(nil, "%s\n%s\n%v\n%+v", e.Pull.Head, problem, e.Problems, answer.Verdict))
			if key != e.Told {
				d.actions = append(d.actions, AnswerEdit{Pull: e.Pull.Number, Key: key, Problem: problem, Answer: answer})
			}
		}
	}
}

// TakenText is the comment with which the pull request of an edit is closed.
func (d PlanEdited) TakenText() string {
	var b strings.Builder
	fmt.Fprintf(&b, "The incident follows the plan of commit %s from now on, by a commit of the engine's own, so this pull request is closed and not merged.\n", d.Head)
	for _, part := range []struct {
		what  string
		steps []string
	}{{"Changed", d.Changed}, {"New", d.Added}, {"Taken away", d.Removed}} {
		if len(part.steps) > 0 {
			fmt.Fprintf(&b, "\n%s: `%s`.", part.what, strings.Join(part.steps, "`, `"))
		}
	}
	b.WriteString("\n\nGates whose pages are other than before ask again; all others keep their approvals.")
	return MarkReply(editTaken, b.String())
}
