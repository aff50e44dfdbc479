package gitstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sort"
	"strings"
	"time"
)

// Change is what one commit does to a tree, its parent's as a rule.
type Change struct {
	Base    Hash              // commit whose tree it changes; zero: the parent
	Files   map[string][]byte // path → content; created or replaced, mode 100644
	Delete  []string          // paths of files that must be there
	Message string
	When    time.Time // author's and committer's time, to the second
}

// pending holds the commits of one branch that the hub does not have.
type pending struct {
	old     Hash // what the hub's ref must hold; zero: it must not exist
	from    Hash // the parent of the first commit: old, unless the branch is created or replaced
	commits []built
	sent    bool // some of them, in a push that was not answered
}

// built is one commit in memory with the objects that it brought.
type built struct {
	id, parent Hash
	objects    []object
}

func (p *pending) tip() Hash { return p.commits[len(p.commits)-1].id }

// has tells whether the commit is still waiting to be pushed.
func (p *pending) has(id Hash) bool {
	return slices.ContainsFunc(p.commits, func(c built) bool { return c.id == id })
}

// Append builds a signed commit on top of parent, which is the branch's tip on
// the hub or the last commit appended. It sends nothing: Flush does. The trees
// on the path are fetched once and then kept. Equal input gives an equal id.
// ErrMoved if the branch has pending commits that do not end in parent.
func (s *Store) Append(ctx context.Context, branch string, parent Hash, change Change) (Hash, error) {
	return s.append(ctx, branch, parent, parent, change)
}

// Create is Append for a branch that does not exist: it starts at base, and
// Flush succeeds only if nobody created the branch meanwhile.
func (s *Store) Create(ctx context.Context, branch string, base Hash, change Change) (Hash, error) {
	return s.append(ctx, branch, Hash{}, base, change)
}

// Replace is Append for a branch that is somewhere else: Flush moves it from over to
// the new commit, whatever lies between, and succeeds only if it is still there.
func (s *Store) Replace(ctx context.Context, branch string, over, parent Hash, change Change) (Hash, error) {
	return s.append(ctx, branch, over, parent, change)
}

func (s *Store) append(ctx context.Context, branch string, old, parent Hash, change Change) (Hash, error) {
	if _, err := refName(branch); err != nil {
		return Hash{}, fmt.Errorf("append: %w", err)
	}
	if err := s.checkTip(branch, old, parent); err != nil {
		return Hash{}, err
	}
	commit, err := s.build(ctx, parent, change)
	if err != nil {
		return Hash{}, fmt.Errorf("append to branch %q: %w", branch, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.pending[branch]
	switch {
	case p == nil:
		p = &pending{old: old, from: parent}
		s.pending[branch] = p
	case p.tip() != parent || old.IsZero():
		return Hash{}, moved(branch, p.tip())
	}
	p.commits = append(p.commits, commit)
	return commit.id, nil
}

// checkTip refuses early what append will refuse again under the lock.
func (s *Store) checkTip(branch string, old, parent Hash) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.pending[branch]; p != nil && (p.tip() != parent || old.IsZero()) {
		return moved(branch, p.tip())
	}
	return nil
}

// Discard drops the branch's commits that are not on the hub. A push that
// carries them already goes on.
func (s *Store) Discard(branch string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.pending, branch)
}

// build makes the objects of one commit and keeps them in memory.
func (s *Store) build(ctx context.Context, parent Hash, change Change) (built, error) {
	edits, objects, err := s.checkChange(change)
	if err != nil {
		return built{}, err
	}
	if change.Base.IsZero() {
		change.Base = parent
	}
	v := &view{store: s, commit: change.Base, got: map[Hash]object{}}
	root, err := v.treeOf(ctx)
	if err != nil {
		return built{}, err
	}
	if err := loadPaths(ctx, v, root, edits); err != nil {
		return built{}, err
	}
	e := editor{src: v}
	tree, err := e.edit("", root, edits)
	if err != nil {
		return built{}, err
	}
	if tree.IsZero() {
		return built{}, errors.New("nothing would be left in the tree")
	}
	raw, err := draft{tree: tree, parent: parent, author: s.author, when: change.When, message: change.Message}.sign(s.signer)
	if err != nil {
		return built{}, err
	}
	commit, err := ParseCommit(raw)
	if err != nil {
		return built{}, err
	}
	objects = append(append(objects, e.made...), object{id: commit.Hash, kind: kindCommit, data: raw})
	for _, o := range objects {
		s.keep(o)
	}
	s.commits.Add(1)
	return built{id: commit.Hash, parent: parent, objects: objects}, nil
}

// edit is one path to write, or to delete when the id is zero.
type edit struct {
	names []string // the rest of the path, below the directory being edited
	blob  Hash
}

// checkChange validates the change and gives its edits in the order of their
// paths, and its blobs.
func (s *Store) checkChange(change Change) ([]edit, []object, error) {
	switch {
	case s.signer.key == nil:
		return nil, nil, errors.New("the store has no signing key")
	case len(change.Files)+len(change.Delete) == 0:
		return nil, nil, errors.New("the change is empty")
	case change.When.Unix() < 0 || change.When.IsZero():
		return nil, nil, errors.New("the change has no usable time")
	case strings.TrimSpace(change.Message) == "" || strings.ContainsAny(change.Message, "\x00\r"):
		return nil, nil, errors.New("the message is empty or holds a NUL or a carriage return")
	}
	paths := slices.Clone(change.Delete)
	for path := range change.Files {
		paths = append(paths, path)
	}
	sort.Strings(paths)
	var edits []edit
	var blobs []object
	for i, path := range paths {
		if err := checkPath(path); err != nil {
			return nil, nil, err
		}
		if i > 0 && paths[i-1] == path {
			return nil, nil, fmt.Errorf("path %q is named twice", path)
		}
		e := edit{names: strings.Split(path, "/")}
		if data, write := change.Files[path]; write {
			if len(data) > maxBlob {
				return nil, nil, fmt.Errorf("file %q: %d bytes, more than %d: %w", path, len(data), maxBlob, errTooLarge)
			}
			blob := newObject(kindBlob, slices.Clone(data))
			e.blob, blobs = blob.id, append(blobs, blob)
		}
		edits = append(edits, e)
	}
	return edits, blobs, nil
}

// loadPaths loads the trees that the edits pass through, a level at a time.
func loadPaths(ctx context.Context, src source, root Hash, edits []edit) error {
	level := map[string]Hash{"": root}
	for at := 0; len(level) > 0; at++ {
		var want []Hash
		for _, id := range level {
			want = append(want, id)
		}
		if err := src.load(ctx, want, alone); err != nil {
			return err
		}
		next := map[string]Hash{}
		for _, e := range edits {
			if at >= len(e.names)-1 {
				continue
			}
			id, ok := level[strings.Join(e.names[:at], "/")]
			if !ok {
				continue
			}
			entries, err := getTree(src, id)
			if err != nil {
				return err
			}
			if sub, ok := find(entries, e.names[at]); ok && sub.mode == ModeTree {
				next[strings.Join(e.names[:at+1], "/")] = sub.id
			}
		}
		level = next
	}
	return nil
}

// editor writes new trees; it reads the old ones from src, loaded before.
type editor struct {
	src  source
	made []object
}

// edit gives the id of the tree at dir after the edits; zero when it is empty,
// as git keeps no empty directories.
func (e *editor) edit(dir string, tree Hash, edits []edit) (Hash, error) {
	var entries []entry
	if !tree.IsZero() {
		var err error
		if entries, err = getTree(e.src, tree); err != nil {
			return Hash{}, err
		}
	}
	for len(edits) > 0 {
		name := edits[0].names[0]
		n := 1
		for n < len(edits) && edits[n].names[0] == name {
			n++
		}
		put, err := e.child(dir, name, entries, edits[:n])
		if err != nil {
			return Hash{}, err
		}
		entries = slices.DeleteFunc(entries, func(old entry) bool { return old.name == name })
		if !put.id.IsZero() {
			entries = append(entries, put)
		}
		edits = edits[n:]
	}
	if len(entries) == 0 {
		return Hash{}, nil
	}
	o := newObject(kindTree, encodeTree(entries))
	e.made = append(e.made, o)
	return o.id, nil
}

// child gives what stands under one name after the edits that begin with it.
func (e *editor) child(dir, name string, entries []entry, edits []edit) (entry, error) {
	path := join(dir, name)
	old, exists := find(entries, name)
	if len(edits[0].names) == 1 {
		switch {
		case len(edits) > 1 || (exists && !old.mode.isBlob()):
			return entry{}, fmt.Errorf("path %q: is a file and a directory at once", path)
		case edits[0].blob.IsZero() && !exists:
			return entry{}, fmt.Errorf("delete %q: %w", path, ErrNotFound)
		}
		return entry{name: name, mode: ModeFile, id: edits[0].blob}, nil
	}
	if exists && old.mode != ModeTree {
		return entry{}, fmt.Errorf("path %q: is a file and a directory at once", path)
	}
	inner := make([]edit, len(edits))
	for i, ed := range edits {
		inner[i] = edit{names: ed.names[1:], blob: ed.blob}
	}
	id, err := e.edit(path, old.id, inner)
	return entry{name: name, mode: ModeTree, id: id}, err
}
