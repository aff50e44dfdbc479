package gitstore

import (
	"encoding/json"
	"testing"
)

// Whatever we call a branch, git calls a branch.
func TestBranchNamesAgreeWithGit(t *testing.T) {
	needGit(t)
	for name, want := range map[string]bool{
		"main": true, "incident/20261122-abcdefghij": true, "a.b": true, "ümlaut": true, "a@b": true,
		"": false, "HEAD": false, "a..b": false, "a b": false, "a~1": false, "a^": false, "a:b": false, "a?": false,
		"a*": false, "a[": false, `a\b`: false, "/a": false, "a/": false, "a//b": false, ".a": false, "a/.b": false,
		"a.": false, "a.lock": false, "a.lock/b": false, "a@{1": false, "@": false, "-a": false, "a\x7f": false,
		"a\nb": false, "a\x00b": false, "\xff": false, "a\u200bb": false,
	} {
		_, err := refName(name)
		if (err == nil) != want {
			t.Errorf("%q: %v, want accepted %v", name, err, want)
		}
		if err == nil {
			if out, err := tryGit(t.TempDir(), "", "check-ref-format", "--branch", name); err != nil {
				t.Errorf("%q: git refuses it: %s", name, out)
			}
		}
	}
}

func TestCheckPath(t *testing.T) {
	for path, want := range map[string]bool{
		"a": true, "a/b.c/d-e_f": true, ".github/CODEOWNERS": true, ".pullbook/allowed_signers": true, "ü/é": true, "a b": true, "...a": true,
		"": false, "/a": false, "a/": false, "a//b": false, ".": false, "..": false, "a/../b": false, "./a": false,
		".git": false, "a/.GiT/x": false, ".git.": false, ".git ": false, "GIT~1": false, "a:b": false, `a\b`: false,
		"a\tb": false, "a\u202eb": false, "\xff": false, "a\x00": false,
	} {
		if err := checkPath(path); (err == nil) != want {
			t.Errorf("%q: %v, want accepted %v", path, err, want)
		}
	}
	deep, long := "a", ""
	for range maxPathDepth {
		deep += "/a"
	}
	for range maxNameBytes + 1 {
		long += "a"
	}
	for _, path := range []string{deep, long} {
		if checkPath(path) == nil {
			t.Errorf("%d bytes: accepted", len(path))
		}
	}
	if checkPrefix("") != nil || checkPrefix("a/") == nil {
		t.Error("a prefix is empty or a path")
	}
}

func TestHashAsText(t *testing.T) {
	h := Hash{1, 2, 0xff}
	data, err := json.Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	var back Hash
	if err := json.Unmarshal(data, &back); err != nil || back != h {
		t.Errorf("%s came back as %s, %v", h, back, err)
	}
	for _, bad := range []string{"", "12", h.String()[:39] + "G", h.String()[:38] + "AB", h.String() + "0"} {
		if _, err := ParseHash(bad); err == nil {
			t.Errorf("%q: accepted", bad)
		}
	}
}

func FuzzPaths(f *testing.F) {
	for _, s := range []string{"a/b", "../a", ".git/x", "a\u200c/.g\u200cit", "incident/a"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if checkPath(s) == nil {
			if _, err := parseTree(encodeTree([]entry{{name: lastName(s), mode: ModeFile}})); err != nil {
				t.Errorf("path %q is accepted, its tree is not: %v", s, err)
			}
		}
		if name, err := refName(s); err == nil && len(name) != len("refs/heads/")+len(s) {
			t.Errorf("branch %q became %q", s, name)
		}
	})
}

func lastName(path string) string {
	for i := len(path) - 1; i >= 0; i-- {
		if path[i] == '/' {
			return path[i+1:]
		}
	}
	return path
}
