package git

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// What a killed hub and its git left unfinished goes at the next start; a branch or an object whose file is whole stays.
func TestSweep(t *testing.T) {
	dir := t.TempDir()
	kept := map[string]bool{
		scratchDir + "/push-1": false, "acme/ops.git/refs/heads/incident/1.lock": false, "acme/ops.git/packed-refs.lock": false, "acme/ops.git/HEAD.lock": false,
		"acme/ops.git/refs/heads/incident/1": true, "acme/ops.git/packed-refs": true, "acme/ops.git/objects/ab/cd": true, "acme/ops.git/objects/x.lock": true,
	}
	for path := range kept {
		path = filepath.Join(dir, path)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, nil, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	if err := New(dir, nil, nil).Sweep(); err != nil {
		t.Fatal(err)
	}
	for path, want := range kept {
		_, err := os.Stat(filepath.Join(dir, path))
		if errors.Is(err, fs.ErrNotExist) == want || err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v, wanted kept %v", path, err, want)
		}
	}
}
