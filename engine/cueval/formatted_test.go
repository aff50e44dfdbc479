package cueval

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cuelang.org/go/cue/format"
)

// TestEveryFileIsFormatted holds every .cue of the repository to what is asked of authors: that cue fmt leaves it as it is.
func TestEveryFileIsFormatted(t *testing.T) {
	root, seen := filepath.Join("..", ".."), 0
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && path != root && strings.HasPrefix(d.Name(), ".") && d.Name() != ".github":
			return fs.SkipDir
		case d.IsDir() || filepath.Ext(path) != ".cue":
			return nil
		}
		given, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		seen++
		want, err := format.Source(given)
		if err != nil && filepath.Base(filepath.Dir(path)) == "hostile" {
			return nil // it is there because it cannot be read
		}
		if err != nil || !bytes.Equal(want, given) {
			t.Errorf("%s:%d: cue fmt would write it differently: %v", path, differs(given, want), err)
		}
		return nil
	})
	if err != nil || seen < 40 {
		t.Errorf("looked at %d files: %v", seen, err)
	}
}
