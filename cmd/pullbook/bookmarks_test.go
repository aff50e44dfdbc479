package main

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pullbook/pullbook/engine"
)

func TestBookmarks(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "bookmarks")
	b := bookmarks{dir: dir}
	if kept, err := b.Marks(); err != nil || len(kept) != 0 {
		t.Fatalf("before the first: %v, %v", kept, err)
	}
	one, two := strings.Repeat("1", 40), strings.Repeat("2", 40)
	for _, m := range [][2]string{{"incident/a", one}, {"incident/a", two}, {"incident/b", one}, {"incident/c", one}, {"incident/c", ""}, {"incident/d", ""}} {
		kept, _ := b.Marks()
		if err := b.Mark(m[0], kept[m[0]], m[1]); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range map[string]string{"incident%2Fbad": "no commit", "incident%2Fcut.new": one, "%zz": one} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, reader := range []*bookmarks{&b, {dir: dir}} { // who wrote them, and the next one
		kept, err := reader.Marks()
		if want := map[string]string{"incident/a": two, "incident/b": one}; err != nil || !maps.Equal(kept, want) {
			t.Errorf("%v, %v", kept, err)
		}
	}
	other := bookmarks{dir: dir}
	if err := other.Mark("incident/a", two, one); err != nil {
		t.Fatal(err)
	}
	if err := b.Mark("incident/a", two, two); !errors.Is(err, engine.ErrMoved) {
		t.Errorf("a bookmark that another engine has moved is put back: %v", err)
	}
	if kept, _ := b.Marks(); kept["incident/a"] != one {
		t.Errorf("what the other engine left is not seen: %v", kept)
	}
}

// TestBookmarkOnAFullDisk: a bookmark that cannot be moved stays where it was.
func TestBookmarkOnAFullDisk(t *testing.T) {
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip("needs /dev/full, on which nothing can be written: ", err)
	}
	b := bookmarks{dir: filepath.Join(t.TempDir(), "bookmarks")}
	one, two := strings.Repeat("1", 40), strings.Repeat("2", 40)
	if err := b.Mark("a", "", one); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/dev/full", filepath.Join(b.dir, "a.new")); err != nil {
		t.Fatal(err)
	}
	if err := b.Mark("a", one, two); err == nil || errors.Is(err, engine.ErrMoved) {
		t.Errorf("on a full disk: %v", err)
	}
	if kept, err := os.Lstat(filepath.Join(b.dir, "a")); err != nil || !kept.Mode().IsRegular() {
		t.Fatalf("the bookmark is gone: %v, %v", kept, err)
	}
	again := bookmarks{dir: b.dir}
	if kept, err := again.Marks(); err != nil || kept["a"] != one {
		t.Errorf("%v, %v", kept, err)
	}
	if err := b.Mark("a", one, two); err != nil {
		t.Errorf("when there is room again: %v", err)
	}
}

// TestHolderOnAFullDisk: an engine has one name over restarts, and none that is not on disk.
func TestHolderOnAFullDisk(t *testing.T) {
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip("needs /dev/full, on which nothing can be written: ", err)
	}
	dir := t.TempDir()
	if err := os.Symlink("/dev/full", filepath.Join(dir, "holder.new")); err != nil {
		t.Fatal(err)
	}
	if name, err := holderOf(dir); err == nil {
		t.Errorf("on a full disk the engine is called %s", name)
	}
	if _, err := os.Lstat(filepath.Join(dir, "holder")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("something is left: %v", err)
	}
	first, err := holderOf(dir)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := holderOf(dir); err != nil || again != first {
		t.Errorf("after a restart the engine is called %s and not %s: %v", again, first, err)
	}
}
