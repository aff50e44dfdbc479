package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/pullbook/pullbook/engine"
	"github.com/pullbook/pullbook/engine/gitstore"
	"github.com/pullbook/pullbook/engine/inbox"
)

// bookmarks are kept where the inbox is: in its database, for the next engine on whatever machine, or beside its file.
func (svc *service) bookmarks() engine.Bookmarks {
	if svc.marks == nil {
		if shared := svc.inbox.Bookmarks(); shared != nil {
			svc.marks = sharedBookmarks{shared}
		} else {
			svc.marks = &bookmarks{dir: filepath.Join(svc.settings.data, "bookmarks")}
		}
	}
	return svc.marks
}

// sharedBookmarks are those in the inbox's database.
type sharedBookmarks struct{ of *inbox.Bookmarks }

// markTime bounds how long a bookmark is waited for. What it follows was pushed and cannot be taken back, so nothing else ends the wait.
const markTime = 10 * time.Second

// Mark moves a bookmark, unless another engine has moved it, or has the inbox.
func (b sharedBookmarks) Mark(branch, from, to string) error {
	ctx, cancel := context.WithTimeout(context.Background(), markTime)
	defer cancel()
	err := b.of.Move(ctx, branch, from, to)
	if errors.Is(err, inbox.ErrElsewhere) || errors.Is(err, inbox.ErrLocked) {
		return fmt.Errorf("%w: %w", engine.ErrMoved, err)
	}
	return err
}

func (b sharedBookmarks) Marks() (map[string]string, error) { return b.of.All(), nil }

// bookmarks keeps where the engine left each branch: a file a branch, which holds the commit. The directory is one engine's, which
// reads it once; whoever uses it beside that one is noticed when a bookmark is moved.
type bookmarks struct {
	dir string

	mu    sync.Mutex
	known map[string]string // nil: not read yet
}

// Mark moves a bookmark whole or not at all, from where it was to where it is. It does not wait for the disk: after a power cut an
// older one does as well. Where the file holds another commit, another engine has used the directory: its bookmark stays.
func (b *bookmarks) Mark(branch, from, to string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	path := filepath.Join(b.dir, url.PathEscape(branch))
	if to == "" {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("forget the bookmark of %s: %w", branch, err)
		}
		b.note(branch, "")
		return nil
	}
	at, err := readBookmark(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("compare the bookmark of %s: %w", branch, err)
	}
	if at != from {
		b.note(branch, at)
		return fmt.Errorf("the bookmark of %s is at %q and not at %q: %w", branch, at, from, engine.ErrMoved)
	}
	if err := b.write(path, to); err != nil {
		return fmt.Errorf("set the bookmark of %s: %w", branch, err)
	}
	b.note(branch, to)
	return nil
}

// note keeps what a file holds. The caller holds mu.
func (b *bookmarks) note(branch, commit string) {
	switch {
	case commit == "":
		delete(b.known, branch)
	case b.known != nil:
		b.known[branch] = commit
	}
}

func (b *bookmarks) write(path, commit string) error {
	if err := os.MkdirAll(b.dir, 0o700); err != nil {
		return err
	}
	next := path + ".new"
	if err := os.WriteFile(next, []byte(commit+"\n"), 0o600); err != nil { // on a full disk the bookmark stays where it was
		return errors.Join(err, os.Remove(next))
	}
	return os.Rename(next, path)
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
		commit, err := readBookmark(filepath.Join(b.dir, f.Name()))
		if err != nil {
			return nil, fmt.Errorf("read the bookmark of %s: %w", branch, err)
		}
		if commit != "" {
			out[branch] = commit
		}
	}
	return out, nil
}

// readBookmark is the commit that a file holds; empty: it holds none.
func readBookmark(path string) (string, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	hash, err := gitstore.ParseHash(strings.TrimSpace(string(data)))
	if err != nil || hash.IsZero() {
		return "", nil
	}
	return hash.String(), nil
}
