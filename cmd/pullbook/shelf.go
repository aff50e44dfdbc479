package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pullbook/pullbook/engine/cueval"
	"github.com/pullbook/pullbook/engine/runbook"
)

// shelf is the CUE of a ledger's directory on disk, as an author has it, by the paths of the ledger.
type shelf struct {
	root  string // the directory that holds runbooks/
	files map[string][]byte
}

// readShelf reads runbooks/, pullbook.cue and cue.mod/module.cue of a directory. pullbook.cue may also lie beside the runbooks.
func readShelf(root string) (*shelf, error) {
	s := &shelf{root: root, files: map[string][]byte{}}
	for _, pattern := range []string{"*.cue", filepath.Join("*", "*.cue")} {
		found, err := filepath.Glob(filepath.Join(root, runbook.Dir, pattern))
		if err != nil {
			return nil, err
		}
		for _, name := range found {
			rel, err := filepath.Rel(root, name)
			if err != nil {
				return nil, err
			}
			if err := s.add(filepath.ToSlash(rel), name); err != nil {
				return nil, err
			}
		}
	}
	beside := path.Join(runbook.Dir, runbook.Organisation)
	if org, ok := s.files[beside]; ok {
		s.files[runbook.Organisation] = org
		delete(s.files, beside)
	}
	for _, name := range []string{runbook.Organisation, "cue.mod/module.cue"} {
		if err := s.add(name, filepath.Join(root, filepath.FromSlash(name))); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	return s, nil
}

func (s *shelf) add(name, file string) error {
	data, err := os.ReadFile(file)
	if err == nil {
		s.files[name] = data
	}
	return err
}

// named is the path of what an argument names that is no path: a runbook by its name alone, in the directory runbooks.
func named(arg string) string {
	if _, err := os.Lstat(arg); err == nil || arg == "" || strings.ContainsRune(arg, filepath.Separator) {
		return arg
	}
	for _, at := range []string{filepath.Join(runbook.Dir, arg+".cue"), filepath.Join(runbook.Dir, arg)} {
		if _, err := os.Stat(at); err == nil {
			return at
		}
	}
	return arg
}

// find returns the ledger's path of the runbook that an argument names: by its name, or by its path on disk.
func (s *shelf) find(called string) (string, error) {
	if rel, err := filepath.Rel(s.root, called); err == nil {
		if name, ok := runbook.Find(s.files, filepath.ToSlash(rel)); ok {
			return name, nil
		}
	}
	if name, ok := runbook.Find(s.files, called); ok {
		return name, nil
	}
	hint := "name it as its file is called, for example checkout or runbooks/checkout.cue"
	if near := runbook.Nearest(called, s.names()); near != "" {
		hint = fmt.Sprintf("did you mean %s?", near)
	}
	return "", withHint(fmt.Errorf("there is no runbook %s in %s", called, filepath.Join(s.root, runbook.Dir)), hint)
}

// names are what the runbooks are called, sorted.
func (s *shelf) names() (out []string) {
	for file := range s.files {
		if runbook.IsRunbook(file) {
			out = append(out, strings.TrimSuffix(path.Base(runbook.PathOf(file)), ".cue"))
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// load loads a runbook, and reads the packages that it imports as they turn out to be missing.
func (s *shelf) load(ctx context.Context, eval *cueval.Evaluator, src runbook.Source) (runbook.Plan, []runbook.Problem, error) {
	for {
		plan, problems, err := eval.Load(ctx, src)
		if err != nil {
			return plan, nil, err
		}
		more := false
		for _, p := range problems {
			if p.Missing == "" {
				continue
			}
			found, err := ledgerDir{root: s.root}.CUE(ctx, p.Missing)
			if err != nil {
				return plan, nil, err
			}
			for name, data := range found {
				more = more || s.files[name] == nil
				s.files[name] = data
			}
		}
		if !more {
			return plan, problems, nil
		}
		src.Others = s.files
	}
}

// rootOf is the directory of the ledger that a path on disk lies in: the one above the nearest directory called runbooks.
func rootOf(file string) (string, error) {
	abs, err := filepath.Abs(file)
	if err != nil {
		return "", err
	}
	for dir := abs; ; dir = filepath.Dir(dir) {
		if filepath.Base(dir) == runbook.Dir {
			return relative(filepath.Dir(dir)), nil
		}
		if dir == filepath.Dir(dir) {
			return "", withHint(fmt.Errorf("%s lies in no directory called %s", file, runbook.Dir), "a ledger keeps its runbooks there")
		}
	}
}

// relative is a path as short as the working directory makes it.
func relative(dir string) string {
	if here, err := os.Getwd(); err == nil {
		if rel, err := filepath.Rel(here, dir); err == nil && !strings.HasPrefix(rel, "..") {
			return rel
		}
	}
	return dir
}

// evaluator is one that gives an author time: that a machine is busy is no mistake of theirs. The caller closes it.
func evaluator() (*cueval.Evaluator, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find the program to evaluate runbooks with: %w", err)
	}
	return cueval.New(cueval.Config{Child: []string{exe, evalChild}, Wall: vetWall, Stay: true}), nil
}

// mistakes prints the problems of a runbook, and ends the command if there are any.
func mistakes(out io.Writer, problems []runbook.Problem) error {
	for _, p := range problems {
		fmt.Fprintln(out, p)
	}
	if len(problems) > 0 {
		return toldError{1}
	}
	return nil
}
