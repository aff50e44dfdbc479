package step

import (
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/pullbook/pullbook/engine/runbook"
	"golang.org/x/sys/unix"
)

// scratch is one runner's directory below the scratch root. Its lock is held as long as the process lives, so whoever
// finds it free knows that its owner is dead and may remove the directory.
type scratch struct {
	dir   string
	lock  *os.File
	ended int // processes that dead owners had left running
}

const (
	runnerPrefix  = "runner-"
	attemptPrefix = "attempt-"
	lockName      = "lock"
)

// openScratch makes a directory of its own below root. The root's lock keeps two that open at the same time from
// removing each other's directory before it is locked.
func openScratch(root string) (*scratch, error) {
	if err := os.MkdirAll(root, ownerOnly); err != nil {
		return nil, fmt.Errorf("make the scratch root: %w", err)
	}
	gate, err := lockFile(filepath.Join(root, lockName), unix.LOCK_EX)
	if err != nil {
		return nil, err
	}
	defer gate.Close()
	ended, err := sweep(root)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(root, runnerPrefix)
	if err != nil {
		return nil, fmt.Errorf("make a scratch directory: %w", err)
	}
	lock, err := lockFile(filepath.Join(dir, lockName), unix.LOCK_EX|unix.LOCK_NB)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return &scratch{dir: dir, lock: lock, ended: ended}, nil
}

func (s *scratch) close() error {
	return errors.Join(removeTree(s.dir), s.lock.Close())
}

// lockFile opens a file and locks it. Programs do not inherit the lock: Go opens files close-on-exec.
func lockFile(name string, how int) (*os.File, error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open a lock: %w", err)
	}
	for {
		err = unix.Flock(int(f.Fd()), how)
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("lock %s: %w", name, err), f.Close())
	}
	return f, nil
}

// sweep removes the directories of runners that are no more, and ends what still runs of their attempts first.
func sweep(root string) (ended int, err error) {
	entries, err := os.ReadDir(root)
	if err != nil {
		return 0, fmt.Errorf("look for left scratch directories: %w", err)
	}
	for _, e := range entries {
		if !e.IsDir() || !strings.HasPrefix(e.Name(), runnerPrefix) {
			continue
		}
		dir := filepath.Join(root, e.Name())
		lock, err := lockFile(filepath.Join(dir, lockName), unix.LOCK_EX|unix.LOCK_NB)
		if errors.Is(err, unix.EWOULDBLOCK) {
			continue
		}
		if err != nil {
			return ended, err
		}
		ended += endLeft(dir)
		if err := errors.Join(removeTree(dir), lock.Close()); err != nil {
			return ended, fmt.Errorf("remove a left scratch directory: %w", err)
		}
	}
	return ended, nil
}

// endLeft kills what runs of the attempts that a dead runner had under way: those whose directories are still there. What an
// attempt left that had ended lives on, since starting it may have been its purpose.
func endLeft(dir string) (ended int) {
	attempts, _ := os.ReadDir(dir) // what it holds cannot be removed either, if this fails
	for _, a := range attempts {
		if a.IsDir() && strings.HasPrefix(a.Name(), attemptPrefix) {
			ended += killStrays(mark(filepath.Join(dir, a.Name())))
		}
	}
	return ended
}

// removeTree removes a tree even if a program took away its own rights to directories in it.
func removeTree(dir string) error {
	if err := os.RemoveAll(dir); err == nil {
		return nil
	}
	root, err := os.OpenRoot(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("open %s to remove it: %w", dir, err)
	}
	defer root.Close()
	// A directory that cannot be read is visited again after the chmod below has opened it: WalkDir calls the function
	// for the directory before it reads it. What fails here shows in RemoveAll.
	_ = fs.WalkDir(root.FS(), ".", func(p string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			_ = root.Chmod(p, ownerOnly)
		}
		return nil
	})
	return os.RemoveAll(dir)
}

// place is the directory of one attempt.
type place struct {
	dir  string
	work string // where the program starts
	tmp  string
}

func (s *scratch) place() (place, error) {
	dir, err := os.MkdirTemp(s.dir, attemptPrefix)
	if err != nil {
		return place{}, fmt.Errorf("make the attempt's directory: %w", err)
	}
	p := place{dir: dir, work: filepath.Join(dir, "work"), tmp: filepath.Join(dir, "tmp")}
	for _, d := range []string{p.work, p.tmp} {
		if err := os.Mkdir(d, ownerOnly); err != nil {
			return place{}, errors.Join(fmt.Errorf("make the attempt's directory: %w", err), os.RemoveAll(dir))
		}
	}
	return p, nil
}

// write puts data into a file beside the working directory and returns its path.
func (p place) write(name string, data []byte) (string, error) {
	file := filepath.Join(p.dir, name)
	if err := os.WriteFile(file, data, 0o400); err != nil {
		return "", fmt.Errorf("write %s for the step: %w", name, err)
	}
	return file, nil
}

// checkPins compares files with what the frozen plan pinned: the same paths, the same bytes, the same right to run.
func checkPins(files map[string]FileData, pins []runbook.File) error {
	seen := make(map[string]bool, len(pins))
	for _, pin := range pins {
		f, ok := files[pin.Path]
		switch {
		case !ok:
			return fmt.Errorf("file %s is pinned but was not given", pin.Path)
		case seen[pin.Path]:
			return fmt.Errorf("file %s is pinned twice", pin.Path)
		case blobID(f.Data) != pin.Blob:
			return fmt.Errorf("file %s is blob %s, but the plan pinned %s", pin.Path, blobID(f.Data), pin.Blob)
		case f.Exec != pin.Exec:
			return fmt.Errorf("file %s differs from the pinned one in whether it may be executed", pin.Path)
		}
		seen[pin.Path] = true
	}
	for name := range files {
		if !seen[name] {
			return fmt.Errorf("file %s was given but is not pinned", name)
		}
	}
	return nil
}

// blobID is git's object id of a file's content (gitformat-pack, "blob <size>\0" and the bytes, SHA-1).
func blobID(data []byte) string {
	h := sha1.New()
	fmt.Fprintf(h, "blob %d\x00", len(data))
	h.Write(data)
	return hex.EncodeToString(h.Sum(nil))
}

// materialise writes the files below the working directory, read-only.
func (p place) materialise(files map[string]FileData) error {
	root, err := os.OpenRoot(p.work)
	if err != nil {
		return fmt.Errorf("open the attempt's directory: %w", err)
	}
	defer root.Close()
	for name, f := range files {
		if !ledgerPath(name) {
			return fmt.Errorf("file %q is not a clean path inside the ledger", name)
		}
		if err := root.MkdirAll(filepath.FromSlash(path.Dir(name)), ownerOnly); err != nil {
			return fmt.Errorf("make the directory of %s: %w", name, err)
		}
		if err := writeFile(root, filepath.FromSlash(name), f); err != nil {
			return fmt.Errorf("write %s for the step: %w", name, err)
		}
	}
	return nil
}

func ledgerPath(name string) bool {
	return name != "." && path.Clean(name) == name && filepath.IsLocal(name) && !strings.ContainsAny(name, "\\\x00")
}

// writeFile holds the fork lock while the file is open for writing. A program that another goroutine starts meanwhile
// would inherit the descriptor until its exec, and ours could not be started: "text file busy" (golang/go#22315).
func writeFile(root *os.Root, name string, f FileData) error {
	mode := os.FileMode(0o400)
	if f.Exec {
		mode = 0o500
	}
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	w, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = w.Write(f.Data)
	return errors.Join(err, w.Close())
}
