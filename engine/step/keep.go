package step

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// The store of a runner holds what one attempt made for another one: plans, which may hold secrets and therefore stay on
// this machine. Each lies below the name of what it goes with, under its SHA-256, readable for the engine's user alone.

// The bounds of the store. An incident that never ends forgets nothing, so what is old goes, and then what is oldest.
const (
	largestKept = 64 << 20            // bytes of one file
	longestKept = 30 * 24 * time.Hour // a file
	mostKept    = 2 << 30             // bytes of all files
)

// shelf is the directory of the store for what goes with a name. The name may be any text.
func (r *Runner) shelf(name string) string {
	sum := sha256.Sum256([]byte(name))
	return filepath.Join(r.cfg.KeepDir, hex.EncodeToString(sum[:16]))
}

// Forget removes what the runner keeps with a name: see Job.Keep.
func (r *Runner) Forget(name string) error {
	if r.cfg.KeepDir == "" {
		return nil
	}
	if err := os.RemoveAll(r.shelf(name)); err != nil {
		return fmt.Errorf("forget what steps of %s left: %w", name, err)
	}
	return nil
}

// keep puts a file into the store and returns its digest. It is durable before keep returns.
func (a *attempt) keep(file string) (sum string, err error) {
	if a.cfg.KeepDir == "" || a.job.Keep == "" {
		return "", errors.New("keep the plan: this runner has no directory for what it keeps")
	}
	info, err := os.Stat(file)
	if err != nil {
		return "", fmt.Errorf("keep the plan: %w", err)
	}
	if info.Size() > largestKept {
		return "", fmt.Errorf("keep the plan: it has %d bytes, at most %d are kept", info.Size(), largestKept)
	}
	if sum, err = digestFile(file); err != nil {
		return "", err
	}
	shelf := a.shelf(a.job.Keep)
	if err := os.MkdirAll(shelf, ownerOnly); err != nil {
		return "", fmt.Errorf("keep the plan: %w", err)
	}
	if err := copyFile(file, filepath.Join(shelf, sum)); err != nil {
		return "", fmt.Errorf("keep the plan: %w", err)
	}
	if err := a.thin(filepath.Join(shelf, sum), mostKept); err != nil {
		return "", fmt.Errorf("keep the plan: make room for it: %w", err)
	}
	return sum, nil
}

// thin removes from the store what is older than longestKept, and the oldest files beyond a number of bytes, but never the
// one that has just come. Whoever needs one that is gone is told so, and rehearses again.
func (r *Runner) thin(newest string, most int64) error {
	names, err := fs.Glob(os.DirFS(r.cfg.KeepDir), "*/*")
	if err != nil {
		return err // unreachable: the pattern is right
	}
	type file struct {
		path string
		at   time.Time
		size int64
	}
	var files []file
	total := int64(0)
	for _, name := range names {
		path := filepath.Join(r.cfg.KeepDir, filepath.FromSlash(name))
		info, err := os.Stat(path)
		if errors.Is(err, os.ErrNotExist) || path == newest {
			continue // another attempt has tidied up, or was copying
		}
		if err != nil {
			return err
		}
		files, total = append(files, file{path, info.ModTime(), info.Size()}), total+info.Size()
	}
	slices.SortFunc(files, func(a, b file) int { return a.at.Compare(b.at) })
	for _, f := range files {
		if r.cfg.Now().Sub(f.at) <= longestKept && total <= most {
			break
		}
		if err := os.Remove(f.path); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		total -= f.size
	}
	return nil
}

// kept copies a file out of the store and checks that it is what the digest says.
func (a *attempt) kept(sum, file string) error {
	if len(sum) != hex.EncodedLen(sha256.Size) || filepath.Base(sum) != sum {
		return errors.New("the rehearsal left no plan")
	}
	err := copyFile(filepath.Join(a.shelf(a.job.Keep), sum), file)
	if errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("the plan %.12s is not kept by this runner any more", sum)
	}
	if err != nil {
		return fmt.Errorf("read the plan %.12s: %w", sum, err)
	}
	is, err := digestFile(file)
	if err != nil {
		return err
	}
	if is != sum {
		return fmt.Errorf("the plan %.12s was changed where it is kept: it is %.12s now", sum, is)
	}
	return nil
}

// copyFile copies a file by way of another name, so that a copy is whole or not there.
func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.CreateTemp(filepath.Dir(to), ".new-") // readable and writable for its owner alone
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	err = errors.Join(err, out.Sync(), out.Close())
	if err == nil {
		err = os.Rename(out.Name(), to)
	}
	if err != nil {
		return errors.Join(err, os.Remove(out.Name()))
	}
	return nil
}
