package gitstore

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/packfile"
	"github.com/go-git/go-git/v5/storage/memory"
)

// Bounds on what is taken into memory. A declared size is checked before any
// byte is inflated, so a bomb costs nothing.
const (
	maxObject  = 16 << 20  // one object, inflated
	maxPack    = 128 << 20 // all objects of one pack, inflated; held by a wire
	maxObjects = 500_000   // objects of one pack
	maxBlob    = 1 << 20   // one file that Append writes or Branch brings along
)

// delta is an object that a pack describes as a difference.
type delta struct {
	offset int64 // its own place in the pack
	base   Hash  // zero when baseAt names the base
	baseAt int64
	data   []byte
}

// unpacker reads one pack that is complete in itself (not thin).
type unpacker struct {
	objects map[Hash]object
	at      map[int64]Hash
	deltas  []delta
	size    int64 // inflated so far
	most    int64
}

// readPack gives the objects of a pack under the ids computed from their
// content, at most so many bytes of them. Format: git's gitformat-pack(5).
func readPack(r io.Reader, most int64) (map[Hash]object, error) {
	u := unpacker{objects: map[Hash]object{}, at: map[int64]Hash{}, most: most}
	scanner := packfile.NewScanner(r)
	_, count, err := scanner.Header()
	if err != nil {
		return nil, fmt.Errorf("read pack: %w", err)
	}
	if count > maxObjects {
		return nil, fmt.Errorf("read pack: %d objects, more than %d: %w", count, maxObjects, errTooLarge)
	}
	for range count {
		if err := u.next(scanner); err != nil {
			return nil, fmt.Errorf("read pack: %w", err)
		}
	}
	if _, err := scanner.Checksum(); err != nil {
		return nil, fmt.Errorf("read pack: %w", err)
	}
	if err := u.resolve(); err != nil {
		return nil, fmt.Errorf("read pack: %w", err)
	}
	return u.objects, nil
}

// next reads one entry of the pack.
func (u *unpacker) next(scanner *packfile.Scanner) error {
	h, err := scanner.NextObjectHeader()
	if err != nil {
		return err
	}
	if err := u.account(h.Length); err != nil {
		return err
	}
	buf := bytes.NewBuffer(make([]byte, 0, h.Length))
	n, _, err := scanner.NextObject(buf)
	if err != nil {
		return err
	}
	if n != h.Length {
		return fmt.Errorf("object of %d bytes, declared as %d: %w", n, h.Length, errMalformed)
	}
	switch h.Type {
	case plumbing.CommitObject, plumbing.TreeObject, plumbing.BlobObject, plumbing.TagObject:
		u.keep(h.Offset, newObject(h.Type, buf.Bytes()))
	case plumbing.OFSDeltaObject:
		u.deltas = append(u.deltas, delta{offset: h.Offset, baseAt: h.OffsetReference, data: buf.Bytes()})
	case plumbing.REFDeltaObject:
		u.deltas = append(u.deltas, delta{offset: h.Offset, base: Hash(h.Reference), data: buf.Bytes()})
	default:
		return fmt.Errorf("object type %d: %w", h.Type, errMalformed)
	}
	return nil
}

func (u *unpacker) account(size int64) error {
	u.size += size
	if size < 0 || size > maxObject || u.size > u.most {
		return fmt.Errorf("object of %d bytes, %d in all: %w", size, u.size, errTooLarge)
	}
	return nil
}

func (u *unpacker) keep(offset int64, o object) {
	u.objects[o.id], u.at[offset] = o, o.id
}

// resolve applies the deltas. A base may itself be a delta and may come later,
// so it goes round until a round brings nothing. git writes bases first, which
// takes one round; many rounds are somebody's attempt to make this slow.
func (u *unpacker) resolve() error {
	const rounds = 64
	waiting := u.deltas
	for round := 1; len(waiting) > 0; round++ {
		var left []delta
		for _, d := range waiting {
			base, ok := u.base(d)
			if !ok {
				left = append(left, d)
				continue
			}
			data, err := u.patch(base, d)
			if err != nil {
				return err
			}
			u.keep(d.offset, newObject(base.kind, data))
		}
		if len(left) == len(waiting) || round == rounds && len(left) > 0 {
			return fmt.Errorf("%d deltas without a base: %w", len(left), errMalformed)
		}
		waiting = left
	}
	return nil
}

func (u *unpacker) base(d delta) (object, bool) {
	id := d.base
	if id.IsZero() {
		id = u.at[d.baseAt]
	}
	o, ok := u.objects[id]
	return o, ok
}

// patch checks the size that the delta declares before it builds the object.
func (u *unpacker) patch(base object, d delta) ([]byte, error) {
	_, n := binary.Uvarint(d.data)
	if n <= 0 {
		return nil, fmt.Errorf("delta header: %w", errMalformed)
	}
	size, m := binary.Uvarint(d.data[n:])
	if m <= 0 || size > maxObject {
		return nil, fmt.Errorf("delta of an object of %d bytes: %w", size, errTooLarge)
	}
	if err := u.account(int64(size)); err != nil {
		return nil, err
	}
	data, err := packfile.PatchDelta(base.data, d.data)
	if err != nil {
		return nil, fmt.Errorf("apply delta: %w", err)
	}
	return data, nil
}

// writePack encodes the objects, undeltified: there are few, and they are new.
func writePack(objects []object) ([]byte, error) {
	storage := memory.NewStorage()
	seen := map[Hash]bool{}
	var hashes []plumbing.Hash
	for _, o := range objects {
		if seen[o.id] {
			continue
		}
		seen[o.id] = true
		if _, err := storage.SetEncodedObject(o.encoded()); err != nil {
			return nil, fmt.Errorf("encode pack: %w", err)
		}
		hashes = append(hashes, plumbing.Hash(o.id))
	}
	if len(hashes) == 0 {
		return nil, errors.New("encode pack: no objects")
	}
	var b bytes.Buffer
	if _, err := packfile.NewEncoder(&b, storage, false).Encode(hashes, 0); err != nil {
		return nil, fmt.Errorf("encode pack: %w", err)
	}
	return b.Bytes(), nil
}
