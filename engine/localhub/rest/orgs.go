package rest

import (
	"net/http"
	"slices"
	"strings"

	"github.com/pullbook/pullbook/engine/localhub/state"
	"github.com/pullbook/pullbook/engine/localhub/wire"
)

// insider says whether the caller sees all of an organisation: its members do, and Apps with members:read on it.
func insider(c *call) error { return mayReadTeams(c) }

func listOrgMembers(c *call) (reply, error) {
	if err := insider(c); err != nil {
		return reply{}, err
	}
	list, err := c.Store.Members(c.params["org"])
	if err != nil {
		return reply{}, err
	}
	if role := c.query("role"); role != "" && role != "all" {
		list = slices.DeleteFunc(list, func(m state.Member) bool { return m.Role != role })
	}
	return listed(c, list, func(m state.Member) wire.Object { return c.host.User(m.User) })
}

func (c *call) member() (state.Member, error) {
	if err := insider(c); err != nil {
		return state.Member{}, err
	}
	list, err := c.Store.Members(c.params["org"])
	if err != nil {
		return state.Member{}, err
	}
	for _, m := range list {
		if strings.EqualFold(m.User.Login, c.params["login"]) {
			return m, nil
		}
	}
	return state.Member{}, state.NotFound()
}

func checkOrgMember(c *call) (reply, error) {
	_, err := c.member()
	return gone(err)
}

func getOrgMembership(c *call) (reply, error) {
	m, err := c.member()
	if err != nil {
		return reply{}, err
	}
	org, err := c.Store.Org(c.params["org"])
	if err != nil {
		return reply{}, err
	}
	api := c.host.API("/orgs/%s", org.Login)
	return ok(wire.Object{
		"url": api + "/memberships/" + m.User.Login, "state": "active", "role": m.Role, "organization_url": api,
		"organization": c.host.OrgSimple(org), "user": c.host.User(m.User), "direct_membership": true,
	})
}

// owned lists the repositories of an account that the caller sees.
func (c *call) owned(login string) []state.Repo {
	return slices.DeleteFunc(c.Store.Repos(c.actor), func(r state.Repo) bool { return !strings.EqualFold(r.Owner.Login, login) })
}

func listOrgRepos(c *call) (reply, error) {
	if _, err := c.Store.Org(c.params["org"]); err != nil {
		return reply{}, err
	}
	return listed(c, c.owned(c.params["org"]), c.host.Repo)
}

func listUserRepos(c *call) (reply, error) {
	if _, err := c.Store.Account(c.params["login"]); err != nil {
		return reply{}, err
	}
	return listed(c, c.owned(c.params["login"]), c.host.Repo)
}

// listOwnRepos lists what the caller has a role in; public repositories of others are not among them.
func listOwnRepos(c *call) (reply, error) {
	if c.actor.IsInstallation() {
		return reply{}, state.Forbid("Resource not accessible by integration")
	}
	var mine []state.Repo
	for _, r := range c.Store.Repos(c.actor) {
		role, _, err := c.Store.RoleOf(r.FullName(), c.actor.User.Login)
		if err != nil {
			return reply{}, err
		}
		if role > state.Read || r.Private {
			mine = append(mine, r)
		}
	}
	return listed(c, mine, c.host.Repo)
}

func listOwnOrgs(c *call) (reply, error) {
	return listed(c, c.Store.OrgsOf(c.actor.User.Login), c.host.OrgSimple)
}

func listUserOrgs(c *call) (reply, error) {
	if _, err := c.Store.Account(c.params["login"]); err != nil {
		return reply{}, err
	}
	return listed(c, c.Store.OrgsOf(c.params["login"]), c.host.OrgSimple)
}

func listOwnTeams(c *call) (reply, error) {
	var mine []state.Team
	for _, org := range c.Store.OrgsOf(c.actor.User.Login) {
		for _, t := range c.Store.Teams(org.Login) {
			if slices.ContainsFunc(t.Members, func(m string) bool { return strings.EqualFold(m, c.actor.User.Login) }) {
				mine = append(mine, t)
			}
		}
	}
	return listed(c, mine, c.fullTeam)
}

func (c *call) fullTeam(t state.Team) wire.Object {
	o := c.host.Team(t)
	if org, err := c.Store.Org(t.Org); err == nil { // it is there: teams belong to organisations
		o["organization"] = c.host.Organization(org)
	}
	return o
}

func (c *call) granted(g state.Granted) wire.Object {
	o := c.host.Repo(g.Repo)
	o["permissions"], o["role_name"] = wire.RolePermissions(g.Role), g.Role.String()
	return o
}

func listTeamRepos(c *call) (reply, error) {
	if _, err := teamOf(c); err != nil {
		return reply{}, err
	}
	list, err := c.Store.TeamRepos(c.params["org"], c.params["slug"])
	if err != nil {
		return reply{}, err
	}
	return listed(c, list, c.granted)
}

// checkTeamRepo answers 204, or the repository to whom asks for it by its media type.
func checkTeamRepo(c *call) (reply, error) {
	if _, err := teamOf(c); err != nil {
		return reply{}, err
	}
	list, err := c.Store.TeamRepos(c.params["org"], c.params["slug"])
	if err != nil {
		return reply{}, err
	}
	for _, g := range list {
		if g.Repo.ID == c.repo.ID {
			if accepts(c.r, "repository") {
				return ok(c.granted(g))
			}
			return empty()
		}
	}
	return reply{}, state.NotFound()
}

func listRepoTeams(c *call) (reply, error) {
	list, err := c.Store.RepoTeams(c.name())
	if err != nil {
		return reply{}, err
	}
	return listed(c, list, func(g state.Granted) wire.Object {
		o := c.host.Team(g.Team)
		o["permission"], o["permissions"] = pushed(g.Role), wire.RolePermissions(g.Role)
		return o
	})
}

// pushed is a role in the older words that teams still use.
func pushed(r state.Role) string {
	switch r {
	case state.Read:
		return "pull"
	case state.Write:
		return "push"
	}
	return r.String()
}

// mayManageTeams: teams are changed by the organisation's owners, and by Apps with members:write on it.
func mayManageTeams(c *call) error {
	if err := mayReadTeams(c); err != nil {
		return err
	}
	if c.actor.IsInstallation() {
		if c.actor.Permissions["members"] == "write" {
			return nil
		}
		return &state.Refusal{Status: http.StatusForbidden, Message: "Resource not accessible by integration", Accepts: "members=write"}
	}
	if c.Store.IsOwner(c.params["org"], c.actor.User) {
		return nil
	}
	return state.Forbid("You must be an admin to add or remove a team membership.")
}

func putMembership(c *call) (reply, error) {
	if err := mayManageTeams(c); err != nil {
		return reply{}, err
	}
	if err := c.Store.InTeam(c.params["org"], c.params["slug"], c.params["login"], true); err != nil {
		return reply{}, err
	}
	return getMembership(c)
}

func deleteMembership(c *call) (reply, error) {
	if err := mayManageTeams(c); err != nil {
		return reply{}, err
	}
	return gone(c.Store.InTeam(c.params["org"], c.params["slug"], c.params["login"], false))
}

func (c *call) installation(in *state.Installation) wire.Object { return c.host.Installation(*in) }

func getOrgInstallation(c *call) (reply, error) {
	if _, err := c.Store.Org(c.params["org"]); err != nil {
		return reply{}, err
	}
	in, err := c.Store.InstallationFor(c.actor.App.ID, c.params["org"])
	return shaped(in, err, c.installation)
}

func getUserInstallation(c *call) (reply, error) {
	in, err := c.Store.InstallationFor(c.actor.App.ID, c.params["login"])
	return shaped(in, err, c.installation)
}

// listOrgInstallations is for the organisation's owners.
func listOrgInstallations(c *call) (reply, error) {
	if _, err := c.Store.Org(c.params["org"]); err != nil {
		return reply{}, err
	}
	if !c.Store.IsOwner(c.params["org"], c.actor.User) {
		return reply{}, state.Forbid("You must be an organization owner to list its installations.")
	}
	return counted(c, "installations", c.Store.InstallationsOn(c.params["org"]), c.host.Installation)
}

func convertManifest(c *call) (reply, error) {
	x, err := c.Store.ConvertManifest(c.params["code"])
	if err != nil {
		return reply{}, err
	}
	o := c.host.App(x.App)
	o["client_id"], o["client_secret"], o["webhook_secret"], o["pem"] = "Iv23hub"+itoa(x.App.ID), x.ClientSecret, nil, x.PEM
	if x.WebhookSecret != "" {
		o["webhook_secret"] = x.WebhookSecret
	}
	return created(o)
}
