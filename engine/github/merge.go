package github

import (
	"context"
	"fmt"
	"net/http"

	gh "github.com/google/go-github/v60/github"

	"github.com/pullbook/pullbook/engine/incident"
)

// Merge merges a pull request into the default branch with a merge commit, if its head is still the given commit. One
// that is merged already with that head is no error. ErrHeadMoved and ErrNotMergeable say that nothing was merged.
func (c *Client) Merge(ctx context.Context, m incident.MergeRequest) error {
	op := fmt.Sprintf("merge pull request %d at %s", m.Pull, line(m.Head))
	if m.Head == "" {
		return &Error{Op: op, Message: "no head is given"}
	}
	pull, err := c.pull(ctx, m.Pull)
	if err != nil {
		return err
	}
	switch now := c.toPull(pull); {
	case now.Head != m.Head:
		return &Error{Op: op, Message: ErrHeadMoved.Error(), cause: ErrHeadMoved}
	case now.Merged:
		return nil
	case pull.GetBase().GetRef() != c.defaultBranch:
		// Whoever may write can point a pull request elsewhere.
		return &Error{Op: op, Message: ErrNotMergeable.Error() + ": its base is not the default branch", cause: ErrNotMergeable}
	}
	err = c.write(ctx, Urgent, op, func() error {
		_, _, err := c.hub.PullRequests.Merge(ctx, c.owner, c.repo, m.Pull, m.Message,
			&gh.PullRequestOptions{CommitTitle: m.Title, SHA: m.Head, MergeMethod: "merge", DontDefaultIfBlank: true})
		return err
	})
	if e, ok := err.(*Error); ok {
		switch e.Status {
		case http.StatusConflict:
			e.cause = ErrHeadMoved
		case http.StatusMethodNotAllowed:
			e.cause = ErrNotMergeable
		}
	}
	return err
}
