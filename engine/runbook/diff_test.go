package runbook

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestDiff: what it prints is what changed, with the lines around it.
func TestDiff(t *testing.T) {
	before := map[string][]byte{"a.cue": []byte("1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n"), "same": []byte("x"), "gone": []byte("x\n")}
	after := map[string][]byte{"a.cue": []byte("1\n2\n3\nfour\n5\n6\n7\n8\n9\n10\n11"), "same": []byte("x"), "new": []byte("y\n")}
	want := `--- a/a.cue
+++ b/a.cue
@@ -1,10 +1,11 @@
 1
 2
 3
-4
+four
 5
 6
 7
 8
 9
 10
+11
\ No newline at end of file
--- a/gone
+++ b/gone
@@ -1,1 +0,0 @@
-x
--- a/new
+++ b/new
@@ -0,0 +1,1 @@
+y
`
	if got := Diff(before, after); got != want {
		t.Errorf("got\n%s", got)
	}
	long := map[string][]byte{"a": []byte(strings.Repeat("line\n", 20_000))}
	if got := Diff(nil, long); len(got) > 65<<10 || !strings.HasSuffix(got, "[cut: the commit has all of it]\n") {
		t.Errorf("%d bytes", len(got))
	}
}

// TestDiffApplies: what git makes of a text with a diff is the other text, and no diff has more changes than lines.
func TestDiffApplies(t *testing.T) {
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("git applies the diffs: ", err)
	}
	random := rand.New(rand.NewPCG(6, 6))
	text := func() []byte {
		var b strings.Builder
		for range random.IntN(40) {
			fmt.Fprintf(&b, "%d\n", random.IntN(6))
		}
		return []byte(b.String())
	}
	dir := t.TempDir()
	for range 40 {
		before, after := text(), text()
		diff := Diff(map[string][]byte{"f": before}, map[string][]byte{"f": after})
		if diff == "" || len(before) == 0 || len(after) == 0 { // a file that comes or goes is another matter to git
			continue
		}
		if err := os.WriteFile(filepath.Join(dir, "f"), before, 0o600); err != nil {
			t.Fatal(err)
		}
		apply := exec.CommandContext(t.Context(), "git", "apply", "--whitespace=nowarn", "-")
		apply.Dir, apply.Stdin = dir, strings.NewReader(diff)
		if out, err := apply.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s\n%s", err, out, diff)
		}
		if got, err := os.ReadFile(filepath.Join(dir, "f")); err != nil || string(got) != string(after) {
			t.Fatalf("%v: %q became %q, want %q", err, before, got, after)
		}
	}
}
