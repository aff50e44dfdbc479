package gitstore

import (
	"encoding/hex"
	"fmt"

	"github.com/go-git/go-git/v5/plumbing"
)

// Hash is a git object id (SHA-1, 20 bytes). The zero value is git's "no
// object": the old id of a branch that does not exist yet.
type Hash [20]byte

// ParseHash reads 40 lower-case hexadecimal digits.
func ParseHash(s string) (Hash, error) {
	var h Hash
	if len(s) != 2*len(h) {
		return Hash{}, fmt.Errorf("read object id %q: want 40 hexadecimal digits", clip(s))
	}
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return Hash{}, fmt.Errorf("read object id %q: want 40 hexadecimal digits", clip(s))
		}
	}
	if _, err := hex.Decode(h[:], []byte(s)); err != nil {
		return Hash{}, fmt.Errorf("read object id %q: %w", clip(s), err)
	}
	return h, nil
}

// String gives the 40 hexadecimal digits.
func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// IsZero tells whether h names no object.
func (h Hash) IsZero() bool { return h == Hash{} }

// MarshalText gives the 40 hexadecimal digits, for JSON.
func (h Hash) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (h *Hash) UnmarshalText(text []byte) (err error) {
	*h, err = ParseHash(string(text))
	return err
}

// kind is the type of a git object.
type kind = plumbing.ObjectType

const (
	kindCommit = plumbing.CommitObject
	kindTree   = plumbing.TreeObject
	kindBlob   = plumbing.BlobObject
)

// object is one git object as stored, without its header. The id is always
// computed from the content, so an object that is found under its id is whole.
type object struct {
	id   Hash
	kind kind
	data []byte
}

// newObject computes the id with go-git's SHA-1, which detects collisions.
func newObject(k kind, data []byte) object {
	return object{id: Hash(plumbing.ComputeHash(k, data)), kind: k, data: data}
}

// encoded gives o in the form that go-git's packs and caches want.
func (o object) encoded() plumbing.EncodedObject {
	m := &plumbing.MemoryObject{}
	m.SetType(o.kind)
	m.SetSize(int64(len(o.data)))
	// A MemoryObject's Write appends to a slice and cannot fail.
	_, _ = m.Write(o.data)
	return m
}

// clip bounds foreign text in an error; %q makes its control bytes harmless.
func clip(s string) string {
	const most = 200
	if len(s) > most {
		return s[:most] + "..."
	}
	return s
}
