package gitstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"

	"github.com/go-git/go-billy/v5/osfs"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/cache"
	"github.com/go-git/go-git/v5/plumbing/storer"
	"github.com/go-git/go-git/v5/storage/filesystem"
)

// Clone is a repository on this machine, read offline. Every object is checked
// against its id when it is read. Its methods may be called from any
// goroutine, one after the other.
type Clone struct {
	mu      sync.Mutex
	storage *filesystem.Storage
}

// OpenClone opens the repository in dir: bare, or the top of a work tree.
// A work tree made by git worktree add is not followed; open its repository.
// A clone that borrows objects (git clone --shared) is refused: half of its
// objects would seem to be missing.
func OpenClone(dir string) (*Clone, error) {
	for _, gitDir := range []string{filepath.Join(dir, ".git"), dir} {
		if isGitDir(gitDir) {
			fs := withoutLocks{osfs.New(gitDir, osfs.WithBoundOS())}
			if _, err := os.Lstat(filepath.Join(gitDir, "objects", "info", "alternates")); err == nil {
				return nil, fmt.Errorf("open clone %s: it borrows objects from another repository; make it whole with git repack -ad", dir)
			}
			options := filesystem.Options{KeepDescriptors: true}
			return &Clone{storage: filesystem.NewStorageWithOptions(fs, cache.NewObjectLRU(cacheBytes), options)}, nil
		}
	}
	return nil, fmt.Errorf("open clone %s: not a git repository: %w", dir, ErrNotFound)
}

// isGitDir looks for what git looks for: HEAD, objects and refs.
func isGitDir(dir string) bool {
	head, err := os.Stat(filepath.Join(dir, "HEAD"))
	if err != nil || !head.Mode().IsRegular() {
		return false
	}
	for _, name := range []string{"objects", "refs"} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || !info.IsDir() {
			return false
		}
	}
	return true
}

// Close gives back the open pack files.
func (c *Clone) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.storage.Close(); err != nil {
		return fmt.Errorf("close clone: %w", err)
	}
	return nil
}

// Refs gives every ref by its full name, symbolic ones resolved, HEAD left out.
// The id of an annotated tag is the tag's own.
func (c *Clone) Refs() (map[string]Hash, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	iter, err := c.storage.IterReferences()
	if err != nil {
		return nil, fmt.Errorf("read refs: %w", err)
	}
	refs := map[string]Hash{}
	err = iter.ForEach(func(r *plumbing.Reference) error {
		if r.Name() == plumbing.HEAD {
			return nil
		}
		resolved, err := storer.ResolveReference(c.storage, r.Name())
		if errors.Is(err, plumbing.ErrReferenceNotFound) {
			return nil // refs/remotes/origin/HEAD may point at nothing
		}
		if err != nil {
			return fmt.Errorf("%s: %w", r.Name(), err)
		}
		refs[r.Name().String()] = Hash(resolved.Hash())
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read refs: %w", err)
	}
	return refs, nil
}

// Head gives the branch that HEAD stands for, without refs/heads/ ("" when it
// is detached), and its commit. ErrNotFound when the branch has no commit.
func (c *Clone) Head() (branch string, tip Hash, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	head, err := c.storage.Reference(plumbing.HEAD)
	if err != nil {
		return "", Hash{}, fmt.Errorf("read HEAD: %w", err)
	}
	if head.Type() == plumbing.SymbolicReference {
		branch = head.Target().Short()
	}
	resolved, err := storer.ResolveReference(c.storage, plumbing.HEAD)
	if errors.Is(err, plumbing.ErrReferenceNotFound) {
		return branch, Hash{}, fmt.Errorf("read HEAD: branch %q: %w", branch, ErrNotFound)
	}
	if err != nil {
		return branch, Hash{}, fmt.Errorf("read HEAD: %w", err)
	}
	return branch, Hash(resolved.Hash()), nil
}

// Shallow gives the commits whose parents a shallow clone left out: a history
// that ends there proves nothing about what was before. Empty for a full clone.
func (c *Clone) Shallow() ([]Hash, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	cut, err := c.storage.Shallow()
	if err != nil {
		return nil, fmt.Errorf("read the shallow file: %w", err)
	}
	out := make([]Hash, len(cut))
	for i, h := range cut {
		out[i] = Hash(h)
	}
	return out, nil
}

// Commit reads and parses one commit. ErrNotFound when the clone lacks it.
func (c *Clone) Commit(id Hash) (Commit, error) {
	o, err := c.get(id)
	if err != nil {
		return Commit{}, fmt.Errorf("read commit: %w", err)
	}
	if o.kind != kindCommit {
		return Commit{}, fmt.Errorf("read commit %s: is a %s: %w", id, o.kind, errMalformed)
	}
	return ParseCommit(o.data)
}

// Blob reads one blob.
func (c *Clone) Blob(id Hash) ([]byte, error) {
	return getBlob(c.source(), id)
}

// Entries lists the files at or below prefix ("" is everything) in a tree.
func (c *Clone) Entries(tree Hash, prefix string) (map[string]Entry, error) {
	return listAll(context.Background(), c.source(), tree, []string{prefix})
}

// Files reads the files at or below the prefixes in a tree. A prefix that is
// not there gives nothing.
func (c *Clone) Files(tree Hash, prefixes ...string) (map[string]File, error) {
	entries, err := listAll(context.Background(), c.source(), tree, prefixes)
	if err != nil {
		return nil, err
	}
	return readFiles(context.Background(), c.source(), entries)
}

// Subtree gives the id of the directory at path in a tree: equal ids are equal
// content. ErrNotFound when there is none.
func (c *Clone) Subtree(tree Hash, path string) (Hash, error) {
	if err := checkPrefix(path); err != nil {
		return Hash{}, err
	}
	e, ok, err := locate(context.Background(), c.source(), tree, path)
	if err != nil {
		return Hash{}, err
	}
	if !ok || e.mode != ModeTree {
		return Hash{}, fmt.Errorf("find directory %q in tree %s: %w", path, tree, ErrNotFound)
	}
	return e.id, nil
}

// Diff gives the files that differ between two trees, in the order of their
// paths, reading only subtrees that differ. The zero id is the empty tree.
func (c *Clone) Diff(old, new Hash) ([]FileChange, error) {
	return diff(context.Background(), c.source(), old, new)
}

func (c *Clone) source() source { return local{c} }

// local reads from the clone; everything is loaded already.
type local struct{ *Clone }

func (l local) load(context.Context, []Hash, depth) error { return nil }

// get reads one object, its size known before its content, and computes its id
// anew: go-git trusts what a pack's index says.
func (c *Clone) get(id Hash) (object, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	size, err := c.storage.EncodedObjectSize(plumbing.Hash(id))
	if errors.Is(err, plumbing.ErrObjectNotFound) {
		return object{}, fmt.Errorf("object %s: %w", id, ErrNotFound)
	}
	if err != nil {
		return object{}, fmt.Errorf("object %s: %w", id, err)
	}
	if size > maxObject {
		return object{}, fmt.Errorf("object %s: %d bytes, more than %d: %w", id, size, maxObject, errTooLarge)
	}
	e, err := c.storage.EncodedObject(plumbing.AnyObject, plumbing.Hash(id))
	if err != nil {
		return object{}, fmt.Errorf("object %s: %w", id, err)
	}
	r, err := e.Reader()
	if err != nil {
		return object{}, fmt.Errorf("object %s: %w", id, err)
	}
	defer r.Close()
	data, err := io.ReadAll(io.LimitReader(r, maxObject+1))
	if err != nil {
		return object{}, fmt.Errorf("object %s: %w", id, err)
	}
	o := newObject(e.Type(), data)
	if o.id != id {
		return object{}, fmt.Errorf("object %s: its content has the id %s: %w", id, o.id, errMalformed)
	}
	return o, nil
}
