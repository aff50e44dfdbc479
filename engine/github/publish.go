package github

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	gh "github.com/google/go-github/v60/github"

	"github.com/pullbook/pullbook/engine/incident"
)

// OpenPull opens the pull request of a branch to the default branch. One that is open already is returned as it is.
func (c *Client) OpenPull(ctx context.Context, p incident.NewPull) (incident.Pull, error) {
	title, body := cut(p.Title, maxTitle), cutMarkdown(p.Body, maxBody)
	var made *gh.PullRequest
	err := c.write(ctx, Urgent, "open the pull request of "+line(p.Branch), func() (err error) {
		made, _, err = c.hub.PullRequests.Create(ctx, c.owner, c.repo, &gh.NewPullRequest{Title: &title, Body: &body,
			Head: &p.Branch, Base: &c.defaultBranch})
		return err
	})
	if status(err) == http.StatusUnprocessableEntity {
		// Among other things this is the answer when there is one already, which shows by looking, not by the words.
		open, lookErr := c.findByBranch(ctx, p.Branch, "open")
		if lookErr != nil {
			return incident.Pull{}, lookErr
		}
		if open != nil {
			return c.toPull(open), nil
		}
	}
	if err != nil {
		return incident.Pull{}, err
	}
	return c.toPull(made), nil
}

// Publish shows one thing to people. It may be repeated after an error; a comment or a check run may then be there twice,
// if the answer to the first was lost.
func (c *Client) Publish(ctx context.Context, p incident.Publication) error {
	switch {
	case p.Screen != nil:
		return c.screen(ctx, p.Pull, *p.Screen)
	case p.Check != nil:
		return c.check(ctx, *p.Check)
	case len(p.Reviewers) > 0:
		return c.requestReviews(ctx, p.Pull, p.Reviewers)
	case len(p.Unasked) > 0:
		return c.withdrawReviews(ctx, p.Pull, p.Unasked)
	case p.Comment != nil:
		body := cutMarkdown(*p.Comment, maxBody)
		return c.write(ctx, Ordinary, fmt.Sprintf("comment on pull request %d", p.Pull), func() error {
			_, _, err := c.hub.Issues.CreateComment(ctx, c.owner, c.repo, p.Pull, &gh.IssueComment{Body: &body})
			return err
		})
	case p.React != 0:
		return c.react(ctx, p.React)
	case p.Reopen:
		open := "open"
		return c.edit(ctx, Urgent, fmt.Sprintf("reopen pull request %d", p.Pull), p.Pull, &gh.PullRequest{State: &open})
	case p.Close:
		closed := "closed"
		return c.edit(ctx, Ordinary, fmt.Sprintf("close pull request %d", p.Pull), p.Pull, &gh.PullRequest{State: &closed})
	case p.DeleteBranch != "":
		return c.deleteBranch(ctx, p.DeleteBranch)
	}
	return nil // a request for reviews that names nobody
}

// screen writes title, body, labels and assignees in one request: to GitHub a pull request is an issue as well ("Update an
// issue"), and a label that the repository does not have is made. Somebody whom the hub does not let be assigned keeps the
// rest from nobody.
func (c *Client) screen(ctx context.Context, number int, s incident.Screen) error {
	title, body := cut(s.Title, maxTitle), cutMarkdown(s.Body, maxBody)
	r := gh.IssueRequest{Title: &title, Body: &body}
	if s.Labels != nil {
		r.Labels = &s.Labels
	}
	if s.Assignees != nil {
		r.Assignees = &s.Assignees
	}
	write := func() error {
		return c.write(ctx, Cosmetic, fmt.Sprintf("write what people see of pull request %d", number), func() error {
			_, _, err := c.hub.Issues.Edit(ctx, c.owner, c.repo, number, &r)
			return err
		})
	}
	err := write()
	if status(err) == http.StatusUnprocessableEntity && r.Assignees != nil {
		r.Assignees = nil
		err = write()
	}
	return err
}

func (c *Client) edit(ctx context.Context, u Urgency, op string, number int, change *gh.PullRequest) error {
	return c.write(ctx, u, op, func() error {
		_, _, err := c.hub.PullRequests.Edit(ctx, c.owner, c.repo, number, change)
		return err
	})
}

// react marks a comment. One that was deleted meanwhile needs no mark, and one on which the hub takes none has none.
func (c *Client) react(ctx context.Context, comment int64) error {
	err := c.write(ctx, Cosmetic, fmt.Sprintf("mark comment %d", comment), func() error {
		_, _, err := c.hub.Reactions.CreateIssueCommentReaction(ctx, c.owner, c.repo, comment, "eyes")
		return err
	})
	if s := status(err); s == http.StatusNotFound || s == http.StatusForbidden || s == http.StatusUnprocessableEntity {
		err = nil
	}
	if err == nil {
		c.known.mark(comment)
	}
	return err
}

// deleteBranch deletes a branch, and finds nothing wrong with one that is gone.
func (c *Client) deleteBranch(ctx context.Context, branch string) error {
	op := "delete the branch " + line(branch)
	if branch == c.defaultBranch {
		return &Error{Op: op, Message: "it is the default branch"}
	}
	err := c.write(ctx, Ordinary, op, func() error {
		_, err := c.hub.Git.DeleteRef(ctx, c.owner, c.repo, "heads/"+branch)
		return err
	})
	if s := status(err); s != http.StatusUnprocessableEntity && s != http.StatusNotFound {
		return err
	}
	gone := c.read("look for the branch "+line(branch), func() error {
		_, _, err := c.hub.Git.GetRef(ctx, c.owner, c.repo, "heads/"+branch)
		return err
	})
	if status(gone) == http.StatusNotFound {
		return nil
	}
	return err
}

// check creates a check run. One that asks people to act is urgent.
func (c *Client) check(ctx context.Context, r incident.CheckRun) error {
	op := fmt.Sprintf("publish the check run %s on %s", line(r.Name), line(r.Commit))
	opts, err := checkOptions(r)
	if err != nil {
		return fmt.Errorf("%s: %w", op, err)
	}
	return c.write(ctx, checkUrgency(r), op, func() error {
		_, _, err := c.hub.Checks.CreateCheckRun(ctx, c.owner, c.repo, opts)
		return err
	})
}

func checkUrgency(r incident.CheckRun) Urgency {
	if r.Conclusion == "action_required" {
		return Urgent
	}
	return Ordinary
}

// checkOptions are in the form and the bounds of "Create a check run" in GitHub's description of its REST API. Waiting,
// requested and pending are for GitHub Actions alone, and so is the conclusion stale.
func checkOptions(r incident.CheckRun) (gh.CreateCheckRunOptions, error) {
	completed := r.Status == "completed"
	conclusions := []string{"action_required", "cancelled", "failure", "neutral", "success", "skipped", "timed_out"}
	switch {
	case r.Status != "completed" && r.Status != "in_progress" && r.Status != "queued":
		return gh.CreateCheckRunOptions{}, fmt.Errorf("status %q is not one of a check run", r.Status)
	case completed && !slices.Contains(conclusions, r.Conclusion):
		return gh.CreateCheckRunOptions{}, fmt.Errorf("conclusion %q is not one of a check run", r.Conclusion)
	case !completed && r.Conclusion != "":
		return gh.CreateCheckRunOptions{}, fmt.Errorf("conclusion %q on a check run that is not completed", r.Conclusion)
	}
	opts := gh.CreateCheckRunOptions{Name: r.Name, HeadSHA: r.Commit, ExternalID: optional(r.ExternalID), Status: &r.Status,
		Conclusion: optional(r.Conclusion), StartedAt: moment(r.Started)}
	if completed {
		opts.CompletedAt = moment(r.Completed)
		for _, b := range r.Buttons {
			opts.Actions = append(opts.Actions, &gh.CheckRunAction{Label: b.Label, Identifier: b.Identifier, Description: b.Description})
		}
	}
	if r.Title != "" || r.Summary != "" || r.Text != "" {
		title := r.Title
		if title == "" {
			title = r.Name // the hub refuses an output without one
		}
		title, summary := cut(title, maxTitle), cutMarkdown(r.Summary, maxOutput)
		opts.Output = &gh.CheckRunOutput{Title: &title, Summary: &summary, Text: optional(cutMarkdown(r.Text, maxOutput))}
	}
	return opts, nil
}

func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func moment(t time.Time) *gh.Timestamp {
	if t.IsZero() {
		return nil
	}
	return &gh.Timestamp{Time: t.UTC()}
}
