package audit

import (
	"bytes"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
)

// folder is a directory as a value: put gives a new one and shares what did not change.
type folder struct {
	entries map[string]leaf
	dirs    map[string]*folder
	hash    plumbing.Hash // zero: not stored yet
}

// leaf is a file of a folder.
type leaf struct {
	mode string
	hash plumbing.Hash
}

// put sets a file. The zero hash takes it away.
func (f *folder) put(path, mode string, hash plumbing.Hash) *folder {
	out := &folder{entries: maps.Clone(f.entries), dirs: maps.Clone(f.dirs)}
	if out.entries == nil {
		out.entries, out.dirs = map[string]leaf{}, map[string]*folder{}
	}
	name, rest, below := strings.Cut(path, "/")
	if below {
		dir := out.dirs[name]
		if dir == nil {
			dir = &folder{}
		}
		if dir = dir.put(rest, mode, hash); len(dir.entries)+len(dir.dirs) == 0 {
			delete(out.dirs, name)
		} else {
			out.dirs[name] = dir
		}
		return out
	}
	if mode == "" {
		mode = "100644"
	}
	if out.entries[name] = (leaf{mode, hash}); hash.IsZero() {
		delete(out.entries, name)
	}
	return out
}

// files walks all files.
func (f *folder) files(under string) iter.Seq2[string, leaf] {
	return func(yield func(string, leaf) bool) {
		for name, file := range f.entries {
			if !yield(under+name, file) {
				return
			}
		}
		for name, dir := range f.dirs {
			for path, file := range dir.files(under + name + "/") {
				if !yield(path, file) {
					return
				}
			}
		}
	}
}

// tree stores a folder as git's tree object: entries in the order of their names, directories as if they ended in a slash.
func (l *ledger) tree(f *folder) plumbing.Hash {
	if !f.hash.IsZero() {
		return f.hash
	}
	lines := map[string]string{}
	for name, file := range f.entries {
		lines[name] = fmt.Sprintf("%s %s\x00%s", file.mode, name, string(file.hash[:]))
	}
	for name, dir := range f.dirs {
		id := l.tree(dir)
		lines[name+"/"] = fmt.Sprintf("40000 %s\x00%s", name, string(id[:]))
	}
	var b bytes.Buffer
	for _, key := range slices.Sorted(maps.Keys(lines)) {
		b.WriteString(lines[key])
	}
	f.hash = l.object(plumbing.TreeObject, b.Bytes())
	return f.hash
}
