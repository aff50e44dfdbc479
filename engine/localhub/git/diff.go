package git

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/pullbook/pullbook/engine/localhub/state"
)

// Limits of a diff, from GitHub's repository limits: files in a listing and bytes of one file's patch.
const (
	MaxFiles = 3000
	maxPatch = 500 << 10
)

// A File is one changed file. Patch is empty for a binary or very large change.
type File struct {
	Path, Previous       string
	Status               string // added, removed, modified, renamed
	Additions, Deletions int
	SHA                  string // of the blob; of the old one when removed
	Patch                string
}

// MergeBase finds the best common ancestor, or "" for unrelated histories.
func (g *Repos) MergeBase(ctx context.Context, repo, a, b string) (string, error) {
	out, err := g.git(ctx, repo, "merge-base", "--end-of-options", a, b)
	if exited(err, 1) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("find the merge base in %s: %w", repo, err)
	}
	return strings.TrimSpace(string(out)), nil
}

// Files compares two commits, or an empty tree (from "") with one.
func (g *Repos) Files(ctx context.Context, repo, from, to string) ([]File, error) {
	if from == "" {
		from = emptyTree
	}
	args := []string{"diff", "--no-color", "--no-ext-diff", "--full-index", "-M", "-z", "--raw", "--numstat", "--end-of-options", from, to, "--"}
	out, err := g.git(ctx, repo, args...)
	if err != nil {
		return nil, fmt.Errorf("compare commits of %s: %w", repo, err)
	}
	files, err := parseRaw(strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00"))
	if err != nil || len(files) == 0 {
		return files, err
	}
	patch, err := g.git(ctx, repo, "diff", "--no-color", "--no-ext-diff", "-M", "--patch", "--end-of-options", from, to, "--")
	if err != nil {
		return nil, fmt.Errorf("compare commits of %s: %w", repo, err)
	}
	addPatches(files, string(patch))
	return files[:min(len(files), MaxFiles)], nil
}

// emptyTree is git's well-known id of a tree without entries.
const emptyTree = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"

// parseRaw reads git diff -z --raw --numstat (gitdiff-raw(5)): first all raw records, then all counts, in one order.
func parseRaw(f []string) ([]File, error) {
	var files []File
	i := 0
	for ; i+1 < len(f) && strings.HasPrefix(f[i], ":"); i++ {
		meta := strings.Fields(f[i])
		if len(meta) != 5 {
			return nil, fmt.Errorf("read a raw diff: %d columns", len(meta))
		}
		file := File{Status: "modified", SHA: meta[3]}
		i++
		file.Path = f[i]
		switch meta[4][0] {
		case 'A':
			file.Status = "added"
		case 'D':
			file.Status, file.SHA = "removed", meta[2]
		case 'R', 'C':
			if i+1 >= len(f) {
				return nil, fmt.Errorf("read a raw diff: a rename without its new name")
			}
			i++
			file.Status, file.Previous, file.Path = "renamed", file.Path, f[i]
		}
		files = append(files, file)
	}
	for n := 0; i < len(f) && n < len(files); n++ {
		counts := strings.SplitN(f[i], "\t", 3)
		if len(counts) != 3 {
			return nil, fmt.Errorf("read a diff's counts: %d columns", len(counts))
		}
		files[n].Additions, files[n].Deletions = count(counts[0]), count(counts[1])
		i++
		if counts[2] == "" { // a rename: both names follow
			i += 2
		}
	}
	return files, nil
}

// count reads a number of lines; git writes "-" for binary files.
func count(text string) int {
	n, err := strconv.Atoi(text)
	if err != nil {
		return 0
	}
	return n
}

// addPatches gives each file its hunks. git prints the patches in the order of the raw records.
func addPatches(files []File, patch string) {
	parts := strings.Split("\n"+patch, "\ndiff --git ")
	for i := range files {
		if i+1 >= len(parts) {
			return
		}
		if _, hunks, ok := strings.Cut(parts[i+1], "\n@@ "); ok && len(hunks) < maxPatch {
			files[i].Patch = strings.TrimSuffix("@@ "+hunks, "\n")
		}
	}
}

// Stats measures what lies between base and head for a pull request.
func (g *Repos) Stats(ctx context.Context, repo, base, head string) (state.Stats, error) {
	out, err := g.git(ctx, repo, "rev-list", "--count", "--end-of-options", head, "^"+base)
	if err != nil {
		return state.Stats{}, fmt.Errorf("count commits of %s: %w", repo, err)
	}
	st := state.Stats{Commits: count(strings.TrimSpace(string(out)))}
	out, err = g.git(ctx, repo, "diff", "--numstat", "-M", "--merge-base", "--end-of-options", base, head, "--")
	if exited(err, 128) {
		return st, nil // unrelated histories have no merge base; commits are still counted
	}
	if err != nil {
		return state.Stats{}, fmt.Errorf("measure a diff of %s: %w", repo, err)
	}
	for line := range strings.Lines(string(out)) {
		f := strings.SplitN(line, "\t", 3)
		if len(f) == 3 {
			st.Files++
			st.Additions += count(f[0])
			st.Deletions += count(f[1])
		}
	}
	return st, nil
}
