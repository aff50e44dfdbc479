package rest

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/pullbook/pullbook/engine/localhub/git"
	"github.com/pullbook/pullbook/engine/localhub/state"
	"github.com/pullbook/pullbook/engine/localhub/wire"
)

// commit is a commit without its files.
func (c *call) commit(x git.Commit) wire.Object {
	api := c.host.API("/repos/%s/commits/%s", c.name(), x.SHA)
	person := func(i state.Ident) wire.Object {
		return wire.Object{"name": i.Name, "email": i.Email, "date": i.When.Format(time.RFC3339)}
	}
	parents := wire.List(x.Parents, func(sha string) wire.Object {
		return wire.Object{
			"sha": sha, "url": c.host.API("/repos/%s/commits/%s", c.name(), sha), "html_url": c.host.Page("/%s/commit/%s", c.name(), sha),
		}
	})
	return wire.Object{
		"sha": x.SHA, "node_id": "C_" + x.SHA, "url": api, "html_url": c.host.Page("/%s/commit/%s", c.name(), x.SHA),
		"comments_url": api + "/comments", "author": c.account(x.Author), "committer": c.account(x.Committer), "parents": parents,
		"commit": wire.Object{
			"author": person(x.Author), "committer": person(x.Committer), "message": x.Message, "comment_count": 0,
			"url":          c.host.API("/repos/%s/git/commits/%s", c.name(), x.SHA),
			"tree":         wire.Object{"sha": x.Tree, "url": c.host.API("/repos/%s/git/trees/%s", c.name(), x.Tree)},
			"verification": verification(x),
		},
	}
}

// verification: the hub knows nobody's signing keys, so a signature is GitHub's "unknown_key".
func verification(x git.Commit) wire.Object {
	if x.Signature == "" {
		return wire.Object{"verified": false, "reason": "unsigned", "signature": nil, "payload": nil, "verified_at": nil}
	}
	return wire.Object{"verified": false, "reason": "unknown_key", "signature": x.Signature, "payload": x.Payload, "verified_at": nil}
}

// account is whose e-mail address it is, or null.
func (c *call) account(i state.Ident) any {
	if u, ok := c.Store.ByEmail(i.Email); ok {
		return c.host.User(u)
	}
	return nil
}

// resolve finds the commit of a path parameter.
func (c *call) resolve(name string) (string, error) {
	sha, err := c.Repos.Resolve(c.r.Context(), c.name(), name)
	if errors.Is(err, git.ErrAbsent) {
		return "", state.Unprocessable("No commit found for SHA: " + name)
	}
	return sha, err
}

func listCommits(c *call) (reply, error) {
	start := c.query("sha")
	if start == "" {
		start = c.repo.DefaultBranch
	}
	tip, err := c.Repos.Resolve(c.r.Context(), c.name(), start)
	if err != nil {
		return reply{}, err
	}
	ids, err := c.Repos.List(c.r.Context(), c.name(), git.Range{Tip: tip, Path: c.query("path")})
	if err != nil {
		return reply{}, err
	}
	some, link := page(c, ids)
	commits, err := c.Repos.Commits(c.r.Context(), c.name(), some)
	if err != nil {
		return reply{}, err
	}
	return reply{status: http.StatusOK, body: wire.List(commits, c.commit), link: link}, nil
}

func getCommit(c *call) (reply, error) {
	sha, err := c.resolve(c.params["ref"])
	if err != nil {
		return reply{}, err
	}
	if accepts(c.r, "sha") {
		return reply{status: http.StatusOK, text: []byte(sha), media: "application/vnd.github.v3.sha; charset=utf-8"}, nil
	}
	commits, err := c.Repos.Commits(c.r.Context(), c.name(), []string{sha})
	if err != nil {
		return reply{}, err
	}
	parent := ""
	if len(commits[0].Parents) > 0 {
		parent = commits[0].Parents[0]
	}
	if text, asked, err := c.printed(parent, sha); asked {
		return text, err
	}
	files, err := c.Repos.Files(c.r.Context(), c.name(), parent, sha)
	if err != nil {
		return reply{}, err
	}
	o := c.commit(commits[0])
	add, del := 0, 0
	for _, f := range files {
		add, del = add+f.Additions, del+f.Deletions
	}
	some, link := page(c, files)
	o["stats"] = wire.Object{"additions": add, "deletions": del, "total": add + del}
	o["files"] = wire.List(some, c.fileAt(sha))
	return reply{status: http.StatusOK, body: o, link: link}, nil
}

func (c *call) fileAt(sha string) func(git.File) wire.Object {
	return func(f git.File) wire.Object {
		escaped := (&url.URL{Path: f.Path}).EscapedPath()
		o := wire.Object{
			"sha": f.SHA, "filename": f.Path, "status": f.Status, "additions": f.Additions, "deletions": f.Deletions,
			"changes": f.Additions + f.Deletions, "blob_url": c.host.Page("/%s/blob/%s/%s", c.name(), sha, escaped),
			"raw_url":      c.host.Page("/%s/raw/%s/%s", c.name(), sha, escaped),
			"contents_url": c.host.API("/repos/%s/contents/%s?ref=%s", c.name(), escaped, sha),
		}
		if f.Patch != "" {
			o["patch"] = f.Patch
		}
		if f.Previous != "" {
			o["previous_filename"] = f.Previous
		}
		return o
	}
}

func compare(c *call) (reply, error) {
	baseName, headName, found := strings.Cut(c.params["basehead"], "...")
	if !found {
		return reply{}, state.NotFound()
	}
	ctx, repo := c.r.Context(), c.name()
	base, err := c.Repos.Resolve(ctx, repo, c.unowned(baseName))
	if err != nil {
		return reply{}, err
	}
	head, err := c.Repos.Resolve(ctx, repo, c.unowned(headName))
	if err != nil {
		return reply{}, err
	}
	mergeBase, err := c.Repos.MergeBase(ctx, repo, base, head)
	if err != nil {
		return reply{}, err
	}
	if mergeBase == "" {
		return reply{}, &state.Refusal{Status: http.StatusNotFound, Message: "No common ancestor between " + baseName + " and " + headName + "."}
	}
	if text, asked, err := c.printed(mergeBase, head); asked {
		return text, err
	}
	ahead, err := c.Repos.List(ctx, repo, git.Range{Tip: head, Not: base, Reverse: true})
	if err != nil {
		return reply{}, err
	}
	behind, err := c.Repos.List(ctx, repo, git.Range{Tip: base, Not: head})
	if err != nil {
		return reply{}, err
	}
	some, link := page(c, c.Repos.Listed(ahead))
	if c.query("page") == "" && c.query("per_page") == "" {
		some, link = c.Repos.Listed(ahead), ""
	}
	commits, err := c.Repos.Commits(ctx, repo, append([]string{base, mergeBase}, some...))
	if err != nil {
		return reply{}, err
	}
	files, err := c.Repos.Files(ctx, repo, mergeBase, head)
	if err != nil {
		return reply{}, err
	}
	self := c.host.API("/repos/%s/compare/%s", repo, url.PathEscape(c.params["basehead"]))
	page := c.host.Page("/%s/compare/%s", repo, c.params["basehead"])
	return reply{status: http.StatusOK, link: link, body: wire.Object{
		"url": self, "html_url": page, "permalink_url": page, "diff_url": page + ".diff", "patch_url": page + ".patch",
		"base_commit": c.commit(commits[0]), "merge_base_commit": c.commit(commits[1]), "status": direction(len(ahead), len(behind)),
		"ahead_by": len(ahead), "behind_by": len(behind), "total_commits": len(ahead),
		"commits": wire.List(commits[2:], c.commit), "files": wire.List(files[:min(len(files), 300)], c.fileAt(head)),
	}}, nil
}

// unowned takes the repository's own owner off "owner:branch".
func (c *call) unowned(name string) string {
	owner, branch, ok := strings.Cut(name, ":")
	if ok && strings.EqualFold(owner, c.repo.Owner.Login) {
		return branch
	}
	return name
}

func direction(ahead, behind int) string {
	switch {
	case ahead > 0 && behind > 0:
		return "diverged"
	case ahead > 0:
		return "ahead"
	case behind > 0:
		return "behind"
	default:
		return "identical"
	}
}
