package gitstore

import (
	"bytes"
	"errors"
	"fmt"
	"sort"
	"strconv"
	"strings"
)

// Mode is the mode of a tree entry, as git writes it.
type Mode uint32

// The modes that git knows.
const (
	ModeFile      Mode = 0o100644
	ModeExec      Mode = 0o100755
	ModeSymlink   Mode = 0o120000
	ModeTree      Mode = 0o040000
	ModeSubmodule Mode = 0o160000
)

// modeGroupWritable was written by git before 2005 and is still found.
const modeGroupWritable Mode = 0o100664

func (m Mode) isBlob() bool { return m != ModeTree && m != ModeSubmodule }

// String gives the six octal digits of git ls-tree.
func (m Mode) String() string { return fmt.Sprintf("%06o", uint32(m)) }

// errMalformed marks an object that git itself would not have written.
var errMalformed = errors.New("malformed object")

// entry is one line of a tree.
type entry struct {
	name string
	mode Mode
	id   Hash
}

// sortKey orders entries as git does: a directory as if its name ended in "/".
func (e entry) sortKey() string {
	if e.mode == ModeTree {
		return e.name + "/"
	}
	return e.name
}

// parseTree reads a tree strictly: known modes, plain names, git's order, no
// name twice. Format: gitformat-pack and "git help ls-tree"; each entry is
// mode in octal, space, name, NUL, 20 bytes of id.
func parseTree(data []byte) ([]entry, error) {
	var entries []entry
	names := map[string]bool{}
	for len(data) > 0 {
		e, rest, err := parseEntry(data)
		if err != nil {
			return nil, err
		}
		if n := len(entries); n > 0 && entries[n-1].sortKey() >= e.sortKey() {
			return nil, fmt.Errorf("tree entry %q: out of order: %w", clip(e.name), errMalformed)
		}
		if names[e.name] {
			return nil, fmt.Errorf("tree entry %q: twice: %w", clip(e.name), errMalformed)
		}
		names[e.name] = true
		entries = append(entries, e)
		data = rest
	}
	return entries, nil
}

func parseEntry(data []byte) (entry, []byte, error) {
	var e entry
	space := bytes.IndexByte(data, ' ')
	nul := bytes.IndexByte(data, 0)
	if space < 1 || nul < space || len(data) < nul+1+len(e.id) {
		return e, nil, fmt.Errorf("tree entry: cut short: %w", errMalformed)
	}
	mode, err := strconv.ParseUint(string(data[:space]), 8, 32)
	if err != nil || data[0] == '0' {
		return e, nil, fmt.Errorf("tree entry: mode %q: %w", clip(string(data[:space])), errMalformed)
	}
	e.mode, e.name = Mode(mode), string(data[space+1:nul])
	copy(e.id[:], data[nul+1:])
	switch e.mode {
	case ModeFile, ModeExec, ModeSymlink, ModeTree, ModeSubmodule, modeGroupWritable:
	default:
		return e, nil, fmt.Errorf("tree entry %q: mode %o: %w", clip(e.name), mode, errMalformed)
	}
	if e.name == "" || e.name == "." || e.name == ".." || strings.ContainsRune(e.name, '/') || strings.EqualFold(e.name, ".git") {
		return e, nil, fmt.Errorf("tree entry %q: not a plain name: %w", clip(e.name), errMalformed)
	}
	return e, data[nul+1+len(e.id):], nil
}

// encodeTree writes entries, sorting them first.
func encodeTree(entries []entry) []byte {
	sort.Slice(entries, func(i, j int) bool { return entries[i].sortKey() < entries[j].sortKey() })
	var b bytes.Buffer
	for _, e := range entries {
		fmt.Fprintf(&b, "%o %s\x00", uint32(e.mode), e.name)
		b.Write(e.id[:])
	}
	return b.Bytes()
}

func find(entries []entry, name string) (entry, bool) {
	for _, e := range entries {
		if e.name == name {
			return e, true
		}
	}
	return entry{}, false
}

func join(dir, name string) string {
	if dir == "" {
		return name
	}
	return dir + "/" + name
}
