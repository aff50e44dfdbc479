package step

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/pullbook/pullbook/engine/runbook"
)

func TestRunnersShareARoot(t *testing.T) {
	root := t.TempDir()
	one, err := New(Config{Dir: root})
	if err != nil {
		t.Fatal(err)
	}
	two, err := New(Config{Dir: root})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range []*Runner{one, two} {
		expect(t, r.Run(t.Context(), shell(t, "true"), nil), runbook.Succeeded, "")
		if err := r.Close(); err != nil {
			t.Error(err)
		}
		mustNotExist(t, r.scratch.dir)
	}
}

// What a killed runner leaves is a directory whose lock nobody holds.
func TestNewRemovesWhatKilledRunnersLeft(t *testing.T) {
	root := t.TempDir()
	left := filepath.Join(root, "runner-dead", "attempt-1", "work", "sealed")
	if err := os.MkdirAll(left, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(left, "file"), nil, 0o400); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(left, 0); err != nil {
		t.Fatal(err)
	}
	other := filepath.Join(root, "not-ours")
	if err := os.Mkdir(other, 0o700); err != nil {
		t.Fatal(err)
	}
	r, err := New(Config{Dir: root})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	mustNotExist(t, filepath.Join(root, "runner-dead"))
	if _, err := os.Stat(other); err != nil {
		t.Errorf("a foreign directory is gone: %v", err)
	}
}
