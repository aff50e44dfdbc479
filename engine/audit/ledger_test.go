package audit

import (
	"bytes"
	"crypto/ed25519"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-git/go-billy/v5/osfs"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/cache"
	"github.com/go-git/go-git/v5/plumbing/format/packfile"
	"github.com/go-git/go-git/v5/storage/filesystem"
	"github.com/go-git/go-git/v5/storage/memory"
	"github.com/hiddeco/sshsig"
	"golang.org/x/crypto/ssh"

	"github.com/pullbook/pullbook/engine/gitstore"
	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/journal"
)

// ledger is a repository in a temporary directory that a test writes commit by commit. Keys and times are fixed, so the
// same story gives the same commit ids.
type ledger struct {
	tb      testing.TB
	dir     string
	storage *filesystem.Storage
	objects *memory.Storage          // written as one pack when the refs are set
	loose   bool                     // written one by one
	blobs   map[string]plumbing.Hash // by content, so that equal content is stored once
	main    *tip
	branch  *tip                // of the incident at hand
	game    *incident.Rehearsal // what the first incident is; nil: none
	inc     *run

	ids   map[string]string                       // commits by name
	edits map[string]func(*draft)                 // the last word on what a named commit is
	says  map[string]func([]incident.Event) []any // changes the events of a named commit: incident.Data or incident.Event
}

// tip is a commit with its tree.
type tip struct {
	hash plumbing.Hash
	tree *folder
}

// draft is a commit about to be written.
type draft struct {
	parents []plumbing.Hash
	tree    *folder // on which files are put
	files   map[string][]byte
	modes   map[string]string // other than 100644
	drop    []string
	message string
	author  string
	key     ssh.Signer              // nil: unsigned
	spoil   func(raw []byte) []byte // after signing
}

func newLedger(tb testing.TB) *ledger {
	tb.Helper()
	dir := tb.TempDir()
	l := &ledger{tb: tb, dir: dir, storage: filesystem.NewStorage(osfs.New(dir), cache.NewObjectLRUDefault()), objects: memory.NewStorage(),
		blobs: map[string]plumbing.Hash{}, main: &tip{tree: &folder{}}, ids: map[string]string{},
		edits: map[string]func(*draft){}, says: map[string]func([]incident.Event) []any{}}
	if err := l.storage.Init(); err != nil {
		tb.Fatal(err)
	}
	config := "[core]\n\trepositoryformatversion = 0\n\tbare = true\n"
	if err := os.WriteFile(filepath.Join(dir, "config"), []byte(config), 0o644); err != nil {
		tb.Fatal(err)
	}
	l.must(l.storage.SetReference(plumbing.NewSymbolicReference(plumbing.HEAD, "refs/heads/main")))
	return l
}

func (l *ledger) must(err error) {
	l.tb.Helper()
	if err != nil {
		l.tb.Fatal(err)
	}
}

// signerOf is a fixed key: the seed is n repeated.
func signerOf(n byte) ssh.Signer {
	s, err := ssh.NewSignerFromKey(ed25519.NewKeyFromSeed(bytes.Repeat([]byte{n}, ed25519.SeedSize)))
	if err != nil {
		panic(err)
	}
	return s
}

func fingerprint(s ssh.Signer) string { return ssh.FingerprintSHA256(s.PublicKey()) }

// allowing is an allowed_signers file.
func allowing(keys ...ssh.Signer) []byte {
	var b bytes.Buffer
	for i, k := range keys {
		fmt.Fprintf(&b, "key%d@acme.test namespaces=\"git\" %s", i, ssh.MarshalAuthorizedKey(k.PublicKey()))
	}
	return b.Bytes()
}

// at is the time of the n-th thing that happens.
func at(n int) time.Time {
	return time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC).Add(time.Duration(n) * time.Second)
}

// commit writes one commit under a name. Its draft goes through the edit of that name first.
func (l *ledger) commit(name string, d draft) *tip {
	l.tb.Helper()
	if edit := l.edits[name]; edit != nil {
		edit(&d)
	}
	tree := d.tree
	for _, path := range slices.Sorted(maps.Keys(d.files)) {
		tree = tree.put(path, d.modes[path], l.blob(d.files[path]))
	}
	for _, path := range d.drop {
		tree = tree.put(path, "", plumbing.ZeroHash)
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "tree %s\n", l.tree(tree))
	for _, p := range d.parents {
		fmt.Fprintf(&b, "parent %s\n", p)
	}
	who := d.author
	if who == "" {
		who = "Pullbook <pullbook@acme.test>"
	}
	fmt.Fprintf(&b, "author %s %d +0000\ncommitter %s %d +0000\n", who, at(0).Unix(), who, at(0).Unix())
	raw := signed(l.tb, b.Bytes(), d.message, d.key)
	if d.spoil != nil {
		raw = d.spoil(raw)
	}
	id := l.object(plumbing.CommitObject, raw)
	l.ids[name] = id.String()
	return &tip{hash: id, tree: tree}
}

func signed(tb testing.TB, head []byte, message string, key ssh.Signer) []byte {
	tb.Helper()
	tail := "\n" + message
	if key == nil {
		return slices.Concat(head, []byte(tail))
	}
	sig, err := sshsig.Sign(bytes.NewReader(slices.Concat(head, []byte(tail))), key, sshsig.HashSHA512, "git")
	if err != nil {
		tb.Fatal(err)
	}
	folded := strings.ReplaceAll(strings.TrimSuffix(string(sshsig.Armor(sig)), "\n"), "\n", "\n ")
	return slices.Concat(head, []byte("gpgsig "+folded+"\n"+tail))
}

// people writes a commit of people's on the default branch, unsigned.
func (l *ledger) people(name string, files map[string][]byte) {
	l.tb.Helper()
	d := draft{tree: l.main.tree, files: files, message: name + "\n", author: "Alice <alice@acme.test>"}
	if !l.main.hash.IsZero() {
		d.parents = []plumbing.Hash{l.main.hash}
	}
	l.main = l.commit(name, d)
}

// record writes a commit of the incident at hand.
func (l *ledger) record(name string, files map[string][]byte, data ...incident.Data) {
	l.tb.Helper()
	events := l.inc.state.Next(data, at(l.inc.clock))
	l.inc.clock += 7
	if say := l.says[name]; say != nil {
		events = renumber(events, say(events))
	}
	written, head, err := journal.Encode(l.inc.id.Dir(), l.inc.head, events)
	l.must(err)
	l.inc.head = head
	l.inc.state.Seq, l.inc.state.At = head.Seq, events[len(events)-1].At
	maps.Copy(written, files)
	message := journal.Message(events, journal.MessageFacts{Incident: l.inc.id, Plan: l.inc.plan, Rehearsal: l.inc.game != nil})
	l.branch = l.commit(name, draft{parents: []plumbing.Hash{l.branch.hash}, tree: l.branch.tree, files: written,
		message: message, key: signerOf(1)})
}

// renumber makes events of what a test wants said: bare data is numbered and dated like the events that were due.
func renumber(due []incident.Event, said []any) []incident.Event {
	var out []incident.Event
	for i, s := range said {
		e, whole := s.(incident.Event)
		if !whole {
			e = incident.Event{At: due[0].At, Data: s.(incident.Data)}
		}
		e.Seq = due[0].Seq + i
		out = append(out, e)
	}
	return out
}

// merge merges the branch at hand.
func (l *ledger) merge(name string) {
	l.tb.Helper()
	tree := l.main.tree
	for path, f := range l.branch.tree.files("") {
		if strings.HasPrefix(path, l.inc.id.Dir()+"/") {
			tree = tree.put(path, f.mode, f.hash)
		}
	}
	l.main = l.commit(name, draft{parents: []plumbing.Hash{l.main.hash, l.branch.hash}, tree: tree,
		message: "Incident " + string(l.inc.id) + ": resolved\n", author: "Hub <hub@acme.test>"})
}

// publish stores the objects and sets the refs: the default branch, and the branch at hand if it is to stay.
func (l *ledger) publish(branch string) {
	l.store()
	l.must(l.storage.SetReference(plumbing.NewHashReference("refs/heads/main", l.main.hash)))
	if branch != "" {
		l.must(l.storage.SetReference(plumbing.NewHashReference(plumbing.ReferenceName(branch), l.branch.hash)))
	}
}

// store writes what was made so far to the disk.
func (l *ledger) store() {
	l.tb.Helper()
	var ids []plumbing.Hash
	for id, o := range l.objects.Objects {
		ids = append(ids, id)
		if l.loose {
			_, err := l.storage.SetEncodedObject(o)
			l.must(err)
		}
	}
	if l.loose {
		return
	}
	w, err := l.storage.PackfileWriter()
	l.must(err)
	_, err = packfile.NewEncoder(w, l.objects, false).Encode(ids, 0)
	l.must(err)
	l.must(w.Close())
}

func (l *ledger) open() *gitstore.Clone {
	l.tb.Helper()
	c, err := gitstore.OpenClone(l.dir)
	l.must(err)
	l.tb.Cleanup(func() { _ = c.Close() })
	return c
}

func (l *ledger) blob(data []byte) plumbing.Hash {
	if id, ok := l.blobs[string(data)]; ok {
		return id
	}
	id := l.object(plumbing.BlobObject, data)
	l.blobs[string(data)] = id
	return id
}

func (l *ledger) object(kind plumbing.ObjectType, data []byte) plumbing.Hash {
	l.tb.Helper()
	o := l.objects.NewEncodedObject()
	o.SetType(kind)
	o.SetSize(int64(len(data)))
	w, err := o.Writer()
	l.must(err)
	_, err = w.Write(data)
	l.must(err)
	l.must(w.Close())
	id, err := l.objects.SetEncodedObject(o)
	l.must(err)
	return id
}
