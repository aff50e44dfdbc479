package github

import "context"

// MayWrite reports whether a person may write to a repository of the installation now, by their login and numeric id. Apps,
// and who is not known, may not.
func (c *Client) MayWrite(ctx context.Context, repo string, id int64, login string) (bool, error) {
	name, hub, err := c.elsewhere(repo)
	if err != nil || !plain(login) {
		return false, err
	}
	level, err := c.permissionIn(ctx, hub, name, login)
	return id > 0 && writes(level) && level.GetUser().GetID() == id, err
}
