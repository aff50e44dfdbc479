package git

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pullbook/pullbook/engine/localhub/state"
)

func TestValidRef(t *testing.T) {
	for name, want := range map[string]bool{
		"refs/heads/main": true, "refs/heads/incident/2026-é": true, "refs/tags/v1.0": true,
		"main": false, "refs/heads": false, "refs/heads/": false, "refs/heads/a..b": false, "refs/heads/.a": false, "refs/heads/a.lock": false,
		"refs/heads/a.lock/b": false, "refs/heads/a b": false, "refs/heads/a~": false, "refs/heads/a^": false, "refs/heads/a:b": false,
		"refs/heads/a\\b": false, "refs/heads/a@{1}": false, "refs/heads/a.": false, "refs/heads//a": false, "refs/heads/a\x7f": false,
		"refs/../x": false, "refs/heads/" + strings.Repeat("a", 300): false,
	} {
		if got := ValidRef(name); got != want {
			t.Errorf("%q: %v", name, got)
		}
	}
}

func TestParseCommit(t *testing.T) {
	const tree, parent = "4b825dc642cb6eb9a060e54bf8d69288fbee4904", "1111111111111111111111111111111111111111"
	head := "tree " + tree + "\nparent " + parent + "\nauthor A B <a@b> 1700000000 +0200\ncommitter C <c@d> 1700000001 +0000\n"
	raw := head + "gpgsig -----BEGIN SSH SIGNATURE-----\n AAAA\n -----END SSH SIGNATURE-----\n\nSubject\n\nBody\n"
	got := parseCommit("id", []byte(raw))
	want := Commit{
		SHA: "id", Tree: tree, Parents: []string{parent}, Message: "Subject\n\nBody",
		Author:    state.Ident{Name: "A B", Email: "a@b", When: time.Unix(1700000000, 0).UTC()},
		Committer: state.Ident{Name: "C", Email: "c@d", When: time.Unix(1700000001, 0).UTC()},
		Signature: "-----BEGIN SSH SIGNATURE-----\nAAAA\n-----END SSH SIGNATURE-----", Payload: head + "\nSubject\n\nBody\n",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if got.Subject() != "Subject" {
		t.Errorf("subject %q", got.Subject())
	}
}

func FuzzParseCommit(f *testing.F) {
	f.Add([]byte("tree x\nauthor <\n\nm"))
	f.Add([]byte(" \ngpgsig\n  \n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if c := parseCommit("id", raw); c.SHA != "id" {
			t.Error("the id is lost")
		}
	})
}

func TestParseRaw(t *testing.T) {
	a, b := strings.Repeat("a", 40), strings.Repeat("b", 40)
	zero := state.ZeroID
	files, err := parseRaw([]string{
		":000000 100644 " + zero + " " + a + " A", "new.txt", ":100644 000000 " + b + " " + zero + " D", "old.txt",
		":100644 100644 " + a + " " + b + " R090", "from", "to", "3\t0\tnew.txt", "-\t-\told.txt", "1\t2\t", "from", "to",
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []File{
		{Path: "new.txt", Status: "added", SHA: a, Additions: 3}, {Path: "old.txt", Status: "removed", SHA: b},
		{Path: "to", Previous: "from", Status: "renamed", SHA: b, Additions: 1, Deletions: 2},
	}
	if diff := cmp.Diff(want, files); diff != "" {
		t.Error(diff)
	}
	for _, bad := range [][]string{{":x", "y"}, {":1 2 3 4 R", "from"}, {":1 2 3 4 A", "x", "no counts"}} {
		if _, err := parseRaw(bad); err == nil {
			t.Errorf("%q was read", bad)
		}
	}
}

func TestMoves(t *testing.T) {
	before := []Ref{{Name: "refs/heads/a", SHA: "1"}, {Name: "refs/heads/b", SHA: "1"}, {Name: "refs/pull/1/head", SHA: "1"}}
	after := []Ref{{Name: "refs/heads/a", SHA: "2"}, {Name: "refs/heads/c", SHA: "3"}, {Name: "refs/pull/1/head", SHA: "9"}}
	want := []Move{{"refs/heads/a", "1", "2"}, {"refs/heads/c", state.ZeroID, "3"}, {"refs/heads/b", "1", state.ZeroID}}
	if diff := cmp.Diff(want, moves(before, after)); diff != "" {
		t.Error(diff)
	}
}
