package git

import (
	"context"
	"errors"
	"fmt"

	"github.com/pullbook/pullbook/engine/localhub/state"
)

// Repair tells the state what git knows beyond it, which is so when a hub was killed between moving a ref and recording
// it: nobody was answered, yet the ref has moved. The moves count as the authors' of the pull requests that they concern.
func (g *Repos) Repair(ctx context.Context, repo string) error {
	defer g.lock(repo)()
	pulls, err := g.store.Pulls(repo, state.PullFilter{})
	if err != nil {
		return fmt.Errorf("repair %s: %w", repo, err)
	}
	kept, err := g.pullRefs(ctx, repo)
	if err != nil {
		return fmt.Errorf("repair %s: %w", repo, err)
	}
	done := map[string]bool{}
	for _, p := range pulls {
		if !done[p.Head.Ref] {
			done[p.Head.Ref] = true
			if err := g.repairHead(ctx, p); err != nil {
				return fmt.Errorf("repair pull request %d of %s: %w", p.Number, repo, err)
			}
		}
		if err := g.repairMerge(ctx, repo, p.Number, kept); err != nil {
			return fmt.Errorf("repair pull request %d of %s: %w", p.Number, repo, err)
		}
	}
	return nil
}

func (g *Repos) pullRefs(ctx context.Context, repo string) (map[string]string, error) {
	refs, err := g.Refs(ctx, repo, "refs/pull/")
	if err != nil {
		return nil, err
	}
	out := map[string]string{}
	for _, r := range refs {
		out[r.Name] = r.SHA
	}
	return out, nil
}

// repairHead publishes what happened to a pull request's head branch.
func (g *Repos) repairHead(ctx context.Context, p *state.Pull) error {
	repo := p.Repo.FullName()
	tip, err := g.Branch(ctx, repo, p.Head.Ref)
	if errors.Is(err, ErrAbsent) {
		tip, err = state.ZeroID, nil
	}
	if err != nil || tip == p.Head.SHA {
		return err
	}
	g.logger.Warn("a push was not recorded before the hub ended", "repository", repo, "branch", p.Head.Ref)
	move := Move{Ref: "refs/heads/" + p.Head.Ref, Before: p.Head.SHA, After: tip}
	return g.publish(ctx, author(p), repo, []Move{move}, 0)
}

// repairMerge marks a pull request whose head the base branch holds, and sets the ref of one that has none.
func (g *Repos) repairMerge(ctx context.Context, repo string, number int, kept map[string]string) error {
	p, err := g.store.Pull(repo, number)
	if err != nil || !p.Open() {
		return err
	}
	if kept[fmt.Sprintf("refs/pull/%d/head", number)] != p.Head.SHA {
		if err := g.setPullRef(ctx, repo, number, p.Head.SHA); err != nil {
			return err
		}
	}
	tip, err := g.Branch(ctx, repo, p.Base.Ref)
	if errors.Is(err, ErrAbsent) {
		return nil
	}
	if err != nil || tip == p.Base.SHA {
		return err
	}
	base, err := g.MergeBase(ctx, repo, tip, p.Head.SHA)
	if err != nil || base != p.Head.SHA {
		return err
	}
	g.logger.Warn("a merge was not recorded before the hub ended", "repository", repo, "number", number)
	return g.store.MarkMerged(author(p), repo, number, state.Merged{Base: p.Base.SHA, Commit: tip})
}

// author acts for somebody whose request is no longer known.
func author(p *state.Pull) state.Actor {
	return state.Actor{User: p.Author, Base: "http://localhost"}
}
