package github

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	gh "github.com/google/go-github/v60/github"

	"github.com/pullbook/pullbook/engine/approval"
	"github.com/pullbook/pullbook/engine/incident"
)

// maxPeople bounds for how many people one look asks. Those beyond it, in the order in which they first spoke, count for
// nothing, and the log says so.
const maxPeople = 200

// roll is who is in each team, by team and numeric id: the login.
type roll map[string]map[int64]string

// lists are the numeric ids of the members of some teams; none for a team that is not there.
func (r roll) lists(teams []string) map[string][]int64 {
	out := map[string][]int64{}
	for _, team := range teams {
		out[team] = slices.Sorted(maps.Keys(r[team]))
	}
	return out
}

// logins are the numeric ids of the members of some teams by login in lower case.
func (r roll) logins(teams []string) map[string]int64 {
	out := map[string]int64{}
	for _, team := range teams {
		for id, login := range r[team] {
			out[strings.ToLower(login)] = id
		}
	}
	return out
}

// of are those of some teams that a person belongs to, each once.
func (r roll) of(id int64, teams []string) (in []string) {
	for _, team := range teams {
		if _, is := r[team][id]; is && !slices.Contains(in, team) {
			in = append(in, team)
		}
	}
	return in
}

// people looks up what each person may do now, by numeric id. members are those of teams that were looked up just now.
func (c *Client) people(ctx context.Context, teams []string, members roll, who []*gh.User) (map[int64]approval.Person, error) {
	known := map[int64]approval.Person{}
	var asked []approval.Person
	for _, u := range who {
		p := c.person(u, nil)
		if _, twice := known[p.ID]; twice || p.Bot || p.ID == 0 || !plain(p.Login) {
			continue
		}
		if len(asked) == maxPeople {
			c.log.Warn("too many people spoke on a pull request; the others do not count", "bound", maxPeople)
			break
		}
		known[p.ID] = p
		asked = append(asked, p)
	}
	if len(asked) == 0 {
		return known, nil
	}
	members, err := c.members(ctx, teams, members)
	if err != nil {
		return nil, err
	}
	writers, err := c.writers(ctx, asked)
	if err != nil {
		return nil, err
	}
	for _, p := range asked {
		p.Write = writers[p.ID]
		p.Teams = members.of(p.ID, teams)
		known[p.ID] = p
	}
	return known, nil
}

// person is who the hub says wrote something. An account that was deleted has no id, and never a say.
func (c *Client) person(u *gh.User, known map[int64]approval.Person) approval.Person {
	if p, ok := known[u.GetID()]; ok {
		return p
	}
	return approval.Person{ID: u.GetID(), Login: u.GetLogin(), Bot: u.GetType() == "Bot" || c.isBot(u)}
}

func (c *Client) isBot(u *gh.User) bool { return u.GetID() != 0 && u.GetID() == c.bot.GetID() }

// maxNamed bounds for how many logins that somebody named one look asks.
const maxNamed = 20

// named looks up what those of some logins may do now, by login in lower case. A login that the hub does not know, or that
// now belongs to another than its owner says, is not in the answer.
func (c *Client) named(ctx context.Context, logins []string, known map[int64]approval.Person) (map[string]approval.Person, error) {
	if len(logins) == 0 {
		return nil, nil
	}
	out := map[string]approval.Person{}
	for _, p := range known {
		out[strings.ToLower(p.Login)] = p
	}
	for _, login := range logins[:min(len(logins), maxNamed)] {
		login = strings.ToLower(login)
		if _, there := out[login]; there || !plain(login) {
			continue
		}
		level, err := c.permission(ctx, login)
		switch u := level.GetUser(); {
		case err != nil:
			return nil, err
		case strings.EqualFold(u.GetLogin(), login) && u.GetID() != 0:
			p := c.person(u, nil)
			p.Write = writes(level)
			out[login] = p
		}
	}
	return out, nil
}

// place looks up to which teams those of some logins belong who did not speak: of these it is known already.
func (c *Client) place(ctx context.Context, q incident.HubQuery, members roll, people map[string]approval.Person) error {
	for _, login := range q.People {
		login = strings.ToLower(login)
		p, there := people[login]
		if !there || !p.Write || len(p.Teams) > 0 {
			continue
		}
		members, err := c.members(ctx, q.Teams, members)
		if err != nil {
			return err
		}
		p.Teams = members.of(p.ID, q.Teams)
		people[login] = p
	}
	return nil
}

// permission asks for the highest permission of a login over all grants; nil where the hub does not know the login.
func (c *Client) permission(ctx context.Context, login string) (level *gh.RepositoryPermissionLevel, err error) {
	return c.permissionIn(ctx, c.hub, c.repo, login)
}

// permissionIn is permission, of a repository of the installation.
func (c *Client) permissionIn(ctx context.Context, hub *gh.Client, repo, login string) (level *gh.RepositoryPermissionLevel, err error) {
	err = c.read("read the permission of "+login, func() (err error) {
		level, _, err = hub.Repositories.GetPermissionLevel(ctx, c.owner, repo, login)
		return err
	})
	if status(err) == http.StatusNotFound {
		return nil, nil
	}
	return level, err
}

func writes(level *gh.RepositoryPermissionLevel) bool {
	return slices.Contains([]string{"admin", "maintain", "write"}, level.GetPermission())
}

// writers returns who of several people may write now. Where everybody who has access to the repository fits on one page,
// that page says it of all; otherwise each person is asked about.
func (c *Client) writers(ctx context.Context, who []approval.Person) (map[int64]bool, error) {
	if len(who) > 1 {
		if out, err := c.listWriters(ctx); err != nil || out != nil {
			return out, err
		}
	}
	out := map[int64]bool{}
	for _, p := range who {
		may, err := c.mayWrite(ctx, p)
		if err != nil {
			return nil, err
		}
		out[p.ID] = may
	}
	return out, nil
}

// listWriters reads the first page of those who have access. It returns nil where there are more, or where the hub does
// not show them to the App.
func (c *Client) listWriters(ctx context.Context) (map[int64]bool, error) {
	const page = 100
	var users []*gh.User
	var next int
	err := c.read("read who has access to the repository", func() error {
		some, resp, err := c.hub.Repositories.ListCollaborators(ctx, c.owner, c.repo,
			&gh.ListCollaboratorsOptions{ListOptions: gh.ListOptions{PerPage: page, Page: 1}})
		if err == nil {
			users, next = some, resp.NextPage
		}
		return err
	})
	switch s := status(err); {
	case s == http.StatusForbidden || s == http.StatusNotFound:
		return nil, nil
	case err != nil:
		return nil, err
	case next != 0 || len(users) >= page:
		return nil, nil
	}
	out := map[int64]bool{}
	for _, u := range users {
		out[u.GetID()] = u.Permissions["push"]
	}
	return out, nil
}

// mayWrite asks for the highest permission over all grants. The answer must be about the same numeric id: a login that
// changed hands is another person.
func (c *Client) mayWrite(ctx context.Context, p approval.Person) (bool, error) {
	level, err := c.permission(ctx, p.Login)
	return writes(level) && level.GetUser().GetID() == p.ID, err // nil, as of an account that is gone, may nothing
}

// members returns who is in each team now, child teams included, by numeric id. A team that is not there, or not the
// repository owner's, has no members. Those of known are not asked for.
func (c *Client) members(ctx context.Context, teams []string, known roll) (roll, error) {
	out := maps.Clone(known)
	if out == nil {
		out = roll{}
	}
	for _, team := range teams {
		if _, ok := out[team]; ok {
			continue
		}
		out[team] = map[int64]string{}
		slug, ours := c.ownTeam(team)
		if !ours {
			c.log.Warn("a team is not one of the repository's owner; nobody counts as its member", "team", line(team))
			continue
		}
		users, err := pages(c, "read the members of "+team, func(p gh.ListOptions) ([]*gh.User, *gh.Response, error) {
			return c.hub.Teams.ListTeamMembersBySlug(ctx, c.owner, slug, &gh.TeamListTeamMembersOptions{ListOptions: p})
		}, nil)
		if status(err) == http.StatusNotFound {
			c.log.Warn("the hub does not show a team; nobody counts as its member", "team", team)
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("look up teams: %w", err)
		}
		for _, u := range users {
			out[team][u.GetID()] = u.GetLogin()
		}
	}
	return out, nil
}

// ownTeam splits org/slug, and reports whether the org owns the repository.
func (c *Client) ownTeam(team string) (slug string, ours bool) {
	org, slug, _ := strings.Cut(team, "/")
	return slug, strings.EqualFold(org, c.owner) && plain(slug)
}
