package engine

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/pullbook/pullbook/engine/proposal"
	"github.com/pullbook/pullbook/engine/rehearsal"
	"github.com/pullbook/pullbook/engine/runbook"
)

// Tree is the ledger's files at one moment: a commit, or a directory on disk.
type Tree interface {
	// CUE returns the CUE files at or below the given paths. What is not there is left out.
	CUE(ctx context.Context, paths ...string) (map[string][]byte, error)
	// List returns the paths of the files at or below a path, and whether each is executable.
	List(ctx context.Context, path string) (map[string]bool, error)
	// Text returns what is in one file.
	Text(ctx context.Context, path string) (text []byte, there bool, err error)
}

// Checker checks runbooks in a process of its own, with a deadline and a memory limit for each.
type Checker interface {
	CheckAll(ctx context.Context, b runbook.Batch) ([]runbook.Checkup, error)
}

// Vetting says what to vet.
type Vetting struct {
	Scope proposal.Scope
	Rules []runbook.AlertRule // for which there should be runbooks
	Loose bool                // the runbooks lie outside of a ledger: the files that they name are not looked for
}

// Vet checks runbooks in every way there is: each by itself, the files that they name, and the runbooks against each other.
// What is wrong with a file that several use is said once.
func Vet(ctx context.Context, c Checker, t Tree, v Vetting) (proposal.Findings, error) {
	files, err := t.CUE(ctx, runbookDir, orgFile, moduleFile)
	if err != nil {
		return proposal.Findings{}, fmt.Errorf("read the runbooks: %w", err)
	}
	b := runbook.Batch{Files: files}
	for _, name := range runbooksIn(files) {
		if v.Scope.Whole || slices.Contains(v.Scope.Runbooks, name) {
			b.Check = append(b.Check, name)
		} else {
			b.Match = append(b.Match, name)
		}
	}
	f := proposal.Findings{Runbooks: len(b.Check)}
	if files[orgFile] != nil && (v.Scope.Whole || slices.Contains(v.Scope.Runbooks, orgFile)) {
		b.Check = append(b.Check, orgFile)
	}
	if len(b.Check) == 0 {
		return f, nil
	}
	found, err := checkAll(ctx, c, t, b)
	if err != nil {
		return f, err
	}
	all := slices.Collect(maps.Values(found))
	slices.SortFunc(all, func(a, b runbook.Checkup) int { return strings.Compare(a.Runbook, b.Runbook) })
	f.Problems = runbook.Rivals(all, func(name string) bool { return slices.Contains(b.Check, name) })
	f.Problems = append(f.Problems, runbook.Unanswered(v.Rules, all)...)
	for _, name := range b.Check {
		one := found[name]
		f.Problems = slices.Concat(f.Problems, one.Problems, one.Idle())
		f.Remarks = append(f.Remarks, one.Remarks...)
		if v.Loose {
			continue
		}
		more, err := misplaced(ctx, t, one.Facts.Uses)
		if err != nil {
			return f, err
		}
		f.Problems = append(f.Problems, more...)
		if more, err = unowned(ctx, t, one.Facts.Asks); err != nil {
			return f, err
		}
		f.Problems = append(f.Problems, more...)
	}
	f.Problems, f.Remarks = inOrder(f.Problems), inOrder(f.Remarks)
	return f, nil
}

// checkAll asks again about the runbooks that import packages which were not at hand.
func checkAll(ctx context.Context, c Checker, t Tree, b runbook.Batch) (map[string]runbook.Checkup, error) {
	found := map[string]runbook.Checkup{}
	for range maxFetches {
		checkups, err := c.CheckAll(ctx, b)
		if err != nil {
			return nil, err
		}
		again := runbook.Batch{Files: b.Files}
		for i, one := range checkups {
			found[one.Runbook] = one
			more, err := missing(ctx, t, b.Files, one.Problems)
			if err != nil {
				return nil, err
			}
			switch {
			case more && i < len(b.Check):
				again.Check = append(again.Check, one.Runbook)
			case more:
				again.Match = append(again.Match, one.Runbook)
			}
		}
		if b = again; len(b.Check)+len(b.Match) == 0 {
			break
		}
	}
	return found, nil
}

// missing reads the packages that problems say are missing, and reports whether one of them is at hand now.
func missing(ctx context.Context, t Tree, files map[string][]byte, problems []runbook.Problem) (more bool, err error) {
	for _, p := range problems {
		if p.Missing == "" {
			continue
		}
		tree, err := t.CUE(ctx, p.Missing)
		if err != nil {
			return false, fmt.Errorf("read the package %s: %w", p.Missing, err)
		}
		for name, text := range tree {
			if path.Dir(name) == p.Missing {
				files[name], more = text, true
			}
		}
	}
	return more, nil
}

// misplaced reports files that a runbook names and that are not there, or are not what the step can use.
func misplaced(ctx context.Context, t Tree, uses []runbook.Use) (ps []runbook.Problem, err error) {
	for _, u := range uses {
		found, err := t.List(ctx, u.File.Path)
		if err != nil {
			return nil, fmt.Errorf("look for %s: %w", u.File.Path, err)
		}
		text, hint := unusable(u, found)
		if text == "" {
			if text, hint, err = acting(ctx, t, u, found); err != nil {
				return nil, err
			}
		}
		if text == "" {
			continue
		}
		if len(found) == 0 {
			beside, err := t.List(ctx, besides(u.File.Path))
			if err != nil {
				return nil, fmt.Errorf("look for what is beside %s: %w", u.File.Path, err)
			}
			hint = nearestPath(u, beside)
		}
		ps = append(ps, runbook.Problem{File: u.At.File, Line: u.At.Line, Column: u.At.Column, Path: u.Path, Text: text, Hint: hint})
	}
	return ps, nil
}

// unusable says why what is found at a path is not what a step can use, or nothing.
func unusable(u runbook.Use, found map[string]bool) (text, hint string) {
	exec, file := found[u.File.Path]
	switch {
	case u.Dir && file:
		return fmt.Sprintf("%s is a file, and a directory is wanted", u.File.Path), ""
	case u.Dir && len(found) == 0:
		return fmt.Sprintf("there is no directory %s in the ledger", u.File.Path), ""
	case !u.File.Tree && !file && len(found) > 0:
		return fmt.Sprintf("%s is a directory, and a file is wanted", u.File.Path), ""
	case len(found) == 0:
		return fmt.Sprintf("there is no file %s in the ledger", u.File.Path), ""
	case len(found) > mostFiles:
		return fmt.Sprintf("%s has %d files; at most %d are pinned", u.File.Path, len(found), mostFiles), ""
	case u.File.Exec && !exec:
		return fmt.Sprintf("%s is not executable", u.File.Path), "git update-index --chmod=+x " + u.File.Path
	}
	return "", ""
}

// acting says what of the files at a path would do something in the rehearsal of a step, or nothing. They are those that the
// runner looks into again before it starts anything.
func acting(ctx context.Context, t Tree, u runbook.Use, found map[string]bool) (text, hint string, err error) {
	for _, name := range slices.Sorted(maps.Keys(found)) {
		if !rehearsal.Looks(string(u.Rehearses), name) {
			continue
		}
		data, _, err := t.Text(ctx, name)
		if err != nil {
			return "", "", fmt.Errorf("look into %s: %w", name, err)
		}
		if act, acts := rehearsal.Acts(string(u.Rehearses), name, data); acts {
			return act.Text, act.Hint, nil
		}
	}
	return "", "", nil
}

// besides is the directory of a path; empty for the ledger's root.
func besides(p string) string {
	if dir := path.Dir(p); dir != "." {
		return dir
	}
	return ""
}

func nearestPath(u runbook.Use, beside map[string]bool) string {
	dir := path.Dir(u.File.Path)
	names := map[string]bool{}
	for p := range beside {
		rest := p
		if dir != "." {
			rest = strings.TrimPrefix(p, dir+"/")
		}
		name, _, below := strings.Cut(rest, "/")
		if below == u.Dir || u.File.Tree && !u.Dir {
			names[name] = true
		}
	}
	near := runbook.Nearest(path.Base(u.File.Path), slices.Sorted(maps.Keys(names)))
	if near == "" {
		return ""
	}
	return fmt.Sprintf("did you mean %s?", path.Join(dir, near))
}

// runbooksIn lists the runbooks among files.
func runbooksIn(files map[string][]byte) (names []string) {
	for name := range files {
		if runbook.IsRunbook(name) {
			names = append(names, runbook.PathOf(name))
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// inOrder sorts problems by place, and leaves out those that are said already.
func inOrder(ps []runbook.Problem) (out []runbook.Problem) {
	slices.SortStableFunc(ps, func(a, b runbook.Problem) int {
		return cmp.Or(strings.Compare(a.File, b.File), a.Line-b.Line, a.Column-b.Column, strings.Compare(a.Text, b.Text))
	})
	for _, p := range ps {
		same := func(q runbook.Problem) bool {
			return q.File == p.File && q.Line == p.Line && q.Column == p.Column && q.Path == p.Path && q.Text == p.Text
		}
		if n := len(out); n > 0 && same(out[n-1]) {
			continue
		}
		out = append(out, p)
	}
	return out
}
