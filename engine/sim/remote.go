package sim

import (
	"cmp"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/pullbook/pullbook/engine"
	"github.com/pullbook/pullbook/engine/incident"
)

const mainBranch = "main"

// commit is a commit with what it changes. Who signed it stands for the signature.
type commit struct {
	id, parent, merged string // merged: the second parent of a merge
	tree               string // commit whose files it changes; empty: the parent's
	files              map[string][]byte
	message            string
	by                 string // signedByEngine, or who pushed it
	at                 time.Time
}

const signedByEngine = "engine"

// named gives the commit the id that its content has.
func (c *commit) named() *commit {
	h := sha1.New()
	fmt.Fprintf(h, "%s %s %s %s %d %q\n", c.parent, c.tree, c.merged, c.by, c.at.Unix(), c.message)
	for _, path := range slices.Sorted(maps.Keys(c.files)) {
		fmt.Fprintf(h, "%s %d\n", path, len(c.files[path]))
		h.Write(c.files[path])
	}
	c.id = hex.EncodeToString(h.Sum(nil))
	return c
}

// before is the commit whose files it changes.
func (c *commit) before() string { return cmp.Or(c.tree, c.parent) }

// remote is the ledger's repository on the hub.
type remote struct {
	commits map[string]*commit
	heads   map[string]string
	merged  map[string]map[string]bool // by tip of the default branch: every commit that can be reached from it
	names   []incident.ID              // of the incidents on the default branch
	upTo    map[string]int             // by tip of the default branch: how many of these it has
}

func newRemote() *remote {
	return &remote{commits: map[string]*commit{}, heads: map[string]string{}, merged: map[string]map[string]bool{}, upTo: map[string]int{}}
}

func (r *remote) keep(c *commit) *commit {
	r.commits[c.id] = c
	return c
}

// first makes the default branch.
func (r *remote) first(files map[string][]byte, at time.Time) {
	c := r.keep((&commit{files: files, message: "first", by: "carol", at: at}).named())
	r.heads[mainBranch] = c.id
	r.merged[c.id] = map[string]bool{c.id: true}
}

// merge puts a branch into the default branch by a merge commit.
func (r *remote) merge(head, title, message string, at time.Time) {
	before := r.heads[mainBranch]
	reach := maps.Clone(r.merged[before])
	files := map[string][]byte{}
	var chain []*commit
	for id := head; !reach[id]; id = r.commits[id].before() {
		chain = append(chain, r.commits[id])
	}
	for id := head; !reach[id]; id = r.commits[id].parent {
		reach[id] = true
	}
	for _, c := range slices.Backward(chain) {
		maps.Copy(files, c.files)
		for path := range c.files {
			if dir, ok := strings.CutSuffix(path, "/incident.json"); ok {
				r.names = append(r.names, incident.ID(dir[strings.LastIndexByte(dir, '/')+1:]))
			}
		}
	}
	c := r.keep((&commit{parent: before, merged: head, files: files, message: title + "\n\n" + message, by: "hub", at: at}).named())
	reach[c.id] = true
	r.merged[c.id], r.upTo[c.id] = reach, len(r.names)
	r.heads[mainBranch] = c.id
}

// add puts a commit on top of the default branch.
func (r *remote) add(c *commit) string {
	before := r.heads[mainBranch]
	c.parent = before
	r.keep(c.named())
	reach := maps.Clone(r.merged[before])
	reach[c.id] = true
	r.merged[c.id], r.heads[mainBranch] = reach, c.id
	return c.id
}

// files returns what is below some paths at a commit.
func (r *remote) files(id string, paths []string) (map[string]engine.File, error) {
	out := map[string]engine.File{}
	for before := ""; id != ""; id = before {
		c := r.commits[id]
		if c == nil {
			return nil, fmt.Errorf("the remote has no commit %s", id)
		}
		before = c.before()
		for path, data := range c.files {
			if _, newer := out[path]; newer || !slices.ContainsFunc(paths, func(p string) bool { return path == p || strings.HasPrefix(path, p+"/") }) {
				continue
			}
			sum := sha1.Sum(data)
			out[path] = engine.File{Blob: hex.EncodeToString(sum[:]), Data: data}
		}
	}
	return out, nil
}

// branch is an incident's branch from where it left the default branch. What the default branch has already is no part
// of it.
func (r *remote) branch(q engine.BranchQuery) (engine.Branch, error) {
	head := cmp.Or(q.At, r.heads[q.Name])
	if head == "" {
		return engine.Branch{}, fmt.Errorf("the remote has no branch %s", q.Name)
	}
	if r.commits[head] == nil {
		return engine.Branch{}, fmt.Errorf("%s: %w", head, engine.ErrLost)
	}
	out := engine.Branch{Head: head}
	var chain []*commit
	for id := head; !r.merged[q.DefaultTip][id]; id = r.commits[id].parent {
		chain = append(chain, r.commits[id])
	}
	for _, c := range slices.Backward(chain) {
		made := engine.BranchCommit{ID: c.id, Files: c.files}
		if c.by != signedByEngine || c.merged != "" {
			made.Foreign = "it is signed by nobody whom the ledger allows"
		}
		out.Commits = append(out.Commits, made)
	}
	return out, nil
}

// errStale says that a reference is not where a push expects it.
var errStale = errors.New("the reference is not where the push expects it")

// push moves a branch by compare-and-swap. An empty old means that the branch must not be there.
func (r *remote) push(branch, old string, commits []*commit) error {
	if r.heads[branch] != old {
		return errStale
	}
	for _, c := range commits {
		r.keep(c)
	}
	r.heads[branch] = commits[len(commits)-1].id
	return nil
}
