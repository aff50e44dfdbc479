package render

import (
	"fmt"
	"strings"

	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/proposal"
	"github.com/pullbook/pullbook/engine/runbook"
)

// Edit writes the check of a pull request that asks for an edit of a running incident's plan: what is wrong with it, or whose
// approval it waits for. It is never green, since it is never merged. dir is where the plan lies in the ledger, with a slash at
// its end.
func Edit(id incident.ID, e incident.Edit, a incident.AnswerEdit, dir string) proposal.Check {
	c := proposal.Check{Pull: proposal.Pull{Number: e.Pull.Number, Head: e.Pull.Head, Branch: e.Pull.Branch, Base: e.Pull.Base}}
	problem, answer := a.Problem, a.Answer
	var b strings.Builder
	fmt.Fprintf(&b, "An edit of the plan that incident %s follows. It is never merged: when it has its approvals, the engine takes its files in a commit of its own.\n", code(string(id)))
	if problem != "" {
		c.Conclusion, c.Title = "failure", "This edit cannot be taken"
		b.WriteString("\nNot taken: " + Safe(problem) + ".\n")
		if len(e.Problems) > 0 {
			b.WriteString("\n" + problemTable(e.Problems))
		}
		for _, wrong := range e.Problems[:min(len(e.Problems), proposal.MostAnnotations)] {
			if a := annotation(wrong); a.Path != "" {
				a.Path = dir + a.Path
				c.Annotations = append(c.Annotations, a)
			}
		}
		c.Summary = b.String()
		return c
	}
	c.Conclusion, c.Title = "action_required", plain(answer.Verdict.Sentence, 120)
	b.WriteString(stepsOf(e.Draft.Edit))
	fmt.Fprintf(&b, "\nNow: **%s**. An approving review of commit %s counts.\n", Safe(answer.Verdict.Sentence), code(short(e.Pull.Head)))
	if len(answer.Verdict.Children) > 0 {
		b.WriteString("\n" + explain(answer.Verdict.Children))
	}
	if can := people(answer.Helpers); can != "" {
		b.WriteString("\nCan still help: " + can + ".\n")
	}
	c.Summary = b.String()
	return c
}

// EditTaken is the check of an edit that the incident follows.
func EditTaken(id incident.ID, pull incident.Pull, d incident.PlanEdited) proposal.Check {
	names := make([]string, len(d.Votes))
	for i, v := range d.Votes {
		names[i] = v.By.Login
	}
	return proposal.Check{Pull: proposal.Pull{Number: pull.Number, Head: d.Head, Branch: pull.Branch, Base: pull.Base}, Conclusion: "success", Title: "The incident follows this edit",
		Summary: fmt.Sprintf("An edit of the plan that incident %s follows. It was approved by %s, and taken in a commit of the engine's own.\n", code(string(id)), Safe(strings.Join(names, ", "))) +
			stepsOf(runbook.Edit{Changed: d.Changed, Added: d.Added, Removed: d.Removed})}
}

// stepsOf lists what an edit does to the steps of a plan.
func stepsOf(e runbook.Edit) string {
	var b strings.Builder
	for _, part := range []struct {
		what  string
		steps []string
	}{{"Changes", e.Changed}, {"Adds", e.Added}, {"Takes away", e.Removed}} {
		names := make([]string, len(part.steps))
		for i, name := range part.steps {
			names[i] = code(name)
		}
		if len(names) > 0 {
			fmt.Fprintf(&b, "\n%s %s.\n", part.what, bounded(names, ", ", 1_000))
		}
	}
	return b.String()
}

// edits says which edits of the plan wait, and for what.
func (b board) edits() string {
	if !b.live() {
		return ""
	}
	const shown = 3
	var out []string
	for _, e := range b.view.Edits {
		if !e.Pull.Open || b.state.EditOf(e.Pull.Number) != nil {
			continue
		}
		name := fmt.Sprintf("pull request %d", e.Pull.Number)
		if plainAddress(e.Pull.URL) {
			name = "[" + name + "](" + e.Pull.URL + ")"
		}
		problem, answer := b.state.EditVerdict(b.plan, b.view, e)
		if problem != "" {
			problem = "cannot be taken: " + problem
		} else {
			problem = answer.Verdict.Sentence
		}
		if len(out) < shown {
			out = append(out, name+" "+inline(problem, 200))
		}
	}
	if len(out) == 0 {
		return ""
	}
	return "**An edit of the plan** is asked for:" + listed(out)
}

// edited lists the edits that were taken.
func (b board) edited() (items []string) {
	for _, d := range b.state.Edits {
		items = append(items, fmt.Sprintf("- Plan edited by pull request %d at %s: SHA-256 %s\n", d.Pull, code(short(d.Head)), code(d.Plan)))
	}
	return items
}

// planEdited tells of an edit in a timeline.
func planEdited(d incident.PlanEdited) (who, what string) {
	var names []string
	for _, a := range d.Authors {
		names = append(names, a.Login)
	}
	var parts []string
	for _, part := range []struct {
		what  string
		steps []string
	}{{"changed", d.Changed}, {"added", d.Added}, {"took away", d.Removed}} {
		if len(part.steps) > 0 {
			parts = append(parts, part.what+" "+strings.Join(part.steps, ", "))
		}
	}
	if len(parts) == 0 {
		parts = []string{"changed words"}
	}
	return strings.Join(names, ", "), fmt.Sprintf("edited the plan by pull request %d: %s; approved by %s", d.Pull, strings.Join(parts, "; "), logins(d.Votes))
}
