package graphql

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"strings"

	gql "github.com/graph-gophers/graphql-go"

	"github.com/pullbook/pullbook/engine/localhub/state"
)

// issue is GitHub's Issue.
type issue struct {
	r *repository
	x state.Issue
}

func (r *repository) issueNode(x state.Issue) *issue { return &issue{r, x} }

// Assignees are the people responsible.
func (i *issue) Assignees(ctx context.Context, args slice) (*connection[user], error) {
	return paginate(ctx, args, listing[state.User]{"assignees", i.x.Assignees}, i.r.s.userNode)
}

// Author is who opened it.
func (i *issue) Author() *object { return i.r.s.actorNode(i.x.Author) }

// Body is the description in markdown.
func (i *issue) Body() string { return i.x.Body }

// Closed says whether it is closed.
func (i *issue) Closed() bool { return i.x.State == "closed" }

// ClosedAt is when it was closed.
func (i *issue) ClosedAt() *dateTime { return stamp(i.x.Closed) }

// CreatedAt is when it was opened.
func (i *issue) CreatedAt() dateTime { return dateTime{i.x.Created} }

// DatabaseID is REST's id.
func (i *issue) DatabaseID() *int32 { return small(i.x.ID) }

// ID is REST's node_id.
func (i *issue) ID() gql.ID { return numberID("Issue", i.x.ID) }

// Labels are the issue's labels.
func (i *issue) Labels(ctx context.Context, args labelsArgs) (*connection[label], error) {
	return i.r.labelPage(ctx, args.slice, listing[state.Label]{"labels", slices.Clone(i.x.Labels)}, &args.OrderBy)
}

// Milestone is what it is planned for.
func (i *issue) Milestone() *milestone { return milestoneOf(i.x.In) }

// Number is the number in the repository.
func (i *issue) Number() int32 { return int32(i.x.Number) }

// Repository is where it is.
func (i *issue) Repository() *repository { return i.r }

// State is OPEN or CLOSED.
func (i *issue) State() string { return strings.ToUpper(i.x.State) }

// StateReason is why it is in that state.
func (i *issue) StateReason() *string { return orNull(strings.ToUpper(i.x.Reason)) }

// Title is the title.
func (i *issue) Title() string { return i.x.Title }

// UpdatedAt is when it last changed.
func (i *issue) UpdatedAt() dateTime { return dateTime{i.x.Updated} }

// URL is the page's address on GitHub; the hub has no page for issues.
func (i *issue) URL() uri { return i.r.URL() + uri("/issues/"+strconv.Itoa(i.x.Number)) }

type issuesArgs struct {
	slice
	FilterBy *issueFilters
	Labels   *[]string
	OrderBy  *pullOrder
	States   *[]string
}

// issueFilters are those of GitHub's that gh has. Nobody is ever mentioned: the hub keeps no list of that.
type issueFilters struct {
	Assignee, CreatedBy, Mentioned *string
	Labels                         *[]string
	States                         *[]string
}

func (a issuesArgs) wants(x state.Issue) bool {
	f := issueFilters{}
	if a.FilterBy != nil {
		f = *a.FilterBy
	}
	in := func(states *[]string) bool {
		return states == nil || slices.Contains(*states, strings.ToUpper(x.State))
	}
	labelled := func(names *[]string) bool {
		return names == nil || slices.ContainsFunc(x.Labels, func(l state.Label) bool { return anyOf(*names, []string{l.Name}) })
	}
	return in(a.States) && in(f.States) && labelled(a.Labels) && labelled(f.Labels) && f.Mentioned == nil && assigned(x, f.Assignee) &&
		(f.CreatedBy == nil || strings.EqualFold(x.Author.Login, *f.CreatedBy))
}

// assigned says whether somebody is among an issue's assignees; "*" is anybody.
func assigned(x state.Issue, login *string) bool {
	return login == nil || slices.ContainsFunc(x.Assignees, func(u state.User) bool { return *login == "*" || strings.EqualFold(u.Login, *login) })
}

// Issues lists the repository's issues without its pull requests, oldest first unless asked otherwise.
func (r *repository) Issues(ctx context.Context, args issuesArgs) (*connection[issue], error) {
	if err := r.may(issuesRead); err != nil {
		return nil, err
	}
	all, err := r.s.store().Issues(r.full())
	if err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(x state.Issue) bool { return !args.wants(x) })
	if o := args.OrderBy; o != nil {
		slices.SortStableFunc(all, func(a, b state.Issue) int {
			by := map[string]int{"UPDATED_AT": a.Updated.Compare(b.Updated), "COMMENTS": cmp.Compare(a.Comments, b.Comments)}[o.Field]
			if by == 0 {
				by = cmp.Compare(a.Number, b.Number)
			}
			if o.Direction == "DESC" {
				return -by
			}
			return by
		})
	}
	return paginate(ctx, args.slice, listing[state.Issue]{"issues", all}, r.issueNode)
}

// Issue finds an issue; a pull request is none.
func (r *repository) Issue(args numberArgs) (*issue, error) {
	if err := r.may(issuesRead); err != nil {
		return nil, err
	}
	x, err := r.s.store().Issue(r.full(), int(args.Number))
	if err != nil {
		return nil, absent("Could not resolve to an Issue with the number of %d.", args.Number)
	}
	return r.issueNode(*x), nil
}

// IssueOrPullRequest finds either.
func (r *repository) IssueOrPullRequest(args numberArgs) (*object, error) {
	if x, err := r.s.store().Issue(r.full(), int(args.Number)); err == nil {
		return &object{r.issueNode(*x)}, r.may(issuesRead)
	}
	p, err := r.pull(args.Number)
	if isAbsent(err) {
		return nil, absent("Could not resolve to an issue or pull request with the number of %d.", args.Number)
	}
	if err != nil {
		return nil, err
	}
	return &object{p}, nil
}

// issueObject finds an issue by REST's id.
func (r *repository) issueObject(id int64) (*object, error) {
	all, err := r.s.store().Issues(r.full())
	for _, x := range all {
		if x.ID == id {
			return &object{r.issueNode(x)}, r.may(issuesRead)
		}
	}
	return nil, err
}

type repositoriesArgs struct {
	slice
	IsArchived, IsFork *bool
	OrderBy            *pullOrder
	OwnerAffiliations  []*string
	Privacy            *string
}

// repositories lists an account's own repositories that the actor sees, oldest first unless asked otherwise. Nothing is a
// fork or archived here.
func (a *account) repositories(ctx context.Context, args repositoriesArgs) (*connection[repository], error) {
	list := listing[state.Repo]{field: "repositories"}
	none := (args.IsFork != nil && *args.IsFork) || (args.IsArchived != nil && *args.IsArchived)
	for _, r := range a.s.store().Repos(a.s.actor) {
		private := args.Privacy == nil || (*args.Privacy == "PRIVATE") == r.Private
		if !none && private && r.Owner.ID == a.u.ID {
			list.items = append(list.items, r)
		}
	}
	if o := args.OrderBy; o != nil {
		slices.SortStableFunc(list.items, func(x, y state.Repo) int {
			by := map[string]int{
				"CREATED_AT": x.Created.Compare(y.Created), "UPDATED_AT": x.Updated.Compare(y.Updated), "PUSHED_AT": x.Pushed.Compare(y.Pushed),
				"NAME": strings.Compare(x.Name, y.Name),
			}[o.Field]
			if o.Direction == "DESC" {
				return -by
			}
			return by
		})
	}
	return paginate(ctx, args.slice, list, a.s.repositoryNode)
}

// Repositories lists the person's.
func (u *user) Repositories(ctx context.Context, args repositoriesArgs) (*connection[repository], error) {
	return u.repositories(ctx, args)
}

// Repositories lists the organisation's.
func (o *organization) Repositories(ctx context.Context, args repositoriesArgs) (*connection[repository], error) {
	return o.repositories(ctx, args)
}

// Repositories lists the account's.
func (o *owner) Repositories(ctx context.Context, args repositoriesArgs) (*connection[repository], error) {
	switch v := o.value.(type) {
	case *user:
		return v.repositories(ctx, args)
	case *organization:
		return v.repositories(ctx, args)
	default:
		return none[repository](ctx, args.slice, "repositories")
	}
}
