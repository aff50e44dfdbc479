package graphql

import (
	"context"
	"fmt"
	"slices"
	"strings"

	gql "github.com/graph-gophers/graphql-go"

	"github.com/pullbook/pullbook/engine/localhub/state"
)

// comment is GitHub's IssueComment, in a pull request's conversation.
type comment struct {
	p *pullRequest
	c state.Comment
}

// Author is who wrote it.
func (c *comment) Author() *object { return c.p.s.actorNode(c.c.User) }

// AuthorAssociation is the author's relation to the repository.
func (c *comment) AuthorAssociation() string { return c.c.Association }

// Body is the text in markdown.
func (c *comment) Body() string { return c.c.Body }

// CreatedAt is when it was written.
func (c *comment) CreatedAt() dateTime { return dateTime{c.c.Created} }

// PublishedAt is when it was written.
func (c *comment) PublishedAt() *dateTime { return stamp(c.c.Created) }

// UpdatedAt is when it last changed.
func (c *comment) UpdatedAt() dateTime { return dateTime{c.c.Updated} }

// LastEditedAt is null for a text that nobody changed.
func (c *comment) LastEditedAt() *dateTime {
	if !c.c.Edited {
		return nil
	}
	return stamp(c.c.Updated)
}

// IncludesCreatedEdit says whether it was changed.
func (c *comment) IncludesCreatedEdit() bool { return c.c.Edited }

// DatabaseID is REST's id.
func (c *comment) DatabaseID() *int32 { return small(c.c.ID) }

// FullDatabaseID is REST's id, at any size.
func (c *comment) FullDatabaseID() *bigInt { n := bigInt(c.c.ID); return &n }

// ID is REST's node_id.
func (c *comment) ID() gql.ID { return numberID("IssueComment", c.c.ID) }

// IsMinimized is never.
func (c *comment) IsMinimized() bool { return false }

// MinimizedReason is null.
func (c *comment) MinimizedReason() *string { return nil }

// PullRequest is what it is about.
func (c *comment) PullRequest() *pullRequest { return c.p }

// Repository is where it is.
func (c *comment) Repository() *repository { return c.p.r }

// ReactionGroups are the reactions to it, counted.
func (c *comment) ReactionGroups() *[]*reactionGroup { return c.p.s.reactionGroups(c.c.Reactions) }

// ResourcePath is the page's path.
func (c *comment) ResourcePath() uri {
	return c.p.ResourcePath() + uri(fmt.Sprintf("#issuecomment-%d", c.c.ID))
}

// URL is the page's address.
func (c *comment) URL() uri { return uri(c.p.s.host) + c.ResourcePath() }

// ViewerDidAuthor says whether the actor wrote it.
func (c *comment) ViewerDidAuthor() bool { return c.c.User.ID == c.p.s.actor.User.ID }

// ViewerCanUpdate says whether the actor may change it.
func (c *comment) ViewerCanUpdate() bool {
	return c.ViewerDidAuthor() || c.p.r.role() >= state.Write
}

// ViewerCanDelete says whether the actor may delete it.
func (c *comment) ViewerCanDelete() bool { return c.ViewerCanUpdate() }

// review is GitHub's PullRequestReview.
type review struct {
	p *pullRequest
	v state.Review
}

// Author is who reviewed.
func (v *review) Author() *object { return v.p.s.actorNode(v.v.User) }

// AuthorAssociation is the author's relation to the repository.
func (v *review) AuthorAssociation() string { return v.v.Association }

// AuthorCanPushToRepository says whether the author may write now.
func (v *review) AuthorCanPushToRepository() bool { return v.p.canPush(v.v.User) }

// Body is the text in markdown.
func (v *review) Body() string { return v.v.Body }

// Comments is empty: the hub has no comments on lines.
func (v *review) Comments(ctx context.Context, args slice) (*connection[lineComment], error) {
	return none[lineComment](ctx, args, "comments")
}

// Commit is what was reviewed; null when git has lost it.
func (v *review) Commit(ctx context.Context) (*commit, error) {
	return v.p.r.commitOrNull(ctx, v.v.CommitID)
}

// CreatedAt is when it was submitted: it is never pending.
func (v *review) CreatedAt() dateTime { return dateTime{v.v.Submitted} }

// PublishedAt is when it was submitted.
func (v *review) PublishedAt() *dateTime { return v.SubmittedAt() }

// SubmittedAt is when it was submitted.
func (v *review) SubmittedAt() *dateTime {
	if v.v.State == state.ReviewPending {
		return nil
	}
	return stamp(v.v.Submitted)
}

// UpdatedAt is when its text last changed.
func (v *review) UpdatedAt() dateTime {
	if v.v.Edited.IsZero() {
		return dateTime{v.v.Submitted}
	}
	return dateTime{v.v.Edited}
}

// LastEditedAt is null for a text that nobody changed.
func (v *review) LastEditedAt() *dateTime { return stamp(v.v.Edited) }

// IncludesCreatedEdit says whether its text was changed.
func (v *review) IncludesCreatedEdit() bool { return !v.v.Edited.IsZero() }

// DatabaseID is REST's id.
func (v *review) DatabaseID() *int32 { return small(v.v.ID) }

// FullDatabaseID is REST's id, at any size.
func (v *review) FullDatabaseID() *bigInt { n := bigInt(v.v.ID); return &n }

// ID is REST's node_id.
func (v *review) ID() gql.ID { return numberID("PullRequestReview", v.v.ID) }

// IsMinimized is never.
func (v *review) IsMinimized() bool { return false }

// MinimizedReason is null.
func (v *review) MinimizedReason() *string { return nil }

// OnBehalfOf are the teams that were asked and have the author as a member.
func (v *review) OnBehalfOf(ctx context.Context, args slice) (*connection[team], error) {
	list := listing[state.Team]{field: "onBehalfOf"}
	for _, t := range slices.Concat(v.p.p.Answered, v.p.p.ReviewTeams) {
		asked := func(x state.Team) bool { return x.ID == t.ID }
		if anyOf(t.Members, []string{v.v.User.Login}) && !slices.ContainsFunc(list.items, asked) {
			list.items = append(list.items, t)
		}
	}
	return paginate(ctx, args, list, func(t state.Team) *team { return &team{v.p.s, t} })
}

// PullRequest is what was reviewed.
func (v *review) PullRequest() *pullRequest { return v.p }

// Repository is where it is.
func (v *review) Repository() *repository { return v.p.r }

// ReactionGroups are all at zero: the hub takes no reactions to reviews.
func (v *review) ReactionGroups() *[]*reactionGroup { return v.p.s.reactionGroups(nil) }

// ResourcePath is the page's path.
func (v *review) ResourcePath() uri {
	return v.p.ResourcePath() + uri(fmt.Sprintf("#pullrequestreview-%d", v.v.ID))
}

// URL is the page's address.
func (v *review) URL() uri { return uri(v.p.s.host) + v.ResourcePath() }

// State is APPROVED, CHANGES_REQUESTED, COMMENTED or DISMISSED.
func (v *review) State() string { return v.v.State }

// ViewerDidAuthor says whether the actor reviewed.
func (v *review) ViewerDidAuthor() bool { return v.v.User.ID == v.p.s.actor.User.ID }

// reactionWords pairs GraphQL's names of reactions with REST's, in GitHub's order.
func reactionWords() [8][2]string {
	return [8][2]string{
		{"THUMBS_UP", "+1"}, {"THUMBS_DOWN", "-1"}, {"LAUGH", "laugh"}, {"HOORAY", "hooray"}, {"CONFUSED", "confused"},
		{"HEART", "heart"}, {"ROCKET", "rocket"}, {"EYES", "eyes"},
	}
}

func reactionWord(of string, from, to int) string {
	for _, pair := range reactionWords() {
		if pair[from] == of {
			return pair[to]
		}
	}
	return strings.ToUpper(of)
}

// reactionGroup is GitHub's ReactionGroup: everybody's reactions of one kind.
type reactionGroup struct {
	s       *session
	all     []state.Reaction
	Content string
}

func (s *session) reactionGroups(all []state.Reaction) *[]*reactionGroup {
	var out []*reactionGroup
	for _, pair := range reactionWords() {
		g := &reactionGroup{s: s, Content: pair[0]}
		for _, x := range all {
			if x.Content == pair[1] {
				g.all = append(g.all, x)
			}
		}
		out = append(out, g)
	}
	return &out
}

// CreatedAt is when the first of them was given, or null.
func (g *reactionGroup) CreatedAt() *dateTime {
	if len(g.all) == 0 {
		return nil
	}
	return stamp(g.all[0].Created)
}

// ViewerHasReacted says whether the actor is among them.
func (g *reactionGroup) ViewerHasReacted() bool {
	for _, x := range g.all {
		if x.User.ID == g.s.actor.User.ID {
			return true
		}
	}
	return false
}

// reactors is GitHub's ReactingUserConnection, whose edges have a time.
type reactors struct {
	Edges      *[]*reactorEdge
	Nodes      *[]*user
	PageInfo   pageInfo
	TotalCount int32
}

type reactorEdge struct {
	Cursor    string
	Node      *user
	ReactedAt dateTime
}

// Users are those who reacted.
func (g *reactionGroup) Users(ctx context.Context, args slice) (*reactors, error) {
	c, err := paginate(ctx, args, listing[state.Reaction]{"users", g.all}, func(x state.Reaction) *user { return g.s.userNode(x.User) })
	if err != nil {
		return nil, err
	}
	edges := make([]*reactorEdge, 0, len(*c.Edges))
	for _, e := range *c.Edges {
		for _, x := range g.all {
			if x.User.ID == e.Node.u.ID {
				edges = append(edges, &reactorEdge{e.Cursor, e.Node, dateTime{x.Created}})
			}
		}
	}
	return &reactors{&edges, c.Nodes, c.PageInfo, c.TotalCount}, nil
}

// reaction is GitHub's Reaction.
type reaction struct {
	s *session
	x state.Reaction
}

// Content is one of GitHub's eight words.
func (x *reaction) Content() string { return reactionWord(x.x.Content, 1, 0) }

// CreatedAt is when it was given.
func (x *reaction) CreatedAt() dateTime { return dateTime{x.x.Created} }

// DatabaseID is REST's id.
func (x *reaction) DatabaseID() *int32 { return small(x.x.ID) }

// ID is REST's node_id.
func (x *reaction) ID() gql.ID { return numberID("Reaction", x.x.ID) }

// User is who reacted.
func (x *reaction) User() *user { return x.s.userNode(x.x.User) }
