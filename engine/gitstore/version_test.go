package gitstore

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// Below 5.19.2 go-git has CVE-2026-71556 (symbolic links) and CVE-2026-71557
// (ref names).
func TestGoGitIsPatched(t *testing.T) {
	mod, err := os.ReadFile("../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	const path = "\tgithub.com/go-git/go-git/v5 "
	_, rest, ok := strings.Cut(string(mod), path)
	if !ok {
		t.Fatalf("go.mod does not require %q", path)
	}
	var major, minor, patch int
	if _, err := fmt.Sscanf(rest, "v%d.%d.%d", &major, &minor, &patch); err != nil {
		t.Fatal(err)
	}
	if major != 5 || minor < 19 || minor == 19 && patch < 2 {
		t.Errorf("go-git is at v%d.%d.%d, want v5.19.2 or later", major, minor, patch)
	}
}
