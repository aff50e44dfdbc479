package gitstore

import (
	"bytes"
	"crypto/sha1"
	"encoding/binary"
	"errors"
	"os/exec"
	"strings"
	"testing"

	"github.com/go-git/go-git/v5/plumbing/format/packfile"
)

func TestPackHoldsEachObjectOnce(t *testing.T) {
	blob := newObject(kindBlob, []byte("x"))
	pack, err := writePack([]object{blob, blob, newObject(kindBlob, nil)})
	if err != nil {
		t.Fatal(err)
	}
	objects, err := readPack(bytes.NewReader(pack), maxPack)
	if err != nil || len(objects) != 2 {
		t.Errorf("%d objects, %v; want 2", len(objects), err)
	}
	if _, err := writePack(nil); err == nil {
		t.Error("an empty pack was written")
	}
}

// git packs a file's many versions as deltas, by offset or by id.
func TestReadPackWithDeltas(t *testing.T) {
	needGit(t)
	dir := t.TempDir()
	git(t, dir, "init", "-q")
	want := map[Hash]bool{}
	var list strings.Builder
	body := strings.Repeat("one line of many\n", 2000)
	for _, extra := range []string{"", "a", "ab", "abc", "abcd"} {
		out, err := tryGit(dir, body+extra, "hash-object", "-w", "--stdin")
		if err != nil {
			t.Fatal(out)
		}
		id, err := ParseHash(out)
		if err != nil {
			t.Fatal(err)
		}
		want[id] = true
		list.WriteString(out + "\n")
	}
	for _, flag := range []string{"--delta-base-offset", "--no-reuse-delta"} {
		cmd := exec.Command("git", "-C", dir, "pack-objects", "-q", "--stdout", flag)
		cmd.Stdin, cmd.Env = strings.NewReader(list.String()), gitEnv()
		pack, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		if len(pack) > 5000 {
			t.Fatalf("pack of %d bytes: git made no deltas", len(pack))
		}
		objects, err := readPack(bytes.NewReader(pack), maxPack)
		if err != nil || len(objects) != len(want) {
			t.Fatalf("%s: %d objects, %v", flag, len(objects), err)
		}
		for id := range want {
			if _, ok := objects[id]; !ok {
				t.Errorf("%s: object %s is missing", flag, id)
			}
		}
		if _, err := readPack(bytes.NewReader(pack), int64(2*len(body))); !errors.Is(err, errTooLarge) {
			t.Errorf("%s: small pack of large objects: %v, want too large", flag, err)
		}
	}
}

// packOf frames raw entries as a pack with the right checksum.
func packOf(count uint32, entries ...byte) []byte {
	b := append([]byte("PACK\x00\x00\x00\x02"), binary.BigEndian.AppendUint32(nil, count)...)
	b = append(b, entries...)
	sum := sha1.Sum(b)
	return append(b, sum[:]...)
}

func TestReadPackRefuses(t *testing.T) {
	good, err := writePack([]object{newObject(kindBlob, []byte("hello"))})
	if err != nil {
		t.Fatal(err)
	}
	flipped := bytes.Clone(good)
	flipped[len(flipped)-1] ^= 1
	for name, c := range map[string]struct {
		pack []byte
		want error
	}{
		"empty":          {nil, packfile.ErrEmptyPackfile},
		"cut":            {good[:len(good)-25], nil},
		"bad checksum":   {flipped, packfile.ErrMalformedPackFile},
		"too many":       {packOf(maxObjects + 1), errTooLarge},
		"declared large": {packOf(1, 0xbf, 0xff, 0xff, 0xff, 0x7f), errTooLarge},
		"reserved type":  {append(append([]byte{}, good[:12]...), append([]byte{good[12]&0x8f | 5<<4}, good[13:]...)...), errMalformed},
	} {
		_, err := readPack(bytes.NewReader(c.pack), maxPack)
		if err == nil || (c.want != nil && !errors.Is(err, c.want)) {
			t.Errorf("%s: error = %v, want %v", name, err, c.want)
		}
	}
}

func TestParseTreeRefuses(t *testing.T) {
	id := strings.Repeat("\x01", 20)
	for name, data := range map[string]string{
		"cut":          "100644 a\x00" + id[:19],
		"no name":      "100644 \x00" + id,
		"dot":          "100644 .\x00" + id,
		"dot dot":      "40000 ..\x00" + id,
		"slash":        "100644 a/b\x00" + id,
		"git":          "40000 .Git\x00" + id,
		"zero mode":    "040000 a\x00" + id,
		"unknown mode": "100600 a\x00" + id,
		"order":        "100644 b\x00" + id + "100644 a\x00" + id,
		"tree order":   "40000 a\x00" + id + "100644 a.txt\x00" + id,
		"twice":        "100644 a\x00" + id + "100644 a\x00" + id,
		"two kinds":    "100644 a\x00" + id + "100644 a.x\x00" + id + "40000 a\x00" + id,
	} {
		if _, err := parseTree([]byte(data)); !errors.Is(err, errMalformed) {
			t.Errorf("%s: error = %v, want a malformed object", name, err)
		}
	}
	ok := "100644 a.txt\x00" + id + "40000 a\x00" + id + "160000 sub\x00" + id
	entries, err := parseTree([]byte(ok))
	if err != nil || string(encodeTree(entries)) != ok {
		t.Errorf("round trip: %v", err)
	}
}

func FuzzReadPack(f *testing.F) {
	good, err := writePack([]object{newObject(kindBlob, []byte("hello")), newObject(kindTree, nil)})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add(packOf(1, 0x65, 0x01, 0x78, 0x9c))
	f.Fuzz(func(t *testing.T, pack []byte) {
		objects, err := readPack(bytes.NewReader(pack), 1<<20)
		if err != nil {
			return
		}
		for id, o := range objects {
			if newObject(o.kind, o.data).id != id {
				t.Errorf("object under the wrong id %s", id)
			}
			if o.kind == kindTree {
				if entries, err := parseTree(o.data); err == nil && !bytes.Equal(encodeTree(entries), o.data) {
					t.Errorf("tree %q does not survive", o.data)
				}
			}
		}
	})
}
