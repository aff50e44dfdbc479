package git

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/pullbook/pullbook/engine/localhub/state"
)

// A Move is a ref that changed.
type Move struct {
	Ref, Before, After string // state.ZeroID for "did not exist" and "is gone"
}

// moves compares the branches and tags of two moments.
func moves(before, after []Ref) []Move {
	old := map[string]string{}
	for _, r := range before {
		old[r.Name] = r.SHA
	}
	var out []Move
	for _, r := range after {
		was, known := old[r.Name]
		delete(old, r.Name)
		if !known {
			was = state.ZeroID
		}
		if was != r.SHA {
			out = append(out, Move{r.Name, was, r.SHA})
		}
	}
	for _, r := range before {
		if was, left := old[r.Name]; left {
			out = append(out, Move{r.Name, was, state.ZeroID})
		}
	}
	return slices.DeleteFunc(out, func(m Move) bool {
		return !strings.HasPrefix(m.Ref, "refs/heads/") && !strings.HasPrefix(m.Ref, "refs/tags/")
	})
}

// publish tells the state what moved, and keeps pull refs at their heads. The repository's lock is held. merging is the
// number of the pull request whose merge is the move, which the caller marks itself.
func (g *Repos) publish(ctx context.Context, a state.Actor, repo string, list []Move, merging int) error {
	for _, m := range list {
		push, err := g.describe(ctx, repo, m)
		if err != nil {
			return err
		}
		moved, err := g.follow(ctx, repo, m)
		if err != nil {
			return err
		}
		if err := g.store.Pushed(a, repo, push, moved); err != nil {
			return fmt.Errorf("record a push to %s: %w", repo, err)
		}
		if err := g.markMerged(ctx, a, repo, push, merging); err != nil {
			return err
		}
	}
	return nil
}

// follow works out what a moved branch means for the pull requests whose head it is, and moves their refs.
func (g *Repos) follow(ctx context.Context, repo string, m Move) ([]state.Moved, error) {
	branch, ok := strings.CutPrefix(m.Ref, "refs/heads/")
	if !ok {
		return nil, nil
	}
	pulls, err := g.store.Pulls(repo, state.PullFilter{State: "all", Head: branch})
	if err != nil {
		return nil, fmt.Errorf("find pull requests of %s: %w", branch, err)
	}
	var out []state.Moved
	for _, p := range pulls {
		moved := state.Moved{Number: p.Number, Gone: m.After == state.ZeroID, Stats: p.Stats, Base: p.Base.SHA}
		if p.Open() && !moved.Gone {
			if base, err := g.Branch(ctx, repo, p.Base.Ref); err == nil {
				moved.Base = base
			}
			if moved.Stats, err = g.Stats(ctx, repo, moved.Base, m.After); err != nil {
				return nil, err
			}
			if err := g.setPullRef(ctx, repo, p.Number, m.After); err != nil {
				return nil, err
			}
		}
		out = append(out, moved)
	}
	return out, nil
}

func (g *Repos) setPullRef(ctx context.Context, repo string, number int, sha string) error {
	if _, err := g.git(ctx, repo, "update-ref", fmt.Sprintf("refs/pull/%d/head", number), sha); err != nil {
		return fmt.Errorf("set the ref of pull request %d of %s: %w", number, repo, err)
	}
	return nil
}

// markMerged closes the pull requests whose head a pushed base branch now contains.
func (g *Repos) markMerged(ctx context.Context, a state.Actor, repo string, push state.Push, merging int) error {
	branch, ok := push.Branch()
	if !ok || push.Created() || push.Deleted() {
		return nil
	}
	pulls, err := g.store.Pulls(repo, state.PullFilter{Base: branch})
	if err != nil || len(pulls) == 0 {
		return err
	}
	fresh, err := g.List(ctx, repo, Range{Tip: push.After, Not: push.Before})
	if err != nil {
		return err
	}
	arrived := map[string]bool{}
	for _, id := range fresh {
		arrived[id] = true
	}
	for _, p := range pulls {
		if p.Number != merging && arrived[p.Head.SHA] {
			if err := g.store.MarkMerged(a, repo, p.Number, state.Merged{Base: push.Before, Commit: push.After}); err != nil {
				return fmt.Errorf("mark pull request %d of %s as merged: %w", p.Number, repo, err)
			}
		}
	}
	return nil
}

// maxPushed is how many commits a push event carries; GitHub says 2,048 in webhooks, and 20 in its events API. The
// smaller number keeps payloads small.
const maxPushed = 20

func (g *Repos) describe(ctx context.Context, repo string, m Move) (state.Push, error) {
	p := state.Push{Ref: m.Ref, Before: m.Before, After: m.After}
	if p.Deleted() {
		return p, nil
	}
	tip := m.After
	if _, isBranch := p.Branch(); !isBranch {
		var err error
		tip, err = g.Ref(ctx, repo, m.Ref)
		if errors.Is(err, ErrAbsent) {
			return p, nil // a tag of something that is not a commit
		}
		if err != nil {
			return p, fmt.Errorf("read the tip of %s: %w", m.Ref, err)
		}
	}
	r := Range{Tip: tip, Not: m.Before, Limit: maxPushed}
	if p.Created() {
		r.Not, r.Limit = "", 1
	} else {
		base, err := g.MergeBase(ctx, repo, m.Before, tip)
		if err != nil {
			return p, err
		}
		p.Forced = base != m.Before
	}
	ids, err := g.List(ctx, repo, r)
	if err != nil {
		return p, err
	}
	slices.Reverse(ids)
	commits, err := g.Commits(ctx, repo, ids)
	if err != nil {
		return p, err
	}
	for _, c := range commits {
		pc, err := g.pushed(ctx, repo, c)
		if err != nil {
			return p, err
		}
		p.Commits = append(p.Commits, pc)
	}
	if n := len(p.Commits); n > 0 {
		p.HeadCommit = &p.Commits[n-1]
	}
	return p, nil
}

func (g *Repos) pushed(ctx context.Context, repo string, c Commit) (state.PushedCommit, error) {
	out := c.Pushed()
	names, err := g.git(ctx, repo, "diff-tree", "-r", "-z", "--root", "--no-commit-id", "--name-status", "--no-renames", c.SHA)
	if err != nil {
		return out, fmt.Errorf("list what commit %s changed: %w", c.SHA, err)
	}
	f := strings.Split(strings.TrimSuffix(string(names), "\x00"), "\x00")
	for i := 0; i+1 < len(f); i += 2 {
		switch f[i] {
		case "A":
			out.Added = append(out.Added, f[i+1])
		case "D":
			out.Removed = append(out.Removed, f[i+1])
		default:
			out.Modified = append(out.Modified, f[i+1])
		}
	}
	return out, nil
}

// A RefChange is what REST asks of a ref. Before is state.ZeroID to create it; After is state.ZeroID to delete it.
type RefChange struct {
	Ref, After string
	Create     bool
	Force      bool
}

// SetRef creates, moves or deletes a branch or tag as REST does: never over an existing one, and forward only unless
// forced.
func (g *Repos) SetRef(ctx context.Context, a state.Actor, repo string, c RefChange) error {
	ctx, done := g.begin(ctx, repo)
	defer done()
	before := state.ZeroID
	refs, err := g.Refs(ctx, repo, c.Ref)
	if err != nil {
		return err
	}
	for _, r := range refs {
		if r.Name == c.Ref {
			before = r.SHA
		}
	}
	switch {
	case c.Create && before != state.ZeroID:
		return state.Unprocessable("Reference already exists")
	case !c.Create && before == state.ZeroID:
		return state.Unprocessable("Reference does not exist")
	}
	if c.After != state.ZeroID {
		if _, err := g.Commits(ctx, repo, []string{c.After}); err != nil {
			return state.Unprocessable("Object does not exist")
		}
		if !c.Create && !c.Force {
			base, err := g.MergeBase(ctx, repo, before, c.After)
			if err != nil {
				return err
			}
			if base != before {
				return state.Unprocessable("Update is not a fast forward")
			}
		}
	}
	if before == c.After {
		return nil
	}
	if err := g.allowed(ctx, a, repo, Move{c.Ref, before, c.After}); err != nil {
		return err
	}
	if err := g.updateRef(ctx, repo, c.Ref, before, c.After); err != nil {
		return err
	}
	return g.publish(ctx, a, repo, []Move{{c.Ref, before, c.After}}, 0)
}

// updateRef is git's compare-and-swap.
func (g *Repos) updateRef(ctx context.Context, repo, ref, before, after string) error {
	args := []string{"update-ref", ref, after, before}
	if after == state.ZeroID {
		args = []string{"update-ref", "-d", ref, before}
	}
	if _, err := g.git(ctx, repo, args...); err != nil {
		return g.unmoved(ctx, repo, err, []Move{{ref, before, after}})
	}
	return nil
}

// unmoved says why git did not move refs: a new one cannot lie below another, nor above.
func (g *Repos) unmoved(ctx context.Context, repo string, why error, list []Move) error {
	refs, err := g.Refs(ctx, repo, "refs/")
	if err != nil {
		return errors.Join(why, err)
	}
	for _, m := range list {
		refs = append(refs, Ref{Name: m.Ref})
	}
	for _, m := range list {
		for _, r := range refs {
			if m.Before == state.ZeroID && (strings.HasPrefix(r.Name, m.Ref+"/") || strings.HasPrefix(m.Ref, r.Name+"/")) {
				return state.Unprocessable(fmt.Sprintf("Reference update failed: %s and %s cannot both exist", m.Ref, r.Name))
			}
		}
	}
	return fmt.Errorf("move %d refs of %s: %w", len(list), repo, why)
}
