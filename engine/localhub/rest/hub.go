package rest

import (
	"net/http"
	"strings"

	"github.com/pullbook/pullbook/engine/localhub/state"
	"github.com/pullbook/pullbook/engine/localhub/wire"
)

// version tells clients that they talk to an Enterprise Server, which the paths are those of. It belongs to none of
// GitHub's releases.
const version = "3.99.0"

func getMeta(c *call) (reply, error) {
	c.w.Header().Set("X-GitHub-Enterprise-Version", version)
	return ok(wire.Object{"verifiable_password_authentication": false, "installed_version": version})
}

func getRateLimit(c *call) (reply, error) {
	rate := func(resource string) wire.Object {
		q := c.Limits.Count(c.actor.Key(), resource, 0)
		return wire.Object{"limit": q.Shown(), "used": q.Used, "remaining": q.Left(), "reset": q.Reset.Unix()}
	}
	resources := wire.Object{"core": rate("core"), "search": rate("search"), "graphql": rate("graphql")}
	return ok(wire.Object{"resources": resources, "rate": resources["core"]})
}

func getZen(*call) (reply, error) {
	return reply{status: http.StatusOK, text: []byte("Keep it logically awesome."), media: "text/plain;charset=utf-8"}, nil
}

func getSelf(c *call) (reply, error) {
	if c.actor.IsInstallation() {
		return reply{}, state.Forbid("Resource not accessible by integration")
	}
	return ok(c.host.Profile(c.actor.User))
}

func getUser(c *call) (reply, error) {
	u, err := c.Store.Account(c.params["login"])
	if err != nil {
		return reply{}, err
	}
	return ok(c.host.Profile(u))
}

func getUserByID(c *call) (reply, error) {
	id, err := c.id("id")
	if err != nil {
		return reply{}, err
	}
	u, err := c.Store.AccountByID(id)
	if err != nil {
		return reply{}, err
	}
	return ok(c.host.Profile(u))
}

func getOrg(c *call) (reply, error) {
	u, err := c.Store.Org(c.params["org"])
	if err != nil {
		return reply{}, err
	}
	return ok(c.host.Organization(u))
}

// mayReadTeams: teams are for members of the organisation, and for Apps with members:read on it.
func mayReadTeams(c *call) error {
	org, err := c.Store.Org(c.params["org"])
	if err != nil {
		return err
	}
	if !c.actor.IsInstallation() {
		if c.Store.IsMember(org.Login, c.actor.User) {
			return nil
		}
		return state.NotFound()
	}
	in, err := c.Store.Installation(c.actor.App.ID, c.actor.Installation)
	if err != nil || in.Account.ID != org.ID {
		return state.NotFound()
	}
	if level := c.actor.Permissions["members"]; level != "read" && level != "write" {
		return &state.Refusal{Status: http.StatusForbidden, Message: "Resource not accessible by integration", Accepts: "members=read"}
	}
	return nil
}

func listTeams(c *call) (reply, error) {
	if err := mayReadTeams(c); err != nil {
		return reply{}, err
	}
	return listed(c, c.Store.Teams(c.params["org"]), c.host.Team)
}

func teamOf(c *call) (state.Team, error) {
	if err := mayReadTeams(c); err != nil {
		return state.Team{}, err
	}
	return c.Store.Team(c.params["org"], c.params["slug"])
}

func getTeam(c *call) (reply, error) {
	t, err := teamOf(c)
	if err != nil {
		return reply{}, err
	}
	o := c.host.Team(t)
	org, err := c.Store.Org(t.Org)
	if err != nil {
		return reply{}, err
	}
	o["organization"] = c.host.Organization(org)
	return ok(o)
}

func listMembers(c *call) (reply, error) {
	t, err := teamOf(c)
	if err != nil {
		return reply{}, err
	}
	members := make([]state.User, 0, len(t.Members))
	for _, login := range t.Members {
		u, err := c.Store.Account(login)
		if err != nil {
			return reply{}, err
		}
		members = append(members, u)
	}
	return listed(c, members, c.host.User)
}

func getMembership(c *call) (reply, error) {
	t, err := teamOf(c)
	if err != nil {
		return reply{}, err
	}
	for _, login := range t.Members {
		if strings.EqualFold(login, c.params["login"]) {
			return ok(wire.Object{
				"url":  c.host.API("/orgs/%s/teams/%s/memberships/%s", t.Org, t.Slug, login),
				"role": "member", "state": "active",
			})
		}
	}
	return reply{}, state.NotFound()
}
