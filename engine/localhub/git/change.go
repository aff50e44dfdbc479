package git

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/pullbook/pullbook/engine/localhub/state"
)

// ErrMoved says that a branch is not, or no longer, where the caller believed it.
var ErrMoved = errors.New("the branch points elsewhere")

// A Change is a commit to make on a branch without a client's git. Added files replace what is at their paths.
type Change struct {
	Branch   string
	Expected string // the branch's commit that the caller saw
	Message  string
	Added    map[string][]byte
	Deleted  []string
}

// CommitOn makes a commit on a branch's tip and moves the branch to it. The actor is its author, the hub its committer.
// The error is ErrMoved when the tip is not the expected one.
func (g *Repos) CommitOn(ctx context.Context, a state.Actor, repo string, in Change) (string, error) {
	ctx, done := g.begin(ctx, repo)
	defer done()
	ref := "refs/heads/" + in.Branch
	tip, err := g.Ref(ctx, repo, ref)
	if err != nil {
		return "", err
	}
	if tip != in.Expected {
		return "", ErrMoved
	}
	tree, err := g.changedTree(ctx, repo, tip, in)
	if err != nil {
		return "", err
	}
	args := []string{"commit-tree", "-p", tip, "-F", "-", tree}
	cmd := g.command(ctx, repo, args...)
	when := strconv.FormatInt(g.store.Now().Unix(), 10) + " +0000"
	name, email := authorOf(a.User)
	cmd.Env = append(cmd.Env, "GIT_AUTHOR_NAME="+name, "GIT_AUTHOR_EMAIL="+email, "GIT_AUTHOR_DATE="+when,
		"GIT_COMMITTER_NAME=GitHub", "GIT_COMMITTER_EMAIL=noreply@github.localhost", "GIT_COMMITTER_DATE="+when)
	out, err := output(cmd, strings.NewReader(plainText(in.Message)), args)
	if err != nil {
		return "", fmt.Errorf("write a commit on %s of %s: %w", in.Branch, repo, err)
	}
	commit := strings.TrimSpace(string(out))
	if err := g.allowed(ctx, a, repo, Move{ref, tip, commit}); err != nil {
		return "", err
	}
	if err := g.updateRef(ctx, repo, ref, tip, commit); err != nil {
		return "", err
	}
	return commit, g.publish(ctx, a, repo, []Move{{ref, tip, commit}}, 0)
}

// changedTree writes the tree of a change with an index that is thrown away.
func (g *Repos) changedTree(ctx context.Context, repo, tip string, in Change) (string, error) {
	lines, err := g.indexLines(ctx, repo, tip, in)
	if err != nil {
		return "", err
	}
	run, remove, err := g.scratchIndex(ctx, repo)
	if err != nil {
		return "", err
	}
	defer remove()
	if _, err := run(nil, "read-tree", tip); err != nil {
		return "", fmt.Errorf("read the tree of %s: %w", tip, err)
	}
	if _, err := run(lines, "update-index", "-z", "--index-info"); err != nil {
		return "", fmt.Errorf("change the tree of %s: %w", tip, err)
	}
	tree, err := run(nil, "write-tree")
	if err != nil {
		return "", fmt.Errorf("write a tree of %s: %w", repo, err)
	}
	return tree, nil
}

// indexLines are a change in the form that git-update-index(1) reads. A file that was executable stays so.
func (g *Repos) indexLines(ctx context.Context, repo, tip string, in Change) ([]byte, error) {
	var lines bytes.Buffer
	for _, path := range in.Deleted {
		if !plainPath(path) {
			return nil, state.Unprocessable(fmt.Sprintf("The path %q is not valid", path))
		}
		entry, _, err := g.Find(ctx, repo, tip, path)
		if errors.Is(err, ErrAbsent) || (err == nil && entry == nil) {
			return nil, state.Unprocessable(fmt.Sprintf("A path was requested for deletion which does not exist as of commit oid `%s`", tip))
		}
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&lines, "0 %s\t%s\x00", state.ZeroID, path)
	}
	for path, content := range in.Added {
		if !plainPath(path) {
			return nil, state.Unprocessable(fmt.Sprintf("The path %q is not valid", path))
		}
		id, err := g.gitInput(ctx, repo, bytes.NewReader(content), "hash-object", "-w", "--stdin")
		if err != nil {
			return nil, fmt.Errorf("write a file of %s: %w", repo, err)
		}
		mode := "100644"
		if old, _, err := g.Find(ctx, repo, tip, path); err == nil && old != nil && old.Mode == "100755" {
			mode = old.Mode
		}
		fmt.Fprintf(&lines, "%s %s\t%s\x00", mode, strings.TrimSpace(string(id)), path)
	}
	return lines.Bytes(), nil
}

// plainPath keeps out what git would not check out: absolute paths, ways upwards, git's own directory.
func plainPath(path string) bool {
	if path == "" || len(path) > 4096 || strings.ContainsRune(path, 0) {
		return false
	}
	for part := range strings.SplitSeq(path, "/") {
		if part == "" || part == "." || part == ".." || strings.EqualFold(part, ".git") {
			return false
		}
	}
	return true
}

// plainText takes out of a message what git refuses in one.
func plainText(message string) string { return strings.ReplaceAll(message, "\x00", "") }

// A RefUpdate is one of several changes of refs that happen together. Before is empty when the caller does not care
// where the ref is now, and state.ZeroID when it must not exist; After is state.ZeroID to delete it.
type RefUpdate struct {
	Ref, Before, After string
	Force              bool
}

// UpdateRefs changes all of the refs or none.
func (g *Repos) UpdateRefs(ctx context.Context, a state.Actor, repo string, updates []RefUpdate) error {
	ctx, done := g.begin(ctx, repo)
	defer done()
	refs, err := g.Refs(ctx, repo, "refs/")
	if err != nil {
		return err
	}
	now := map[string]string{}
	for _, r := range refs {
		now[r.Name] = r.SHA
	}
	var script strings.Builder
	var moved []Move
	seen := map[string]bool{}
	for _, u := range updates {
		current, exists := now[u.Ref]
		if !exists {
			current = state.ZeroID
		}
		if seen[u.Ref] {
			return state.Unprocessable(fmt.Sprintf("Reference %s is updated more than once", u.Ref))
		}
		seen[u.Ref] = true
		if err := g.checkUpdate(ctx, a, repo, u, current); err != nil {
			return err
		}
		if current == u.After {
			continue
		}
		fmt.Fprintf(&script, "update %s %s %s\n", u.Ref, u.After, current)
		moved = append(moved, Move{u.Ref, current, u.After})
	}
	if _, err := g.gitInput(ctx, repo, strings.NewReader(script.String()), "update-ref", "--stdin"); err != nil {
		return g.unmoved(ctx, repo, err, moved)
	}
	return g.publish(ctx, a, repo, moved, 0)
}

func (g *Repos) checkUpdate(ctx context.Context, a state.Actor, repo string, u RefUpdate, current string) error {
	branch := strings.HasPrefix(u.Ref, "refs/heads/")
	switch {
	case !ValidRef(u.Ref) || (!branch && !strings.HasPrefix(u.Ref, "refs/tags/")):
		return state.Unprocessable(fmt.Sprintf("%s is not a valid ref name", u.Ref))
	case !IsID(u.After) || (u.Before != "" && !IsID(u.Before)):
		return state.Unprocessable("Object does not exist")
	case u.Before != "" && u.Before != current:
		return state.Unprocessable(fmt.Sprintf("Reference %s cannot be updated: expected %s but is at %s", u.Ref, u.Before, current))
	case u.After == state.ZeroID && current == state.ZeroID:
		return state.Unprocessable("Reference does not exist")
	case u.After == state.ZeroID:
		return g.allowed(ctx, a, repo, Move{u.Ref, current, u.After})
	}
	if _, err := g.Commits(ctx, repo, []string{u.After}); err != nil {
		return state.Unprocessable("Object does not exist")
	}
	if err := g.allowed(ctx, a, repo, Move{u.Ref, current, u.After}); err != nil {
		return err
	}
	if current == state.ZeroID || u.Force {
		return nil
	}
	base, err := g.MergeBase(ctx, repo, current, u.After)
	if err != nil {
		return err
	}
	if base != current {
		return state.Unprocessable("Update is not a fast forward")
	}
	return nil
}
