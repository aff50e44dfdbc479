package gitstore

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
)

const (
	// leftFile is what a lease that was given back may hold.
	leftFile = "left"
	maxLeft  = 1 << 20 // bytes
)

// ErrNothingLeft: nobody left anything that is believed, or somebody serves the ledger now.
var ErrNothingLeft = errors.New("no engine left a note")

// Leave says what the lease holds when it is given back: a note for whoever comes next. It goes away when the lease is taken
// again. A note of more than 1 MiB is an error.
func (t *Tenure) Leave(note []byte) error {
	if len(note) > maxLeft {
		return fmt.Errorf("leave a note of %d bytes: at most %d", len(note), maxLeft)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.left = note
	return nil
}

// Left is what the last holder of a ledger left, and the branches as they are now.
type Left struct {
	Heads map[string]Hash // by name without refs/heads/
	Note  []byte
}

// Left reads the branches and what the last holder left, in two requests and without taking the lease. ErrNothingLeft, with
// Heads set, where there is no note that a known key signed, and while somebody holds the lease.
func (s *Store) Left(ctx context.Context, signers AllowedSigners, now time.Time) (Left, error) {
	refs, err := s.refs(ctx)
	if err != nil {
		return Left{}, err
	}
	out := Left{Heads: map[string]Hash{}}
	for name, id := range refs {
		if branch, ok := strings.CutPrefix(string(name), "refs/heads/"); ok {
			out.Heads[branch] = id
		}
	}
	at := refs[leaseRef]
	if at.IsZero() {
		return out, ErrNothingLeft
	}
	caps, err := s.capabilities(ctx, uploadPack)
	if err != nil {
		return out, err
	}
	got, err := s.wire.fetch(ctx, caps, fetch{wants: []Hash{at}, shallow: true})
	if err != nil {
		return out, fmt.Errorf("read what was left at %s: %w", at, err)
	}
	if out.Note, err = believeLeft(got.objects, at, signers, now); err != nil {
		return out, fmt.Errorf("%w at %s: %w", ErrNothingLeft, at, err)
	}
	return out, nil
}

// believeLeft gives the note in the objects of a lease.
func believeLeft(objects map[Hash]object, at Hash, signers AllowedSigners, now time.Time) ([]byte, error) {
	commit, err := ParseCommit(objects[at].data)
	if err != nil {
		return nil, err
	}
	l, err := believeLease(objects[at].data, signers)
	if err != nil {
		return nil, err
	}
	if now.Before(l.Until.Add(leaseSkew)) {
		return nil, &HeldError{Lease: l}
	}
	entries, err := parseTree(objects[commit.Tree].data)
	if err != nil {
		return nil, err
	}
	e, ok := find(entries, leftFile)
	o := objects[e.id]
	if !ok || o.kind != plumbing.BlobObject || len(o.data) > maxLeft {
		return nil, errors.New("it holds none")
	}
	return o.data, nil
}
