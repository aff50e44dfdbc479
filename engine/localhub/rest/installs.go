package rest

import "github.com/pullbook/pullbook/engine/localhub/state"

func deleteInstallation(c *call) (reply, error) {
	id, err := c.id("id")
	if err != nil {
		return reply{}, err
	}
	if err := c.Store.RemoveInstallation(c.actor, c.actor.App.ID, id); err != nil {
		return reply{}, err
	}
	return empty()
}

func suspendInstallation(c *call) (reply, error)   { return setSuspended(c, true) }
func unsuspendInstallation(c *call) (reply, error) { return setSuspended(c, false) }

func setSuspended(c *call, suspend bool) (reply, error) {
	id, err := c.id("id")
	if err != nil {
		return reply{}, err
	}
	if err := c.Store.SuspendInstallation(c.actor, c.actor.App.ID, id, suspend); err != nil {
		return reply{}, err
	}
	return empty()
}

func addInstallationRepo(c *call) (reply, error)    { return setCovered(c, true) }
func removeInstallationRepo(c *call) (reply, error) { return setCovered(c, false) }

func setCovered(c *call, cover bool) (reply, error) {
	if c.actor.IsInstallation() {
		return reply{}, state.Forbid("Resource not accessible by integration")
	}
	id, err := c.id("id")
	if err != nil {
		return reply{}, err
	}
	repository, err := c.id("repository")
	if err != nil {
		return reply{}, err
	}
	if err := c.Store.CoverRepository(c.actor, id, repository, cover); err != nil {
		return reply{}, err
	}
	return empty()
}
