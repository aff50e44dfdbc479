package gitstore

import (
	"errors"
	"testing"
)

// TestBranchThatWasMovedBack: what a branch held before is read by its commit, and the branch goes on from there, whatever
// it holds by then, unless somebody moves it once more.
func TestBranchThatWasMovedBack(t *testing.T) {
	h := newHub(t, ledger(t))
	s := h.open(t)
	first := mustCreate(t, s, "incident/a", h.main, one(incident+"/incident.json", "{}"))
	mustFlush(t, s, "incident/a")
	second := mustAppend(t, s, "incident/a", first, one(incident+"/second", "2"))
	mustFlush(t, s, "incident/a")
	git(t, h.dir, "update-ref", "refs/heads/incident/a", first.String())
	b, err := s.Branch(t.Context(), BranchQuery{Name: "incident/a", Main: h.main, Signers: signersOf(t, testSigner(t, 1).AllowedLine("engine")), At: second})
	if err != nil || b.Tip != second || len(b.Commits) != 2 || b.Commits[1].Err != nil || string(b.Commits[1].Data[incident+"/second"]) != "2" {
		t.Fatalf("%+v, %v", b, err)
	}
	if _, err := s.Branch(t.Context(), BranchQuery{Name: "incident/a", Main: h.main, Signers: signersOf(t, testSigner(t, 1).AllowedLine("engine")), At: Hash{1}}); !errors.Is(err, ErrNotFound) {
		t.Errorf("a commit that nobody has: %v", err)
	}
	if _, err := s.Replace(t.Context(), "incident/a", second, second, one(incident+"/third", "3")); err != nil {
		t.Fatal(err)
	}
	if err := s.Flush(t.Context(), FlushRequest{Branch: "incident/a"}); !errors.Is(err, ErrMoved) {
		t.Errorf("the branch is not where it was said to be: %v", err)
	}
	s.Discard("incident/a")
	third, err := s.Replace(t.Context(), "incident/a", first, second, one(incident+"/third", "3"))
	if err != nil {
		t.Fatal(err)
	}
	fourth := mustAppend(t, s, "incident/a", third, one(incident+"/fourth", "4"))
	mustFlush(t, s, "incident/a")
	if got := h.head(t, "incident/a"); got != fourth {
		t.Errorf("the branch is at %s, want %s", got, fourth)
	}
}

// TestCommitOverForeignOnes: its parent is somebody else's commit, and its files are those of ours before it.
func TestCommitOverForeignOnes(t *testing.T) {
	h := newHub(t, ledger(t))
	s := h.open(t)
	good := mustCreate(t, s, "incident/a", h.main, one(incident+"/incident.json", "{}"))
	mustFlush(t, s, "incident/a")
	theirs := h.commit(t, "incident/a", good, map[string]string{"theirs": "x", incident + "/incident.json": "mine"})
	ours := mustAppend(t, s, "incident/a", theirs, Change{Base: good, Files: map[string][]byte{incident + "/ours": []byte("y")}, Message: "ours\n", When: one("a", "").When})
	mustFlush(t, s, "incident/a")
	files, err := s.Files(t.Context(), ours, "")
	if err != nil {
		t.Fatal(err)
	}
	if _, stays := files["theirs"]; stays || string(files[incident+"/ours"].Data) != "y" || string(files[incident+"/incident.json"].Data) != "{}" {
		t.Errorf("its files are %d, and theirs stays: %t", len(files), stays)
	}
	if h.head(t, "incident/a") != ours {
		t.Error("the branch is elsewhere")
	}
}
