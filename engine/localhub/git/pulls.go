package git

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/pullbook/pullbook/engine/localhub/state"
)

// An Opening is a request for a pull request. Head may be written "owner:branch" with the repository's own owner.
type Opening struct {
	Title, Body, Head, Base string
	Draft                   bool
}

// OpenPull opens a pull request between two branches of one repository.
func (g *Repos) OpenPull(ctx context.Context, a state.Actor, repo string, in Opening) (*state.Pull, error) {
	ctx, done := g.begin(ctx, repo)
	defer done()
	head := in.Head
	if owner, branch, ok := strings.Cut(in.Head, ":"); ok {
		head = branch
		if mine, _, _ := strings.Cut(repo, "/"); !strings.EqualFold(owner, mine) {
			head = ""
		}
	}
	headSHA, err := g.tipFor(ctx, repo, "head", head)
	if err != nil {
		return nil, err
	}
	baseSHA, err := g.tipFor(ctx, repo, "base", in.Base)
	if err != nil {
		return nil, err
	}
	stats, err := g.Stats(ctx, repo, baseSHA, headSHA)
	if err != nil {
		return nil, err
	}
	p, err := g.store.CreatePull(a, repo, state.NewPull{
		Title: in.Title, Body: in.Body, Draft: in.Draft, Stats: stats,
		Base: state.Tip{Ref: in.Base, SHA: baseSHA}, Head: state.Tip{Ref: head, SHA: headSHA},
	})
	if err != nil {
		return nil, err
	}
	return p, g.setPullRef(ctx, repo, p.Number, headSHA)
}

func (g *Repos) tipFor(ctx context.Context, repo, field, branch string) (string, error) {
	if branch == "" {
		return "", state.Invalid(state.Problem{Resource: "PullRequest", Field: field, Code: "invalid"})
	}
	sha, err := g.Branch(ctx, repo, branch)
	if errors.Is(err, ErrAbsent) {
		return "", state.Invalid(state.Problem{Resource: "PullRequest", Field: field, Code: "invalid"})
	}
	return sha, err
}

// EditPull changes a pull request. A new base branch is measured first, and one that is opened again takes up what was
// pushed to its head branch meanwhile.
func (g *Repos) EditPull(ctx context.Context, a state.Actor, repo string, number int, in state.PullEdit) (*state.Pull, error) {
	ctx, done := g.begin(ctx, repo)
	defer done()
	p, err := g.store.Pull(repo, number)
	if err != nil {
		return nil, err
	}
	reopens := in.State != nil && *in.State == "open" && !p.Open() && !p.Merged && !p.HeadGone
	if in.Base == nil && !reopens {
		return g.store.EditPull(a, repo, number, in)
	}
	if in.Base == nil {
		in.Base = &state.Tip{Ref: p.Base.Ref}
	}
	if in.Base.SHA, err = g.tipFor(ctx, repo, "base", in.Base.Ref); err != nil {
		return nil, err
	}
	head := p.Head
	if reopens {
		if head.SHA, err = g.tipFor(ctx, repo, "head", head.Ref); err != nil {
			return nil, err
		}
		in.Head = &head
	}
	stats, err := g.Stats(ctx, repo, in.Base.SHA, head.SHA)
	if err != nil {
		return nil, err
	}
	in.Stats = &stats
	out, err := g.store.EditPull(a, repo, number, in)
	if err != nil {
		return nil, err
	}
	return out, g.setPullRef(ctx, repo, number, out.Head.SHA)
}

// BaseOf is the commit to compare a pull request's head with: the base branch's tip while it is open, and the tip that
// it was merged onto or last seen at afterwards.
func (g *Repos) BaseOf(ctx context.Context, p *state.Pull) string {
	if p.Open() {
		if sha, err := g.Branch(ctx, p.Repo.FullName(), p.Base.Ref); err == nil {
			return sha
		}
	}
	return p.Base.SHA
}

// PullFiles lists what a pull request changes since the merge base.
func (g *Repos) PullFiles(ctx context.Context, p *state.Pull) ([]File, error) {
	base, err := g.MergeBase(ctx, p.Repo.FullName(), g.BaseOf(ctx, p), p.Head.SHA)
	if err != nil {
		return nil, err
	}
	return g.Files(ctx, p.Repo.FullName(), base, p.Head.SHA)
}

// MaxCommits is how many commits GitHub lists of a pull request.
const MaxCommits = 250

// Listed cuts a pull request's commits to as many as are listed.
func (g *Repos) Listed(ids []string) []string {
	if g.MaxCommits < 0 {
		return ids
	}
	return ids[:min(len(ids), cmp.Or(g.MaxCommits, MaxCommits))]
}

// PullCommits lists a pull request's commits, oldest first, as many as are listed.
func (g *Repos) PullCommits(ctx context.Context, p *state.Pull) ([]Commit, error) {
	repo := p.Repo.FullName()
	ids, err := g.List(ctx, repo, Range{Tip: p.Head.SHA, Not: g.BaseOf(ctx, p), Reverse: true})
	if err != nil {
		return nil, err
	}
	return g.Commits(ctx, repo, g.Listed(ids))
}

// Holds says whether a commit belongs to a pull request.
func (g *Repos) Holds(ctx context.Context, p *state.Pull, sha string) (bool, error) {
	ids, err := g.List(ctx, p.Repo.FullName(), Range{Tip: p.Head.SHA, Not: g.BaseOf(ctx, p)})
	if err != nil {
		return false, err
	}
	for _, id := range ids {
		if id == sha {
			return true, nil
		}
	}
	return false, nil
}

// Mergeable says whether a pull request's head merges into its base without conflict.
func (g *Repos) Mergeable(ctx context.Context, p *state.Pull) (bool, error) {
	_, ok, err := g.mergeTree(ctx, p.Repo.FullName(), g.BaseOf(ctx, p), p.Head.SHA)
	return ok, err
}

func (g *Repos) mergeTree(ctx context.Context, repo, base, head string) (tree string, ok bool, err error) {
	out, err := g.git(ctx, repo, "merge-tree", "--write-tree", "--no-messages", base, head)
	if exited(err, 1) {
		return "", false, nil
	}
	if err != nil {
		return "", false, fmt.Errorf("merge in %s: %w", repo, err)
	}
	return strings.TrimSpace(string(out)), true, nil
}

// A Merging is a request to merge. SHA is the head that the caller saw, or empty.
type Merging struct {
	Title, Message, SHA, Method string
}

// Merge makes the merge commit and moves the base branch to it.
func (g *Repos) Merge(ctx context.Context, a state.Actor, repo string, number int, in Merging) (string, error) {
	method, err := checkMethod(in.Method)
	if err != nil {
		return "", err
	}
	ctx, done := g.begin(ctx, repo)
	defer done()
	p, err := g.mayMerge(ctx, a, repo, number, state.MergeTry{SHA: in.SHA, Method: method})
	if err != nil {
		return "", err
	}
	base, err := g.Branch(ctx, repo, p.Base.Ref)
	if errors.Is(err, ErrAbsent) {
		return "", notMergeable()
	}
	if err != nil {
		return "", err
	}
	tree, ok, err := g.mergeTree(ctx, repo, base, p.Head.SHA)
	if err != nil {
		return "", err
	}
	if !ok {
		return "", notMergeable()
	}
	var commit string
	switch method {
	case "squash":
		commit, err = g.squash(ctx, a, p, in, []string{tree, base})
	case "rebase":
		commit, err = g.rebase(ctx, a, p, base)
	default:
		commit, err = g.mergeCommit(ctx, a, p, in, []string{tree, base, p.Head.SHA})
	}
	if err != nil {
		return "", err
	}
	ref := "refs/heads/" + p.Base.Ref
	if err := g.updateRef(ctx, repo, ref, base, commit); err != nil {
		return "", err
	}
	if err := g.store.MarkMerged(a, repo, number, state.Merged{Base: base, Commit: commit}); err != nil {
		return "", err
	}
	if err := g.publish(ctx, a, repo, []Move{{ref, base, commit}}, number); err != nil {
		return "", err
	}
	return commit, g.dropHead(ctx, a, p)
}

// mayMerge asks the rules, with the code owners of what would be merged.
func (g *Repos) mayMerge(ctx context.Context, a state.Actor, repo string, number int, try state.MergeTry) (*state.Pull, error) {
	p, err := g.store.Pull(repo, number)
	if err != nil {
		return nil, err
	}
	if try.Owners, err = g.CodeOwners(ctx, p); err != nil {
		return nil, err
	}
	return g.store.MayMerge(a, repo, number, try)
}

// checkMethod reads a merge method.
func checkMethod(method string) (string, error) {
	switch method {
	case "":
		return "merge", nil
	case "merge", "squash", "rebase":
		return method, nil
	}
	return "", state.Invalid(state.Problem{Resource: "PullRequest", Field: "merge_method", Code: "invalid"})
}

func notMergeable() *state.Refusal {
	return &state.Refusal{Status: http.StatusMethodNotAllowed, Message: "Pull Request is not mergeable"}
}

// mergeCommit writes the commit; what holds its tree and its two parents.
func (g *Repos) mergeCommit(ctx context.Context, a state.Actor, p *state.Pull, in Merging, what []string) (string, error) {
	repo := p.Repo.FullName()
	if in.Title == "" {
		in.Title = fmt.Sprintf("Merge pull request #%d from %s/%s", p.Number, p.Repo.Owner.Login, p.Head.Ref)
	}
	if in.Message == "" {
		in.Message = p.Title
	}
	args := []string{"commit-tree", "-p", what[1], "-p", what[2], "-F", "-", what[0]}
	cmd := g.command(ctx, repo, args...)
	when := strconv.FormatInt(g.store.Now().Unix(), 10) + " +0000"
	name, email := authorOf(a.User)
	cmd.Env = append(cmd.Env, "GIT_AUTHOR_NAME="+name, "GIT_AUTHOR_EMAIL="+email, "GIT_AUTHOR_DATE="+when,
		"GIT_COMMITTER_NAME=GitHub", "GIT_COMMITTER_EMAIL=noreply@github.localhost", "GIT_COMMITTER_DATE="+when)
	out, err := output(cmd, strings.NewReader(plainText(in.Title+"\n\n"+in.Message+"\n")), args)
	if err != nil {
		return "", fmt.Errorf("write the merge commit of pull request %d of %s: %w", p.Number, repo, err)
	}
	return strings.TrimSpace(string(out)), nil
}

// authorOf is how GitHub names an account in commits that it makes for it.
func authorOf(u state.User) (name, email string) {
	name, email = u.Name, u.Email
	if name == "" {
		name = u.Login
	}
	if email == "" {
		email = fmt.Sprintf("%d+%s@users.noreply.github.localhost", u.ID, u.Login)
	}
	return name, email
}
