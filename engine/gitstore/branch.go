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

// BranchQuery asks for one branch.
type BranchQuery struct {
	Name string
	// Fork is the commit that the branch must start from. Where it is not
	// known yet, leave it zero and give Main, the tip of the default branch:
	// the branch then starts at the first commit that Main also has.
	Fork, Main Hash
	Signers    AllowedSigners
	// At is the commit to read it at, zero for where the hub has it. ErrNotFound:
	// the hub does not have the commit.
	At Hash
}

// Branch is a branch as the hub has it.
type Branch struct {
	Name      string
	Tip, Fork Hash
	Commits   []BranchCommit // Fork excluded, oldest first, along first parents
	Foreign   *Foreign       // set when the history or a tree cannot be ours
}

// Foreign names the oldest commit that no engine of ours writes.
type Foreign struct {
	Hash   Hash
	Reason string
}

// BranchCommit is one commit of a branch.
type BranchCommit struct {
	// Commit is whole when the strict parser took it; otherwise Err says why
	// it did not, and only Hash, Tree and Parents are set.
	Commit Commit
	// Key signed the commit if Err is nil. Otherwise nobody we know did.
	Key Key
	Err error
	// Changes against the first parent, in the order of their paths. nil
	// from a foreign commit on whose trees cannot be read.
	Changes []FileChange
	// Data is the new content of the changed files, by path. Submodules have
	// none, nor have files of an unsigned commit that are larger than 1 MiB.
	Data map[string][]byte
}

// Branch reads a branch and checks every signature: one request for the refs,
// one for the commits, one for their trees and blobs, and what the fork's
// trees take the first time. What is wrong with the content is in the result;
// an error means that it could not be read. ErrNotFound: no such branch.
func (s *Store) Branch(ctx context.Context, q BranchQuery) (Branch, error) {
	if _, err := refName(q.Name); err != nil {
		return Branch{}, fmt.Errorf("read branch: %w", err)
	}
	tip := q.At
	if tip.IsZero() {
		heads, err := s.Heads(ctx, q.Name)
		if err != nil {
			return Branch{}, fmt.Errorf("read branch %q: %w", q.Name, err)
		}
		if tip = heads[q.Name]; tip.IsZero() {
			return Branch{}, fmt.Errorf("read branch %q: %w", q.Name, ErrNotFound)
		}
	}
	b := Branch{Name: q.Name, Tip: tip}
	r := branchReader{store: s, query: q, branch: &b}
	if err := r.read(ctx); err != nil {
		if !q.At.IsZero() && errors.Is(err, errNotServed) {
			err = errors.Join(ErrNotFound, err)
		}
		return Branch{}, fmt.Errorf("read branch %q at %s: %w", q.Name, tip, err)
	}
	return b, nil
}

type branchReader struct {
	store  *Store
	query  BranchQuery
	branch *Branch
	view   *view
	have   Hash
	cut    int // the first commit whose trees are not read
}

func (r *branchReader) read(ctx context.Context) error {
	if r.have = r.query.Fork; r.have.IsZero() {
		r.have = r.query.Main
	}
	if r.have.IsZero() {
		return errors.New("neither the fork nor the default branch's tip is given")
	}
	if r.branch.Tip == r.have {
		r.branch.Fork = r.have
		return nil
	}
	// Commits first: they are small whatever somebody pushed, and they say
	// who did.
	out, err := r.fetch(ctx, r.branch.Tip, packp.FilterTreeDepth(0))
	if err != nil {
		return err
	}
	if !out.common {
		return fmt.Errorf("the hub does not have commit %s: %w", r.have, ErrNotFound)
	}
	if !r.follow(out.objects) || len(r.branch.Commits) == 0 {
		return nil
	}
	r.view = &view{store: r.store, commit: r.branch.Fork, got: map[Hash]object{}}
	maps.Copy(r.view.got, out.objects)
	if err := r.fetchContent(ctx); err != nil {
		return err
	}
	return r.readChanges(ctx)
}

// fetch brings what the hub has from the tip on and r.have does not, in one request with those of other branches that want
// the same. Where that fails, one of the others may be why, so each asks for itself.
func (r *branchReader) fetch(ctx context.Context, tip Hash, filter packp.Filter) (fetched, error) {
	caps, err := r.store.capabilities(ctx, uploadPack)
	if err != nil {
		return fetched{}, err
	}
	ask := func(ctx context.Context, tips []Hash) (fetched, error) {
		out, err := r.store.wire.fetch(ctx, caps, fetch{wants: tips, have: r.have, filter: filter})
		for _, o := range out.objects {
			r.store.keep(o)
		}
		return out, err
	}
	out, many, err := r.store.fetches(r.have, filter).join(ctx, tip, ask)
	if err != nil && many > 1 && ctx.Err() == nil {
		return ask(ctx, []Hash{tip})
	}
	return out, err
}

// follow walks from the tip to the fork and tells whether it got there.
func (r *branchReader) follow(objects map[Hash]object) bool {
	b := r.branch
	var commits []BranchCommit
	at := b.Tip
	merge := Hash{}
	for {
		o, ok := objects[at]
		if !ok {
			break // the hub holds it back because the fork's side has it
		}
		c := r.check(o)
		if len(c.Commit.Parents) == 0 {
			b.Foreign = &Foreign{at, "has no parent: the branch does not descend from " + r.have.String()}
			return false
		}
		if len(c.Commit.Parents) > 1 {
			merge = at
		}
		commits = append(commits, c)
		at = c.Commit.Parents[0]
	}
	if !r.query.Fork.IsZero() && at != r.query.Fork {
		b.Foreign = &Foreign{b.Tip, "does not descend from " + r.query.Fork.String()}
		return false
	}
	if !merge.IsZero() {
		b.Foreign = &Foreign{merge, "is a merge"}
	}
	slices.Reverse(commits)
	r.cut = len(commits)
	b.Fork, b.Commits = at, commits
	return true
}

// check parses and verifies one commit.
func (r *branchReader) check(o object) BranchCommit {
	c, err := ParseCommit(o.data)
	if err != nil {
		// git took the commit into a history, so it has the links at least;
		// without them it counts as a root.
		linked, _ := walkOver(o.id, o.data)
		linked.Hash = o.id
		return BranchCommit{Commit: linked, Err: err}
	}
	key, err := r.query.Signers.Verify(c)
	return BranchCommit{Commit: c, Key: key, Err: err}
}

// firstUnsigned gives the index of the first commit that nobody we know
// signed, or the number of commits.
func (r *branchReader) firstUnsigned() int {
	i := slices.IndexFunc(r.branch.Commits, func(c BranchCommit) bool { return c.Err != nil })
	if i < 0 {
		return len(r.branch.Commits)
	}
	return i
}

// fetchContent brings trees and blobs. If somebody pushed more than fits, the
// branch is foreign from there and the part before it is read.
func (r *branchReader) fetchContent(ctx context.Context) error {
	caps, err := r.store.capabilities(ctx, uploadPack)
	if err != nil {
		return err
	}
	if !caps.Supports(capability.Filter) {
		return nil // the first fetch brought everything
	}
	filter := packp.FilterBlobLimit(maxBlob+1, packp.BlobLimitPrefixNone)
	out, err := r.fetch(ctx, r.branch.Tip, filter)
	if n := r.firstUnsigned(); n < len(r.branch.Commits) && r.tolerate(err, n) {
		if n == 0 {
			return nil
		}
		out, err = r.fetch(ctx, r.branch.Commits[n-1].Commit.Hash, filter)
	}
	if err != nil {
		return err
	}
	maps.Copy(r.view.got, out.objects)
	return nil
}

// tolerate turns an error about content that commit n may have caused into a
// foreign mark, and tells whether it did.
func (r *branchReader) tolerate(err error, n int) bool {
	if !errors.Is(err, errTooLarge) && !errors.Is(err, errMalformed) {
		return false
	}
	r.cut = n
	older := func(c BranchCommit) bool { return r.branch.Foreign != nil && c.Commit.Hash == r.branch.Foreign.Hash }
	if !slices.ContainsFunc(r.branch.Commits[:n], older) {
		r.branch.Foreign = &Foreign{r.branch.Commits[n].Commit.Hash, err.Error()}
	}
	return true
}

// readChanges compares each commit with its parent.
func (r *branchReader) readChanges(ctx context.Context) error {
	parent, err := r.view.treeOf(ctx)
	if err != nil {
		return err
	}
	unsigned := r.firstUnsigned()
	for i := 0; i < r.cut; i++ {
		c := &r.branch.Commits[i]
		if err := r.readChange(ctx, parent, c); err != nil {
			if i >= unsigned && r.tolerate(err, unsigned) {
				return nil
			}
			return fmt.Errorf("commit %s: %w", c.Commit.Hash, err)
		}
		parent = c.Commit.Tree
	}
	return nil
}

func (r *branchReader) readChange(ctx context.Context, parent Hash, c *BranchCommit) error {
	changes, err := diff(ctx, r.view, parent, c.Commit.Tree)
	if err != nil {
		return err
	}
	var blobs []Hash
	for _, change := range changes {
		if change.New.Mode != 0 && change.New.Mode.isBlob() {
			blobs = append(blobs, change.New.Blob)
		}
	}
	// A blob that the fork's side has as well was not sent along. What an
	// unknown signer wrote is not asked for: it may be of any size.
	if c.Err == nil {
		if err := r.view.load(ctx, blobs, alone); err != nil {
			return err
		}
	}
	c.Changes, c.Data = changes, map[string][]byte{}
	for _, change := range changes {
		data, err := getBlob(r.view, change.New.Blob)
		if err == nil {
			c.Data[change.Path] = data
		} else if !errors.Is(err, ErrNotFound) {
			return err
		}
	}
	return nil
}
