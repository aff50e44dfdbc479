package github

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	gh "github.com/google/go-github/v60/github"
)

// requestReviews asks people and teams. The hub refuses a request as a whole if one of them cannot be asked; then each is
// asked alone, and those who cannot be asked are left out.
func (c *Client) requestReviews(ctx context.Context, pull int, from []string) error {
	all := c.reviewers(from)
	if len(all.Reviewers)+len(all.TeamReviewers) == 0 {
		return nil
	}
	err := c.requestReview(ctx, pull, all)
	if status(err) != http.StatusUnprocessableEntity || len(all.Reviewers)+len(all.TeamReviewers) == 1 {
		return unlessUnaskable(err)
	}
	var each []gh.ReviewersRequest
	for _, who := range all.Reviewers {
		each = append(each, gh.ReviewersRequest{Reviewers: []string{who}})
	}
	for _, team := range all.TeamReviewers {
		each = append(each, gh.ReviewersRequest{TeamReviewers: []string{team}})
	}
	for _, one := range each {
		if err := unlessUnaskable(c.requestReview(ctx, pull, one)); err != nil {
			return err
		}
	}
	return nil
}

// reviewers are users and teams as the hub names them; those of other owners are left out.
func (c *Client) reviewers(who []string) (all gh.ReviewersRequest) {
	for _, one := range who {
		slug, ours := c.ownTeam(one)
		switch {
		case !strings.Contains(one, "/"):
			all.Reviewers = append(all.Reviewers, one)
		case ours:
			all.TeamReviewers = append(all.TeamReviewers, slug)
		}
	}
	return all
}

// withdrawReviews takes requests back. The hub wants the list of users though it be empty ("Remove requested reviewers from a pull
// request"), which go-github leaves out. Who is not asked any more, or is not there, need not be taken off.
func (c *Client) withdrawReviews(ctx context.Context, pull int, from []string) error {
	all := c.reviewers(from)
	if len(all.Reviewers)+len(all.TeamReviewers) == 0 {
		return nil
	}
	body := struct {
		Reviewers     []string `json:"reviewers"`
		TeamReviewers []string `json:"team_reviewers,omitempty"`
	}{append([]string{}, all.Reviewers...), all.TeamReviewers}
	err := c.write(ctx, Cosmetic, fmt.Sprintf("ask %s no more to review pull request %d", line(strings.Join(from, ", ")), pull), func() error {
		req, err := c.hub.NewRequest(http.MethodDelete, fmt.Sprintf("repos/%s/%s/pulls/%d/requested_reviewers", c.owner, c.repo, pull), body)
		if err != nil {
			return err
		}
		_, err = c.hub.Do(ctx, req, nil)
		return err
	})
	if status(err) == http.StatusNotFound {
		return nil
	}
	return unlessUnaskable(err)
}

func unlessUnaskable(err error) error {
	if status(err) == http.StatusUnprocessableEntity {
		return nil
	}
	return err
}

func (c *Client) requestReview(ctx context.Context, pull int, who gh.ReviewersRequest) error {
	names := slices.Concat(who.Reviewers, who.TeamReviewers)
	return c.write(ctx, Urgent, fmt.Sprintf("ask %s to review pull request %d", line(strings.Join(names, ", ")), pull), func() error {
		_, _, err := c.hub.PullRequests.RequestReviewers(ctx, c.owner, c.repo, pull, who)
		return err
	})
}
