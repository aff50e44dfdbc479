package git

import (
	"context"
	"net/http"

	"github.com/pullbook/pullbook/engine/localhub/state"
)

// maxRebased is how many commits GitHub rebases in a merge.
const maxRebased = 100

// rebase writes a pull request's commits anew, one upon the other from base on, and returns the last. As on GitHub their
// authors stay, whoever merges becomes their committer, signatures are lost, and merges among them are left out.
func (g *Repos) rebase(ctx context.Context, a state.Actor, p *state.Pull, base string) (string, error) {
	repo := p.Repo.FullName()
	refuse := &state.Refusal{Status: http.StatusMethodNotAllowed, Message: "This branch can't be rebased"}
	ids, err := g.List(ctx, repo, Range{Tip: p.Head.SHA, Not: base, Reverse: true})
	if err != nil {
		return "", err
	}
	if len(ids) > maxRebased {
		return "", refuse
	}
	commits, err := g.Commits(ctx, repo, ids)
	if err != nil {
		return "", err
	}
	onto, err := g.Commits(ctx, repo, []string{base})
	if err != nil {
		return "", err
	}
	tip, tree := base, onto[0].Tree
	for _, c := range commits {
		if len(c.Parents) != 1 {
			continue
		}
		next, clean, err := g.picked(ctx, repo, tree, c)
		switch {
		case err != nil:
			return "", err
		case !clean:
			return "", refuse
		case next == tree:
			continue // the base has it already
		}
		tree = next
		tip, err = g.WriteCommit(ctx, repo, NewCommit{
			Tree: tree, Parents: []string{tip}, Author: c.Author, Committer: g.IdentOf(a.User), Message: c.Message,
		})
		if err != nil {
			return "", err
		}
	}
	if tip == base {
		return "", refuse
	}
	return tip, nil
}

// picked is the tree that a commit's change makes of another tree. git merges commits, so one is made that has that tree
// and the commit's parent: what the two have changed since is the commit's change and the rest.
func (g *Repos) picked(ctx context.Context, repo, tree string, c Commit) (string, bool, error) {
	side, err := g.WriteCommit(ctx, repo, NewCommit{
		Tree: tree, Parents: c.Parents, Author: c.Author, Committer: hubIdent(g.store.Now()), Message: "Side of a rebase\n",
	})
	if err != nil {
		return "", false, err
	}
	return g.mergeTree(ctx, repo, side, c.SHA)
}
