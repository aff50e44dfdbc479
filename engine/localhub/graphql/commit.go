package graphql

import (
	"context"
	"strings"

	gql "github.com/graph-gophers/graphql-go"

	"github.com/pullbook/pullbook/engine/localhub/git"
	"github.com/pullbook/pullbook/engine/localhub/state"
)

// commit is GitHub's Commit.
type commit struct {
	r *repository
	c git.Commit
}

func (r *repository) commit(ctx context.Context, sha string) (*commit, error) {
	c, err := r.s.commit(ctx, r.full(), sha)
	if err != nil {
		return nil, err
	}
	return &commit{r, c}, nil
}

// commitOrNull is for ids that the state keeps and git may have lost.
func (r *repository) commitOrNull(ctx context.Context, sha string) (*commit, error) {
	if !git.IsID(sha) {
		return nil, nil
	}
	c, err := r.commit(ctx, sha)
	if isAbsent(err) {
		return nil, nil
	}
	return c, err
}

func (r *repository) commitNode(c git.Commit) *commit { return &commit{r, c} }

// AbbreviatedOID is the id's first seven digits.
func (c *commit) AbbreviatedOID() string { return c.c.SHA[:7] }

// OID is the id.
func (c *commit) OID() oid { return oid(c.c.SHA) }

// ID is REST's node_id.
func (c *commit) ID() gql.ID { return commitID(c.c.SHA) }

// Repository is where the commit was found.
func (c *commit) Repository() *repository { return c.r }

// CommitResourcePath is the page's path.
func (c *commit) CommitResourcePath() uri { return c.r.ResourcePath() + uri("/commit/"+c.c.SHA) }

// CommitURL is the page's address.
func (c *commit) CommitURL() uri { return uri(c.r.s.host) + c.CommitResourcePath() }

// ResourcePath is the page's path.
func (c *commit) ResourcePath() uri { return c.CommitResourcePath() }

// URL is the page's address.
func (c *commit) URL() uri { return c.CommitURL() }

// TreeURL is the page of the commit's files.
func (c *commit) TreeURL() uri { return c.r.URL() + uri("/tree/"+c.c.SHA) }

// Message is the whole message.
func (c *commit) Message() string { return c.c.Message }

// MessageHeadline is its first line.
func (c *commit) MessageHeadline() string { headline, _ := split(c.c.Message); return headline }

// MessageBody is what follows.
func (c *commit) MessageBody() string { _, body := split(c.c.Message); return body }

// AuthoredDate is the author's time.
func (c *commit) AuthoredDate() dateTime { return dateTime{c.c.Author.When} }

// CommittedDate is the committer's time.
func (c *commit) CommittedDate() dateTime { return dateTime{c.c.Committer.When} }

// Author is who wrote the change.
func (c *commit) Author() *gitActor { return &gitActor{c.r.s, c.c.Author} }

// Committer is who made the commit.
func (c *commit) Committer() *gitActor { return &gitActor{c.r.s, c.c.Committer} }

// AuthoredByCommitter compares the two.
func (c *commit) AuthoredByCommitter() bool { return c.c.Author.Email == c.c.Committer.Email }

// webCommitter is the committer of what the hub itself commits for somebody.
const webCommitter = "noreply@github.localhost"

// CommittedViaWeb says whether the hub made the commit.
func (c *commit) CommittedViaWeb() bool { return c.c.Committer.Email == webCommitter }

// Authors are the author and those whom Co-authored-by trailers name.
func (c *commit) Authors(ctx context.Context, args slice) (*connection[gitActor], error) {
	list := listing[state.Ident]{"authors", []state.Ident{c.c.Author}}
	for line := range strings.Lines(c.c.Message) {
		key, value, ok := strings.Cut(strings.TrimSpace(line), ":")
		name, email, isIdent := strings.Cut(strings.TrimSuffix(strings.TrimSpace(value), ">"), " <")
		if ok && isIdent && strings.EqualFold(key, "Co-authored-by") && email != c.c.Author.Email {
			list.items = append(list.items, state.Ident{Name: name, Email: email, When: c.c.Author.When})
		}
	}
	return paginate(ctx, args, list, func(i state.Ident) *gitActor { return &gitActor{c.r.s, i} })
}

// Parents are the commits before this one.
func (c *commit) Parents(ctx context.Context, args slice) (*connection[commit], error) {
	parents, err := c.r.s.commitsOf(ctx, c.r.full(), c.c.Parents)
	if err != nil {
		return nil, err
	}
	return paginate(ctx, args, listing[git.Commit]{"parents", parents}, c.r.commitNode)
}

// History lists the commits reachable from this one, newest first.
func (c *commit) History(ctx context.Context, args struct {
	slice
	Path *string
}) (*connection[commit], error) {
	at := git.Range{Tip: c.c.SHA}
	if args.Path != nil {
		at.Path = *args.Path
	}
	ids, err := c.r.s.git().List(ctx, c.r.full(), at)
	if err != nil {
		return nil, err
	}
	return c.r.commitPage(ctx, args.slice, listing[string]{"history", ids})
}

// commitPage reads only the commits of the page.
func (r *repository) commitPage(ctx context.Context, p slice, ids listing[string]) (*connection[commit], error) {
	from, to, err := p.bounds(ctx, ids.field, len(ids.items))
	if err != nil {
		return nil, err
	}
	if _, err := r.s.commitsOf(ctx, r.full(), ids.items[from:to]); err != nil {
		return nil, err
	}
	return paginate(ctx, p, ids, func(id string) *commit {
		r.s.mu.Lock()
		defer r.s.mu.Unlock()
		return &commit{r, r.s.commits[r.full()+id]}
	})
}

// sizes are the changes from the first parent.
func (c *commit) sizes(ctx context.Context) (additions, deletions, files int32, err error) {
	parent := ""
	if len(c.c.Parents) > 0 {
		parent = c.c.Parents[0]
	}
	list, err := c.r.s.git().Files(ctx, c.r.full(), parent, c.c.SHA)
	for _, f := range list {
		additions, deletions = additions+int32(f.Additions), deletions+int32(f.Deletions)
	}
	return additions, deletions, int32(len(list)), err
}

// Additions counts the lines that came.
func (c *commit) Additions(ctx context.Context) (int32, error) {
	n, _, _, err := c.sizes(ctx)
	return n, err
}

// Deletions counts the lines that went.
func (c *commit) Deletions(ctx context.Context) (int32, error) {
	_, n, _, err := c.sizes(ctx)
	return n, err
}

// ChangedFilesIfAvailable counts the files that changed.
func (c *commit) ChangedFilesIfAvailable(ctx context.Context) (*int32, error) {
	_, _, n, err := c.sizes(ctx)
	return &n, err
}

// Tree is the root directory.
func (c *commit) Tree() *tree { return &tree{c.r, c.c.SHA, "", c.c.Tree} }

type orderedArgs struct {
	slice
	OrderBy pullOrder
}

// AssociatedPullRequests are those that brought the commit, or would: their head has it and their base had not. GitHub
// leaves out closed ones that were not merged.
func (c *commit) AssociatedPullRequests(ctx context.Context, args orderedArgs) (*connection[pullRequest], error) {
	if err := c.r.may(pullsRead); err != nil {
		return nil, err
	}
	set, err := c.r.s.git().Containing(ctx, c.r.full(), c.c.SHA)
	if err != nil {
		return nil, err
	}
	all, err := c.r.s.store().Pulls(c.r.full(), args.OrderBy.filter("all"))
	if err != nil {
		return nil, err
	}
	list := listing[*state.Pull]{field: "associatedPullRequests"}
	for _, p := range all {
		if (p.Open() || p.Merged) && set[p.Head.SHA] && !set[c.r.s.git().BaseOf(ctx, p)] {
			list.items = append(list.items, p)
		}
	}
	return paginate(ctx, args.slice, list, c.r.s.pullNode)
}

// Blame says who wrote which lines of a file.
func (c *commit) Blame(ctx context.Context, args struct{ Path string }) (*blame, error) {
	spans, err := c.r.s.git().Blame(ctx, c.r.full(), c.c.SHA, args.Path)
	if isAbsent(err) {
		return nil, absent("Could not resolve file for path '%s'.", args.Path)
	}
	if err != nil {
		return nil, err
	}
	ids := make([]string, len(spans))
	for i, s := range spans {
		ids[i] = s.Commit
	}
	commits, err := c.r.s.commitsOf(ctx, c.r.full(), ids)
	if err != nil {
		return nil, err
	}
	b := &blame{Ranges: make([]*blameRange, len(spans))}
	for i, s := range spans {
		b.Ranges[i] = &blameRange{
			Age: age(commits, i), Commit: &commit{c.r, commits[i]}, StartingLine: int32(s.First), EndingLine: int32(s.Last),
		}
	}
	return b, nil
}

// blame is GitHub's Blame.
type blame struct{ Ranges []*blameRange }

type blameRange struct {
	Age          int32
	Commit       *commit
	EndingLine   int32
	StartingLine int32
}

// age is 1 for the newest lines of a file and 10 for the oldest.
func age(all []git.Commit, i int) int32 {
	newest, oldest := all[i].Committer.When, all[i].Committer.When
	for _, c := range all {
		if c.Committer.When.After(newest) {
			newest = c.Committer.When
		}
		if c.Committer.When.Before(oldest) {
			oldest = c.Committer.When
		}
	}
	whole := newest.Sub(oldest)
	if whole == 0 {
		return 1
	}
	return 1 + int32(9*float64(newest.Sub(all[i].Committer.When))/float64(whole))
}

// gitActor is GitHub's GitActor: a name and address of a commit, and whose address it is.
type gitActor struct {
	s *session
	i state.Ident
}

// AvatarURL is the account's, if there is one.
func (a *gitActor) AvatarURL(sizeArgs) uri {
	u, _ := a.s.store().ByEmail(a.i.Email)
	return uri(a.s.host.Page("/avatars/%d", u.ID))
}

// Date is the time in the commit.
func (a *gitActor) Date() *gitTimestamp { return &gitTimestamp{a.i.When} }

// Email is the address in the commit.
func (a *gitActor) Email() *string { return &a.i.Email }

// Name is the name in the commit.
func (a *gitActor) Name() *string { return &a.i.Name }

// User is the account with that address, or null.
func (a *gitActor) User() *user {
	u, ok := a.s.store().ByEmail(a.i.Email)
	if !ok {
		return nil
	}
	return a.s.userNode(u)
}
