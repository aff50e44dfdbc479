package gitstore

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
)

// leaseRef is where the ledger's lock stands: neither a branch nor a tag, so that no workflow, no webhook and no page of
// the hub takes note of it.
const leaseRef = "refs/pullbook/lease"

// leaseSkew is how far apart the clocks of two engines may be. A holder stops that much before its time is over, and
// another one begins that much after.
const leaseSkew = 30 * time.Second

var (
	// ErrHeld: another engine holds the lease. It comes in a HeldError.
	ErrHeld = errors.New("another engine serves this ledger")
	// ErrLeaseLost: this engine's time is over, or another one has taken the lease. Nothing may be pushed any more.
	ErrLeaseLost = errors.New("this engine does not hold the ledger any more")
)

// HeldError is an ErrHeld with who holds the lease.
type HeldError struct{ Lease Lease }

func (e *HeldError) Error() string {
	return fmt.Sprintf("%v: %s, until %s at the latest", ErrHeld, e.Lease.Holder, e.Lease.Until.UTC().Format(time.RFC3339))
}

func (e *HeldError) Unwrap() error { return ErrHeld }

// Lease is the ledger's lock as it stands on the hub. The zero value is that of a ledger which nobody has served yet.
type Lease struct {
	Holder string    // who has it, or had it last
	Epoch  int       // counts how often it was taken
	Until  time.Time // when it ends by itself, by the holder's clock, to the second
}

// message is the lease as the message of its commit.
func (l Lease) message() string {
	return fmt.Sprintf("%s serves this ledger\n\nLease-Epoch: %d\nLease-Until: %s\n", l.Holder, l.Epoch, l.Until.UTC().Format(time.RFC3339))
}

func parseLease(message string) (Lease, error) {
	holder, rest, _ := strings.Cut(message, " serves this ledger\n\nLease-Epoch: ")
	epoch, until, _ := strings.Cut(strings.TrimSuffix(rest, "\n"), "\nLease-Until: ")
	l := Lease{Holder: holder}
	var err error
	if l.Epoch, err = strconv.Atoi(epoch); err != nil || l.Epoch < 1 {
		return Lease{}, errors.New("its message is not that of a lease")
	}
	if l.Until, err = time.Parse(time.RFC3339, until); err != nil || l.message() != message {
		return Lease{}, errors.New("its message is not that of a lease")
	}
	return l, nil
}

// LeaseRequest asks for the lease.
type LeaseRequest struct {
	// Holder names this engine and no other one, over restarts too: one word. What it holds already it takes again at once.
	Holder string
	// For is how long the lease lasts without a renewal: at least two minutes.
	For     time.Duration
	Signers AllowedSigners   // whose lease is believed
	Now     func() time.Time // nil: the machine's clock
}

// Tenure is a lease that this store took. From then on the store pushes nothing while Err is not nil.
type Tenure struct {
	store *Store
	req   LeaseRequest

	writing sync.Mutex // one change of the lease at a time; held while the hub is asked

	mu    sync.Mutex // held for moments: every push asks
	lease Lease
	at    Hash // the commit on the hub that says so
	left  []byte
	err   error
}

// TakeLease takes the ledger's lock: the ref refs/pullbook/lease, a signed commit with no parent and no files but what the
// last holder left, moved by compare-and-swap. ErrHeld while another engine has it. A store takes it once.
func (s *Store) TakeLease(ctx context.Context, r LeaseRequest) (*Tenure, error) {
	if r.Now == nil {
		r.Now = time.Now
	}
	if r.For < 4*leaseSkew || r.Holder == "" || strings.ContainsFunc(r.Holder, func(c rune) bool { return c <= ' ' || c > '~' }) {
		return nil, fmt.Errorf("take the lease: holder %q, for %s: want one word, and at least %s", r.Holder, r.For, 4*leaseSkew)
	}
	old, at, err := s.readLease(ctx, r.Signers)
	if err != nil {
		return nil, fmt.Errorf("take the lease: %w", err)
	}
	if old.Holder != r.Holder && r.Now().Before(old.Until.Add(leaseSkew)) {
		return nil, fmt.Errorf("take the lease: %w", &HeldError{Lease: old})
	}
	t := &Tenure{store: s, req: r, lease: Lease{Holder: r.Holder, Epoch: old.Epoch + 1}, at: at}
	if err := t.write(ctx, r.For, nil); err != nil {
		if errors.Is(err, ErrMoved) {
			if now, _, again := s.readLease(ctx, r.Signers); again == nil {
				err = &HeldError{Lease: now}
			}
		}
		return nil, fmt.Errorf("take the lease: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tenure = t
	return t, nil
}

// readLease gives the lease on the hub and the commit that holds it. A lease that nobody whom we know has signed is an
// error: it must not be taken for a free one.
func (s *Store) readLease(ctx context.Context, signers AllowedSigners) (Lease, Hash, error) {
	refs, err := s.refs(ctx)
	if err != nil {
		return Lease{}, Hash{}, err
	}
	at := refs[leaseRef]
	if at.IsZero() {
		return Lease{}, at, nil
	}
	v := &view{store: s, commit: at, got: map[Hash]object{}}
	if _, err := v.treeOf(ctx); err != nil {
		return Lease{}, at, err
	}
	o, err := v.get(at)
	if err != nil {
		return Lease{}, at, err
	}
	l, err := believeLease(o.data, signers)
	if err != nil {
		return Lease{}, at, fmt.Errorf("%s at %s was not written by an engine of this ledger: %w", leaseRef, at, err)
	}
	return l, at, nil
}

func believeLease(raw []byte, signers AllowedSigners) (Lease, error) {
	c, err := ParseCommit(raw)
	if err != nil {
		return Lease{}, err
	}
	if _, err := signers.Verify(c); err != nil {
		return Lease{}, err
	}
	return parseLease(c.Message)
}

// write moves the lease on the hub to one that ends after the given time, with what its holder leaves.
func (t *Tenure) write(ctx context.Context, lasts time.Duration, left []byte) error {
	t.writing.Lock()
	defer t.writing.Unlock()
	t.mu.Lock()
	next, at := t.lease, t.at
	t.mu.Unlock()
	now := t.req.Now()
	next.Until = now.Add(lasts).UTC().Truncate(time.Second)
	id, err := t.store.pendLease(at, leaseDraft{next.message(), left, now})
	if err != nil {
		return err
	}
	if id != at { // equal within one second: it is there already
		if err := t.store.Flush(ctx, FlushRequest{Branch: leaseRef}); err != nil {
			t.store.Discard(leaseRef)
			return err
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.lease, t.at = next, id
	return nil
}

// leaseDraft is a lease that is about to be signed.
type leaseDraft struct {
	message string
	left    []byte
	when    time.Time
}

// objects are the tree of a lease, and what it holds.
func (d leaseDraft) objects() []object {
	if d.left == nil {
		return []object{newObject(kindTree, nil)}
	}
	blob := newObject(kindBlob, d.left)
	return []object{newObject(kindTree, encodeTree([]entry{{name: leftFile, mode: ModeFile, id: blob.id}})), blob}
}

// pendLease puts the commit of a lease beside the pending ones, so that it travels with whoever departs next.
func (s *Store) pendLease(old Hash, d leaseDraft) (Hash, error) {
	if s.signer.key == nil {
		return Hash{}, errors.New("the store has no signing key")
	}
	objects := d.objects()
	raw, err := draft{tree: objects[0].id, author: s.author, when: d.when, message: d.message}.sign(s.signer)
	if err != nil {
		return Hash{}, err
	}
	commit, err := ParseCommit(raw)
	if err != nil || commit.Hash == old {
		return commit.Hash, err
	}
	objects = append(objects, object{id: commit.Hash, kind: kindCommit, data: raw})
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pending[leaseRef] = &pending{old: old, commits: []built{{id: commit.Hash, objects: objects}}}
	return commit.Hash, nil
}

// Lease gives what this store holds.
func (t *Tenure) Lease() Lease {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.lease
}

// Err is nil while this engine may act, and ErrLeaseLost, wrapped, from then on for ever.
func (t *Tenure) Err() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.err == nil && !t.req.Now().Before(t.lease.Until.Add(-leaseSkew)) {
		t.err = fmt.Errorf("%w: it could not be renewed before %s", ErrLeaseLost, t.lease.Until.Format(time.RFC3339))
	}
	return t.err
}

// Renew prolongs the lease by what was asked for. ErrLeaseLost when another engine has it; after any other error the
// lease lasts as long as before.
func (t *Tenure) Renew(ctx context.Context) error {
	if err := t.Err(); err != nil {
		return err
	}
	return t.lost(t.write(ctx, t.req.For, nil))
}

// Release gives the lease back, with what Leave was given: another engine may take it at once. The store pushes nothing
// afterwards.
func (t *Tenure) Release(ctx context.Context) error {
	if err := t.Err(); err != nil {
		return err
	}
	t.mu.Lock()
	left := t.left
	t.mu.Unlock()
	err := t.lost(t.write(ctx, -leaseSkew, left))
	if err == nil {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.err = fmt.Errorf("%w: it was given back", ErrLeaseLost)
	}
	return err
}

// lost remembers that somebody else moved the lease.
func (t *Tenure) lost(err error) error {
	if !errors.Is(err, ErrMoved) {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.err = fmt.Errorf("%w: another one has taken it", ErrLeaseLost)
	return t.err
}

// Keep renews the lease three times in its length until ctx is done, and tries again soon after a failure. It returns
// nil then, or ErrLeaseLost.
func (t *Tenure) Keep(ctx context.Context) error {
	pause := t.req.For / 3
	for {
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-timer.C:
		}
		pause = t.req.For / 3
		if err := t.Renew(ctx); errors.Is(err, ErrLeaseLost) {
			return err
		} else if err != nil {
			pause = min(pause, leaseSkew/3)
		}
	}
}

// mayPush refuses everything but the lease itself once the lease is lost.
func (s *Store) mayPush(branch string) error {
	s.mu.Lock()
	t := s.tenure
	s.mu.Unlock()
	if t == nil || branch == leaseRef {
		return nil
	}
	return t.Err()
}

// refs gives every ref of the hub by its full name. One request.
func (s *Store) refs(ctx context.Context) (map[plumbing.ReferenceName]Hash, error) {
	refs, _, err := s.listings.join(ctx, struct{}{}, func(ctx context.Context, _ []struct{}) (map[plumbing.ReferenceName]Hash, error) {
		refs, err := s.wire.advertise(ctx, uploadPack)
		if err != nil {
			return nil, err
		}
		s.keepCapabilities(uploadPack, refs.Capabilities)
		out := make(map[plumbing.ReferenceName]Hash, len(refs.References))
		for name, id := range refs.References {
			out[plumbing.ReferenceName(name)] = Hash(id)
		}
		return out, nil
	})
	return refs, err
}
