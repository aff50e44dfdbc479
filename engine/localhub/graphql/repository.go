package graphql

import (
	"context"
	"errors"
	"slices"
	"strings"

	gql "github.com/graph-gophers/graphql-go"

	"github.com/pullbook/pullbook/engine/localhub/git"
	"github.com/pullbook/pullbook/engine/localhub/state"
)

// App permissions, as REST's routes ask for them.
const (
	metaRead      = "metadata:read"
	contentsRead  = "contents:read"
	contentsWrite = "contents:write"
	pullsRead     = "pull_requests:read"
	pullsWrite    = "pull_requests:write"
	issuesRead    = "issues:read"
	issuesWrite   = "issues:write"
	checksRead    = "checks:read"
	checksWrite   = "checks:write"
	statusesRead  = "statuses:read"
)

// repository is GitHub's Repository.
type repository struct {
	s *session
	r state.Repo
}

// repository finds a repository that the actor may read.
func (s *session) repository(fullName string) (*repository, error) {
	r, err := s.store().Check(s.actor, fullName, state.Need{App: []string{metaRead}, Role: state.Read})
	if isAbsent(err) || (err != nil && r.ID == 0) {
		return nil, absent("Could not resolve to a Repository with the name '%s'.", fullName)
	}
	if err != nil {
		return nil, err
	}
	return &repository{s, r}, nil
}

func (s *session) repositoryNode(r state.Repo) *repository { return &repository{s, r} }

func (r *repository) full() string { return r.r.FullName() }

// may refuses an App that has none of the permissions; people who see the repository may read all of it.
func (r *repository) may(apps ...string) error {
	_, err := r.s.store().Check(r.s.actor, r.full(), state.Need{App: apps, Role: state.Read})
	return err
}

func (r *repository) role() state.Role {
	role, _, err := r.s.store().RoleOf(r.full(), r.s.actor.User.Login)
	if err != nil {
		return state.None
	}
	return role
}

// ID is REST's node_id.
func (r *repository) ID() gql.ID { return numberID("Repository", r.r.ID) }

// DatabaseID is REST's id.
func (r *repository) DatabaseID() *int32 { return small(r.r.ID) }

// Name is the name without owner.
func (r *repository) Name() string { return r.r.Name }

// NameWithOwner is "owner/name".
func (r *repository) NameWithOwner() string { return r.full() }

// Owner is the person or organisation.
func (r *repository) Owner() *owner { return r.s.owner(r.r.Owner) }

// Description is what the repository is for.
func (r *repository) Description() *string { return orNull(r.r.Description) }

// CreatedAt is when it was made.
func (r *repository) CreatedAt() dateTime { return dateTime{r.r.Created} }

// UpdatedAt is when it last changed.
func (r *repository) UpdatedAt() dateTime { return dateTime{r.r.Updated} }

// PushedAt is when a ref last moved.
func (r *repository) PushedAt() *dateTime { return stamp(r.r.Pushed) }

// ResourcePath is the page's path.
func (r *repository) ResourcePath() uri { return uri("/" + r.full()) }

// URL is the page's address.
func (r *repository) URL() uri { return uri(r.s.host.Page("/%s", r.full())) }

// SSHURL has GitHub's form; the hub does not serve ssh.
func (r *repository) SSHURL() sshRemote {
	_, host, _ := strings.Cut(string(r.s.host), "://")
	return sshRemote("git@" + host + ":" + r.full() + ".git")
}

// IsPrivate says whether strangers see it.
func (r *repository) IsPrivate() bool { return r.r.Private }

// Visibility is IsPrivate in words.
func (r *repository) Visibility() string {
	if r.r.Private {
		return "PRIVATE"
	}
	return "PUBLIC"
}

// IsInOrganization says whether the owner is an organisation.
func (r *repository) IsInOrganization() bool { return r.r.Owner.Type == state.TypeOrganization }

// IsEmpty says whether there is no commit yet.
func (r *repository) IsEmpty(ctx context.Context) (bool, error) {
	refs, err := r.s.git().Refs(ctx, r.full(), "refs/heads/")
	return len(refs) == 0, err
}

// ViewerPermission is the actor's role; null for Apps, as on GitHub.
func (r *repository) ViewerPermission() *string {
	if r.s.actor.IsInstallation() || r.role() == state.None {
		return nil
	}
	word := strings.ToUpper(r.role().String())
	return &word
}

// ViewerCanAdminister says whether the actor is an admin.
func (r *repository) ViewerCanAdminister() bool { return r.role() >= state.Admin }

// ViewerDefaultMergeMethod is the first that the repository allows; nobody has a last one.
func (r *repository) ViewerDefaultMergeMethod() string { return strings.ToUpper(r.r.Methods()[0]) }

// The rest is the same for every repository of the hub.

// AutoMergeAllowed is GitHub's field of that name, and so on.
func (r *repository) AutoMergeAllowed() bool { return false }

// DeleteBranchOnMerge is always off.
func (r *repository) DeleteBranchOnMerge() bool { return false }

// ForkCount is 0: there are no forks.
func (r *repository) ForkCount() int32 { return 0 }

// HasDiscussionsEnabled is always off.
func (r *repository) HasDiscussionsEnabled() bool { return false }

// HasIssuesEnabled is REST's has_issues.
func (r *repository) HasIssuesEnabled() bool { return true }

// HasProjectsEnabled is always off.
func (r *repository) HasProjectsEnabled() bool { return false }

// HasWikiEnabled is always off.
func (r *repository) HasWikiEnabled() bool { return false }

// HomepageURL is not kept.
func (r *repository) HomepageURL() *uri { return nil }

// IsArchived is never.
func (r *repository) IsArchived() bool { return false }

// IsDisabled is never.
func (r *repository) IsDisabled() bool { return false }

// IsFork is never.
func (r *repository) IsFork() bool { return false }

// IsLocked is never.
func (r *repository) IsLocked() bool { return false }

// IsMirror is never.
func (r *repository) IsMirror() bool { return false }

// IsTemplate is never.
func (r *repository) IsTemplate() bool { return false }

// MergeCommitAllowed says whether the repository takes them; it does unless told otherwise.
func (r *repository) MergeCommitAllowed() bool { return !r.r.Merging.NoCommit }

// RebaseMergeAllowed says whether the repository takes them.
func (r *repository) RebaseMergeAllowed() bool { return r.r.Merging.Rebase }

// SquashMergeAllowed says whether the repository takes them.
func (r *repository) SquashMergeAllowed() bool { return r.r.Merging.Squash }

// MirrorURL is null: nothing is a mirror.
func (r *repository) MirrorURL() *uri { return nil }

// Parent is null: there are no forks.
func (r *repository) Parent() *repository { return nil }

// TemplateRepository is null.
func (r *repository) TemplateRepository() *repository { return nil }

// StargazerCount is 0.
func (r *repository) StargazerCount() int32 { return 0 }

// ViewerHasStarred is never.
func (r *repository) ViewerHasStarred() bool { return false }

// ViewerSubscription is GitHub's default.
func (r *repository) ViewerSubscription() *string {
	word := "UNSUBSCRIBED"
	return &word
}

// Watchers is empty.
func (r *repository) Watchers(ctx context.Context, args slice) (*connection[user], error) {
	return none[user](ctx, args, "watchers")
}

type numberArgs struct{ Number int32 }

// PullRequest finds a pull request.
func (r *repository) PullRequest(args numberArgs) (*pullRequest, error) {
	p, err := r.pull(args.Number)
	if isAbsent(err) {
		return nil, absent("Could not resolve to a PullRequest with the number of %d.", args.Number)
	}
	return p, err
}

func (r *repository) pull(number int32) (*pullRequest, error) {
	if err := r.may(pullsRead); err != nil {
		return nil, err
	}
	p, err := r.s.store().Pull(r.full(), int(number))
	if err != nil {
		return nil, err
	}
	return r.s.pullNode(p), nil
}

// AssignableUsers are the people who can be made responsible.
func (r *repository) AssignableUsers(ctx context.Context, args struct {
	slice
	Query *string
}) (*connection[user], error) {
	people, _, err := r.people(args.Query, nil)
	if err != nil {
		return nil, err
	}
	return paginate(ctx, args.slice, listing[state.User]{"assignableUsers", people}, r.s.userNode)
}

// collaborators is GitHub's RepositoryCollaboratorConnection, whose edges have a permission.
type collaborators struct {
	Edges      *[]*collaboratorEdge
	Nodes      *[]*user
	PageInfo   pageInfo
	TotalCount int32
}

type collaboratorEdge struct {
	Cursor     string
	Node       *user
	Permission string
}

// Collaborators are the people with a grant; only those who may push see them.
func (r *repository) Collaborators(ctx context.Context, args struct {
	slice
	Login, Query *string
}) (*collaborators, error) {
	if _, err := r.s.store().Check(r.s.actor, r.full(), state.Need{App: []string{metaRead}, Role: state.Write}); err != nil {
		return nil, &fault{forbidden, "You do not have permission to view repository collaborators."}
	}
	people, roles, err := r.people(args.Query, args.Login)
	if err != nil {
		return nil, err
	}
	c, err := paginate(ctx, args.slice, listing[state.User]{"collaborators", people}, r.s.userNode)
	if err != nil {
		return nil, err
	}
	edges := make([]*collaboratorEdge, 0, len(*c.Edges))
	for _, e := range *c.Edges {
		i := slices.IndexFunc(people, func(u state.User) bool { return u.ID == e.Node.u.ID })
		edges = append(edges, &collaboratorEdge{e.Cursor, e.Node, strings.ToUpper(roles[i].String())})
	}
	return &collaborators{&edges, c.Nodes, c.PageInfo, c.TotalCount}, nil
}

func (r *repository) people(query, login *string) ([]state.User, []state.Role, error) {
	all, roles, err := r.s.store().Collaborators(r.full())
	if err != nil {
		return nil, nil, err
	}
	var people []state.User
	var kept []state.Role
	for i, u := range all {
		if (query == nil || contains(u.Login, *query) || contains(u.Name, *query)) && (login == nil || strings.EqualFold(u.Login, *login)) {
			people, kept = append(people, u), append(kept, roles[i])
		}
	}
	return people, kept, nil
}

// Object finds a git object by its id, or by an expression: a ref, a commit, or "<commit>:<path>".
func (r *repository) Object(ctx context.Context, args struct {
	Expression *string
	OID        *oid
}) (*object, error) {
	if err := r.may(contentsRead); err != nil {
		return nil, err
	}
	name := ""
	switch {
	case args.Expression != nil:
		name = *args.Expression
	case args.OID != nil:
		name = string(*args.OID)
	default:
		return nil, &fault{"ARGUMENT_ERROR", "One of `expression` or `oid` must be given."}
	}
	found, err := r.object(ctx, name)
	if errors.Is(err, git.ErrAbsent) {
		return nil, nil
	}
	return found, err
}

func (r *repository) object(ctx context.Context, expression string) (*object, error) {
	name, path, isPath := strings.Cut(expression, ":")
	sha, err := r.s.git().Resolve(ctx, r.full(), name)
	if err != nil {
		return nil, err
	}
	if !isPath {
		c, err := r.commit(ctx, sha)
		if err != nil {
			return nil, err
		}
		return &object{c}, nil
	}
	path = strings.Trim(path, "/")
	entry, _, err := r.s.git().Find(ctx, r.full(), sha, path)
	if err != nil {
		return nil, err
	}
	if entry == nil {
		return r.treeAt(ctx, sha, path)
	}
	return r.blobAt(*entry, sha), nil
}
