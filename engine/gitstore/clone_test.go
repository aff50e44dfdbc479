package gitstore

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func openClone(t *testing.T, dir string) *Clone {
	t.Helper()
	c, err := OpenClone(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// Loose or packed, bare or not, a clone reads the same.
func TestCloneReads(t *testing.T) {
	h, _, tip := begun(t)
	work := filepath.Join(t.TempDir(), "work")
	git(t, h.dir, "clone", "-q", "file://"+h.dir, work)
	packed := filepath.Join(t.TempDir(), "packed.git")
	git(t, h.dir, "clone", "-q", "--bare", "file://"+h.dir, packed)
	git(t, packed, "repack", "-adq")
	git(t, packed, "pack-refs", "--all")
	for dir, ref := range map[string]string{h.dir: "refs/heads/incident/a", work: "refs/remotes/origin/incident/a", packed: "refs/heads/incident/a"} {
		c := openClone(t, dir)
		branch, head, err := c.Head()
		if err != nil || branch != "main" || head != h.main {
			t.Errorf("%s: HEAD is %q at %s, %v", dir, branch, head, err)
		}
		refs, err := c.Refs()
		if err != nil || refs[ref] != tip {
			t.Errorf("%s: refs %v, %v", dir, refs, err)
		}
		commit, err := c.Commit(tip)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := signersOf(t, testSigner(t, 1).AllowedLine("engine")).Verify(commit); err != nil {
			t.Errorf("%s: %v", dir, err)
		}
		files, err := c.Files(commit.Tree, incident, "pullbook.cue", "absent")
		want := map[string]string{"pullbook.cue": "people: {}\n", incident + "/incident.json": "{}", incident + "/journal/0/000001-opened.json": "1"}
		if d := cmp.Diff(want, contents(files)); d != "" || err != nil {
			t.Errorf("%s: %v %s", dir, err, d)
		}
	}
}

// A clone can be read while git changes a ref in it.
func TestCloneReadsBesideLocks(t *testing.T) {
	h, _, tip := begun(t)
	for name, content := range map[string]string{"incident/a.lock": "", "incident/b.lock": tip.String() + "\n", "new.lock": "dead"} {
		if err := os.WriteFile(filepath.Join(h.dir, "refs", "heads", filepath.FromSlash(name)), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	refs, err := openClone(t, h.dir).Refs()
	want := map[string]Hash{"refs/heads/main": h.main, "refs/heads/incident/a": tip}
	if d := cmp.Diff(want, refs); d != "" || err != nil {
		t.Errorf("%v %s", err, d)
	}
}

func TestCloneDiff(t *testing.T) {
	h := newHub(t, ledger(t))
	next := h.commit(t, "main", h.main, map[string]string{"pullbook.cue": "people: {x: {}}\n", "new/dir/file": "n"})
	c := openClone(t, h.dir)
	old, err := c.Commit(h.main)
	if err != nil {
		t.Fatal(err)
	}
	is, err := c.Commit(next)
	if err != nil {
		t.Fatal(err)
	}
	changes, err := c.Diff(old.Tree, is.Tree)
	if err != nil || len(changes) != 2 {
		t.Fatalf("changes %v, %v", changes, err)
	}
	if f := changes[0]; f.Path != "new/dir/file" || f.Old != (Entry{}) || f.New.Mode != ModeFile {
		t.Errorf("first change %+v", f)
	}
	data, err := c.Blob(changes[1].Old.Blob)
	if err != nil || changes[1].Path != "pullbook.cue" || string(data) != "people: {}\n" {
		t.Errorf("second change %+v, was %q, %v", changes[1], data, err)
	}
	if back, err := c.Diff(is.Tree, old.Tree); err != nil || len(back) != 2 || back[0].New != (Entry{}) {
		t.Errorf("the other way round: %v, %v", back, err)
	}
	if all, err := c.Diff(Hash{}, old.Tree); err != nil || len(all) != len(ledger(t)) {
		t.Errorf("against nothing: %v, %v", all, err)
	}
	was, err1 := c.Subtree(old.Tree, "runbooks")
	still, err2 := c.Subtree(is.Tree, "runbooks")
	if was != still || err1 != nil || err2 != nil {
		t.Errorf("untouched directory: %s and %s, %v, %v", was, still, err1, err2)
	}
	if entries, err := c.Entries(is.Tree, "new"); err != nil || entries["new/dir/file"] != changes[0].New {
		t.Errorf("entries %v, %v", entries, err)
	}
}

func TestCloneErrors(t *testing.T) {
	h := newHub(t, ledger(t))
	c := openClone(t, h.dir)
	if _, err := c.Commit(Hash{1}); !errors.Is(err, ErrNotFound) {
		t.Errorf("absent commit: %v", err)
	}
	commit, err := c.Commit(h.main)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Commit(commit.Tree); !errors.Is(err, errMalformed) {
		t.Errorf("tree as a commit: %v", err)
	}
	if _, err := c.Blob(commit.Tree); !errors.Is(err, errMalformed) {
		t.Errorf("tree as a blob: %v", err)
	}
	if _, err := c.Subtree(commit.Tree, "pullbook.cue"); !errors.Is(err, ErrNotFound) {
		t.Errorf("file as a directory: %v", err)
	}
	if _, err := c.Files(commit.Tree, "../x"); err == nil {
		t.Error("path out of the tree: accepted")
	}
	if _, err := OpenClone(t.TempDir()); !errors.Is(err, ErrNotFound) {
		t.Errorf("no repository: %v", err)
	}
	shared := filepath.Join(t.TempDir(), "shared.git")
	git(t, h.dir, "clone", "-q", "--bare", "--shared", h.dir, shared)
	if _, err := OpenClone(shared); err == nil || errors.Is(err, ErrNotFound) {
		t.Errorf("borrowed objects: %v", err)
	}
	empty := filepath.Join(t.TempDir(), "empty.git")
	git(t, h.dir, "init", "-q", "--bare", "-b", "main", empty)
	if branch, _, err := openClone(t, empty).Head(); branch != "main" || !errors.Is(err, ErrNotFound) {
		t.Errorf("empty repository: %q, %v", branch, err)
	}
}

// An object whose content was exchanged on disk is not believed.
func TestCloneChecksIds(t *testing.T) {
	h := newHub(t, ledger(t))
	id := git(t, h.dir, "rev-parse", h.main.String()+":pullbook.cue")
	other := git(t, h.dir, "rev-parse", h.main.String()+":runbooks/disk.cue")
	path := func(id string) string { return filepath.Join(h.dir, "objects", id[:2], id[2:]) }
	data, err := os.ReadFile(path(other))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path(id)); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path(id), data, 0o444); err != nil {
		t.Fatal(err)
	}
	blob, err := ParseHash(id)
	if err != nil {
		t.Fatal(err)
	}
	if data, err := openClone(t, h.dir).Blob(blob); err == nil {
		t.Errorf("exchanged content %q was believed", data)
	}
}

func TestCloneShallow(t *testing.T) {
	h, _, tip := begun(t)
	dir := filepath.Join(t.TempDir(), "shallow.git")
	git(t, h.dir, "clone", "-q", "--bare", "--depth=1", "-b", "incident/a", "file://"+h.dir, dir)
	if cut, err := openClone(t, dir).Shallow(); err != nil || len(cut) != 1 || cut[0] != tip {
		t.Errorf("shallow at %v, %v; want %s", cut, err, tip)
	}
	if cut, err := openClone(t, h.dir).Shallow(); err != nil || len(cut) != 0 {
		t.Errorf("full clone: shallow at %v, %v", cut, err)
	}
}
