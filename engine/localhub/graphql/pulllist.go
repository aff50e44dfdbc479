package graphql

import (
	"context"
	"slices"
	"sort"
	"strings"
	"time"

	gql "github.com/graph-gophers/graphql-go"

	"github.com/pullbook/pullbook/engine/localhub/git"
	"github.com/pullbook/pullbook/engine/localhub/state"
)

// Assignees are the people responsible.
func (p *pullRequest) Assignees(ctx context.Context, args slice) (*connection[user], error) {
	return paginate(ctx, args, listing[state.User]{"assignees", p.p.Assignees}, p.s.userNode)
}

type labelsArgs struct {
	slice
	OrderBy labelOrder
}

// Labels are the pull request's labels.
func (p *pullRequest) Labels(ctx context.Context, args labelsArgs) (*connection[label], error) {
	return p.r.labelPage(ctx, args.slice, listing[state.Label]{"labels", slices.Clone(p.p.Labels)}, &args.OrderBy)
}

// pullCommit is GitHub's PullRequestCommit.
type pullCommit struct {
	p   *pullRequest
	sha string
}

// Commit is the commit itself.
func (c *pullCommit) Commit(ctx context.Context) (*commit, error) { return c.p.r.commit(ctx, c.sha) }

// ID is made like REST's ids; REST has none for this.
func (c *pullCommit) ID() gql.ID { return objectID("PullRequestCommit", c.p.p.ID, c.sha) }

// PullRequest is whose commit it is.
func (c *pullCommit) PullRequest() *pullRequest { return c.p }

// ResourcePath is the page's path.
func (c *pullCommit) ResourcePath() uri { return c.p.ResourcePath() + uri("/commits/"+c.sha) }

// URL is the page's address.
func (c *pullCommit) URL() uri { return uri(c.p.s.host) + c.ResourcePath() }

// Commits lists the commits, oldest first, at most as many as GitHub lists.
func (p *pullRequest) Commits(ctx context.Context, args slice) (*connection[pullCommit], error) {
	ids, err := p.commitIDs(ctx)
	if err != nil {
		return nil, err
	}
	from, to, err := args.bounds(ctx, "commits", len(ids))
	if err != nil {
		return nil, err
	}
	if gql.HasSelectedField(ctx, "nodes") || gql.HasSelectedField(ctx, "edges") {
		if _, err := p.s.commitsOf(ctx, p.r.full(), ids[from:to]); err != nil {
			return nil, err
		}
	}
	c, err := paginate(ctx, args, listing[string]{"commits", ids}, func(id string) *pullCommit { return &pullCommit{p, id} })
	if err == nil && p.p.Stats.Commits > len(ids) {
		c.TotalCount = int32(p.p.Stats.Commits)
	}
	return c, err
}

func (p *pullRequest) commitIDs(ctx context.Context) ([]string, error) {
	ids, err := p.s.git().List(ctx, p.r.full(), git.Range{Tip: p.p.Head.SHA, Not: p.s.git().BaseOf(ctx, p.p), Reverse: true})
	if err != nil {
		return nil, err
	}
	return p.s.git().Listed(ids), nil
}

// StatusCheckRollup is that of the head.
func (p *pullRequest) StatusCheckRollup(ctx context.Context) (*rollup, error) {
	c, err := p.r.commitOrNull(ctx, p.p.Head.SHA)
	if err != nil || c == nil {
		return nil, err
	}
	return c.StatusCheckRollup()
}

// changedFile is GitHub's PullRequestChangedFile.
type changedFile struct {
	Additions, Deletions int32
	ChangeType           string
	Path                 string
}

// Files lists what the pull request changes.
func (p *pullRequest) Files(ctx context.Context, args slice) (*connection[changedFile], error) {
	files, err := p.s.git().PullFiles(ctx, p.p)
	if err != nil {
		return nil, err
	}
	words := map[string]string{"added": "ADDED", "removed": "DELETED", "renamed": "RENAMED"}
	return paginate(ctx, args, listing[git.File]{"files", files}, func(f git.File) *changedFile {
		word, ok := words[f.Status]
		if !ok {
			word = "MODIFIED"
		}
		return &changedFile{int32(f.Additions), int32(f.Deletions), word, f.Path}
	})
}

// reviewRequest is GitHub's ReviewRequest: one person or team whose review is asked for.
type reviewRequest struct {
	p    *pullRequest
	who  *object
	name string
}

// AsCodeOwner is false.
func (q *reviewRequest) AsCodeOwner() bool { return false }

// DatabaseID is null: REST knows requests only by whom they ask.
func (q *reviewRequest) DatabaseID() *int32 { return nil }

// ID is made like REST's ids; REST has none for this.
func (q *reviewRequest) ID() gql.ID { return objectID("ReviewRequest", q.p.p.ID, q.name) }

// PullRequest is what is to be reviewed.
func (q *reviewRequest) PullRequest() *pullRequest { return q.p }

// RequestedReviewer is who is asked.
func (q *reviewRequest) RequestedReviewer() *object { return q.who }

// ReviewRequests lists people and then teams.
func (p *pullRequest) ReviewRequests(ctx context.Context, args slice) (*connection[reviewRequest], error) {
	list := listing[*reviewRequest]{field: "reviewRequests"}
	for _, u := range p.p.Reviewers {
		list.items = append(list.items, &reviewRequest{p, p.s.actorNode(u), "User" + u.Login})
	}
	for _, t := range p.p.ReviewTeams {
		list.items = append(list.items, &reviewRequest{p, &object{&team{p.s, t}}, "Team" + t.Slug})
	}
	return paginate(ctx, args, list, func(q *reviewRequest) *reviewRequest { return q })
}

// Reviews lists the reviews, oldest first.
func (p *pullRequest) Reviews(ctx context.Context, args struct {
	slice
	Author *string
	States *[]string
}) (*connection[review], error) {
	return p.reviewPage(ctx, args.slice, "reviews", func(all []state.Review) []state.Review {
		return slices.DeleteFunc(all, func(v state.Review) bool {
			return (args.Author != nil && !strings.EqualFold(*args.Author, v.User.Login)) ||
				(args.States != nil && !slices.Contains(*args.States, v.State))
		})
	})
}

// LatestReviews lists the last review of each person.
func (p *pullRequest) LatestReviews(ctx context.Context, args slice) (*connection[review], error) {
	return p.reviewPage(ctx, args, "latestReviews", latest)
}

// LatestOpinionatedReviews lists each person's last review that says yes or no.
func (p *pullRequest) LatestOpinionatedReviews(ctx context.Context, args struct {
	slice
	WritersOnly gql.NullBool
}) (*connection[review], error) {
	return p.reviewPage(ctx, args.slice, "latestOpinionatedReviews", func(all []state.Review) []state.Review {
		return p.opinions(all, isTrue(args.WritersOnly))
	})
}

func (p *pullRequest) opinions(all []state.Review, writersOnly bool) []state.Review {
	return latest(slices.DeleteFunc(all, func(v state.Review) bool {
		return v.State == state.ReviewCommented || (writersOnly && !p.canPush(v.User))
	}))
}

func (p *pullRequest) canPush(u state.User) bool {
	role, _, err := p.s.store().RoleOf(p.r.full(), u.Login)
	return err == nil && role >= state.Write
}

// latest keeps the last of each person, in the order of time.
func latest(all []state.Review) []state.Review {
	last := map[int64]int64{}
	for _, v := range all {
		last[v.User.ID] = v.ID
	}
	return slices.DeleteFunc(all, func(v state.Review) bool { return last[v.User.ID] != v.ID })
}

func (p *pullRequest) reviewPage(ctx context.Context, s slice, field string, choose func([]state.Review) []state.Review) (*connection[review], error) {
	all, err := p.s.store().Reviews(p.r.full(), p.p.Number)
	if err != nil {
		return nil, err
	}
	return paginate(ctx, s, listing[state.Review]{field, choose(all)}, func(v state.Review) *review { return &review{p, v} })
}

// ReviewDecision is what the last opinions of those who may push come to. The hub requires no number of reviews, so
// without any opinion there is no decision.
func (p *pullRequest) ReviewDecision() (*string, error) {
	all, err := p.s.store().Reviews(p.r.full(), p.p.Number)
	if err != nil {
		return nil, err
	}
	decision := ""
	for _, v := range p.opinions(all, true) {
		switch v.State {
		case state.ReviewChanges:
			decision = v.State
		case state.ReviewApproved:
			if decision == "" {
				decision = v.State
			}
		}
	}
	return orNull(decision), nil
}

type commentOrder struct{ Direction, Field string }

// Comments lists the conversation, oldest first unless asked otherwise.
func (p *pullRequest) Comments(ctx context.Context, args struct {
	slice
	OrderBy *commentOrder
}) (*connection[comment], error) {
	all, err := p.s.store().Comments(p.r.full(), p.p.Number)
	if err != nil {
		return nil, err
	}
	if args.OrderBy != nil {
		sort.SliceStable(all, func(i, j int) bool {
			if args.OrderBy.Direction == "DESC" {
				i, j = j, i
			}
			return all[i].Updated.Before(all[j].Updated)
		})
	}
	return paginate(ctx, args.slice, listing[state.Comment]{"comments", all}, p.commentNode)
}

func (p *pullRequest) commentNode(c state.Comment) *comment { return &comment{p, c} }

// timeline is GitHub's PullRequestTimelineItemsConnection.
type timeline struct {
	connection[object]
	FilteredCount, PageCount int32
	UpdatedAt                dateTime
}

// moment is something in the timeline and when it happened.
type moment struct {
	at   time.Time
	kind string
	what *object
}

// TimelineItems lists commits, comments and reviews by time; what else GitHub's timeline has is not kept.
func (p *pullRequest) TimelineItems(ctx context.Context, args struct {
	slice
	ItemTypes *[]string
	Since     *dateTime
	Skip      *int32
}) (*timeline, error) {
	all, err := p.moments(ctx)
	if err != nil {
		return nil, err
	}
	total := len(all)
	all = slices.DeleteFunc(all, func(m moment) bool {
		return (args.ItemTypes != nil && !slices.Contains(*args.ItemTypes, m.kind)) || (args.Since != nil && m.at.Before(args.Since.Time))
	})
	if args.Skip != nil {
		all = all[min(max(int(*args.Skip), 0), len(all)):]
	}
	c, err := paginate(ctx, args.slice, listing[moment]{"timelineItems", all}, func(m moment) *object { return m.what })
	if err != nil {
		return nil, err
	}
	c.TotalCount = int32(total)
	return &timeline{*c, int32(len(all)), int32(len(*c.Nodes)), dateTime{p.p.Updated}}, nil
}

func (p *pullRequest) moments(ctx context.Context) ([]moment, error) {
	ids, err := p.commitIDs(ctx)
	if err != nil {
		return nil, err
	}
	commits, err := p.s.commitsOf(ctx, p.r.full(), ids)
	if err != nil {
		return nil, err
	}
	comments, err := p.s.store().Comments(p.r.full(), p.p.Number)
	if err != nil {
		return nil, err
	}
	reviews, err := p.s.store().Reviews(p.r.full(), p.p.Number)
	if err != nil {
		return nil, err
	}
	var all []moment
	for _, c := range commits {
		all = append(all, moment{c.Committer.When, "PULL_REQUEST_COMMIT", &object{&pullCommit{p, c.SHA}}})
	}
	for _, c := range comments {
		all = append(all, moment{c.Created, "ISSUE_COMMENT", &object{p.commentNode(c)}})
	}
	for _, v := range reviews {
		all = append(all, moment{v.Submitted, "PULL_REQUEST_REVIEW", &object{&review{p, v}}})
	}
	sort.SliceStable(all, func(i, j int) bool { return all[i].at.Before(all[j].at) })
	return all, nil
}
