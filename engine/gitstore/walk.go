package gitstore

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"strings"
)

// maxEntries bounds what one read walks: the entries below a prefix, or the
// paths that differ.
const maxEntries = 100_000

// errTooLarge marks content that is beyond a bound.
var errTooLarge = errors.New("too large")

// ErrNotFound is returned for a path or object that is not there.
var ErrNotFound = errors.New("not found")

// depth says what a source should bring along with a tree.
type depth int

const (
	alone depth = iota // the tree itself
	below              // all trees below it as well, no blobs
)

// source yields objects by id: the hub's through fetches, a clone's from disk.
type source interface {
	// load makes objects readable by get, in as few round trips as it can.
	load(ctx context.Context, ids []Hash, with depth) error
	// get gives a loaded object; ErrNotFound when it is not there.
	get(id Hash) (object, error)
}

func getTree(src source, id Hash) ([]entry, error) {
	o, err := src.get(id)
	if err != nil {
		return nil, fmt.Errorf("read tree %s: %w", id, err)
	}
	if o.kind != kindTree {
		return nil, fmt.Errorf("read tree %s: is a %s: %w", id, o.kind, errMalformed)
	}
	entries, err := parseTree(o.data)
	if err != nil {
		return nil, fmt.Errorf("read tree %s: %w", id, err)
	}
	return entries, nil
}

func getBlob(src source, id Hash) ([]byte, error) {
	o, err := src.get(id)
	if err != nil {
		return nil, fmt.Errorf("read blob %s: %w", id, err)
	}
	if o.kind != kindBlob {
		return nil, fmt.Errorf("read blob %s: is a %s: %w", id, o.kind, errMalformed)
	}
	return o.data, nil
}

// Entry is one file of a tree: its mode and the id of its content.
type Entry struct {
	Mode Mode
	Blob Hash // the commit's id for a submodule
}

// placed is a tree and the path it is at.
type placed struct {
	path string
	id   Hash
}

// locate finds what stands at path below root, loading one tree a level, and
// tells whether there is anything.
func locate(ctx context.Context, src source, root Hash, path string) (entry, bool, error) {
	at := entry{mode: ModeTree, id: root}
	if path == "" {
		return at, true, nil
	}
	for _, name := range strings.Split(path, "/") {
		if at.mode != ModeTree {
			return entry{}, false, nil
		}
		if err := src.load(ctx, []Hash{at.id}, alone); err != nil {
			return entry{}, false, err
		}
		entries, err := getTree(src, at.id)
		if err != nil {
			return entry{}, false, err
		}
		next, ok := find(entries, name)
		if !ok {
			return entry{}, false, nil
		}
		at = next
	}
	return at, true, nil
}

// list gives every file at or below prefix. A prefix that is not there gives
// nothing, as in git ls-tree.
func list(ctx context.Context, src source, root Hash, prefix string, into map[string]Entry) error {
	top, ok, err := locate(ctx, src, root, prefix)
	if err != nil || !ok {
		return err
	}
	if top.mode != ModeTree {
		into[prefix] = Entry{Mode: top.mode, Blob: top.id}
		return nil
	}
	for level := []placed{{prefix, top.id}}; len(level) > 0; {
		if err := src.load(ctx, ids(level), below); err != nil {
			return err
		}
		var next []placed
		for _, dir := range level {
			entries, err := getTree(src, dir.id)
			if err != nil {
				return fmt.Errorf("list %q: %w", dir.path, err)
			}
			for _, e := range entries {
				path := join(dir.path, e.name)
				if e.mode == ModeTree {
					next = append(next, placed{path, e.id})
				} else {
					into[path] = Entry{Mode: e.mode, Blob: e.id}
				}
			}
			if len(into)+len(next) > maxEntries {
				return fmt.Errorf("list %q: more than %d entries: %w", prefix, maxEntries, errTooLarge)
			}
		}
		level = next
	}
	return nil
}

func ids(level []placed) []Hash {
	out := make([]Hash, len(level))
	for i, p := range level {
		out[i] = p.id
	}
	return out
}

// FileChange is one path that differs between two trees. The zero Entry stands
// for "not there". A file that becomes a directory is two changes.
type FileChange struct {
	Path     string
	Old, New Entry
}

// pair is one directory in its old and new version; the zero id is absence.
type pair struct {
	path     string
	old, new Hash
}

// diff walks only the subtrees that differ, level by level, and gives the
// changed files in the order of their paths.
func diff(ctx context.Context, src source, old, new Hash) ([]FileChange, error) {
	var changes []FileChange
	level := []pair{{"", old, new}}
	if old == new {
		return nil, nil
	}
	for seen := 0; len(level) > 0; {
		if err := loadPairs(ctx, src, level); err != nil {
			return nil, err
		}
		var next []pair
		for _, p := range level {
			files, dirs, err := comparePair(src, p)
			if err != nil {
				return nil, fmt.Errorf("compare %q: %w", p.path, err)
			}
			changes, next = append(changes, files...), append(next, dirs...)
		}
		if seen += len(next); seen+len(changes) > maxEntries {
			return nil, fmt.Errorf("compare trees %s and %s: more than %d differences: %w", old, new, maxEntries, errTooLarge)
		}
		level = next
	}
	sort.SliceStable(changes, func(i, j int) bool { return changes[i].Path < changes[j].Path })
	return changes, nil
}

func loadPairs(ctx context.Context, src source, level []pair) error {
	var want []Hash
	for _, p := range level {
		for _, id := range []Hash{p.old, p.new} {
			if !id.IsZero() {
				want = append(want, id)
			}
		}
	}
	return src.load(ctx, want, alone)
}

// comparePair compares one directory and gives the files that differ and the
// directories still to be compared.
func comparePair(src source, p pair) (files []FileChange, dirs []pair, err error) {
	sides := [2]map[string]entry{}
	for i, id := range []Hash{p.old, p.new} {
		sides[i] = map[string]entry{}
		if id.IsZero() {
			continue
		}
		entries, err := getTree(src, id)
		if err != nil {
			return nil, nil, err
		}
		for _, e := range entries {
			sides[i][e.name] = e
		}
	}
	names := make([]string, 0, len(sides[0])+len(sides[1]))
	for name := range sides[0] {
		names = append(names, name)
	}
	for name := range sides[1] {
		if _, both := sides[0][name]; !both {
			names = append(names, name)
		}
	}
	sort.Strings(names)
	for _, name := range names {
		was, is := sides[0][name], sides[1][name]
		if was.mode == is.mode && was.id == is.id {
			continue
		}
		path := join(p.path, name)
		change, dir := FileChange{Path: path}, pair{path: path}
		change.Old, dir.old = split(was)
		change.New, dir.new = split(is)
		if change.Old != change.New {
			files = append(files, change)
		}
		if dir.old != dir.new {
			dirs = append(dirs, dir)
		}
	}
	return files, dirs, nil
}

// split gives e as a file or as a directory; the other is zero.
func split(e entry) (Entry, Hash) {
	if e.mode == ModeTree {
		return Entry{}, e.id
	}
	return Entry{Mode: e.mode, Blob: e.id}, Hash{}
}
