package rest

import (
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"path"
	"strings"

	"github.com/pullbook/pullbook/engine/localhub/git"
	"github.com/pullbook/pullbook/engine/localhub/state"
	"github.com/pullbook/pullbook/engine/localhub/wire"
)

func getRepo(c *call) (reply, error) {
	o := c.host.Repo(c.repo)
	if c.actor.User.Type == state.TypeUser {
		role, _, err := c.Store.RoleOf(c.name(), c.actor.User.Login)
		if err != nil {
			return reply{}, err
		}
		o["permissions"] = wire.RolePermissions(role)
	}
	o["network_count"], o["subscribers_count"] = 0, 0
	if c.repo.Owner.Type == state.TypeOrganization {
		o["organization"] = c.host.User(c.repo.Owner)
	}
	return ok(o)
}

func (c *call) branch(r git.Ref) wire.Object {
	name := strings.TrimPrefix(r.Name, "refs/heads/")
	protected, err := c.Store.Protected(c.name(), name)
	if err != nil {
		protected = false // unreachable: the repository was found for this call
	}
	api := c.host.API("/repos/%s/branches/%s", c.name(), url.PathEscape(name))
	return wire.Object{
		"name": name, "protected": protected, "protection_url": api + "/protection",
		"commit": wire.Object{"sha": r.SHA, "url": c.host.API("/repos/%s/commits/%s", c.name(), r.SHA)},
	}
}

func listBranches(c *call) (reply, error) {
	refs, err := c.Repos.Refs(c.r.Context(), c.name(), "refs/heads/")
	if err != nil {
		return reply{}, err
	}
	return listed(c, refs, c.branch)
}

func getBranch(c *call) (reply, error) {
	sha, err := c.Repos.Branch(c.r.Context(), c.name(), c.params["branch"])
	if errors.Is(err, git.ErrAbsent) {
		return reply{}, &state.Refusal{Status: http.StatusNotFound, Message: "Branch not found"}
	}
	if err != nil {
		return reply{}, err
	}
	commits, err := c.Repos.Commits(c.r.Context(), c.name(), []string{sha})
	if err != nil {
		return reply{}, err
	}
	o := c.branch(git.Ref{Name: "refs/heads/" + c.params["branch"], SHA: sha})
	o["commit"] = c.commit(commits[0])
	page := c.host.Page("/%s/tree/%s", c.name(), c.params["branch"])
	o["_links"] = wire.Object{"self": c.host.API("/repos/%s/branches/%s", c.name(), url.PathEscape(c.params["branch"])), "html": page}
	o["protection"] = wire.Object{"enabled": o["protected"]}
	return ok(o)
}

func listCollaborators(c *call) (reply, error) {
	users, roles, err := c.Store.Collaborators(c.name())
	if err != nil {
		return reply{}, err
	}
	at := map[int64]state.Role{}
	for i, u := range users {
		at[u.ID] = roles[i]
	}
	return listed(c, users, func(u state.User) wire.Object { return c.host.Collaborator(u, at[u.ID]) })
}

func checkCollaborator(c *call) (reply, error) {
	users, _, err := c.Store.Collaborators(c.name())
	if err != nil {
		return reply{}, err
	}
	for _, u := range users {
		if strings.EqualFold(u.Login, c.params["login"]) {
			return empty()
		}
	}
	return reply{}, state.NotFound()
}

func getPermission(c *call) (reply, error) {
	role, u, err := c.Store.RoleOf(c.name(), c.params["login"])
	if err != nil {
		return reply{}, err
	}
	return ok(wire.Object{"permission": role.Legacy(), "role_name": role.String(), "user": c.host.Collaborator(u, role)})
}

// maxInline is the largest file whose content GET /contents carries.
const maxInline = 1 << 20

func getContents(c *call) (reply, error) {
	name := strings.TrimSuffix(c.params["path"], "/")
	if name != "" && (path.Clean(name) != name || strings.HasPrefix(name, "..") || strings.HasPrefix(name, "/")) {
		return reply{}, state.NotFound()
	}
	ref := c.query("ref")
	if ref == "" {
		ref = c.repo.DefaultBranch
	}
	commit, err := c.Repos.Resolve(c.r.Context(), c.name(), strings.TrimPrefix(ref, "refs/"))
	if errors.Is(err, git.ErrAbsent) {
		return reply{}, &state.Refusal{Status: http.StatusNotFound, Message: "No commit found for the ref " + ref}
	}
	if err != nil {
		return reply{}, err
	}
	file, entries, err := c.Repos.Find(c.r.Context(), c.name(), commit, name)
	if err != nil {
		return reply{}, err
	}
	if file == nil {
		return ok(wire.List(entries, func(e git.Entry) wire.Object { return c.entry(e, ref) }))
	}
	if accepts(c.r, "raw") {
		return reply{status: http.StatusOK, text: file.Content, media: "application/vnd.github.raw; charset=utf-8"}, nil
	}
	o := c.entry(*file, ref)
	o["encoding"], o["content"] = "base64", base64.StdEncoding.EncodeToString(file.Content)+"\n"
	if file.Size > maxInline {
		o["encoding"], o["content"] = "none", ""
	}
	return ok(o)
}

// accepts says whether a custom media type of GitHub's, such as "raw" or "sha", is asked for.
func accepts(r *http.Request, kind string) bool {
	h := r.Header.Get("Accept")
	return strings.Contains(h, "application/vnd.github."+kind) || strings.Contains(h, "application/vnd.github.v3."+kind)
}

func (c *call) entry(e git.Entry, ref string) wire.Object {
	kind := map[string]string{"blob": "file", "tree": "dir", "commit": "submodule"}[e.Type]
	if e.Mode == "120000" {
		kind = "symlink"
	}
	escaped := (&url.URL{Path: e.Path}).EscapedPath()
	self := c.host.API("/repos/%s/contents/%s?ref=%s", c.name(), escaped, url.QueryEscape(ref))
	page := c.host.Page("/%s/blob/%s/%s", c.name(), ref, escaped)
	object := c.host.API("/repos/%s/git/%ss/%s", c.name(), e.Type, e.SHA)
	return wire.Object{
		"type": kind, "name": path.Base(e.Path), "path": e.Path, "sha": e.SHA, "size": e.Size, "url": self, "git_url": object,
		"html_url": page, "download_url": nil, "_links": wire.Object{"self": self, "git": object, "html": page},
	}
}

func (c *call) ref(r git.Ref) wire.Object {
	return wire.Object{
		"ref": r.Name, "node_id": base64.StdEncoding.EncodeToString([]byte("003:Ref" + c.name() + ":" + r.Name)),
		"url":    c.host.API("/repos/%s/git/%s", c.name(), r.Name),
		"object": wire.Object{"sha": r.SHA, "type": r.Type, "url": c.host.API("/repos/%s/git/%ss/%s", c.name(), r.Type, r.SHA)},
	}
}

func (c *call) findRef(full string) (reply, error) {
	refs, err := c.Repos.Refs(c.r.Context(), c.name(), full)
	if err != nil {
		return reply{}, err
	}
	for _, r := range refs {
		if r.Name == full {
			return ok(c.ref(r))
		}
	}
	return reply{}, state.NotFound()
}

func getRef(c *call) (reply, error) { return c.findRef("refs/" + c.params["ref"]) }

func listRefs(c *call) (reply, error) {
	refs, err := c.Repos.Refs(c.r.Context(), c.name(), "refs/"+c.params["ref"])
	if err != nil {
		return reply{}, err
	}
	return listed(c, refs, c.ref)
}

// writable refuses names that git would not take, and the hub's own pull refs.
func writable(full string) error {
	if !strings.HasPrefix(full, "refs/heads/") && !strings.HasPrefix(full, "refs/tags/") || !git.ValidRef(full) {
		return state.Unprocessable("Reference name must be a valid branch or tag that begins with 'refs/heads/' or 'refs/tags/'")
	}
	return nil
}

func createRef(c *call) (reply, error) {
	var in struct{ Ref, SHA string }
	if err := c.decode(&in); err != nil {
		return reply{}, err
	}
	if err := writable(in.Ref); err != nil {
		return reply{}, err
	}
	if !git.IsID(in.SHA) {
		return reply{}, state.Unprocessable("The sha parameter must be exactly 40 characters and contain only [0-9a-f].")
	}
	if err := c.Repos.SetRef(c.r.Context(), c.actor, c.name(), git.RefChange{Ref: in.Ref, After: in.SHA, Create: true}); err != nil {
		return reply{}, err
	}
	r, err := c.findRef(in.Ref)
	r.status = http.StatusCreated
	return r, err
}

func updateRef(c *call) (reply, error) {
	var in struct {
		SHA   string
		Force bool
	}
	if err := c.decode(&in); err != nil {
		return reply{}, err
	}
	full := "refs/" + c.params["ref"]
	if err := writable(full); err != nil {
		return reply{}, err
	}
	if !git.IsID(in.SHA) || in.SHA == state.ZeroID {
		return reply{}, state.Unprocessable("The sha parameter must be exactly 40 characters and contain only [0-9a-f].")
	}
	if err := c.Repos.SetRef(c.r.Context(), c.actor, c.name(), git.RefChange{Ref: full, After: in.SHA, Force: in.Force}); err != nil {
		return reply{}, err
	}
	return c.findRef(full)
}

func deleteRef(c *call) (reply, error) {
	full := "refs/" + c.params["ref"]
	if err := writable(full); err != nil {
		return reply{}, err
	}
	if err := c.Repos.SetRef(c.r.Context(), c.actor, c.name(), git.RefChange{Ref: full, After: state.ZeroID}); err != nil {
		return reply{}, err
	}
	return empty()
}

func dispatch(c *call) (reply, error) {
	var in struct {
		EventType     string         `json:"event_type"`
		ClientPayload map[string]any `json:"client_payload"`
	}
	if err := c.decode(&in); err != nil {
		return reply{}, err
	}
	switch {
	case in.EventType == "" || len(in.EventType) > 100:
		return reply{}, state.Unprocessable("Invalid request.\n\n\"event_type\" must have between 1 and 100 characters.")
	case len(in.ClientPayload) > 10:
		return reply{}, state.Invalid(state.Problem{Resource: "RepositoryDispatch", Field: "client_payload", Code: "custom", Message: "No more than 10 properties are allowed."})
	case len(encode(in.ClientPayload)) >= 64<<10:
		return reply{}, state.Invalid(state.Problem{Resource: "RepositoryDispatch", Field: "client_payload", Code: "custom", Message: "client_payload is too large."})
	}
	if in.ClientPayload == nil {
		in.ClientPayload = map[string]any{}
	}
	if err := c.Store.Dispatch(c.actor, c.name(), state.Dispatch{Type: in.EventType, Payload: in.ClientPayload}); err != nil {
		return reply{}, err
	}
	return empty()
}
