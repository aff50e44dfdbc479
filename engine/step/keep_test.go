package step

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// TestThin: plans of incidents that never end do not fill the machine.
func TestThin(t *testing.T) {
	r := newRunner(t, nil)
	r.cfg.KeepDir = t.TempDir()
	now := time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)
	r.cfg.Now = func() time.Time { return now }
	put := func(shelf, name string, age time.Duration, size int) string {
		path := filepath.Join(r.cfg.KeepDir, shelf, name)
		if err := os.MkdirAll(filepath.Dir(path), ownerOnly); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, make([]byte, size), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, now.Add(-age), now.Add(-age)); err != nil {
			t.Fatal(err)
		}
		return path
	}
	put("a", "ancient", longestKept+time.Second, 1)
	put("a", "third", 3*time.Hour, 40)
	put("b", "second", 2*time.Hour, 40)
	put("b", "first", time.Hour, 40)
	newest := put("c", "newest", 0, 500)
	if err := r.thin(newest, 100); err != nil {
		t.Fatal(err)
	}
	left, err := filepath.Glob(filepath.Join(r.cfg.KeepDir, "*", "*"))
	for i := range left {
		left[i] = filepath.Base(left[i])
	}
	slices.Sort(left)
	if want := []string{"first", "newest", "second"}; err != nil || !slices.Equal(left, want) {
		t.Errorf("left %v, %v, want %v", left, err, want)
	}
}
