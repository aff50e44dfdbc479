package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/pullbook/pullbook/engine/cueval"
	"github.com/pullbook/pullbook/engine/runbook"
)

func vetCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "vet [path...]",
		Short: "Check runbooks: every mistake with its place, the problem and a hint",
		Long: `Vet checks runbooks against the schema, the policy of the ledger's pullbook.cue,
and their own graph. A path is a runbook, a directory of runbooks or a pullbook.cue;
without one it is the directory runbooks. pullbook.cue and what runbooks import are looked for in
the directory above.

Exit status: 0 all good, 1 there are mistakes, 2 wrong usage.`,
		Example: `  pullbook vet
  pullbook vet runbooks/checkout.cue
  pullbook vet --json runbooks`,
		RunE: func(cmd *cobra.Command, args []string) error { return runVet(cmd, args, asJSON) },
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the mistakes as a JSON list")
	return cmd
}

func runVet(cmd *cobra.Command, args []string, asJSON bool) error {
	if len(args) == 0 {
		args = []string{"runbooks"}
	}
	files, err := runbookFiles(args)
	if err != nil {
		return err
	}
	exe, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find the program to evaluate runbooks with: %w", err)
	}
	eval := cueval.New(cueval.Config{Child: []string{exe, evalChild}, Wall: vetWall})
	problems, shelves := []runbook.Problem{}, map[string]map[string][]byte{}
	for _, path := range files {
		found, err := vet(cmd.Context(), eval, path, shelves)
		if err != nil {
			return err
		}
		for _, p := range found { // a mistake of pullbook.cue or of a package is one of every runbook
			if !slices.Contains(problems, p) {
				problems = append(problems, p)
			}
		}
	}
	if asJSON {
		enc := json.NewEncoder(cmd.OutOrStdout())
		enc.SetIndent("", "  ")
		if err := enc.Encode(problems); err != nil {
			return err
		}
	} else {
		for _, p := range problems {
			fmt.Fprintln(cmd.OutOrStdout(), p)
		}
	}
	if len(problems) > 0 {
		fmt.Fprintf(cmd.ErrOrStderr(), "pullbook: %d %s\n", len(problems), plural(len(problems), "mistake", "mistakes"))
		return toldError{1}
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "pullbook: %d %s, no mistakes\n", len(files), plural(len(files), "runbook", "runbooks"))
	return nil
}

// runbookFiles lists the runbooks that the arguments name, sorted within each argument: files, and directories in one that
// is called runbooks.
func runbookFiles(args []string) ([]string, error) {
	var out []string
	for _, arg := range args {
		info, err := os.Stat(arg)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, withHint(fmt.Errorf("there is no %s", arg), "name a runbook, or a directory that holds runbooks")
		}
		if err != nil {
			return nil, err
		}
		if !info.IsDir() || isRunbookDir(arg) {
			out = append(out, arg)
			continue
		}
		found, err := filepath.Glob(filepath.Join(arg, "*.cue"))
		if err != nil {
			return nil, err
		}
		found = slices.DeleteFunc(found, func(path string) bool { return filepath.Base(path) == runbook.Organisation })
		inside, err := filepath.Glob(filepath.Join(arg, "*", "*.cue"))
		if err != nil {
			return nil, err
		}
		for _, path := range inside {
			if dir := filepath.Dir(path); isRunbookDir(dir) {
				found = append(found, dir)
			}
		}
		if len(found) == 0 {
			return nil, withHint(fmt.Errorf("%s holds no runbook", arg), "a runbook is a file that ends in .cue")
		}
		slices.Sort(found)
		out = append(out, slices.Compact(found)...)
	}
	return out, nil
}

// isRunbookDir reports whether a path can be that of a runbook that is a directory.
func isRunbookDir(path string) bool {
	return filepath.Base(filepath.Dir(filepath.Clean(path))) == runbook.Dir && filepath.Ext(path) != ".cue"
}

// vetWall bounds the check of one runbook. It is longer than what the engine gives an evaluation: that a machine is busy is
// no mistake of an author.
const vetWall = 10 * time.Second

// vet checks a runbook in a process of its own, which is stopped where the runbook would keep it busy, and reads the packages
// that it imports as they turn out to be missing.
func vet(ctx context.Context, eval *cueval.Evaluator, path string, shelves map[string]map[string][]byte) ([]runbook.Problem, error) {
	l, src, err := readSource(path, shelves)
	if err != nil {
		return nil, err
	}
	check := eval.Vet
	if filepath.Base(path) == runbook.Organisation {
		check = eval.VetOrganisation
	}
	for {
		problems, err := check(ctx, src)
		if errors.Is(err, cueval.ErrDeadline) || errors.Is(err, cueval.ErrMemory) {
			p := runbook.Problem{File: path, Text: err.Error(), Hint: "it, or what it imports, makes too much out of little; list less"}
			return []runbook.Problem{p}, nil
		}
		if err != nil {
			return nil, err
		}
		more := false
		for _, p := range problems {
			if p.Missing == "" {
				continue
			}
			found, err := l.cue(p.Missing)
			if err != nil {
				return nil, err
			}
			for name, data := range found {
				more = more || src.Others[name] == nil
				src.Others[name] = data
			}
		}
		if !more {
			return problems, nil
		}
	}
}

// ledgerDir is the directory on disk that holds a ledger's files. Nothing outside of it is read, whatever links lead there.
type ledgerDir struct{ root string }

// cue reads the CUE files of a directory of the ledger, by their paths in it.
func (l ledgerDir) cue(dir string) (map[string][]byte, error) {
	root, err := os.OpenRoot(l.root)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	out := map[string][]byte{}
	entries, err := fs.ReadDir(root.FS(), dir)
	if errors.Is(err, fs.ErrNotExist) {
		return out, nil
	}
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		name := path.Join(dir, e.Name())
		if !e.Type().IsRegular() || path.Ext(name) != ".cue" {
			continue
		}
		if out[name], err = root.ReadFile(name); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// readSource reads a runbook, the ledger's pullbook.cue, which lies in the directory of the runbook or above it, and the
// runbooks beside it, which it may open. Those are known by the paths that they have in a ledger, and read once, into shelves.
func readSource(path string, shelves map[string]map[string][]byte) (l ledgerDir, src runbook.Source, err error) {
	name := filepath.ToSlash(filepath.Clean(path))
	src = runbook.Source{Runbook: name, Files: map[string][]byte{}, Others: map[string][]byte{}}
	dir := filepath.Dir(path)
	parts := []string{path}
	if isRunbookDir(path) {
		if parts, err = filepath.Glob(filepath.Join(path, "*.cue")); err != nil {
			return l, src, err
		}
	}
	for _, part := range parts {
		if src.Files[filepath.ToSlash(filepath.Clean(part))], err = os.ReadFile(part); err != nil {
			return l, src, err
		}
	}
	for _, l.root = range []string{dir, filepath.Join(dir, "..")} {
		data, err := os.ReadFile(filepath.Join(l.root, runbook.Organisation))
		if err == nil {
			src.Files[runbook.Organisation] = data
			break
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return l, src, err
		}
	}
	if shelves[dir] == nil {
		shelf := map[string][]byte{}
		if err := l.others(shelf, dir); err != nil {
			return l, src, err
		}
		shelves[dir] = shelf
	}
	maps.Copy(src.Others, shelves[dir])
	if org, ok := src.Files[runbook.Organisation]; ok {
		src.Others[runbook.Organisation] = org
	}
	return l, src, nil
}

// others adds the runbooks of a directory, and what the packages of the ledger are called.
func (l ledgerDir) others(files map[string][]byte, dir string) error {
	for _, pattern := range []string{"*.cue", filepath.Join("*", "*.cue")} {
		found, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			return err
		}
		for _, name := range found {
			rel, err := filepath.Rel(dir, name)
			if err != nil {
				return err
			}
			if files[path.Join(runbook.Dir, filepath.ToSlash(rel))], err = os.ReadFile(name); err != nil {
				return err
			}
		}
	}
	delete(files, path.Join(runbook.Dir, runbook.Organisation))
	module, err := l.cue("cue.mod")
	if err != nil {
		return err
	}
	if text, ok := module["cue.mod/module.cue"]; ok {
		files["cue.mod/module.cue"] = text
	}
	return nil
}

func plural(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}
