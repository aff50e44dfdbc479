package github

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	gh "github.com/google/go-github/v60/github"

	"github.com/pullbook/pullbook/engine/approval"
	"github.com/pullbook/pullbook/engine/incident"
)

// Look reads what people did on one incident. A pull request that does not exist is no error: Pull is nil. The lists
// are whole; a list of more than 3,000 entries is an error, since what is missing could be an objection.
func (c *Client) Look(ctx context.Context, q incident.HubQuery) (incident.HubView, error) {
	var view incident.HubView
	pull, err := c.find(ctx, q)
	if err != nil {
		return view, err
	}
	if pull != nil {
		seen := c.toPull(pull)
		view.Pull = &seen
		if err := c.readConversation(ctx, q, pull.Comments, &view); err != nil {
			return incident.HubView{}, err
		}
	}
	if len(q.CheckCommits) > 0 {
		if view.Checks, err = c.checks(ctx, q.CheckCommits); err != nil {
			return incident.HubView{}, err
		}
	}
	return view, nil
}

// find returns the pull request, or nil.
func (c *Client) find(ctx context.Context, q incident.HubQuery) (*gh.PullRequest, error) {
	if q.Pull == 0 {
		return c.findByBranch(ctx, q.Branch, "all")
	}
	pull, err := c.pull(ctx, q.Pull)
	if status(err) == http.StatusNotFound {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if q.Branch != "" && (pull.GetHead().GetRef() != q.Branch || !c.isOwn(pull.GetHead().GetRepo())) {
		return nil, &Error{Op: fmt.Sprintf("read pull request %d", q.Pull), Message: "it is not one of branch " + line(q.Branch)}
	}
	return pull, nil
}

func (c *Client) pull(ctx context.Context, number int) (pull *gh.PullRequest, err error) {
	err = c.read(fmt.Sprintf("read pull request %d", number), func() (err error) {
		pull, _, err = c.hub.PullRequests.Get(ctx, c.owner, c.repo, number)
		return err
	})
	return pull, err
}

// findByBranch returns the pull request from a branch of this repository to the default branch: the open one, else the
// newest. Those of forks, whose branches may have the same name, do not count.
func (c *Client) findByBranch(ctx context.Context, branch, state string) (*gh.PullRequest, error) {
	if branch == "" {
		return nil, &Error{Op: "find a pull request", Message: "neither its number nor its branch is given"}
	}
	op := "find the pull request of " + line(branch)
	list, err := pages(c, op, func(p gh.ListOptions) ([]*gh.PullRequest, *gh.Response, error) {
		return c.hub.PullRequests.List(ctx, c.owner, c.repo, &gh.PullRequestListOptions{State: state,
			Head: c.owner + ":" + branch, Base: c.defaultBranch, ListOptions: p})
	}, nil)
	if err != nil {
		return nil, err
	}
	list = slices.DeleteFunc(list, func(p *gh.PullRequest) bool {
		return p.GetHead().GetRef() != branch || !c.isOwn(p.GetHead().GetRepo())
	})
	if len(list) == 0 {
		return nil, nil
	}
	return slices.MaxFunc(list, func(a, b *gh.PullRequest) int {
		if x, y := a.GetState() == "open", b.GetState() == "open"; x != y {
			if x {
				return 1
			}
			return -1
		}
		return cmp.Compare(a.GetNumber(), b.GetNumber())
	}), nil
}

func (c *Client) isOwn(repo *gh.Repository) bool {
	return strings.EqualFold(repo.GetFullName(), c.owner+"/"+c.repo)
}

func (c *Client) toPull(p *gh.PullRequest) incident.Pull {
	var asked []string
	for _, u := range p.RequestedReviewers {
		asked = append(asked, u.GetLogin())
	}
	for _, t := range p.RequestedTeams {
		asked = append(asked, p.GetBase().GetRepo().GetOwner().GetLogin()+"/"+t.GetSlug())
	}
	var labels, assignees []string
	for _, l := range p.Labels {
		labels = append(labels, l.GetName())
	}
	for _, u := range p.Assignees {
		assignees = append(assignees, u.GetLogin())
	}
	return incident.Pull{Number: p.GetNumber(), URL: p.GetHTMLURL(), Open: p.GetState() == "open",
		// In lists GitHub leaves `merged` out.
		Merged: p.GetMerged() || p.MergedAt != nil, Head: p.GetHead().GetSHA(), Title: p.GetTitle(), Body: p.GetBody(),
		Branch: p.GetHead().GetRef(), Base: p.GetBase().GetRef(), Fork: !c.isOwn(p.GetHead().GetRepo()),
		By:     approval.Person{ID: p.GetUser().GetID(), Login: p.GetUser().GetLogin()},
		Labels: labels, Assignees: assignees, Asked: asked}
}

// pending is the state of a draft, which its author alone may see.
const pending = "PENDING"

// readConversation reads reviews and comments, whether their words were edited, and who their authors are to this
// repository. count is how many comments there are, if the hub has said so.
func (c *Client) readConversation(ctx context.Context, q incident.HubQuery, count *int, view *incident.HubView) error {
	number := view.Pull.Number
	reviews, err := pages(c, fmt.Sprintf("read the reviews of pull request %d", number),
		func(p gh.ListOptions) ([]*gh.PullRequestReview, *gh.Response, error) {
			return c.hub.PullRequests.ListReviews(ctx, c.owner, c.repo, number, &p)
		}, nil)
	if err != nil {
		return err
	}
	comments, err := pages(c, fmt.Sprintf("read the comments of pull request %d", number),
		func(p gh.ListOptions) ([]*gh.IssueComment, *gh.Response, error) {
			return c.hub.Issues.ListComments(ctx, c.owner, c.repo, number, &gh.IssueListCommentsOptions{ListOptions: p})
		}, count)
	if err != nil {
		return err
	}
	past, err := c.history(ctx, q.Teams, spoken(reviews, comments))
	if err != nil {
		return err
	}
	if len(q.Asked) > 0 {
		if past.members, err = c.members(ctx, q.Asked, past.members); err != nil {
			return err
		}
		view.Teams, view.Logins = past.members.lists(q.Asked), past.members.logins(q.Asked)
	}
	people, err := c.people(ctx, q.Teams, past.members, authors(reviews, comments))
	if err != nil {
		return err
	}
	for _, r := range reviews {
		if r.GetState() == pending {
			continue
		}
		review := c.toReview(r, people)
		review.Edited = past.edited[r.GetNodeID()]
		view.Reviews = append(view.Reviews, review)
	}
	for _, m := range comments {
		comment := c.toComment(m, people)
		comment.Edited = past.edited[m.GetNodeID()]
		view.Comments = append(view.Comments, comment)
	}
	if view.People, err = c.named(ctx, append(slices.Clone(q.People), newlyNamed(view.Comments)...), people); err != nil {
		return err
	}
	return c.place(ctx, q, past.members, view.People)
}

// newlyNamed are the logins that /assign names in comments which were neither heard nor answered, by people who may write: for what
// strangers say, and are not answered each time, nobody is looked up.
func newlyNamed(comments []incident.Comment) []string {
	answered := func(id int64) bool {
		return slices.ContainsFunc(comments, func(c incident.Comment) bool { return c.Own && incident.HasReplyKey(c.Body, incident.CommentKey(id)) })
	}
	var bodies []string
	for _, m := range comments {
		if !m.Own && !m.By.Bot && m.By.Write && !m.Edited && !m.Seen && approval.Speaks(m.Body) && !answered(m.ID) {
			bodies = append(bodies, m.Body)
		}
	}
	return incident.Assignees(bodies)
}

// authors are the people whose words may count: those who reviewed, and those who gave a command.
func authors(reviews []*gh.PullRequestReview, comments []*gh.IssueComment) []*gh.User {
	var out []*gh.User
	for _, r := range reviews {
		out = append(out, r.GetUser())
	}
	for _, m := range comments {
		if approval.Speaks(m.GetBody()) {
			out = append(out, m.GetUser())
		}
	}
	return out
}

func (c *Client) toReview(r *gh.PullRequestReview, people map[int64]approval.Person) approval.Review {
	state := approval.ReviewState(strings.ToLower(r.GetState()))
	switch state {
	case approval.Approved, approval.ChangesRequested, approval.Dismissed:
	default:
		state = approval.Commented // a state that is not known here neither opens nor holds anything
	}
	return approval.Review{ID: r.GetID(), By: c.person(r.GetUser(), people), State: state, Commit: r.GetCommitID(),
		Body: r.GetBody(), At: r.GetSubmittedAt().UTC()}
}

func (c *Client) toComment(m *gh.IssueComment, people map[int64]approval.Person) incident.Comment {
	return incident.Comment{ID: m.GetID(), By: c.person(m.GetUser(), people), Own: c.isBot(m.GetUser()), Body: m.GetBody(),
		Seen: c.known.bearsMark(m.GetID()), At: m.GetCreatedAt().UTC()}
}

// checks returns the external ids of the App's own check runs on some commits. Other Apps may post runs of the same name.
func (c *Client) checks(ctx context.Context, commits []string) (map[string]bool, error) {
	found, all := map[string]bool{}, "all"
	for _, commit := range commits {
		if !plain(commit) {
			return nil, &Error{Op: "read check runs", Message: "no commit: " + line(commit)}
		}
		runs, err := pages(c, "read the check runs of "+commit, func(p gh.ListOptions) ([]*gh.CheckRun, *gh.Response, error) {
			list, resp, err := c.hub.Checks.ListCheckRunsForRef(ctx, c.owner, c.repo, commit,
				&gh.ListCheckRunsOptions{Filter: &all, AppID: &c.app, ListOptions: p})
			if err != nil {
				return nil, resp, err
			}
			return list.CheckRuns, resp, nil
		}, nil)
		if status(err) == http.StatusNotFound || status(err) == http.StatusUnprocessableEntity {
			continue // the hub has lost the commit, and its check runs with it
		}
		if err != nil {
			return nil, err
		}
		for _, r := range runs {
			if r.GetApp().GetID() == c.app && r.GetExternalID() != "" {
				found[r.GetExternalID()] = true
			}
		}
	}
	return found, nil
}
