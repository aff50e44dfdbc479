package pages

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDiffLines(t *testing.T) {
	got := diffLines("@@ -3 +7,2 @@ func x() {\n same\n-old\n+new\n\\ No newline at end of file\n@@ -40,2 +50 @@\n+late")
	want := []line{
		{Kind: "hunk", Text: "@@ -3 +7,2 @@ func x() {"}, {Kind: "same", Old: "3", New: "7", Text: "same"},
		{Kind: "del", Old: "4", Text: "old"}, {Kind: "add", New: "8", Text: "new"},
		{Kind: "note", Text: "\\ No newline at end of file"}, {Kind: "hunk", Text: "@@ -40,2 +50 @@"}, {Kind: "add", New: "50", Text: "late"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if diffLines("") != nil {
		t.Error("an empty patch has lines")
	}
}

func TestIsLoopback(t *testing.T) {
	for host, want := range map[string]bool{
		"127.0.0.1:80": true, "127.9.9.9": true, "[::1]:80": true, "localhost": true, "LOCALHOST:1": true, "x.localhost:1": true,
		"example.org": false, "127.0.0.1.example.org": false, "10.0.0.1:80": false, "": false, "notlocalhost": false,
	} {
		if isLoopback(host) != want {
			t.Errorf("%q: %v", host, !want)
		}
	}
}

func TestOwnPath(t *testing.T) {
	for path, want := range map[string]string{
		"/a/b?c": "/a/b?c", "": "/", "//evil.example": "/", "https://evil.example": "/", "/\\evil.example": "/", "/a\r\nX: y": "/",
	} {
		if got := ownPath(path); got != want {
			t.Errorf("%q: %q", path, got)
		}
	}
}
