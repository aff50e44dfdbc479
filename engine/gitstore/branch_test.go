package gitstore

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// begun is a hub whose branch incident/a holds two commits of ours.
func begun(t testing.TB) (h *hub, s *Store, tip Hash) {
	t.Helper()
	h = newHub(t, ledger(t))
	s = h.open(t)
	tip = mustCreate(t, s, "incident/a", h.main, one(incident+"/incident.json", "{}"))
	tip = mustAppend(t, s, "incident/a", tip, one(incident+"/journal/0/000001-opened.json", "1"))
	mustFlush(t, s, "incident/a")
	return h, s, tip
}

// look reads incident/a with a store that has nothing in memory.
func look(t testing.TB, h *hub, fork Hash) Branch {
	t.Helper()
	q := BranchQuery{Name: "incident/a", Fork: fork, Signers: signersOf(t, testSigner(t, 1).AllowedLine("engine"))}
	if fork.IsZero() {
		q.Main = h.head(t, "main")
	}
	b, err := h.open(t).Branch(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// summary is one line a commit: signed or not, then what changed.
func summary(b Branch) []string {
	var out []string
	for _, c := range b.Commits {
		line := "unsigned"
		if c.Err == nil {
			line = c.Key.Principal
		}
		for _, f := range c.Changes {
			line += " " + f.Path + "=" + string(c.Data[f.Path])
		}
		out = append(out, line)
	}
	return out
}

func TestBranchReadsTheHistory(t *testing.T) {
	h, _, tip := begun(t)
	h.commit(t, "main", h.main, map[string]string{"later": "x"})
	want := []string{"engine " + incident + "/incident.json={}", "engine " + incident + "/journal/0/000001-opened.json=1"}
	for name, fork := range map[string]Hash{"fork known": h.main, "fork unknown": {}} {
		b := look(t, h, fork)
		if d := cmp.Diff(want, summary(b)); d != "" || b.Foreign != nil {
			t.Errorf("%s: foreign %v, %s", name, b.Foreign, d)
		}
		if b.Tip != tip || b.Fork != h.main || b.Commits[1].Commit.Hash != tip {
			t.Errorf("%s: tip %s, fork %s; want %s and %s", name, b.Tip, b.Fork, tip, h.main)
		}
	}
}

func TestBranchFromAServerWithoutFilters(t *testing.T) {
	h, _, _ := begun(t)
	git(t, h.dir, "config", "--unset", "uploadpack.allowFilter")
	git(t, h.dir, "config", "--unset", "uploadpack.allowAnySHA1InWant")
	if b := look(t, h, h.main); len(summary(b)) != 2 || b.Foreign != nil || b.Commits[1].Changes == nil {
		t.Errorf("commits %q, foreign %v", summary(b), b.Foreign)
	}
}

// A changed file whose content the fork's side has too is not sent along by
// the server; it is asked for.
func TestBranchFindsContentThatTheForkHasToo(t *testing.T) {
	h, s, tip := begun(t)
	mustAppend(t, s, "incident/a", tip, one(incident+"/copy", "people: {}\n"))
	mustFlush(t, s, "incident/a")
	b := look(t, h, h.main)
	if got := string(b.Commits[2].Data[incident+"/copy"]); got != "people: {}\n" {
		t.Errorf("content %q", got)
	}
}

func TestMergedAndUntouchedBranches(t *testing.T) {
	h, _, tip := begun(t)
	git(t, h.dir, "update-ref", "refs/heads/main", tip.String())
	if b := look(t, h, Hash{}); len(b.Commits) != 0 || b.Foreign != nil || b.Fork != tip {
		t.Errorf("merged: %+v", b)
	}
	if b := look(t, h, h.main); len(b.Commits) != 2 || b.Foreign != nil {
		t.Errorf("merged, fork known: %+v", b)
	}
	if b := look(t, h, tip); len(b.Commits) != 0 || b.Foreign != nil || b.Fork != tip {
		t.Errorf("untouched: %+v", b)
	}
}

func TestBranchErrors(t *testing.T) {
	h, s, _ := begun(t)
	if _, err := s.Branch(t.Context(), BranchQuery{Name: "incident/none", Fork: h.main}); !errors.Is(err, ErrNotFound) {
		t.Errorf("absent branch: %v, want ErrNotFound", err)
	}
	if _, err := s.Branch(t.Context(), BranchQuery{Name: "incident/a", Fork: Hash{1}}); !errors.Is(err, ErrNotFound) {
		t.Errorf("unknown fork: %v, want ErrNotFound", err)
	}
	if _, err := s.Branch(t.Context(), BranchQuery{Name: "incident/a"}); err == nil {
		t.Error("neither fork nor main: accepted")
	}
}

func TestUnsignedAndForgedCommits(t *testing.T) {
	h, s, tip := begun(t)
	// The right name and address prove nothing.
	forged := h.commit(t, "incident/a", tip, map[string]string{"pullbook.cue": "people: {mallory: {}}\n"})
	b := look(t, h, h.main)
	if c := b.Commits[2]; !errors.Is(c.Err, ErrUnsigned) || c.Key != (Key{}) || c.Commit.Author.Name != "Mallory" {
		t.Errorf("commit by hand: %+v", c)
	}
	stranger := h.open(t, func(c *Config) { c.Signer = testSigner(t, 2) })
	mustAppend(t, stranger, "incident/a", forged, one("x", "y"))
	mustFlush(t, stranger, "incident/a")
	b = look(t, h, h.main)
	if c := b.Commits[3]; !errors.Is(c.Err, ErrNoSigner) || c.Commit.Author.Name != "Pullbook" {
		t.Errorf("our name with another key: %+v", c)
	}
	// What comes after is read too: /thaw commits on top.
	mustAppend(t, s, "incident/a", b.Tip, one("pullbook.cue", "people: {}\n"))
	mustFlush(t, s, "incident/a")
	want := []string{"unsigned pullbook.cue=people: {mallory: {}}\n", "unsigned x=y", "engine pullbook.cue=people: {}\n"}
	if d := cmp.Diff(want, summary(look(t, h, h.main))[2:]); d != "" {
		t.Error(d)
	}
}

// Mallory signs nothing but copies our commit's headers and signature onto
// another tree.
func TestCopiedSignature(t *testing.T) {
	h, _, tip := begun(t)
	raw := git(t, h.dir, "cat-file", "commit", tip.String()) + "\n"
	tree := git(t, h.dir, "rev-parse", tip.String()+"^{tree}")
	other := git(t, h.dir, "rev-parse", h.main.String()+"^{tree}")
	id, err := tryGit(h.dir, strings.Replace(raw, tree, other, 1), "hash-object", "-t", "commit", "-w", "--stdin")
	if err != nil {
		t.Fatal(id)
	}
	git(t, h.dir, "update-ref", "refs/heads/incident/a", id)
	b := look(t, h, h.main)
	if c := b.Commits[1]; c.Err == nil || errors.Is(c.Err, ErrUnsigned) {
		t.Errorf("error = %v, want a bad signature", c.Err)
	}
}

func TestForeignHistories(t *testing.T) {
	h, _, tip := begun(t)
	// A merge on top of ours.
	merge := h.commit(t, "incident/a", tip, map[string]string{"m": "m"}, "-p", h.main.String())
	b := look(t, h, h.main)
	if b.Foreign == nil || b.Foreign.Hash != merge || len(b.Commits) != 3 || b.Commits[1].Err != nil {
		t.Errorf("merge: foreign %v, %q", b.Foreign, summary(b))
	}
	// Another root altogether.
	root := h.commit(t, "incident/a", Hash{}, map[string]string{"r": "r"})
	b = look(t, h, h.main)
	if b.Foreign == nil || b.Foreign.Hash != root || len(b.Commits) != 0 {
		t.Errorf("root: foreign %v, %q", b.Foreign, summary(b))
	}
	// Descends from main, but not from where the branch began.
	older := h.commit(t, "main", h.main, map[string]string{"later": "x"})
	h.commit(t, "incident/a", h.main, map[string]string{"r": "r"})
	b = look(t, h, older)
	if b.Foreign == nil || len(b.Commits) != 0 {
		t.Errorf("other fork: foreign %v, %q", b.Foreign, summary(b))
	}
}

// A commit that the strict parser refuses does not hide what is below it.
func TestForeignCommitWithAnUnknownHeader(t *testing.T) {
	h, _, tip := begun(t)
	raw := "tree " + git(t, h.dir, "rev-parse", tip.String()+"^{tree}") + "\nparent " + tip.String() +
		"\nauthor a <a@b> 1 +0000\ncommitter a <a@b> 1 +0000\nchange-id xyz\n\nm\n"
	id, err := tryGit(h.dir, raw, "hash-object", "-t", "commit", "-w", "--stdin")
	if err != nil {
		t.Fatal(id)
	}
	git(t, h.dir, "update-ref", "refs/heads/incident/a", id)
	b := look(t, h, h.main)
	if len(b.Commits) != 3 || b.Commits[1].Err != nil || !errors.Is(b.Commits[2].Err, errMalformed) {
		t.Errorf("commits %q", summary(b))
	}
}

// Somebody pushes more than may be read: the branch is foreign from there, and
// our commits below are still read.
func TestForeignCommitThatIsTooLarge(t *testing.T) {
	h, _, tip := begun(t)
	bomb := h.commit(t, "incident/a", tip, map[string]string{"b1": strings.Repeat("1", 600<<10), "b2": strings.Repeat("2", 600<<10)})
	s := h.open(t)
	s.wire.maxPack = 1 << 20
	b, err := s.Branch(t.Context(), BranchQuery{Name: "incident/a", Fork: h.main, Signers: signersOf(t, testSigner(t, 1).AllowedLine("engine"))})
	if err != nil {
		t.Fatal(err)
	}
	if b.Foreign == nil || b.Foreign.Hash != bomb {
		t.Fatalf("foreign %v, want %s", b.Foreign, bomb)
	}
	want := []string{"engine " + incident + "/incident.json={}", "engine " + incident + "/journal/0/000001-opened.json=1", "unsigned"}
	if d := cmp.Diff(want, summary(b)); d != "" {
		t.Error(d)
	}
}

func TestLargeForeignFileIsLeftOut(t *testing.T) {
	h, _, tip := begun(t)
	h.commit(t, "incident/a", tip, map[string]string{"big": strings.Repeat("x", maxBlob+1)})
	b := look(t, h, h.main)
	c := b.Commits[2]
	if _, there := c.Data["big"]; there || len(c.Changes) != 1 || b.Foreign != nil {
		t.Errorf("%d changes, data there: %v, foreign %v", len(c.Changes), there, b.Foreign)
	}
}
