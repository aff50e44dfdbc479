package git

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pullbook/pullbook/engine/localhub/state"
)

// Blob reads a blob.
func (g *Repos) Blob(ctx context.Context, repo, id string) ([]byte, error) {
	return g.typed(ctx, repo, id, "blob")
}

func (g *Repos) typed(ctx context.Context, repo, id, kind string) ([]byte, error) {
	if !IsID(id) {
		return nil, ErrAbsent
	}
	out, err := g.git(ctx, repo, "cat-file", kind, id)
	if exited(err, 128) {
		return nil, ErrAbsent
	}
	if err != nil {
		return nil, fmt.Errorf("read a %s of %s: %w", kind, repo, err)
	}
	return out, nil
}

// Kind is the type of an object: blob, tree, commit or tag.
func (g *Repos) Kind(ctx context.Context, repo, id string) (string, error) {
	if !IsID(id) {
		return "", ErrAbsent
	}
	out, err := g.git(ctx, repo, "cat-file", "-t", id)
	if exited(err, 128) {
		return "", ErrAbsent
	}
	return strings.TrimSpace(string(out)), err
}

// WriteBlob keeps a blob and returns its id.
func (g *Repos) WriteBlob(ctx context.Context, repo string, content []byte) (string, error) {
	id, err := g.gitInput(ctx, repo, bytes.NewReader(content), "hash-object", "-w", "--stdin")
	if err != nil {
		return "", fmt.Errorf("write a blob of %s: %w", repo, err)
	}
	return strings.TrimSpace(string(id)), nil
}

// Tree lists a tree or a commit's tree; with recursive all files below it, too. The first result is the tree's own id.
func (g *Repos) Tree(ctx context.Context, repo, of string, recursive bool) (string, []Entry, error) {
	id, err := g.git(ctx, repo, "rev-parse", "--verify", "--quiet", "--end-of-options", of+"^{tree}")
	if !IsID(of) || exited(err, 1) || exited(err, 128) {
		return "", nil, ErrAbsent
	}
	if err != nil {
		return "", nil, err
	}
	args := []string{"ls-tree", "-z", "--long", "--full-tree"}
	if recursive {
		args = append(args, "-r", "-t")
	}
	out, err := g.git(ctx, repo, append(args, "--end-of-options", of)...)
	if err != nil {
		return "", nil, fmt.Errorf("list a tree of %s: %w", repo, err)
	}
	list, err := parseTree(out)
	return strings.TrimSpace(string(id)), list, err
}

// A TreeEntry is one entry of a tree to write. An empty SHA deletes the path from the base.
type TreeEntry struct{ Path, Mode, Type, SHA string }

// WriteTree makes a tree of the entries, over a base tree if one is given.
func (g *Repos) WriteTree(ctx context.Context, repo, base string, entries []TreeEntry) (string, error) {
	run, remove, err := g.scratchIndex(ctx, repo)
	if err != nil {
		return "", err
	}
	defer remove()
	if base != "" {
		if _, _, err := g.Tree(ctx, repo, base, false); err != nil {
			return "", state.Unprocessable("base_tree is not a tree of the repository")
		}
		if _, err := run(nil, "read-tree", base); err != nil {
			return "", fmt.Errorf("read a tree of %s: %w", repo, err)
		}
	}
	lines, subtrees, err := g.entryLines(ctx, repo, entries)
	if err != nil {
		return "", err
	}
	if _, err := run(lines, "update-index", "-z", "--index-info"); err != nil {
		return "", state.Unprocessable("tree.path conflicts with another entry")
	}
	for _, e := range subtrees {
		if _, err := run(nil, "read-tree", "--prefix="+e.Path+"/", e.SHA); err != nil {
			return "", state.Unprocessable("tree.path conflicts with another entry")
		}
	}
	tree, err := run(nil, "write-tree")
	if err != nil {
		return "", fmt.Errorf("write a tree of %s: %w", repo, err)
	}
	return tree, nil
}

// entryLines are entries in the form of git-update-index(1). Trees come apart from the rest, since an index has none.
func (g *Repos) entryLines(ctx context.Context, repo string, entries []TreeEntry) ([]byte, []TreeEntry, error) {
	var lines bytes.Buffer
	var subtrees []TreeEntry
	kinds := map[string]string{"100644": "blob", "100755": "blob", "120000": "blob", "040000": "tree", "160000": "commit"}
	for _, e := range entries {
		if !plainPath(e.Path) {
			return nil, nil, state.Unprocessable("tree.path contains a malformed path component")
		}
		if e.SHA == "" {
			fmt.Fprintf(&lines, "0 %s\t%s\x00", state.ZeroID, e.Path)
			continue
		}
		kind, known := kinds[e.Mode]
		if !known {
			return nil, nil, state.Unprocessable("tree.mode must be one of 100644, 100755, 040000, 160000 or 120000")
		}
		if is, err := g.Kind(ctx, repo, e.SHA); kind != "commit" && (err != nil || is != kind) {
			return nil, nil, state.Unprocessable("tree.sha " + e.SHA + " is not a valid " + kind)
		}
		if kind == "tree" {
			fmt.Fprintf(&lines, "0 %s\t%s\x00", state.ZeroID, e.Path)
			subtrees = append(subtrees, e)
			continue
		}
		fmt.Fprintf(&lines, "%s %s\t%s\x00", e.Mode, e.SHA, e.Path)
	}
	return lines.Bytes(), subtrees, nil
}

// A NewCommit is a commit to write as it is. A Signature is kept in front of the message, as git keeps it.
type NewCommit struct {
	Message, Tree, Signature string
	Parents                  []string
	Author, Committer        state.Ident
}

// WriteCommit keeps a commit that no ref points to yet.
func (g *Repos) WriteCommit(ctx context.Context, repo string, c NewCommit) (string, error) {
	if kind, err := g.Kind(ctx, repo, c.Tree); err != nil || kind != "tree" {
		return "", state.Unprocessable("Tree SHA does not exist")
	}
	for _, p := range c.Parents {
		if kind, err := g.Kind(ctx, repo, p); err != nil || kind != "commit" {
			return "", state.Unprocessable("Parent SHA does not exist or is not a commit object")
		}
	}
	var raw strings.Builder
	fmt.Fprintf(&raw, "tree %s\n", c.Tree)
	for _, p := range c.Parents {
		fmt.Fprintf(&raw, "parent %s\n", p)
	}
	fmt.Fprintf(&raw, "author %s\ncommitter %s\n", identLine(c.Author), identLine(c.Committer))
	if c.Signature != "" {
		fmt.Fprintf(&raw, "gpgsig %s\n", strings.ReplaceAll(strings.TrimSuffix(c.Signature, "\n"), "\n", "\n "))
	}
	fmt.Fprintf(&raw, "\n%s", plainText(c.Message))
	return g.writeObject(ctx, repo, "commit", raw.String())
}

func (g *Repos) writeObject(ctx context.Context, repo, kind, raw string) (string, error) {
	id, err := g.gitInput(ctx, repo, strings.NewReader(raw), "hash-object", "-t", kind, "-w", "--stdin")
	if exited(err, 128) {
		return "", state.Unprocessable("The " + kind + " is malformed")
	}
	if err != nil {
		return "", fmt.Errorf("write a %s of %s: %w", kind, repo, err)
	}
	return strings.TrimSpace(string(id)), nil
}

// identLine is an author line; what git could not read back is taken out of the name.
func identLine(i state.Ident) string {
	clean := func(s string) string {
		return strings.TrimSpace(strings.Map(func(r rune) rune {
			if r == '<' || r == '>' || r < ' ' {
				return -1
			}
			return r
		}, s))
	}
	return fmt.Sprintf("%s <%s> %d +0000", clean(i.Name), clean(i.Email), i.When.Unix())
}

// IdentOf is how the hub writes an account into commits that it makes for it.
func (g *Repos) IdentOf(u state.User) state.Ident {
	name, email := authorOf(u)
	return state.Ident{Name: name, Email: email, When: g.store.Now()}
}

// A Tag is an annotated tag.
type Tag struct {
	SHA, Name, Message string
	Object, Type       string
	Tagger             state.Ident
}

// ReadTag reads an annotated tag.
func (g *Repos) ReadTag(ctx context.Context, repo, id string) (*Tag, error) {
	raw, err := g.typed(ctx, repo, id, "tag")
	if err != nil {
		return nil, err
	}
	head, message, _ := strings.Cut(string(raw), "\n\n")
	t := &Tag{SHA: id, Message: strings.TrimSuffix(message, "\n")}
	for line := range strings.SplitSeq(head, "\n") {
		key, value, _ := strings.Cut(line, " ")
		switch key {
		case "object":
			t.Object = value
		case "type":
			t.Type = value
		case "tag":
			t.Name = value
		case "tagger":
			t.Tagger = parseIdent(value)
		}
	}
	return t, nil
}

// WriteTag keeps an annotated tag that no ref points to yet, and returns its id.
func (g *Repos) WriteTag(ctx context.Context, repo string, t Tag) (string, error) {
	kind, err := g.Kind(ctx, repo, t.Object)
	if err != nil || kind != t.Type {
		return "", state.Unprocessable("Object does not exist")
	}
	raw := fmt.Sprintf("object %s\ntype %s\ntag %s\ntagger %s\n\n%s\n", t.Object, t.Type, t.Name, identLine(t.Tagger), plainText(t.Message))
	return g.writeObject(ctx, repo, "tag", raw)
}

// Update merges the base branch into a pull request's head branch. expected is the head that the caller saw, or empty.
func (g *Repos) Update(ctx context.Context, a state.Actor, repo string, number int, expected string) error {
	ctx, done := g.begin(ctx, repo)
	defer done()
	p, err := g.store.Pull(repo, number)
	if err != nil {
		return err
	}
	if !p.Open() || p.HeadGone {
		return state.Unprocessable("Pull request is not open")
	}
	if expected != "" && expected != p.Head.SHA {
		return state.Unprocessable("expected head sha didn’t match current head ref.")
	}
	base, err := g.Branch(ctx, repo, p.Base.Ref)
	if err != nil {
		return err
	}
	if common, err := g.MergeBase(ctx, repo, base, p.Head.SHA); err != nil || common == base {
		if err == nil {
			err = state.Unprocessable("There are no new commits on the base branch.")
		}
		return err
	}
	tree, clean, err := g.mergeTree(ctx, repo, p.Head.SHA, base)
	if err != nil {
		return err
	}
	if !clean {
		return state.Unprocessable("merge conflict between base and head")
	}
	commit, err := g.WriteCommit(ctx, repo, NewCommit{
		Tree: tree, Parents: []string{p.Head.SHA, base}, Author: g.IdentOf(a.User), Committer: hubIdent(g.store.Now()),
		Message: fmt.Sprintf("Merge branch '%s' into %s\n", p.Base.Ref, p.Head.Ref),
	})
	if err != nil {
		return err
	}
	m := Move{"refs/heads/" + p.Head.Ref, p.Head.SHA, commit}
	if err := g.allowed(ctx, a, repo, m); err != nil {
		return err
	}
	if err := g.updateRef(ctx, repo, m.Ref, m.Before, m.After); err != nil {
		return err
	}
	return g.publish(ctx, a, repo, []Move{m}, 0)
}

func hubIdent(now time.Time) state.Ident {
	return state.Ident{Name: "GitHub", Email: "noreply@github.localhost", When: now}
}

// squash writes the one commit of a squash merge; what holds its tree and its parent. Without a message it tells the commits', as GitHub does.
func (g *Repos) squash(ctx context.Context, a state.Actor, p *state.Pull, in Merging, what []string) (string, error) {
	repo := p.Repo.FullName()
	if in.Title == "" {
		in.Title = fmt.Sprintf("%s (#%d)", p.Title, p.Number)
	}
	if in.Message == "" {
		commits, err := g.PullCommits(ctx, p)
		if err != nil {
			return "", err
		}
		var lines []string
		for _, c := range commits {
			lines = append(lines, "* "+c.Message)
		}
		in.Message = strings.Join(lines, "\n\n")
	}
	return g.WriteCommit(ctx, repo, NewCommit{
		Tree: what[0], Parents: what[1:], Message: strings.TrimSpace(in.Title+"\n\n"+in.Message) + "\n",
		Author: g.IdentOf(a.User), Committer: hubIdent(g.store.Now()),
	})
}

// dropHead deletes a merged branch where the repository says so and the rules let it; the repository's lock is held.
func (g *Repos) dropHead(ctx context.Context, a state.Actor, p *state.Pull) error {
	if !p.Repo.Merging.DeleteBranch || p.Head.Ref == p.Repo.DefaultBranch {
		return nil
	}
	repo := p.Repo.FullName()
	m := Move{"refs/heads/" + p.Head.Ref, p.Head.SHA, state.ZeroID}
	var refused *state.Refusal
	if err := g.allowed(ctx, a, repo, m); errors.As(err, &refused) {
		return nil
	} else if err != nil {
		return err
	}
	if err := g.updateRef(ctx, repo, m.Ref, m.Before, m.After); err != nil {
		return err
	}
	return g.publish(ctx, a, repo, []Move{m}, 0)
}

// Heads are the branches whose tip a commit is.
func (g *Repos) Heads(ctx context.Context, repo, commit string) ([]Ref, error) {
	refs, err := g.Refs(ctx, repo, "refs/heads/")
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(refs, func(r Ref) bool { return r.SHA != commit }), nil
}

func parseTree(out []byte) ([]Entry, error) {
	var list []Entry
	for line := range strings.SplitSeq(strings.TrimSuffix(string(out), "\x00"), "\x00") {
		meta, name, ok := strings.Cut(line, "\t")
		f := strings.Fields(meta)
		if !ok || len(f) != 4 {
			continue
		}
		e := Entry{Path: name, Mode: f[0], Type: f[1], SHA: f[2]}
		if f[3] != "-" {
			size, err := strconv.ParseInt(f[3], 10, 64)
			if err != nil {
				return nil, fmt.Errorf("read the size of %s: %w", name, err)
			}
			e.Size = size
		}
		list = append(list, e)
	}
	return list, nil
}
