package graphql

import (
	"context"
	"fmt"
	"slices"
	"strings"

	gql "github.com/graph-gophers/graphql-go"

	"github.com/pullbook/pullbook/engine/localhub/state"
)

// pullRequest is GitHub's PullRequest. Head and base are branches of one repository: the hub has no forks.
type pullRequest struct {
	s *session
	r *repository
	p *state.Pull
}

func (s *session) pullNode(p *state.Pull) *pullRequest {
	return &pullRequest{s, s.repositoryNode(p.Repo), p}
}

// ID is REST's node_id.
func (p *pullRequest) ID() gql.ID { return numberID("PullRequest", p.p.ID) }

// DatabaseID is REST's id.
func (p *pullRequest) DatabaseID() *int32 { return small(p.p.ID) }

// FullDatabaseID is REST's id, at any size.
func (p *pullRequest) FullDatabaseID() *bigInt { n := bigInt(p.p.ID); return &n }

// Number is the number in the repository.
func (p *pullRequest) Number() int32 { return int32(p.p.Number) }

// Title is the title.
func (p *pullRequest) Title() string { return p.p.Title }

// Body is the description in markdown.
func (p *pullRequest) Body() string { return p.p.Body }

// Author is who opened it.
func (p *pullRequest) Author() *object { return p.s.actorNode(p.p.Author) }

// AuthorAssociation is the author's relation to the repository.
func (p *pullRequest) AuthorAssociation() string { return p.p.Association }

// State is OPEN, CLOSED or MERGED.
func (p *pullRequest) State() string {
	if p.p.Merged {
		return "MERGED"
	}
	return strings.ToUpper(p.p.State)
}

// Closed says whether it is closed or merged.
func (p *pullRequest) Closed() bool { return !p.p.Open() }

// Merged says whether it is merged.
func (p *pullRequest) Merged() bool { return p.p.Merged }

// IsDraft says whether it is not ready for review.
func (p *pullRequest) IsDraft() bool { return p.p.Draft }

// CreatedAt is when it was opened.
func (p *pullRequest) CreatedAt() dateTime { return dateTime{p.p.Created} }

// PublishedAt is when it was opened.
func (p *pullRequest) PublishedAt() *dateTime { return stamp(p.p.Created) }

// UpdatedAt is when it last changed.
func (p *pullRequest) UpdatedAt() dateTime { return dateTime{p.p.Updated} }

// ClosedAt is when it was closed or merged, or null.
func (p *pullRequest) ClosedAt() *dateTime { return stamp(p.p.Closed) }

// MergedAt is when it was merged, or null.
func (p *pullRequest) MergedAt() *dateTime { return stamp(p.p.MergedAt) }

// MergedBy is who merged it, or null.
func (p *pullRequest) MergedBy() *object { return p.s.actorNode(p.p.MergedBy) }

// LastEditedAt is null: the hub keeps no history of descriptions.
func (p *pullRequest) LastEditedAt() *dateTime { return nil }

// IncludesCreatedEdit is false, likewise.
func (p *pullRequest) IncludesCreatedEdit() bool { return false }

// Repository is where it is.
func (p *pullRequest) Repository() *repository { return p.r }

// BaseRepository is the same.
func (p *pullRequest) BaseRepository() *repository { return p.r }

// HeadRepository is the same.
func (p *pullRequest) HeadRepository() *repository { return p.r }

// HeadRepositoryOwner is whose it is.
func (p *pullRequest) HeadRepositoryOwner() *owner { return p.r.Owner() }

// IsCrossRepository is false.
func (p *pullRequest) IsCrossRepository() bool { return false }

// BaseRefName is the branch to merge into.
func (p *pullRequest) BaseRefName() string { return p.p.Base.Ref }

// BaseRefOID is that branch's commit, as REST shows it.
func (p *pullRequest) BaseRefOID() oid { return oid(p.p.Base.SHA) }

// BaseRef is that branch, or null when it is gone.
func (p *pullRequest) BaseRef(ctx context.Context) (*ref, error) {
	return p.r.refNode(ctx, "refs/heads/"+p.p.Base.Ref)
}

// HeadRefName is the branch to merge.
func (p *pullRequest) HeadRefName() string { return p.p.Head.Ref }

// HeadRefOID is its commit.
func (p *pullRequest) HeadRefOID() oid { return oid(p.p.Head.SHA) }

// HeadRef is that branch, or null when it is gone.
func (p *pullRequest) HeadRef(ctx context.Context) (*ref, error) {
	if p.p.HeadGone {
		return nil, nil
	}
	return p.r.refNode(ctx, "refs/heads/"+p.p.Head.Ref)
}

// ResourcePath is the page's path.
func (p *pullRequest) ResourcePath() uri {
	return uri(fmt.Sprintf("/%s/pull/%d", p.r.full(), p.p.Number))
}

// URL is the page's address.
func (p *pullRequest) URL() uri { return uri(p.s.host) + p.ResourcePath() }

// Permalink is the page's address.
func (p *pullRequest) Permalink() uri { return p.URL() }

// Additions counts the lines that come.
func (p *pullRequest) Additions() int32 { return int32(p.p.Stats.Additions) }

// Deletions counts the lines that go.
func (p *pullRequest) Deletions() int32 { return int32(p.p.Stats.Deletions) }

// ChangedFiles counts the files.
func (p *pullRequest) ChangedFiles() int32 { return int32(p.p.Stats.Files) }

// TotalCommentsCount counts the conversation.
func (p *pullRequest) TotalCommentsCount() *int32 { return small(int64(p.p.Comments)) }

// MergeCommit is what merged it, or null.
func (p *pullRequest) MergeCommit(ctx context.Context) (*commit, error) {
	return p.r.commitOrNull(ctx, p.p.MergeCommit)
}

// PotentialMergeCommit is null: the hub makes no test merges.
func (p *pullRequest) PotentialMergeCommit() *commit { return nil }

// Mergeable says whether head merges into base without conflict.
func (p *pullRequest) Mergeable(ctx context.Context) (string, error) {
	if !p.p.Open() {
		return "UNKNOWN", nil
	}
	clean, err := p.s.git().Mergeable(ctx, p.p)
	if err != nil {
		return "", err
	}
	if clean {
		return "MERGEABLE", nil
	}
	return "CONFLICTING", nil
}

// MergeStateStatus says what stands in the way of merging, in the order in which GitHub looks.
func (p *pullRequest) MergeStateStatus(ctx context.Context) (string, error) {
	conflict, err := p.Mergeable(ctx)
	if err != nil || conflict == "UNKNOWN" {
		return "UNKNOWN", err
	}
	blocked, err := p.s.store().Blocked(p.r.full(), p.p.Number)
	if err != nil {
		return "", err
	}
	switch {
	case conflict == "CONFLICTING":
		return "DIRTY", nil
	case p.p.Draft:
		return "DRAFT", nil
	case blocked != "":
		return "BLOCKED", nil
	}
	runs, err := p.s.store().Runs(p.r.full(), p.p.Head.SHA, state.RunFilter{})
	if err != nil {
		return "", err
	}
	if (&rollup{runs: runs}).State() != "SUCCESS" {
		return "UNSTABLE", nil
	}
	return "CLEAN", nil
}

// ViewerCanUpdate says whether the actor may change title and body.
func (p *pullRequest) ViewerCanUpdate() bool {
	return p.ViewerDidAuthor() || p.r.role() >= state.Write
}

// ViewerDidAuthor says whether the actor opened it.
func (p *pullRequest) ViewerDidAuthor() bool { return p.p.Author.ID == p.s.actor.User.ID }

type methodArgs struct{ MergeType *string }

// ViewerMergeHeadlineText is the merge commit's proposed first line.
func (p *pullRequest) ViewerMergeHeadlineText(methodArgs) string {
	return fmt.Sprintf("Merge pull request #%d from %s/%s", p.p.Number, p.p.Repo.Owner.Login, p.p.Head.Ref)
}

// ViewerMergeBodyText is the proposed rest.
func (p *pullRequest) ViewerMergeBodyText(methodArgs) string { return p.p.Title }

// The hub has no auto-merge, merge queue, locks or projects.

// AutoMergeRequest is null.
func (p *pullRequest) AutoMergeRequest() *autoMerge { return nil }

// IsInMergeQueue is false.
func (p *pullRequest) IsInMergeQueue() bool { return false }

// IsMergeQueueEnabled is false.
func (p *pullRequest) IsMergeQueueEnabled() bool { return false }

// Locked is false.
func (p *pullRequest) Locked() bool { return false }

// MaintainerCanModify is false, as REST says.
func (p *pullRequest) MaintainerCanModify() bool { return false }

// Milestone is what it is planned for, or null.
func (p *pullRequest) Milestone() *milestone {
	return milestoneOf(p.p.In)
}

func milestoneOf(m *state.Milestone) *milestone {
	if m == nil {
		return nil
	}
	return &milestone{Description: orNull(m.Description), DueOn: stamp(m.Due), ID: numberID("Milestone", m.ID), Number: int32(m.Number), Title: m.Title}
}

// ClosingIssuesReferences is empty.
func (p *pullRequest) ClosingIssuesReferences(ctx context.Context, args slice) (*connection[issue], error) {
	return none[issue](ctx, args, "closingIssuesReferences")
}

// ProjectCards is empty.
func (p *pullRequest) ProjectCards(ctx context.Context, args slice) (*connection[projectCard], error) {
	return none[projectCard](ctx, args, "projectCards")
}

// ProjectItems is empty.
func (p *pullRequest) ProjectItems(ctx context.Context, args slice) (*connection[projectItem], error) {
	return none[projectItem](ctx, args, "projectItems")
}

// ReviewThreads is empty: the hub has no comments on lines.
func (p *pullRequest) ReviewThreads(ctx context.Context, args slice) (*connection[thread], error) {
	return none[thread](ctx, args, "reviewThreads")
}

// ReactionGroups are the reactions to it, counted.
func (p *pullRequest) ReactionGroups() *[]*reactionGroup { return p.s.reactionGroups(p.p.Reactions) }

// pullOrder is how pull requests are sorted.
type pullOrder struct{ Direction, Field string }

func (o pullOrder) filter(pullState string) state.PullFilter {
	sort := "created"
	if o.Field == "UPDATED_AT" {
		sort = "updated"
	}
	return state.PullFilter{State: pullState, Sort: sort, Ascending: o.Direction == "ASC"}
}

type pullsArgs struct {
	slice
	BaseRefName, HeadRefName *string
	Labels                   *[]string
	OrderBy                  *pullOrder
	States                   *[]string
}

func (a pullsArgs) wants(p *pullRequest) bool {
	return (a.States == nil || slices.Contains(*a.States, p.State())) &&
		(a.Labels == nil || slices.ContainsFunc(p.p.Labels, func(l state.Label) bool { return anyOf(*a.Labels, []string{l.Name}) }))
}

// PullRequests lists the repository's pull requests, oldest first unless asked otherwise.
func (r *repository) PullRequests(ctx context.Context, args pullsArgs) (*connection[pullRequest], error) {
	return r.pulls(ctx, args, "pullRequests")
}

func (r *repository) pulls(ctx context.Context, args pullsArgs, field string) (*connection[pullRequest], error) {
	if err := r.may(pullsRead); err != nil {
		return nil, err
	}
	order := pullOrder{"ASC", "CREATED_AT"}
	if args.OrderBy != nil {
		order = *args.OrderBy
	}
	f, whole := args.filter(order)
	if whole {
		return r.pullWindow(ctx, args.slice, f, field)
	}
	all, err := r.s.store().Pulls(r.full(), f)
	if err != nil {
		return nil, err
	}
	list := listing[*state.Pull]{field: field}
	for _, p := range all {
		if args.wants(r.s.pullNode(p)) {
			list.items = append(list.items, p)
		}
	}
	return paginate(ctx, args.slice, list, r.s.pullNode)
}

// filter is what the state can select by itself, and whether that is everything that the arguments ask.
func (a pullsArgs) filter(order pullOrder) (f state.PullFilter, whole bool) {
	f, whole = order.filter("all"), a.Labels == nil
	if a.BaseRefName != nil {
		f.Base = *a.BaseRefName
	}
	if a.HeadRefName != nil {
		f.Head = *a.HeadRefName
	}
	if a.States == nil {
		return f, whole
	}
	has := func(word string) bool { return slices.Contains(*a.States, word) }
	switch open, closed, merged := has("OPEN"), has("CLOSED"), has("MERGED"); {
	case open && closed && merged:
	case open && !closed && !merged:
		f.State = "open"
	case !open && closed && merged:
		f.State = "closed"
	case !open && !closed && merged:
		f.State = "merged"
	default:
		whole = false
	}
	return f, whole
}

// pullWindow copies only the pull requests of the page.
func (r *repository) pullWindow(ctx context.Context, p slice, f state.PullFilter, field string) (*connection[pullRequest], error) {
	_, total, err := r.s.store().PullsIn(r.full(), f, state.Window{Limit: 1})
	if err != nil {
		return nil, err
	}
	from, to, err := p.bounds(ctx, field, total)
	if err != nil {
		return nil, err
	}
	var page []*state.Pull
	if to > from && (gql.HasSelectedField(ctx, "nodes") || gql.HasSelectedField(ctx, "edges") || gql.HasSelectedField(ctx, "pageInfo")) {
		if page, _, err = r.s.store().PullsIn(r.full(), f, state.Window{Offset: from, Limit: to - from}); err != nil {
			return nil, err
		}
	}
	return assemble(page, from, total, r.s.pullNode), nil
}
