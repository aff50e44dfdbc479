package github

import (
	"context"
	"fmt"
	"strings"

	gh "github.com/google/go-github/v60/github"
)

// NewIssue is an issue to open.
type NewIssue struct {
	Repo              string // owner/name; the client's own when empty
	Title, Body       string
	Mark              string // the beginning of Body, by which the issue is found again
	Labels, Assignees []string
}

// ticketPages bounds the look for an issue that is there already, at 100 issues and pull requests of the App a page. A
// repetition follows its first try within hours.
const ticketPages = 3

// OpenIssue opens an issue, or returns the one of the App that begins with the mark. It may be repeated after any error.
// Repositories of other owners are refused: the installation is on one account.
func (c *Client) OpenIssue(ctx context.Context, n NewIssue) (number int, url string, err error) {
	name, hub, err := c.elsewhere(n.Repo)
	if err != nil {
		return 0, "", fmt.Errorf("open an issue: %w", err)
	}
	found, err := c.findIssue(ctx, hub, name, n.Mark)
	if err != nil {
		return 0, "", err
	}
	if found == nil {
		title, body := cut(n.Title, maxTitle), cutMarkdown(n.Body, maxBody)
		req := &gh.IssueRequest{Title: &title, Body: &body}
		if len(n.Labels) > 0 {
			req.Labels = &n.Labels
		}
		if len(n.Assignees) > 0 {
			req.Assignees = &n.Assignees
		}
		err = c.write(ctx, Ordinary, fmt.Sprintf("open an issue in %s/%s", c.owner, name), func() (err error) {
			found, _, err = hub.Issues.Create(ctx, c.owner, name, req)
			return err
		})
	}
	return found.GetNumber(), found.GetHTMLURL(), err
}

// findIssue looks for an issue that the App opened and that begins with a mark, newest first. Further on in an issue of the
// App there can be the words of anybody, and with them any mark.
func (c *Client) findIssue(ctx context.Context, hub *gh.Client, name, mark string) (found *gh.Issue, err error) {
	opts := &gh.IssueListByRepoOptions{State: "all", Creator: c.bot.GetLogin(), Sort: "created", Direction: "desc",
		ListOptions: gh.ListOptions{PerPage: 100, Page: 1}}
	for range ticketPages {
		var all []*gh.Issue
		var resp *gh.Response
		err := c.read(fmt.Sprintf("look for an issue in %s/%s", c.owner, name), func() (err error) {
			all, resp, err = hub.Issues.ListByRepo(ctx, c.owner, name, opts)
			return err
		})
		if err != nil {
			return nil, err
		}
		for _, i := range all {
			if mark != "" && !i.IsPullRequest() && i.GetUser().GetID() == c.bot.GetID() && strings.HasPrefix(i.GetBody(), mark) {
				return i, nil
			}
		}
		if resp.NextPage == 0 {
			break
		}
		opts.Page = resp.NextPage
	}
	return nil, nil
}

// hubOf returns the client for a repository of the installation. Each has a token for that repository alone.
func (c *Client) hubOf(name string) (*gh.Client, error) {
	if strings.EqualFold(name, c.repo) {
		return c.hub, nil
	}
	c.others.Lock()
	defer c.others.Unlock()
	if hub, ok := c.others.hubs[name]; ok {
		return hub, nil
	}
	hub, _, err := c.signedIn(name)
	if err != nil {
		return nil, err
	}
	if c.others.hubs == nil {
		c.others.hubs = map[string]*gh.Client{}
	}
	c.others.hubs[name] = hub
	return hub, nil
}
