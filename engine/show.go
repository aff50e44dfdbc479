package engine

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/journal"
	"github.com/pullbook/pullbook/engine/render"
	"github.com/pullbook/pullbook/engine/runbook"
)

// show performs the actions that people see on the hub, and remembers them so that the next decision knows.
func (e *Engine) show(ctx context.Context, w *worker, plan runbook.Plan, action incident.Action) (again bool, err error) {
	switch a := action.(type) {
	case incident.OpenPull:
		return true, e.openPull(ctx, w, plan)
	case incident.PublishCheck:
		return false, e.publishCheck(ctx, w, plan, a)
	case incident.PublishRollup:
		return false, e.publishRollup(ctx, w, plan, a)
	case incident.PublishBody:
		return false, e.publishBody(ctx, w, plan, a)
	case incident.ReopenPull:
		return true, e.reopen(ctx, w)
	case incident.RequestReview:
		return false, e.requestReview(ctx, w, a)
	case incident.WithdrawReviews:
		return false, e.withdrawReviews(ctx, w, a)
	case incident.Reply:
		return false, e.reply(ctx, w, a)
	case incident.AnswerEdit:
		return false, e.answerEdit(ctx, w, a)
	case incident.CloseEdit:
		return false, e.closeEdit(ctx, w, a)
	case incident.React:
		return false, e.react(ctx, w, a)
	}
	return false, fmt.Errorf("%s: no way to perform %T", w.branch, action)
}

func (e *Engine) publish(ctx context.Context, w *worker, what string, p incident.Publication) error {
	p.Pull = w.hub.Pull.Number
	if err := e.Hub.Publish(ctx, p); err != nil {
		return fmt.Errorf("%s on pull request %d: %w", what, p.Pull, err)
	}
	return nil
}

func (e *Engine) openPull(ctx context.Context, w *worker, plan runbook.Plan) error {
	screen := render.Screen(plan, w.ledger.state, w.view(nil, nil))
	pull, err := e.Hub.OpenPull(ctx, incident.NewPull{Branch: w.branch, Title: screen.Title, Body: screen.Body})
	if err != nil {
		return fmt.Errorf("open the pull request of %s: %w", w.branch, err)
	}
	w.hub.Pull, w.seenAt = &pull, e.Clock.Now()
	w.screen = incident.Screen{Title: screen.Title, Body: screen.Body} // the hub takes labels and assignees only of a pull request that is there
	e.rememberPull(pull.Number, w.branch)
	w.retell()
	return e.wakeParent(ctx, w.ledger.state.Opened.Parent)
}

// reopen opens the pull request again that the journal names. The hub refuses that beside another one of the branch: one that an engine
// opened to which the hub did not show yet what a person had closed. That one is closed then.
func (e *Engine) reopen(ctx context.Context, w *worker) error {
	again := incident.Publication{Reopen: true}
	err := e.publish(ctx, w, "reopen", again)
	if err != nil {
		seen, lookErr := e.Hub.Look(ctx, incident.HubQuery{Branch: w.branch})
		if lookErr != nil || seen.Pull == nil || !seen.Pull.Open || seen.Pull.Number == w.hub.Pull.Number {
			return err
		}
		e.Log.Warn("a branch has a second pull request, which is closed", "branch", w.branch, "pull", w.hub.Pull.Number, "second", seen.Pull.Number)
		if err := e.Hub.Publish(ctx, incident.Publication{Pull: seen.Pull.Number, Close: true}); err != nil {
			return fmt.Errorf("close pull request %d, the second one of %s: %w", seen.Pull.Number, w.branch, err)
		}
		err = e.publish(ctx, w, "reopen", again)
	}
	w.hub.Pull.Open = err == nil
	return err
}

func (e *Engine) publishCheck(ctx context.Context, w *worker, plan runbook.Plan, a incident.PublishCheck) error {
	n := w.ledger
	st := n.state.Step(a.Step)
	text := render.Check(plan, n.state, a.Step, "") // what a step printed stays in the ledger: a check may be read by more people
	check := incident.CheckRun{Name: text.Name, Commit: n.commitOf(a.Seq), ExternalID: a.ExternalID, Status: "completed",
		Conclusion: text.Conclusion, Title: text.Title, Summary: text.Summary, Text: text.Text, Started: st.Started, Completed: st.Ended}
	if e.Buttons {
		check.Buttons = n.state.StepButtons(plan, a.Step)
	}
	return e.publishRun(ctx, w, check)
}

func (e *Engine) publishRollup(ctx context.Context, w *worker, plan runbook.Plan, a incident.PublishRollup) error {
	status, conclusion := render.Rollup(a.Status)
	commit := w.ledger.remote // what is only here yet, the hub does not know
	if w.ledger.foreign != nil || w.ledger.gone {
		commit = w.hub.Pull.Head // of a branch that is gone the hub keeps what the pull request had last
	}
	now := e.Clock.Now()
	summary := render.InRehearsal(w.ledger.state, a.Summary)
	check := incident.CheckRun{Name: incident.RollupName, Commit: commit, ExternalID: a.ExternalID, Status: status,
		Conclusion: conclusion, Title: firstLine(summary), Summary: summary, Started: w.ledger.state.OpenedAt}
	if status == "completed" {
		check.Completed = now
	}
	if a.Status == incident.RollupWaiting {
		check.Text = render.Verdicts(plan, w.ledger.state, w.view(nil, nil))
		if e.Buttons {
			check.Buttons = w.ledger.state.RollupButtons(plan)
		}
	}
	return e.publishRun(ctx, w, check)
}

func (e *Engine) publishRun(ctx context.Context, w *worker, c incident.CheckRun) error {
	if err := e.publish(ctx, w, "check "+c.Name, incident.Publication{Check: &c}); err != nil {
		return err
	}
	w.hub.Checks[c.ExternalID] = true
	return nil
}

// publishBody renders what people see and publishes it if it says something new. While nothing waits for people it may lag.
func (e *Engine) publishBody(ctx context.Context, w *worker, plan runbook.Plan, a incident.PublishBody) error {
	now, due := e.Clock.Now(), w.seenAt.Add(bodyPause)
	if !a.Urgent && now.Before(due) && w.hasTimer(KindLook, due) {
		return nil // whatever is new is shown then
	}
	screen := w.draw(plan)
	asked := screen.Assignees
	screen.Labels = changedLabels(w.hub.Pull.Labels, screen.Labels)
	screen.Assignees = nil
	if !slices.Equal(asked, w.screen.Assignees) { // who was unassigned by a person is not assigned again
		if screen.Assignees = joined(w.hub.Pull.Assignees, asked); screen.Assignees == nil {
			w.screen.Assignees = asked
		}
	}
	if screen.Title == w.screen.Title && screen.Body == w.screen.Body && screen.Labels == nil && screen.Assignees == nil {
		return nil
	}
	if !a.Urgent && now.Before(due) {
		return e.wake(ctx, w, KindLook, due)
	}
	if err := e.publish(ctx, w, "what people see", incident.Publication{Screen: &screen}); err != nil {
		return err
	}
	if screen.Labels != nil {
		w.hub.Pull.Labels = screen.Labels
	}
	if screen.Assignees != nil {
		w.hub.Pull.Assignees = screen.Assignees
	}
	w.screen, w.seenAt = incident.Screen{Title: screen.Title, Body: screen.Body, Assignees: asked}, now
	return nil
}

// changedLabels are all labels of a pull request as they should be: those that people gave stay. It is nil where they are
// so already.
func changedLabels(have, want []string) []string {

	out := append(slices.DeleteFunc(slices.Clone(have), render.OwnLabel), want...)
	if len(out) == len(have) && !slices.ContainsFunc(out, func(l string) bool { return !slices.Contains(have, l) }) {
		return nil
	}
	return out
}

// joined adds people to those who are assigned; nil where all of them are. GitHub takes at most ten.
func joined(have, want []string) []string {
	const most = 10
	out := slices.Clone(have)
	for _, who := range want {
		if !slices.ContainsFunc(out, func(a string) bool { return strings.EqualFold(a, who) }) && len(out) < most {
			out = append(out, who)
		}
	}
	if len(out) == len(have) {
		return nil
	}
	return out
}

func (e *Engine) requestReview(ctx context.Context, w *worker, a incident.RequestReview) error {
	if err := e.publish(ctx, w, "review request", incident.Publication{Reviewers: a.From}); err != nil {
		return err
	}
	w.hub.Pull.Asked = append(w.hub.Pull.Asked, a.From...)
	w.unasked = slices.DeleteFunc(w.unasked, func(who string) bool { return slices.Contains(a.From, who) })
	return nil
}

func (e *Engine) withdrawReviews(ctx context.Context, w *worker, a incident.WithdrawReviews) error {
	from := slices.DeleteFunc(slices.Clone(a.From), func(who string) bool { return slices.Contains(w.unasked, who) })
	if len(from) == 0 {
		return nil
	}
	if err := e.publish(ctx, w, "withdraw review requests", incident.Publication{Unasked: from}); err != nil {
		return err
	}
	w.unasked = append(w.unasked, from...)
	asked := w.hub.Pull.Asked
	w.hub.Pull.Asked = slices.DeleteFunc(asked, func(who string) bool { return slices.Contains(a.From, who) })
	return nil
}

func (e *Engine) react(ctx context.Context, w *worker, a incident.React) error {
	if err := e.publish(ctx, w, "react", incident.Publication{React: a.Comment}); err != nil {
		return err
	}
	for i := range w.hub.Comments {
		if w.hub.Comments[i].ID == a.Comment {
			w.hub.Comments[i].Seen = true
		}
	}
	return nil
}

func (e *Engine) reply(ctx context.Context, w *worker, a incident.Reply) error {
	text := a.Comment(w.ledger.state.PullURL)
	if err := e.publish(ctx, w, "reply", incident.Publication{Comment: &text}); err != nil {
		return err
	}
	w.hub.Comments = append(w.hub.Comments, incident.Comment{Own: true, Body: text})
	return nil
}

// commitOf finds the commit that holds an event.
func (n *notes) commitOf(seq int) string {
	best, at := "", 0
	for sha, last := range n.commits {
		if last >= seq && (best == "" || last < at) {
			best, at = sha, last
		}
	}
	return best
}

// GateFile is the path of a gate page in the ledger, as the pull request shows it.
func GateFile(plan runbook.Plan, id incident.ID, step string) string {
	_, i, ok := plan.Written(step)
	if !ok {
		return ""
	}
	return journal.GatePath(id.Dir(), step, i)
}

// firstLine is what stands in a list of checks: what follows is Markdown.
func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}
