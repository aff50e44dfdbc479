package gitstore

import (
	"context"
	"errors"
	"fmt"

	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/capability"
)

// File is one file of a commit. Data is nil for a submodule.
type File struct {
	Mode Mode
	Blob Hash
	Data []byte
}

// Files reads the files at or below the prefixes ("" is everything) as they
// are in commit. A prefix that is not there gives nothing. It asks the hub
// only for the trees on the path and the blobs below, as far as they are not
// in memory already: one request a level of the path, one for the trees below,
// one for all blobs.
func (s *Store) Files(ctx context.Context, commit Hash, prefixes ...string) (map[string]File, error) {
	v, entries, err := s.entries(ctx, commit, prefixes)
	if err != nil {
		return nil, err
	}
	return readFiles(ctx, v, entries)
}

// Entries is Files for one prefix without the content: no blob is fetched.
func (s *Store) Entries(ctx context.Context, commit Hash, prefix string) (map[string]Entry, error) {
	_, entries, err := s.entries(ctx, commit, []string{prefix})
	return entries, err
}

func (s *Store) entries(ctx context.Context, commit Hash, prefixes []string) (source, map[string]Entry, error) {
	v := &view{store: s, commit: commit, got: map[Hash]object{}}
	tree, err := v.treeOf(ctx)
	if err != nil {
		return nil, nil, err
	}
	entries, err := listAll(ctx, v, tree, prefixes)
	if err != nil {
		return nil, nil, fmt.Errorf("commit %s: %w", commit, err)
	}
	return v, entries, nil
}

func listAll(ctx context.Context, src source, tree Hash, prefixes []string) (map[string]Entry, error) {
	entries := map[string]Entry{}
	for _, prefix := range prefixes {
		if err := checkPrefix(prefix); err != nil {
			return nil, err
		}
		if err := list(ctx, src, tree, prefix, entries); err != nil {
			return nil, err
		}
	}
	return entries, nil
}

// readFiles adds the content to entries, in one load.
func readFiles(ctx context.Context, src source, entries map[string]Entry) (map[string]File, error) {
	var blobs []Hash
	for _, e := range entries {
		if e.Mode.isBlob() {
			blobs = append(blobs, e.Blob)
		}
	}
	if err := src.load(ctx, blobs, alone); err != nil {
		return nil, err
	}
	files := make(map[string]File, len(entries))
	for path, e := range entries {
		f := File{Mode: e.Mode, Blob: e.Blob}
		if e.Mode.isBlob() {
			data, err := getBlob(src, e.Blob)
			if err != nil {
				return nil, fmt.Errorf("file %q: %w", path, err)
			}
			f.Data = data
		}
		files[path] = f
	}
	return files, nil
}

// view is what one read has in hand: the objects that it was sent, however
// large the cache is, and the commit to ask for when the server takes no
// finer wish.
type view struct {
	store  *Store
	commit Hash
	got    map[Hash]object
	whole  bool // the commit was fetched with everything below it
}

func (v *view) get(id Hash) (object, error) {
	if o, ok := v.got[id]; ok {
		return o, nil
	}
	return object{}, fmt.Errorf("object %s: %w", id, ErrNotFound)
}

// missing gives the ids that are neither in hand nor in memory, each once, and
// takes in hand what memory has: it may be evicted before it is used.
func (v *view) missing(ids []Hash) []Hash {
	var out []Hash
	seen := map[Hash]bool{}
	for _, id := range ids {
		if _, ok := v.got[id]; ok || seen[id] {
			continue
		}
		seen[id] = true
		if o, ok := v.store.held(id); ok {
			v.got[id] = o
		} else {
			out = append(out, id)
		}
	}
	return out
}

func (v *view) take(objects map[Hash]object) {
	for id, o := range objects {
		v.got[id] = o
		v.store.keep(o)
	}
}

// load fetches trees and blobs by id where the server allows it (as GitHub
// does, and git with uploadpack.allowFilter and allowAnySHA1InWant), else the
// whole commit, shallow.
func (v *view) load(ctx context.Context, ids []Hash, with depth) error {
	want := v.missing(ids)
	if len(want) == 0 {
		return nil
	}
	caps, err := v.store.capabilities(ctx, uploadPack)
	if err != nil {
		return err
	}
	filter := packp.FilterTreeDepth(0)
	if with == below {
		filter = packp.FilterBlobNone()
	}
	if caps.Supports(capability.Filter) && caps.Supports(capability.AllowReachableSHA1InWant) {
		out, err := v.store.wire.fetch(ctx, caps, fetch{wants: want, filter: filter})
		if err != nil && !errors.Is(err, errNotServed) {
			return err
		}
		v.take(out.objects)
	}
	if want = v.missing(want); len(want) > 0 && !v.whole {
		v.whole = true
		out, err := v.store.wire.fetch(ctx, caps, fetch{wants: []Hash{v.commit}, shallow: true})
		if err != nil && !errors.Is(err, errNotServed) {
			return err
		}
		v.take(out.objects)
		want = v.missing(want)
	}
	if len(want) > 0 {
		return fmt.Errorf("object %s and %d more: not on the hub: %w", want[0], len(want)-1, ErrNotFound)
	}
	return nil
}

// treeOf fetches the view's commit alone and gives its root tree. It reads the
// link as git does, so that a commit of another tool with headers that the
// strict parser refuses can still be looked into.
func (v *view) treeOf(ctx context.Context) (Hash, error) {
	if len(v.missing([]Hash{v.commit})) > 0 {
		caps, err := v.store.capabilities(ctx, uploadPack)
		if err != nil {
			return Hash{}, err
		}
		out, err := v.store.wire.fetch(ctx, caps, fetch{wants: []Hash{v.commit}, shallow: true, filter: packp.FilterTreeDepth(0)})
		if errors.Is(err, errNotServed) {
			err = fmt.Errorf("%w: %w", ErrNotFound, err)
		}
		if err != nil {
			return Hash{}, fmt.Errorf("read commit %s: %w", v.commit, err)
		}
		v.take(out.objects)
	}
	o, err := v.get(v.commit)
	if err != nil {
		return Hash{}, err
	}
	c, ok := walkOver(o.id, o.data)
	if !ok || o.kind != kindCommit {
		return Hash{}, fmt.Errorf("read commit %s: is a %s: %w", v.commit, o.kind, errMalformed)
	}
	return c.Tree, nil
}
