package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/pullbook/pullbook/engine/proposal"
	"github.com/pullbook/pullbook/engine/runbook"
)

// ledgerDir is a ledger on disk, or a directory of runbooks that lies anywhere. Nothing outside of it is read, whatever links
// lead there: links are left out.
type ledgerDir struct {
	dir   string // of the runbooks
	root  string // where pullbook.cue is, or would be
	loose bool   // there is no sign that root is a ledger's
	scope proposal.Scope
}

// openLedgerDir finds the ledger that a directory of runbooks belongs to: pullbook.cue lies beside the runbooks or above them.
func openLedgerDir(dir string) (ledgerDir, error) {
	l := ledgerDir{dir: dir}
	for _, l.root = range []string{dir, filepath.Dir(dir)} {
		switch _, err := os.Stat(filepath.Join(l.root, runbook.Organisation)); {
		case err == nil:
			return l, nil
		case !errors.Is(err, fs.ErrNotExist):
			return l, fmt.Errorf("look for %s: %w", runbook.Organisation, err)
		}
	}
	l.loose = filepath.Base(dir) != runbook.Dir
	return l, nil
}

// isRunbookDir reports whether a path can be that of a runbook that is a directory.
func isRunbookDir(path string) bool {
	return filepath.Base(filepath.Dir(filepath.Clean(path))) == runbook.Dir && filepath.Ext(path) != ".cue"
}

// onDisk is where a file of the ledger lies.
func (l ledgerDir) onDisk(file string) string {
	if rest, ok := strings.CutPrefix(file, runbook.Dir+"/"); ok {
		return filepath.Join(l.dir, filepath.FromSlash(rest))
	}
	return filepath.Join(l.root, filepath.FromSlash(file))
}

// within returns the directory that a path of the ledger lies below, and the path from there.
func (l ledgerDir) within(file string) (dir, below string) {
	if file == runbook.Dir {
		return l.dir, "."
	}
	if rest, ok := strings.CutPrefix(file, runbook.Dir+"/"); ok {
		return l.dir, rest
	}
	if file == "" {
		return l.root, "."
	}
	return l.root, file
}

// CUE reads the CUE files at or below paths of the ledger. Of the runbooks these are the ones of which runbooks are made.
func (l ledgerDir) CUE(_ context.Context, paths ...string) (map[string][]byte, error) {
	out := map[string][]byte{}
	for _, file := range paths {
		deep := 1 // a package is the files of one directory
		if file == runbook.Dir {
			deep = 2
		}
		err := l.walk(file, deep, func(root *os.Root, name, below string, _ fs.FileInfo) error {
			inRunbooks := strings.HasPrefix(name, runbook.Dir+"/")
			if !strings.HasSuffix(name, ".cue") || inRunbooks && (!runbook.IsRunbook(name) || path.Base(name) == runbook.Organisation) {
				return nil
			}
			text, err := root.ReadFile(below)
			out[name] = text
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", file, err)
		}
	}
	return out, nil
}

// anyDepth is deeper than a path can be.
const anyDepth = 4096

// List returns the paths of the files at or below a path of the ledger, and whether each is executable.
func (l ledgerDir) List(_ context.Context, file string) (map[string]bool, error) {
	out := map[string]bool{}
	err := l.walk(file, anyDepth, func(_ *os.Root, name, _ string, info fs.FileInfo) error {
		out[name] = info.Mode().Perm()&0o111 != 0
		return nil
	})
	return out, err
}

// Text returns what is in one file of the ledger.
func (l ledgerDir) Text(_ context.Context, file string) (text []byte, there bool, err error) {
	err = l.walk(file, 0, func(root *os.Root, name, below string, _ fs.FileInfo) error {
		if name != file {
			return nil
		}
		there = true
		text, err = root.ReadFile(below)
		return err
	})
	return text, there, err
}

// walk calls do for each regular file at or below a path of the ledger, deep levels down. A path that is not there has none.
func (l ledgerDir) walk(file string, deep int, do func(root *os.Root, name, below string, info fs.FileInfo) error) error {
	dir, below := l.within(file)
	root, err := os.OpenRoot(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer root.Close()
	prefix := strings.TrimSuffix(file, below)
	if below == "." {
		prefix = strings.TrimPrefix(file+"/", "/")
	}
	return fs.WalkDir(root.FS(), below, func(p string, d fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == ".git" || p != below && levels(below, p) >= deep):
			return fs.SkipDir
		case !d.Type().IsRegular():
			return nil
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		return do(root, prefix+p, p, info)
	})
}

// levels counts the levels from a directory down to a path in it.
func levels(dir, p string) int {
	if dir != "." {
		p = strings.TrimPrefix(p, dir+"/")
	}
	return strings.Count(p, "/") + 1
}
