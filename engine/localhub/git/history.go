package git

import (
	"context"
	"fmt"
	"sort"
	"strconv"
	"strings"
)

// A Span is a run of lines of a file that one commit wrote last. Lines count from 1, both ends are inside.
type Span struct {
	First, Last int
	Commit      string
}

// Blame says which commit wrote each line of a file, as seen from a commit; its ranges are in the order of the lines.
func (g *Repos) Blame(ctx context.Context, repo, commit, path string) ([]Span, error) {
	if !IsID(commit) {
		return nil, fmt.Errorf("blame %s: commit %q: %w", path, commit, ErrAbsent)
	}
	if entry, _, err := g.Find(ctx, repo, commit, path); err != nil || entry == nil || entry.Type != "blob" {
		if err == nil {
			err = ErrAbsent
		}
		return nil, fmt.Errorf("blame %s: %w", path, err)
	}
	out, err := g.git(ctx, repo, "blame", "--incremental", commit, "--", path)
	if err != nil {
		return nil, fmt.Errorf("blame a file of %s: %w", repo, err)
	}
	return parseBlame(string(out))
}

// parseBlame reads git-blame(1)'s incremental format: each entry begins with the commit, the line in its file, the line
// in the asked one and the number of lines, and ends with "filename".
func parseBlame(text string) ([]Span, error) {
	var all []Span
	begins := true
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if !begins {
			begins = strings.HasPrefix(line, "filename ")
			continue
		}
		f := strings.Fields(line)
		if len(f) != 4 || !IsID(f[0]) {
			return nil, fmt.Errorf("read a blame: unexpected line %q", line)
		}
		first, err := strconv.Atoi(f[2])
		if err != nil {
			return nil, fmt.Errorf("read a blame: %w", err)
		}
		n, err := strconv.Atoi(f[3])
		if err != nil {
			return nil, fmt.Errorf("read a blame: %w", err)
		}
		all = append(all, Span{First: first, Last: first + n - 1, Commit: f[0]})
		begins = false
	}
	sort.Slice(all, func(i, j int) bool { return all[i].First < all[j].First })
	return joined(all), nil
}

// joined merges neighbours of the same commit.
func joined(all []Span) []Span {
	var out []Span
	for _, s := range all {
		if n := len(out); n > 0 && out[n-1].Commit == s.Commit && out[n-1].Last+1 == s.First {
			out[n-1].Last = s.Last
			continue
		}
		out = append(out, s)
	}
	return out
}

// Containing is the set of commits, of all branches and pull requests, whose history has a commit; that one included.
func (g *Repos) Containing(ctx context.Context, repo, commit string) (map[string]bool, error) {
	if !IsID(commit) {
		return nil, fmt.Errorf("commit %q: %w", commit, ErrAbsent)
	}
	out, err := g.git(ctx, repo, "rev-list", "--ancestry-path", "--branches", "--glob=refs/pull/*", "^"+commit)
	if err != nil {
		return nil, fmt.Errorf("list what contains a commit of %s: %w", repo, err)
	}
	set := map[string]bool{commit: true}
	for id := range strings.FieldsSeq(string(out)) {
		set[id] = true
	}
	return set, nil
}
