package graphql

import (
	"context"
	"strings"

	gql "github.com/graph-gophers/graphql-go"

	"github.com/pullbook/pullbook/engine/localhub/state"
)

// account is what people, bots and organisations have in common.
type account struct {
	s *session
	u state.User
}

type sizeArgs struct{ Size *int32 }

// AvatarURL is the same for every size.
func (a *account) AvatarURL(sizeArgs) uri { return uri(a.s.host.Page("/avatars/%d", a.u.ID)) }

// CreatedAt is when the account began.
func (a *account) CreatedAt() dateTime { return dateTime{a.u.Created} }

// UpdatedAt is when the account began, too: accounts do not change.
func (a *account) UpdatedAt() dateTime { return dateTime{a.u.Created} }

// DatabaseID is REST's id.
func (a *account) DatabaseID() *int32 { return small(a.u.ID) }

// ID is REST's node_id of the account.
func (a *account) ID() gql.ID { return numberID("User", a.u.ID) }

// Login is the name. GraphQL leaves out the suffix by which REST tells bots.
func (a *account) Login() string { return strings.TrimSuffix(a.u.Login, "[bot]") }

// Name is the full name.
func (a *account) Name() *string { return orNull(a.u.Name) }

// ResourcePath is the page's path.
func (a *account) ResourcePath() uri { return uri("/" + a.u.Login) }

// URL is the page's address.
func (a *account) URL() uri { return uri(a.s.host.Page("/%s", a.u.Login)) }

type repositoryArgs struct {
	Name          string
	FollowRenames gql.NullBool
}

// Repository finds one of the account's repositories.
func (a *account) Repository(args repositoryArgs) (*repository, error) {
	return a.s.repository(a.u.Login + "/" + args.Name)
}

// user is GitHub's User.
type user struct{ account }

// Login is the login; an App that asks for the viewer is a User with the suffix of bots.
func (u *user) Login() string { return u.u.Login }

// Email is the public address.
func (u *user) Email() string { return u.u.Email }

// IsSiteAdmin says whether the person administers the hub.
func (u *user) IsSiteAdmin() bool { return u.u.Admin }

// IsViewer says whether the person asks.
func (u *user) IsViewer() bool { return u.u.ID == u.s.actor.User.ID }

// bot is GitHub's Bot.
type bot struct{ account }

// ResourcePath is the App's page.
func (b *bot) ResourcePath() uri { return uri("/apps/" + b.Login()) }

// URL is the App's page.
func (b *bot) URL() uri { return uri(b.s.host.Page("/apps/%s", b.Login())) }

// organization is GitHub's Organization.
type organization struct{ account }

// ID is the id that REST gives organisations.
func (o *organization) ID() gql.ID { return numberID("Organization", o.u.ID) }

// Description is not kept.
func (o *organization) Description() *string { return nil }

// ViewerIsAMember says whether the asking person belongs to it.
func (o *organization) ViewerIsAMember() bool { return o.s.store().IsMember(o.u.Login, o.s.actor.User) }

// mayReadTeams: teams are for members, and for Apps with members:read that are installed on the organisation.
func (o *organization) mayReadTeams() error {
	a := o.s.actor
	if !a.IsInstallation() {
		if o.ViewerIsAMember() {
			return nil
		}
		return &fault{forbidden, "You must be a member of this organization to see its teams."}
	}
	in, err := o.s.store().Installation(a.App.ID, a.Installation)
	level := a.Permissions["members"]
	if err != nil || in.Account.ID != o.u.ID || (level != "read" && level != "write") {
		return &fault{forbidden, "Resource not accessible by integration"}
	}
	return nil
}

// Team finds a team.
func (o *organization) Team(args struct{ Slug string }) (*team, error) {
	if err := o.mayReadTeams(); err != nil {
		return nil, err
	}
	t, err := o.s.store().Team(o.u.Login, args.Slug)
	if isAbsent(err) {
		return nil, nil
	}
	return &team{o.s, t}, err
}

type teamOrder struct{ Direction, Field string }

// Teams lists the organisation's teams by slug.
func (o *organization) Teams(ctx context.Context, args struct {
	slice
	OrderBy    *teamOrder
	Query      *string
	UserLogins *[]string
}) (*connection[team], error) {
	if err := o.mayReadTeams(); err != nil {
		return nil, err
	}
	list := listing[state.Team]{field: "teams"}
	for _, t := range o.s.store().Teams(o.u.Login) {
		if args.Query != nil && !contains(t.Name, *args.Query) && !contains(t.Slug, *args.Query) {
			continue
		}
		if args.UserLogins != nil && !anyOf(t.Members, *args.UserLogins) {
			continue
		}
		list.items = append(list.items, t)
	}
	if args.OrderBy != nil && args.OrderBy.Direction == "DESC" {
		reverse(list.items)
	}
	return paginate(ctx, args.slice, list, func(t state.Team) *team { return &team{o.s, t} })
}

// team is GitHub's Team.
type team struct {
	s *session
	t state.Team
}

// AvatarURL is the same for every size.
func (t *team) AvatarURL(struct{ Size gql.NullInt }) *uri {
	u := uri(t.s.host.Page("/avatars/%d", t.t.ID))
	return &u
}

// CombinedSlug is "org/team".
func (t *team) CombinedSlug() string { return t.t.Org + "/" + t.t.Slug }

// CreatedAt is when the team began.
func (t *team) CreatedAt() dateTime { return dateTime{t.t.Created} }

// UpdatedAt is when the team began.
func (t *team) UpdatedAt() dateTime { return dateTime{t.t.Created} }

// DatabaseID is REST's id.
func (t *team) DatabaseID() *int32 { return small(t.t.ID) }

// Description is what the team is for.
func (t *team) Description() *string { return orNull(t.t.Description) }

// ID is REST's node_id.
func (t *team) ID() gql.ID { return numberID("Team", t.t.ID) }

// Name is the team's name.
func (t *team) Name() string { return t.t.Name }

// Slug is the name in addresses.
func (t *team) Slug() string { return t.t.Slug }

// Organization is whose team it is.
func (t *team) Organization() (*organization, error) {
	u, err := t.s.store().Org(t.t.Org)
	return &organization{account{t.s, u}}, err
}

// ResourcePath is the page's path.
func (t *team) ResourcePath() uri { return uri("/orgs/" + t.t.Org + "/teams/" + t.t.Slug) }

// URL is the page's address.
func (t *team) URL() uri { return uri(t.s.host.Page("/orgs/%s/teams/%s", t.t.Org, t.t.Slug)) }

// members is a team's TeamMemberConnection, whose edges have a role.
type members struct {
	Edges      *[]*memberEdge
	Nodes      *[]*user
	PageInfo   pageInfo
	TotalCount int32
}

type memberEdge struct {
	Cursor string
	Node   *user
	Role   string
}

// Members lists the people of the team.
func (t *team) Members(ctx context.Context, args struct {
	slice
	Query *string
}) (*members, error) {
	list := listing[state.User]{field: "members"}
	for _, login := range t.t.Members {
		if args.Query != nil && !contains(login, *args.Query) {
			continue
		}
		u, err := t.s.store().Account(login)
		if err != nil {
			return nil, err
		}
		list.items = append(list.items, u)
	}
	c, err := paginate(ctx, args.slice, list, t.s.userNode)
	if err != nil {
		return nil, err
	}
	edges := make([]*memberEdge, 0, len(*c.Edges))
	for _, e := range *c.Edges {
		edges = append(edges, &memberEdge{e.Cursor, e.Node, "MEMBER"})
	}
	return &members{&edges, c.Nodes, c.PageInfo, c.TotalCount}, nil
}

// app is GitHub's App.
type app struct {
	s *session
	a state.App
}

// CreatedAt is when the App began.
func (a *app) CreatedAt() dateTime { return dateTime{a.a.Created} }

// UpdatedAt is when the App began.
func (a *app) UpdatedAt() dateTime { return dateTime{a.a.Created} }

// DatabaseID is REST's id.
func (a *app) DatabaseID() *int32 { return small(a.a.ID) }

// Description is what the App is for.
func (a *app) Description() *string { return orNull(a.a.Description) }

// ID is REST's node_id.
func (a *app) ID() gql.ID { return numberID("Integration", a.a.ID) }

// Name is the App's name.
func (a *app) Name() string { return a.a.Name }

// Slug is the name in addresses.
func (a *app) Slug() string { return a.a.Slug }

// URL is the App's page.
func (a *app) URL() uri { return uri(a.s.host.Page("/apps/%s", a.a.Slug)) }

func isPerson(u state.User) bool { return u.Type != state.TypeBot && u.Type != state.TypeOrganization }

func (s *session) userNode(u state.User) *user { return &user{account{s, u}} }

// actorNode is an account as an Actor, or null for nobody.
func (s *session) actorNode(u state.User) *object {
	switch {
	case u.ID == 0:
		return nil
	case u.Type == state.TypeBot:
		return &object{&bot{account{s, u}}}
	case u.Type == state.TypeOrganization:
		return &object{&organization{account{s, u}}}
	default:
		return &object{&user{account{s, u}}}
	}
}

// owner is an account as a RepositoryOwner, which bots are not.
func (s *session) owner(u state.User) *owner {
	if u.Type == state.TypeBot {
		return nil
	}
	return &owner{*s.actorNode(u)}
}
