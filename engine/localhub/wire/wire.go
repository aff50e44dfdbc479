package wire

import (
	"encoding/base64"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/pullbook/pullbook/engine/localhub/state"
)

// An Object is a JSON object.
type Object = map[string]any

// Host is the hub's address, such as "http://127.0.0.1:8080", without a slash at the end.
type Host string

// The names under which clients know a GitHub on their own machine: gh looks for pages and git at Localhost, and for the
// API at APIHost, where no path has a prefix (cli/cli, internal/ghinstance).
const (
	Localhost = "github.localhost"
	APIHost   = "api." + Localhost
)

// API is the address of a REST path.
func (h Host) API(format string, args ...any) string {
	path := fmt.Sprintf(format, args...)
	if scheme, name, _ := strings.Cut(string(h), "://"); name == Localhost || strings.HasPrefix(name, Localhost+":") {
		return scheme + "://api." + name + path
	}
	return string(h) + "/api/v3" + path
}

// Page is the address of a page.
func (h Host) Page(format string, args ...any) string {
	return string(h) + fmt.Sprintf(format, args...)
}

func nodeID(kind string, id int64) string {
	return base64.StdEncoding.EncodeToString(fmt.Appendf(nil, "%03d:%s%d", len(kind), kind, id))
}

// stamp is a time as GitHub writes it, or null.
func stamp(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UTC().Format(time.RFC3339)
}

// orNull is a text, or null when it is empty.
func orNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func list[T any](items []T, shape func(T) Object) []Object {
	out := make([]Object, 0, len(items))
	for _, x := range items {
		out = append(out, shape(x))
	}
	return out
}

// List shapes each item.
func List[T any](items []T, shape func(T) Object) []Object { return list(items, shape) }

// User is GitHub's simple-user.
func (h Host) User(u state.User) Object {
	login := url.PathEscape(u.Login)
	api := h.API("/users/%s", login)
	return Object{
		"login": u.Login, "id": u.ID, "node_id": nodeID("User", u.ID), "avatar_url": h.Page("/avatars/%d", u.ID),
		"gravatar_id": "", "url": api, "html_url": h.Page("/%s", login), "type": u.Type, "site_admin": u.Admin,
		"followers_url": api + "/followers", "following_url": api + "/following{/other_user}",
		"gists_url": api + "/gists{/gist_id}", "starred_url": api + "/starred{/owner}{/repo}",
		"subscriptions_url": api + "/subscriptions", "organizations_url": api + "/orgs", "repos_url": api + "/repos",
		"events_url": api + "/events{/privacy}", "received_events_url": api + "/received_events",
	}
}

func (h Host) userOrNull(u state.User) any {
	if u.ID == 0 {
		return nil
	}
	return h.User(u)
}

// Profile is a user with what GET /users shows besides.
func (h Host) Profile(u state.User) Object {
	o := h.User(u)
	o["name"], o["email"], o["company"], o["blog"], o["location"], o["bio"] = orNull(u.Name), orNull(u.Email), nil, "", nil, nil
	o["user_view_type"] = "public"
	o["public_repos"], o["public_gists"], o["followers"], o["following"] = 0, 0, 0, 0
	o["hireable"], o["created_at"], o["updated_at"] = nil, stamp(u.Created), stamp(u.Created)
	return o
}

// Organization is an organisation as GET /orgs shows it.
func (h Host) Organization(u state.User) Object {
	api := h.API("/orgs/%s", u.Login)
	return Object{
		"login": u.Login, "id": u.ID, "node_id": nodeID("Organization", u.ID), "url": api, "repos_url": api + "/repos",
		"events_url": api + "/events", "hooks_url": api + "/hooks", "issues_url": api + "/issues",
		"members_url": api + "/members{/member}", "public_members_url": api + "/public_members{/member}",
		"avatar_url": h.Page("/avatars/%d", u.ID), "description": nil, "name": named(u), "type": u.Type,
		"html_url": h.Page("/%s", u.Login), "created_at": stamp(u.Created), "updated_at": stamp(u.Created),
		"public_repos": 0, "public_gists": 0, "followers": 0, "following": 0,
		"has_organization_projects": false, "has_repository_projects": false, "archived_at": nil,
	}
}

// named is what an account is called: its login unless it says something else.
func named(u state.User) string {
	if u.Name != "" {
		return u.Name
	}
	return u.Login
}

// OrgSimple is an organisation as lists show it.
func (h Host) OrgSimple(u state.User) Object {
	full := h.Organization(u)
	out := Object{}
	for _, field := range []string{"login", "id", "node_id", "url", "repos_url", "events_url", "hooks_url", "issues_url", "members_url",
		"public_members_url", "avatar_url", "description"} {
		out[field] = full[field]
	}
	return out
}

// Team is a team of an organisation.
func (h Host) Team(t state.Team) Object {
	api := h.API("/orgs/%s/teams/%s", t.Org, t.Slug)
	return Object{
		"id": t.ID, "node_id": nodeID("Team", t.ID), "name": t.Name, "slug": t.Slug, "description": orNull(t.Description),
		"privacy": "closed", "notification_setting": "notifications_enabled", "permission": "pull", "url": api,
		"html_url": h.Page("/orgs/%s/teams/%s", t.Org, t.Slug), "members_url": api + "/members{/member}",
		"repositories_url": api + "/repos", "parent": nil, "type": "organization", "members_count": len(t.Members), "repos_count": 0,
		"created_at": stamp(t.Created), "updated_at": stamp(t.Created),
	}
}

// App is a GitHub App as GET /app shows it.
func (h Host) App(a state.App) Object {
	return Object{
		"id": a.ID, "slug": a.Slug, "node_id": nodeID("Integration", a.ID), "owner": h.User(a.Owner), "name": a.Name,
		"description": orNull(a.Description), "external_url": h.Page("/apps/%s", a.Slug), "html_url": h.Page("/apps/%s", a.Slug),
		"created_at": stamp(a.Created), "updated_at": stamp(a.Created), "permissions": a.Permissions,
		"events": texts(a.Events),
	}
}

func texts(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}

// Installation is an App's installation.
func (h Host) Installation(in state.Installation) Object {
	selection := "all"
	if in.Repositories != nil {
		selection = "selected"
	}
	return Object{
		"id": in.ID, "node_id": nodeID("IntegrationInstallation", in.ID), "account": h.User(in.Account),
		"access_tokens_url": h.API("/app/installations/%d/access_tokens", in.ID),
		"repositories_url":  h.API("/installation/repositories"), "html_url": h.Page("/settings/installations/%d", in.ID),
		"app_id": in.App.ID, "app_slug": in.App.Slug, "target_id": in.Account.ID, "target_type": in.Account.Type,
		"repository_selection": selection, "permissions": in.Permissions, "events": texts(in.Events),
		"single_file_name": nil, "has_multiple_single_files": false, "single_file_paths": []string{},
		"created_at": stamp(in.Created), "updated_at": stamp(in.Created), "suspended_by": h.userOrNull(in.SuspendedBy), "suspended_at": stamp(in.Suspended),
	}
}

// Token is a fresh installation token.
func (h Host) Token(g state.Grant) Object {
	o := Object{
		"token": g.Token, "expires_at": stamp(g.Expires), "permissions": g.Permissions, "repository_selection": g.Selection,
	}
	if g.Repositories != nil {
		o["repositories"] = list(g.Repositories, h.Repo)
	}
	return o
}

// repoURLs are the templates that every repository object carries.
var repoURLs = [...]string{
	"archive_url /{archive_format}{/ref}", "assignees_url /assignees{/user}", "blobs_url /git/blobs{/sha}",
	"branches_url /branches{/branch}", "collaborators_url /collaborators{/collaborator}", "comments_url /comments{/number}",
	"commits_url /commits{/sha}", "compare_url /compare/{base}...{head}", "contents_url /contents/{+path}",
	"contributors_url /contributors", "deployments_url /deployments", "downloads_url /downloads", "events_url /events",
	"forks_url /forks", "git_commits_url /git/commits{/sha}", "git_refs_url /git/refs{/sha}", "git_tags_url /git/tags{/sha}",
	"hooks_url /hooks", "issue_comment_url /issues/comments{/number}", "issue_events_url /issues/events{/number}",
	"issues_url /issues{/number}", "keys_url /keys{/key_id}", "labels_url /labels{/name}", "languages_url /languages",
	"merges_url /merges", "milestones_url /milestones{/number}", "notifications_url /notifications{?since,all,participating}",
	"pulls_url /pulls{/number}", "releases_url /releases{/id}", "stargazers_url /stargazers", "statuses_url /statuses/{sha}",
	"subscribers_url /subscribers", "subscription_url /subscription", "tags_url /tags", "teams_url /teams", "trees_url /git/trees{/sha}",
}

// Repo is a repository.
func (h Host) Repo(r state.Repo) Object {
	api := h.API("/repos/%s", r.FullName())
	visibility := "public"
	if r.Private {
		visibility = "private"
	}
	o := Object{
		"id": r.ID, "node_id": nodeID("Repository", r.ID), "name": r.Name, "full_name": r.FullName(), "owner": h.User(r.Owner),
		"private": r.Private, "visibility": visibility, "description": orNull(r.Description), "fork": false, "url": api,
		"html_url": h.Page("/%s", r.FullName()), "clone_url": h.Page("/%s.git", r.FullName()), "git_url": h.Page("/%s.git", r.FullName()),
		"ssh_url": "", "svn_url": h.Page("/%s", r.FullName()), "mirror_url": nil, "homepage": orNull(r.Homepage), "language": nil,
		"default_branch": r.DefaultBranch, "archived": false, "disabled": false, "is_template": false, "topics": []string{},
		"has_issues": true, "has_projects": false, "has_wiki": false, "has_pages": false, "has_downloads": false, "has_discussions": false,
		"allow_merge_commit": !r.Merging.NoCommit, "allow_squash_merge": r.Merging.Squash, "allow_rebase_merge": r.Merging.Rebase, "allow_auto_merge": r.Merging.AutoMerge,
		"delete_branch_on_merge": r.Merging.DeleteBranch, "allow_update_branch": r.Merging.UpdateBranch, "allow_forking": false, "web_commit_signoff_required": false,
		"forks": 0, "forks_count": 0, "stargazers_count": 0, "watchers": 0, "watchers_count": 0, "open_issues": 0, "open_issues_count": 0,
		"size": 0, "license": nil, "created_at": stamp(r.Created), "updated_at": stamp(r.Updated), "pushed_at": stamp(r.Pushed),
	}
	for _, line := range repoURLs {
		name, path, _ := strings.Cut(line, " ")
		o[name] = api + path
	}
	return o
}

// RolePermissions is the five-flag form of a role.
func RolePermissions(r state.Role) Object {
	return Object{
		"pull": r >= state.Read, "triage": r >= state.Triage, "push": r >= state.Write,
		"maintain": r >= state.Maintain, "admin": r >= state.Admin,
	}
}

// Collaborator is a user with a role.
func (h Host) Collaborator(u state.User, r state.Role) Object {
	o := h.User(u)
	o["permissions"], o["role_name"] = RolePermissions(r), r.String()
	return o
}

func number(id int64) string { return strconv.FormatInt(id, 10) }
