package main

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/pullbook/pullbook/engine/gitstore"
)

// bookmarks keeps where the engine left each branch: a file a branch, which holds the commit. The directory is one engine's, which
// reads it once.
type bookmarks struct {
	dir string

	mu    sync.Mutex
	known map[string]string // nil: not read yet
}

// Mark writes a bookmark whole or not at all. It does not wait for the disk: after a power cut an older one does as well.
func (b *bookmarks) Mark(branch, commit string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.write(branch, commit); err != nil {
		return err
	}
	switch {
	case commit == "":
		delete(b.known, branch)
	case b.known != nil:
		b.known[branch] = commit
	}
	return nil
}

func (b *bookmarks) write(branch, commit string) error {
	path := filepath.Join(b.dir, url.PathEscape(branch))
	if commit == "" {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("forget the bookmark of %s: %w", branch, err)
		}
		return nil
	}
	if err := os.MkdirAll(b.dir, 0o700); err != nil {
		return fmt.Errorf("set the bookmark of %s: %w", branch, err)
	}
	next := path + ".new"
	err := os.WriteFile(next, []byte(commit+"\n"), 0o600)
	if err = errors.Join(err, os.Rename(next, path)); err != nil {
		return fmt.Errorf("set the bookmark of %s: %w", branch, err)
	}
	return nil
}

// Marks returns all bookmarks. One that holds no commit is left out.
func (b *bookmarks) Marks() (map[string]string, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.known == nil {
		var err error
		if b.known, err = b.read(); err != nil {
			return nil, err
		}
	}
	return maps.Clone(b.known), nil
}

func (b *bookmarks) read() (map[string]string, error) {
	files, err := os.ReadDir(b.dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read the bookmarks: %w", err)
	}
	out := map[string]string{}
	for _, f := range files {
		branch, err := url.PathUnescape(f.Name())
		if err != nil || strings.HasSuffix(f.Name(), ".new") {
			continue
		}
		data, err := os.ReadFile(filepath.Join(b.dir, f.Name()))
		if err != nil {
			return nil, fmt.Errorf("read the bookmark of %s: %w", branch, err)
		}
		if hash, err := gitstore.ParseHash(strings.TrimSpace(string(data))); err == nil && !hash.IsZero() {
			out[branch] = hash.String()
		}
	}
	return out, nil
}
