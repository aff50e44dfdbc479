package gitstore

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/capability"
)

// Bounds on what Branches has in memory at a time.
const (
	manyTips    = 500 // branches whose commits are fetched with one request
	manyCommits = 200 // commits whose trees and blobs are
)

// BranchesQuery asks for many branches.
type BranchesQuery struct {
	At      map[string]Hash // where a listing had each, by name
	Main    Hash            // the tip of the default branch, from which they forked
	Signers AllowedSigners
}

// Branches reads many branches as Branch does, in the order of their names, with few requests: one for the commits of every 500
// branches, one for the trees and blobs of every 200 commits. It gives found each branch as soon as it is read. Left out is what
// Branch alone can tell about: a branch with a commit that is not ours, one with more than 200 commits, one that cannot be read
// in company.
func (s *Store) Branches(ctx context.Context, q BranchesQuery, found func(Branch)) error {
	caps, err := s.capabilities(ctx, uploadPack)
	if err != nil {
		return fmt.Errorf("read %d branches: %w", len(q.At), err)
	}
	if !caps.Supports(capability.Filter) {
		return nil // a pack would hold everything at once
	}
	for names := range slices.Chunk(slices.Sorted(maps.Keys(q.At)), manyTips) {
		readers, err := s.followMany(ctx, q, names)
		if err != nil {
			return fmt.Errorf("read the commits of %d branches: %w", len(names), err)
		}
		for len(readers) > 0 {
			n, commits := 1, len(readers[0].branch.Commits)
			for n < len(readers) && commits+len(readers[n].branch.Commits) <= manyCommits {
				commits += len(readers[n].branch.Commits)
				n++
			}
			if err := s.readMany(ctx, readers[:n], found); err != nil {
				return fmt.Errorf("read the content of %d branches: %w", n, err)
			}
			clear(readers[:n]) // what has been found is not held any longer
			readers = readers[n:]
		}
	}
	return nil
}

// followMany reads the commits of branches, and gives those that are ours throughout.
func (s *Store) followMany(ctx context.Context, q BranchesQuery, names []string) ([]*branchReader, error) {
	var readers []*branchReader
	for _, name := range names {
		if tip := q.At[name]; !tip.IsZero() && tip != q.Main {
			query := BranchQuery{Name: name, Main: q.Main, Signers: q.Signers}
			readers = append(readers, &branchReader{store: s, query: query, branch: &Branch{Name: name, Tip: tip}, have: q.Main})
		}
	}
	out, err := s.fetchMany(ctx, readers, packp.FilterTreeDepth(0))
	if err != nil || !out.common {
		return nil, err
	}
	return slices.DeleteFunc(readers, func(r *branchReader) bool {
		whole := r.follow(out.objects) && r.branch.Foreign == nil
		n := len(r.branch.Commits)
		return !whole || n == 0 || n > manyCommits || r.firstUnsigned() < n
	}), nil
}

// readMany reads the trees and blobs of branches whose commits are known.
func (s *Store) readMany(ctx context.Context, readers []*branchReader, found func(Branch)) error {
	out, err := s.fetchMany(ctx, readers, packp.FilterBlobLimit(maxBlob+1, packp.BlobLimitPrefixNone))
	if err != nil || out.objects == nil {
		return err
	}
	if err := s.readForks(ctx, readers, out.objects); err != nil {
		return err
	}
	for _, r := range readers {
		r.view = &view{store: s, commit: r.branch.Fork, got: out.objects}
		err := r.readChanges(ctx)
		if ctx.Err() != nil {
			return err
		}
		if err == nil {
			found(*r.branch)
		}
	}
	return nil
}

// readForks brings what the first commits of branches are compared with: the commits that they forked from, with one request, and of
// their trees those that differ, with one request a level. What is missing then is asked for as it is needed.
func (s *Store) readForks(ctx context.Context, readers []*branchReader, got map[Hash]object) error {
	v := &view{store: s, commit: readers[0].branch.Fork, got: got}
	var forks []Hash
	for _, r := range readers {
		forks = append(forks, r.branch.Fork)
	}
	if want := v.missing(forks); len(want) > 0 {
		caps, err := s.capabilities(ctx, uploadPack)
		if err != nil {
			return err
		}
		out, err := s.wire.fetch(ctx, caps, fetch{wants: want, shallow: true, filter: packp.FilterTreeDepth(0)})
		if err != nil {
			return err
		}
		v.take(out.objects)
	}
	var level []pair
	for _, r := range readers {
		of := view{store: s, commit: r.branch.Fork, got: got}
		tree, err := of.treeOf(ctx)
		if err != nil {
			return err
		}
		level = append(level, pair{old: tree, new: r.branch.Commits[0].Commit.Tree})
	}
	for len(level) > 0 {
		if err := loadPairs(ctx, v, level); err != nil {
			return err
		}
		var next []pair
		for _, p := range level {
			_, dirs, err := comparePair(v, p)
			if err != nil {
				return err
			}
			next = append(next, slices.DeleteFunc(dirs, func(d pair) bool { return d.old.IsZero() || d.new.IsZero() })...)
		}
		level = next
	}
	return nil
}

// fetchMany is one request for what the tips have and the default branch has not. Nothing comes where one of them is to blame for it:
// too much, or what is not served any more.
func (s *Store) fetchMany(ctx context.Context, readers []*branchReader, filter packp.Filter) (fetched, error) {
	if len(readers) == 0 {
		return fetched{}, nil
	}
	caps, err := s.capabilities(ctx, uploadPack)
	if err != nil {
		return fetched{}, err
	}
	f := fetch{have: readers[0].have, filter: filter}
	for _, r := range readers {
		f.wants = append(f.wants, r.branch.Tip)
	}
	out, err := s.wire.fetch(ctx, caps, f)
	switch {
	case errors.Is(err, errTooLarge), errors.Is(err, errMalformed), errors.Is(err, errNotServed):
		return fetched{}, nil
	case err != nil:
		return fetched{}, err
	}
	for _, o := range out.objects {
		if o.kind != kindBlob { // of what is appended the trees are asked again, of what is read the blobs are not
			s.keep(o)
		}
	}
	return out, nil
}
