package github

import (
	"context"
	"net/http"

	gh "github.com/google/go-github/v60/github"
)

// MayWrite reports whether a person may write to a repository of the installation now, by their login and numeric id. Apps,
// and who is not known, may not.
func (c *Client) MayWrite(ctx context.Context, repo string, id int64, login string) (bool, error) {
	name, hub, err := c.elsewhere(repo)
	if err != nil || !plain(login) {
		return false, err
	}
	var level *gh.RepositoryPermissionLevel
	err = c.read("read the permission of "+line(login), func() (err error) {
		level, _, err = hub.Repositories.GetPermissionLevel(ctx, c.owner, name, login)
		return err
	})
	if status(err) == http.StatusNotFound {
		return false, nil
	}
	return id > 0 && writes(level) && level.GetUser().GetID() == id, err
}
