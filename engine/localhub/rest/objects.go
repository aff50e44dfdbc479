package rest

import (
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"

	"github.com/pullbook/pullbook/engine/localhub/git"
	"github.com/pullbook/pullbook/engine/localhub/state"
	"github.com/pullbook/pullbook/engine/localhub/wire"
)

// gitCommit is a commit as the Git database API shows it.
func (c *call) gitCommit(x git.Commit) wire.Object {
	full := c.commit(x)["commit"].(wire.Object) // made by commit just now
	parents := wire.List(x.Parents, func(sha string) wire.Object {
		return wire.Object{"sha": sha, "url": c.host.API("/repos/%s/git/commits/%s", c.name(), sha), "html_url": c.host.Page("/%s/commit/%s", c.name(), sha)}
	})
	return wire.Object{
		"sha": x.SHA, "node_id": "C_" + x.SHA, "url": full["url"], "html_url": c.host.Page("/%s/commit/%s", c.name(), x.SHA),
		"author": full["author"], "committer": full["committer"], "tree": full["tree"], "message": x.Message, "parents": parents,
		"verification": full["verification"],
	}
}

func (c *call) commitBySHA(sha string) (reply, error) {
	if kind, err := c.Repos.Kind(c.r.Context(), c.name(), sha); err != nil || kind != "commit" {
		return reply{}, state.NotFound()
	}
	commits, err := c.Repos.Commits(c.r.Context(), c.name(), []string{sha})
	if err != nil {
		return reply{}, err
	}
	return ok(c.gitCommit(commits[0]))
}

func getGitCommit(c *call) (reply, error) { return c.commitBySHA(c.params["sha"]) }

// signer is an author, committer or tagger as requests give them.
type signer struct {
	Name  string     `json:"name"`
	Email string     `json:"email"`
	Date  *time.Time `json:"date"`
}

// ident reads a person; nobody is the otherwise.
func (p *signer) ident(otherwise state.Ident) (state.Ident, error) {
	if p == nil {
		return otherwise, nil
	}
	if p.Name == "" || p.Email == "" {
		return otherwise, state.Unprocessable("Invalid request.\n\n\"email\", \"name\" weren't supplied.")
	}
	out := state.Ident{Name: p.Name, Email: p.Email, When: otherwise.When}
	if p.Date != nil {
		out.When = p.Date.UTC()
	}
	return out, nil
}

func createGitCommit(c *call) (reply, error) {
	var in struct {
		Message   string
		Tree      string
		Parents   []string
		Author    *signer
		Committer *signer
		Signature string
	}
	if err := c.decode(&in); err != nil {
		return reply{}, err
	}
	if in.Message == "" || in.Tree == "" {
		return reply{}, state.Unprocessable("Invalid request.\n\n\"message\", \"tree\" weren't supplied.")
	}
	author, err := in.Author.ident(c.Repos.IdentOf(c.actor.User))
	if err != nil {
		return reply{}, err
	}
	committer, err := in.Committer.ident(author)
	if err != nil {
		return reply{}, err
	}
	sha, err := c.Repos.WriteCommit(c.r.Context(), c.name(), git.NewCommit{
		Message: in.Message, Tree: in.Tree, Parents: in.Parents, Signature: in.Signature, Author: author, Committer: committer,
	})
	if err != nil {
		return reply{}, err
	}
	r, err := c.commitBySHA(sha)
	r.status = http.StatusCreated
	return r, err
}

func getBlob(c *call) (reply, error) {
	sha := c.params["sha"]
	content, err := c.Repos.Blob(c.r.Context(), c.name(), sha)
	if err != nil {
		return reply{}, err
	}
	if accepts(c.r, "raw") {
		return reply{status: http.StatusOK, text: content, media: "application/vnd.github.raw; charset=utf-8"}, nil
	}
	return ok(wire.Object{
		"sha": sha, "node_id": "B_" + sha, "size": len(content), "url": c.host.API("/repos/%s/git/blobs/%s", c.name(), sha),
		"content": base64.StdEncoding.EncodeToString(content) + "\n", "encoding": "base64",
	})
}

func createBlob(c *call) (reply, error) {
	var in struct {
		Content  *string
		Encoding string
	}
	if err := c.decode(&in); err != nil {
		return reply{}, err
	}
	if in.Content == nil {
		return reply{}, state.Unprocessable("Invalid request.\n\n\"content\" wasn't supplied.")
	}
	content := []byte(*in.Content)
	switch in.Encoding {
	case "", "utf-8":
	case "base64":
		raw, err := base64Text(*in.Content)
		if err != nil {
			return reply{}, err
		}
		content = raw
	default:
		return reply{}, state.Unprocessable("encoding must be utf-8 or base64")
	}
	sha, err := c.Repos.WriteBlob(c.r.Context(), c.name(), content)
	if err != nil {
		return reply{}, err
	}
	return created(wire.Object{"sha": sha, "url": c.host.API("/repos/%s/git/blobs/%s", c.name(), sha)})
}

// base64Text reads base64 with the line breaks that GitHub takes.
func base64Text(text string) ([]byte, error) {
	raw, err := base64.StdEncoding.DecodeString(strings.NewReplacer("\n", "", "\r", "").Replace(text))
	if err != nil {
		return nil, state.Unprocessable("content is not valid Base64")
	}
	return raw, nil
}

func (c *call) tree(sha string, entries []git.Entry) wire.Object {
	return wire.Object{
		"sha": sha, "url": c.host.API("/repos/%s/git/trees/%s", c.name(), sha), "truncated": false,
		"tree": wire.List(entries, func(e git.Entry) wire.Object {
			o := wire.Object{"path": e.Path, "mode": e.Mode, "type": e.Type, "sha": e.SHA, "url": c.host.API("/repos/%s/git/%ss/%s", c.name(), e.Type, e.SHA)}
			if e.Type == "blob" {
				o["size"] = e.Size
			}
			return o
		}),
	}
}

func getTree(c *call) (reply, error) {
	of := c.params["ref"]
	if !git.IsID(of) {
		var err error
		if of, err = c.Repos.Resolve(c.r.Context(), c.name(), of); err != nil {
			return reply{}, err
		}
	}
	_, recursive := c.r.URL.Query()["recursive"]
	sha, entries, err := c.Repos.Tree(c.r.Context(), c.name(), of, recursive)
	if err != nil {
		return reply{}, err
	}
	return ok(c.tree(sha, entries))
}

// treeEntry is one entry of a tree to make. A sha of null deletes; content makes a blob on the way.
type treeEntry struct {
	Path    string  `json:"path"`
	Mode    string  `json:"mode"`
	Type    string  `json:"type"`
	SHA     *string `json:"sha"`
	Content *string `json:"content"`
}

func createTree(c *call) (reply, error) {
	var in struct {
		BaseTree string      `json:"base_tree"`
		Tree     []treeEntry `json:"tree"`
	}
	if err := c.decode(&in); err != nil {
		return reply{}, err
	}
	if len(in.Tree) == 0 {
		return reply{}, state.Unprocessable("Invalid tree info")
	}
	entries := make([]git.TreeEntry, 0, len(in.Tree))
	for _, e := range in.Tree {
		entry := git.TreeEntry{Path: e.Path, Mode: e.Mode, Type: e.Type}
		switch {
		case e.SHA != nil && e.Content != nil:
			return reply{}, state.Unprocessable("Must supply either tree.sha or tree.content, not both")
		case e.Content != nil:
			sha, err := c.Repos.WriteBlob(c.r.Context(), c.name(), []byte(*e.Content))
			if err != nil {
				return reply{}, err
			}
			entry.SHA = sha
		case e.SHA != nil:
			entry.SHA = *e.SHA
		}
		entries = append(entries, entry)
	}
	sha, err := c.Repos.WriteTree(c.r.Context(), c.name(), in.BaseTree, entries)
	if err != nil {
		return reply{}, err
	}
	_, list, err := c.Repos.Tree(c.r.Context(), c.name(), sha, false)
	if err != nil {
		return reply{}, err
	}
	return created(c.tree(sha, list))
}

func (c *call) tag(t git.Tag) wire.Object {
	return wire.Object{
		"sha": t.SHA, "node_id": "T_" + t.SHA, "url": c.host.API("/repos/%s/git/tags/%s", c.name(), t.SHA), "tag": t.Name, "message": t.Message,
		"tagger":       wire.Object{"name": t.Tagger.Name, "email": t.Tagger.Email, "date": t.Tagger.When.Format(time.RFC3339)},
		"object":       wire.Object{"sha": t.Object, "type": t.Type, "url": c.host.API("/repos/%s/git/%ss/%s", c.name(), t.Type, t.Object)},
		"verification": verification(git.Commit{}),
	}
}

func getTag(c *call) (reply, error) {
	t, err := c.Repos.ReadTag(c.r.Context(), c.name(), c.params["sha"])
	return shaped(t, err, behind(c.tag))
}

func createTag(c *call) (reply, error) {
	var in struct {
		Tag, Message, Object, Type string
		Tagger                     *signer
	}
	if err := c.decode(&in); err != nil {
		return reply{}, err
	}
	if !git.ValidRef("refs/tags/" + in.Tag) {
		return reply{}, state.Unprocessable("tag is not a valid tag name")
	}
	tagger, err := in.Tagger.ident(c.Repos.IdentOf(c.actor.User))
	if err != nil {
		return reply{}, err
	}
	sha, err := c.Repos.WriteTag(c.r.Context(), c.name(), git.Tag{Name: in.Tag, Message: in.Message, Object: in.Object, Type: in.Type, Tagger: tagger})
	if err != nil {
		return reply{}, err
	}
	t, err := c.Repos.ReadTag(c.r.Context(), c.name(), sha)
	return made(t, err, behind(c.tag))
}

func listTags(c *call) (reply, error) {
	refs, err := c.Repos.Refs(c.r.Context(), c.name(), "refs/tags/")
	if err != nil {
		return reply{}, err
	}
	some, link := page(c, refs)
	out := []wire.Object{}
	for _, r := range some {
		sha, err := c.Repos.Ref(c.r.Context(), c.name(), r.Name)
		if errors.Is(err, git.ErrAbsent) {
			continue // a tag of something that is not a commit
		}
		if err != nil {
			return reply{}, err
		}
		name := strings.TrimPrefix(r.Name, "refs/tags/")
		archive := func(kind string) string {
			return c.host.API("/repos/%s/%s/refs/tags/%s", c.name(), kind, url.PathEscape(name))
		}
		out = append(out, wire.Object{
			"name": name, "node_id": "REF_" + name, "commit": wire.Object{"sha": sha, "url": c.host.API("/repos/%s/commits/%s", c.name(), sha)},
			"zipball_url": archive("zipball"), "tarball_url": archive("tarball"),
		})
	}
	return reply{status: http.StatusOK, body: out, link: link}, nil
}

// fileChange is the body of writing and of deleting one file.
type fileChange struct {
	Message string  `json:"message"`
	Content *string `json:"content"`
	SHA     string  `json:"sha"`
	Branch  string  `json:"branch"`
}

// place is the branch that a file change is for, its tip, and the file that is there now, if any.
func (c *call) place(in *fileChange) (tip string, old *git.Entry, err error) {
	if in.Message == "" {
		return "", nil, state.Unprocessable("Invalid request.\n\n\"message\" wasn't supplied.")
	}
	if in.Branch == "" {
		in.Branch = c.repo.DefaultBranch
	}
	in.Branch = strings.TrimPrefix(in.Branch, "refs/heads/")
	if tip, err = c.Repos.Branch(c.r.Context(), c.name(), in.Branch); err != nil {
		if errors.Is(err, git.ErrAbsent) {
			err = &state.Refusal{Status: http.StatusNotFound, Message: "Branch " + in.Branch + " not found"}
		}
		return "", nil, err
	}
	name := c.params["path"]
	if path.Clean("/"+name) != "/"+name {
		return "", nil, state.Unprocessable("path contains a malformed path component")
	}
	old, _, err = c.Repos.Find(c.r.Context(), c.name(), tip, name)
	if errors.Is(err, git.ErrAbsent) {
		old, err = nil, nil
	}
	if err == nil && in.SHA != "" && (old == nil || old.SHA != in.SHA) {
		err = &state.Refusal{Status: http.StatusConflict, Message: name + " does not match " + in.SHA}
	}
	return tip, old, err
}

// writeFile makes the commit of a file change and answers with it.
func (c *call) writeFile(in fileChange, change git.Change) (wire.Object, string, error) {
	change.Branch, change.Message = in.Branch, in.Message
	sha, err := c.Repos.CommitOn(c.r.Context(), c.actor, c.name(), change)
	if errors.Is(err, git.ErrMoved) {
		return nil, "", &state.Refusal{Status: http.StatusConflict, Message: "The branch was updated meanwhile"}
	}
	if err != nil {
		return nil, "", err
	}
	commits, err := c.Repos.Commits(c.r.Context(), c.name(), []string{sha})
	if err != nil {
		return nil, "", err
	}
	return c.gitCommit(commits[0]), sha, nil
}

func putContents(c *call) (reply, error) {
	var in fileChange
	if err := c.decode(&in); err != nil {
		return reply{}, err
	}
	tip, old, err := c.place(&in)
	if err != nil {
		return reply{}, err
	}
	if in.Content == nil || (old != nil && in.SHA == "") {
		field := map[bool]string{true: "content", false: "sha"}[in.Content == nil]
		return reply{}, state.Unprocessable("Invalid request.\n\n\"" + field + "\" wasn't supplied.")
	}
	content, err := base64Text(*in.Content)
	if err != nil {
		return reply{}, err
	}
	name := c.params["path"]
	commit, sha, err := c.writeFile(in, git.Change{Expected: tip, Added: map[string][]byte{name: content}})
	if err != nil {
		return reply{}, err
	}
	file, _, err := c.Repos.Find(c.r.Context(), c.name(), sha, name)
	if err != nil {
		return reply{}, err
	}
	status := http.StatusCreated
	if old != nil {
		status = http.StatusOK
	}
	return reply{status: status, body: wire.Object{"content": c.entry(*file, in.Branch), "commit": commit}}, nil
}

func deleteContents(c *call) (reply, error) {
	var in fileChange
	if err := c.decode(&in); err != nil {
		return reply{}, err
	}
	tip, old, err := c.place(&in)
	switch {
	case err != nil:
		return reply{}, err
	case old == nil:
		return reply{}, state.NotFound()
	case in.SHA == "":
		return reply{}, state.Unprocessable("Invalid request.\n\n\"sha\" wasn't supplied.")
	}
	commit, _, err := c.writeFile(in, git.Change{Expected: tip, Deleted: []string{c.params["path"]}})
	if err != nil {
		return reply{}, err
	}
	return ok(wire.Object{"content": nil, "commit": commit})
}
