package git

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/pullbook/pullbook/engine/localhub/state"
)

// A Ref is a name and the object that it points to.
type Ref struct {
	Name, SHA, Type string
}

// A Commit is a commit's content. Payload is what a signature covers; both are empty for an unsigned commit.
type Commit struct {
	SHA, Tree          string
	Parents            []string
	Author, Committer  state.Ident
	Message            string
	Signature, Payload string
}

// Subject is the first line of the message.
func (c Commit) Subject() string {
	s, _, _ := strings.Cut(c.Message, "\n")
	return s
}

// Pushed is the commit as events show it, without the files that it changed.
func (c Commit) Pushed() state.PushedCommit {
	return state.PushedCommit{
		SHA: c.SHA, Tree: c.Tree, Message: c.Message, Author: c.Author, Committer: c.Committer,
		Added: []string{}, Removed: []string{}, Modified: []string{},
	}
}

var idForm = regexp.MustCompile(`^[0-9a-f]{40}$`)

// IsID says whether a text is a full object id.
func IsID(text string) bool { return idForm.MatchString(text) }

// ValidRef says whether a full ref name is one that git would take (git-check-ref-format) below refs/.
func ValidRef(name string) bool {
	rest, ok := strings.CutPrefix(name, "refs/")
	if !ok || len(name) > 255 || !strings.Contains(rest, "/") || strings.HasSuffix(name, ".") || strings.Contains(name, "@{") {
		return false
	}
	if strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r == 0x7f || strings.ContainsRune("~^:?*[\\", r) }) {
		return false
	}
	for part := range strings.SplitSeq(name, "/") {
		if part == "" || strings.HasPrefix(part, ".") || strings.HasSuffix(part, ".lock") || strings.Contains(part, "..") {
			return false
		}
	}
	return true
}

// Refs lists the refs whose full name begins with prefix.
func (g *Repos) Refs(ctx context.Context, repo, prefix string) ([]Ref, error) {
	out, err := g.git(ctx, repo, "for-each-ref", "--format=%(refname) %(objectname) %(objecttype)", "refs/")
	if err != nil {
		return nil, fmt.Errorf("list the refs of %s: %w", repo, err)
	}
	var refs []Ref
	for line := range strings.Lines(string(out)) {
		f := strings.Fields(line)
		if len(f) == 3 && strings.HasPrefix(f[0], prefix) {
			refs = append(refs, Ref{Name: f[0], SHA: f[1], Type: f[2]})
		}
	}
	return refs, nil
}

// ErrAbsent says that a ref, commit or path is not in the repository.
var ErrAbsent = fmt.Errorf("not in the repository")

// Resolve finds the commit that a branch, tag, full ref name, "HEAD" or commit id stands for.
func (g *Repos) Resolve(ctx context.Context, repo, name string) (string, error) {
	var tries []string
	if name == "HEAD" {
		tries = append(tries, "HEAD")
	}
	for _, full := range []string{"refs/heads/" + name, "refs/tags/" + name, "refs/" + name, name} {
		if ValidRef(full) {
			tries = append(tries, full)
		}
	}
	if IsID(name) {
		tries = append([]string{name}, tries...)
	}
	if len(tries) == 0 {
		return "", ErrAbsent
	}
	in := strings.Join(tries, "^{commit}\n") + "^{commit}\n"
	out, err := g.gitInput(ctx, repo, strings.NewReader(in), "cat-file", "--batch-check=%(objectname) %(objecttype)")
	if err != nil {
		return "", fmt.Errorf("resolve a name in %s: %w", repo, err)
	}
	for line := range strings.Lines(string(out)) {
		if f := strings.Fields(line); len(f) == 2 && f[1] == "commit" && IsID(f[0]) {
			return f[0], nil
		}
	}
	return "", ErrAbsent
}

// Branch finds the commit at a branch's tip.
func (g *Repos) Branch(ctx context.Context, repo, branch string) (string, error) {
	return g.Ref(ctx, repo, "refs/heads/"+branch)
}

// Ref finds the commit that a full ref name points to.
func (g *Repos) Ref(ctx context.Context, repo, full string) (string, error) {
	if !ValidRef(full) {
		return "", ErrAbsent
	}
	out, err := g.git(ctx, repo, "rev-parse", "--verify", "--quiet", "--end-of-options", full+"^{commit}")
	if exited(err, 1) || exited(err, 128) {
		return "", ErrAbsent
	}
	if err != nil {
		return "", err
	}
	return strings.TrimSpace(string(out)), nil
}

// Commits reads commits by id, in the given order. An id that is not a commit is an error.
func (g *Repos) Commits(ctx context.Context, repo string, ids []string) ([]Commit, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	out, err := g.gitInput(ctx, repo, strings.NewReader(strings.Join(ids, "\n")+"\n"), "cat-file", "--batch")
	if err != nil {
		return nil, fmt.Errorf("read commits of %s: %w", repo, err)
	}
	r := bufio.NewReader(bytes.NewReader(out))
	commits := make([]Commit, 0, len(ids))
	for range ids {
		id, kind, body, err := readObject(r)
		if err != nil {
			return nil, fmt.Errorf("read commits of %s: %w", repo, err)
		}
		if kind != "commit" {
			return nil, fmt.Errorf("object %s is a %s: %w", id, kind, ErrAbsent)
		}
		commits = append(commits, parseCommit(id, body))
	}
	return commits, nil
}

// readObject reads one answer of cat-file --batch.
func readObject(r *bufio.Reader) (id, kind string, body []byte, err error) {
	head, err := r.ReadString('\n')
	if err != nil {
		return "", "", nil, fmt.Errorf("read an object's head: %w", err)
	}
	f := strings.Fields(head)
	if len(f) != 3 {
		return "", "", nil, ErrAbsent
	}
	size, err := strconv.Atoi(f[2])
	if err != nil {
		return "", "", nil, fmt.Errorf("read an object's size: %w", err)
	}
	body = make([]byte, size+1)
	if _, err := io.ReadFull(r, body); err != nil {
		return "", "", nil, fmt.Errorf("read object %s: %w", f[0], err)
	}
	return f[0], f[1], body[:size], nil
}

func parseCommit(id string, raw []byte) Commit {
	c := Commit{SHA: id}
	head, message, _ := strings.Cut(string(raw), "\n\n")
	c.Message = strings.TrimSuffix(message, "\n")
	var signature, rest strings.Builder
	inSignature := false
	for line := range strings.Lines(head + "\n") {
		key, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		if key == "" && inSignature { // a continued header line
			signature.WriteString(value + "\n")
			continue
		}
		inSignature = key == "gpgsig"
		if inSignature {
			signature.WriteString(value + "\n")
			continue
		}
		rest.WriteString(line)
		switch key {
		case "tree":
			c.Tree = value
		case "parent":
			c.Parents = append(c.Parents, value)
		case "author":
			c.Author = parseIdent(value)
		case "committer":
			c.Committer = parseIdent(value)
		}
	}
	if signature.Len() > 0 {
		c.Signature = strings.TrimSuffix(signature.String(), "\n")
		c.Payload = rest.String() + "\n" + message
	}
	return c
}

func parseIdent(line string) state.Ident {
	name, rest, _ := strings.Cut(line, " <")
	email, when, _ := strings.Cut(rest, "> ")
	seconds, _, _ := strings.Cut(when, " ")
	n, err := strconv.ParseInt(seconds, 10, 64)
	if err != nil {
		n = 0 // a foreign commit may carry any date; it decides nothing
	}
	return state.Ident{Name: name, Email: email, When: time.Unix(n, 0).UTC()}
}

// A Range selects commits: those reachable from Tip and not from Not (if set), that touch Path (if set).
type Range struct {
	Tip, Not, Path string
	Limit          int // 0: no limit
	Reverse        bool
}

// List lists commit ids, newest first unless reversed.
func (g *Repos) List(ctx context.Context, repo string, r Range) ([]string, error) {
	args := []string{"rev-list", "--topo-order"}
	if r.Reverse {
		args = append(args, "--reverse")
	}
	if r.Limit > 0 {
		args = append(args, "--max-count="+strconv.Itoa(r.Limit))
	}
	args = append(args, "--end-of-options", r.Tip)
	if r.Not != "" {
		args = append(args, "^"+r.Not)
	}
	args = append(args, "--")
	if r.Path != "" {
		args = append(args, ":(literal)"+r.Path)
	}
	out, err := g.git(ctx, repo, args...)
	if err != nil {
		return nil, fmt.Errorf("list commits of %s: %w", repo, err)
	}
	return strings.Fields(string(out)), nil
}

// An Entry is a file or directory in a commit.
type Entry struct {
	Path, SHA, Mode, Type string // Type: blob, tree, commit
	Size                  int64
	Content               []byte // of a blob that was asked for
}

// Find reads a path of a commit: a blob with its content, or a tree's entries. The root is "".
func (g *Repos) Find(ctx context.Context, repo, commit, path string) (*Entry, []Entry, error) {
	if path != "" {
		if !plainPath(path) {
			return nil, nil, ErrAbsent
		}
		list, err := g.tree(ctx, repo, commit, path)
		if err != nil {
			return nil, nil, err
		}
		if len(list) == 0 {
			return nil, nil, ErrAbsent
		}
		if e := list[0]; e.Type != "tree" {
			if e.Type == "blob" {
				if e.Content, err = g.git(ctx, repo, "cat-file", "blob", e.SHA); err != nil {
					return nil, nil, fmt.Errorf("read a file of %s: %w", repo, err)
				}
			}
			return &e, nil, nil
		}
		path += "/"
	}
	list, err := g.tree(ctx, repo, commit, path)
	return nil, list, err
}

func (g *Repos) tree(ctx context.Context, repo, commit, path string) ([]Entry, error) {
	args := []string{"ls-tree", "-z", "--long", "--full-tree", "--end-of-options", commit}
	if path != "" {
		args = append(args, "--", path)
	}
	out, err := g.git(ctx, repo, args...)
	if err != nil {
		return nil, fmt.Errorf("list files of %s: %w", repo, err)
	}
	return parseTree(out)
}
