package state

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

// A Role is what a person may do in a repository; higher includes lower.
type Role int

// The roles in GitHub's order.
const (
	None Role = iota
	Read
	Triage
	Write
	Maintain
	Admin
)

var roleNames = [...]string{"none", "read", "triage", "write", "maintain", "admin"}

func (r Role) String() string { return roleNames[r] }

// Legacy is the older four-word form, which the "permission" field still uses.
func (r Role) Legacy() string {
	switch r {
	case Triage:
		return "read"
	case Maintain:
		return "write"
	default:
		return r.String()
	}
}

// parseRole reads both spellings that GitHub has ("push" and "write").
func parseRole(name string) (Role, bool) {
	switch name {
	case "pull":
		return Read, true
	case "push":
		return Write, true
	}
	i := slices.Index(roleNames[:], name)
	return Role(max(i, 0)), i >= 0
}

// An Actor is who a request comes from. The zero Actor is anonymous.
type Actor struct {
	User         User              // for an installation, the App's bot
	App          *App              // set for an App's JWT and for its installations
	Installation int64             // set for an installation token
	Permissions  map[string]string // of an installation token
	Repositories []int64           // of an installation token; nil: all of the installation's
	Base         string            // the hub's address as the actor reached it, without a slash at the end
}

// Anonymous says that no credential was given.
func (a Actor) Anonymous() bool { return a.User.ID == 0 }

// Key names who is counted together by limits: a person or an App's bot, or one installation.
func (a Actor) Key() string { return fmt.Sprintf("%d/%d", a.User.ID, a.Installation) }

// IsInstallation says that the credential is an installation token.
func (a Actor) IsInstallation() bool { return a.Installation != 0 }

type credential struct {
	user         string
	installation int64
	permissions  map[string]string
	repositories []int64
	expires      time.Time // zero: never
}

func (c credential) expired(now time.Time) bool { return !c.expires.IsZero() && !now.Before(c.expires) }

// A Grant is a fresh installation token.
type Grant struct {
	Token        string
	Expires      time.Time
	Permissions  map[string]string
	Selection    string // "all" or "selected"
	Repositories []Repo // set when the token was narrowed to some
}

// TokenLife is how long an installation token is valid.
const TokenLife = time.Hour

// Authenticate finds the actor of a user's or installation's token.
func (s *Store) Authenticate(token string) (Actor, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sum := sha256.Sum256([]byte(token))
	c, ok := s.tokens[sum]
	if !ok {
		return Actor{}, false
	}
	if c.expired(s.now()) {
		return Actor{}, false
	}
	if c.installation == 0 {
		return Actor{User: *s.accounts[c.user]}, true
	}
	in := s.installs[c.installation]
	if !in.Suspended.IsZero() {
		return Actor{}, false
	}
	app := *s.apps[in.App.ID]
	return Actor{
		User: app.Bot, App: &app, Installation: in.ID,
		Permissions: c.permissions, Repositories: c.repositories,
	}, true
}

// Revoke forgets an installation token.
func (s *Store) Revoke(token string) (err error) {
	s.mu.Lock()
	defer s.commit(&err)
	s.dropToken(sha256.Sum256([]byte(token)))
	return nil
}

// Narrowing is what an access-token request asks for; zero values mean everything that the installation has.
type Narrowing struct {
	Repositories  []string // names without owner
	RepositoryIDs []int64
	Permissions   map[string]string
}

// GrantToken makes an installation token for the App that the actor's JWT proved.
func (s *Store) GrantToken(a Actor, installation int64, n Narrowing) (_ Grant, err error) {
	s.mu.Lock()
	defer s.commit(&err)
	in, ok := s.installs[installation]
	if !ok || a.App == nil || in.App.ID != a.App.ID {
		return Grant{}, NotFound()
	}
	if !in.Suspended.IsZero() {
		return Grant{}, suspended()
	}
	perms, err := narrow(in.Permissions, n.Permissions)
	if err != nil {
		return Grant{}, err
	}
	g := Grant{Permissions: perms, Selection: "all", Expires: s.Now().Add(TokenLife)}
	repos := in.Repositories
	if repos != nil {
		g.Selection = "selected"
	}
	if len(n.Repositories)+len(n.RepositoryIDs) > 0 {
		g.Selection = "selected"
		if repos, g.Repositories, err = s.chosen(in, n); err != nil {
			return Grant{}, err
		}
	}
	g.Token = "ghs_" + secret()
	s.dropExpired()
	s.addToken(sha256.Sum256([]byte(g.Token)), credential{
		installation: in.ID, permissions: perms, repositories: repos, expires: g.Expires,
	})
	return g, nil
}

func (s *Store) chosen(in *Installation, n Narrowing) ([]int64, []Repo, error) {
	var ids []int64
	var out []Repo
	for _, r := range s.repos {
		named := slices.ContainsFunc(n.Repositories, func(name string) bool { return strings.EqualFold(name, r.Name) })
		if s.covers(in, r) && (named || slices.Contains(n.RepositoryIDs, r.ID)) {
			ids, out = append(ids, r.ID), append(out, r.Repo)
		}
	}
	if len(ids) < len(n.Repositories)+len(n.RepositoryIDs) {
		return nil, nil, Unprocessable("There is at least one repository that does not exist or is not accessible to the parent installation.")
	}
	return ids, out, nil
}

// narrow returns what is asked for, provided that the installation has it.
func narrow(has, want map[string]string) (map[string]string, error) {
	if len(want) == 0 {
		return has, nil
	}
	out := maps.Clone(want)
	for name, level := range want {
		if !enough(has[name], level) {
			return nil, Unprocessable("The permissions requested are not granted to this installation.")
		}
	}
	out["metadata"] = "read"
	return out, nil
}

func enough(has, need string) bool {
	rank := map[string]int{"": 0, "read": 1, "write": 2, "admin": 3}
	n, known := rank[need]
	return known && n > 0 && rank[has] >= n
}

func secret() string {
	b := make([]byte, 27)
	rand.Read(b) // never fails: crypto/rand aborts the program instead
	return base64.RawURLEncoding.EncodeToString(b)
}

func (s *Store) covers(in *Installation, r *repo) bool {
	return in.Account.ID == r.Owner.ID && (in.Repositories == nil || slices.Contains(in.Repositories, r.ID))
}

// inScope says whether an installation token reaches a repository.
func (s *Store) inScope(a Actor, r *repo) bool {
	in, ok := s.installs[a.Installation]
	return ok && s.covers(in, r) && (a.Repositories == nil || slices.Contains(a.Repositories, r.ID))
}

func (s *Store) canRead(a Actor, r *repo) bool {
	switch {
	case !r.Private:
		return true
	case a.IsInstallation():
		return s.inScope(a, r)
	case a.App != nil:
		return slices.ContainsFunc(slices.Collect(maps.Values(s.installs)), func(in *Installation) bool {
			return in.App.ID == a.App.ID && s.covers(in, r)
		})
	default:
		return s.role(r, a.User) >= Read
	}
}

// role is a person's highest grant; a public repository gives everybody Read.
func (s *Store) role(r *repo, u User) Role {
	best := None
	if !r.Private {
		best = Read
	}
	if u.ID == 0 || u.Type != TypeUser {
		return best
	}
	login := fold(u.Login)
	if u.Admin || r.Owner.ID == u.ID {
		return Admin
	}
	best = max(best, r.Collaborators[login])
	if o, ok := s.orgs[fold(r.Owner.Login)]; ok {
		if o.owners[login] {
			return Admin
		}
		if o.members[login] {
			best = max(best, o.base)
		}
	}
	for name, role := range r.Teams {
		if t := s.teams[name]; t != nil && slices.ContainsFunc(t.Members, func(m string) bool { return fold(m) == login }) {
			best = max(best, role)
		}
	}
	return best
}

// RoleOf is the role of an account in a repository.
func (s *Store) RoleOf(fullName, login string) (Role, User, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.repo(fullName)
	if err != nil {
		return None, User{}, err
	}
	u, ok := s.accounts[fold(login)]
	if !ok {
		return None, User{}, NotFound()
	}
	return s.role(r, *u), *u, nil
}

// Collaborators lists the people with any grant in a repository, by login.
func (s *Store) Collaborators(fullName string) ([]User, []Role, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.repo(fullName)
	if err != nil {
		return nil, nil, err
	}
	var users []User
	var roles []Role
	for _, login := range slices.Sorted(maps.Keys(s.accounts)) {
		if u := s.accounts[login]; u.Type == TypeUser && s.granted(r, *u) {
			users, roles = append(users, *u), append(roles, s.role(r, *u))
		}
	}
	return users, roles, nil
}

// granted says that a person has a role of their own, beyond what a public repository gives everybody.
func (s *Store) granted(r *repo, u User) bool {
	hidden := *r
	hidden.Private = true
	return s.role(&hidden, u) >= Read
}

func (s *Store) association(r *repo, u User) string {
	login := fold(u.Login)
	if r.Owner.ID == u.ID {
		return "OWNER"
	}
	if o, ok := s.orgs[fold(r.Owner.Login)]; ok && (o.owners[login] || o.members[login]) {
		return "MEMBER"
	}
	if s.granted(r, u) {
		return "COLLABORATOR"
	}
	return "NONE"
}

// A Need is what a request requires: of an App one of the permissions ("checks:write"), of a person a role.
type Need struct {
	App  []string
	Role Role
}

// Check returns the repository if the actor may see it and satisfies the need, and a refusal otherwise: 404 for what may
// not be seen, 403 for what may be seen and not done.
func (s *Store) Check(a Actor, fullName string, need Need) (Repo, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.repo(fullName)
	if err != nil {
		return Repo{}, err
	}
	if !s.canRead(a, r) {
		return Repo{}, NotFound()
	}
	if a.IsInstallation() {
		return r.Repo, s.checkApp(a, r, need)
	}
	if a.App != nil { // as itself, where a route lets it: it may look whether it is installed
		return r.Repo, nil
	}
	if a.Anonymous() && need.Role > Read {
		return Repo{}, &Refusal{Status: http.StatusUnauthorized, Message: "Requires authentication"}
	}
	if s.role(r, a.User) < need.Role {
		return r.Repo, Forbid("Must have " + pushWord(need.Role) + " access to repository")
	}
	return r.Repo, nil
}

func pushWord(r Role) string {
	if r == Write {
		return "push"
	}
	return r.String()
}

func (s *Store) checkApp(a Actor, r *repo, need Need) error {
	if len(need.App) == 0 {
		return nil
	}
	var accepts []string
	for _, p := range need.App {
		name, level, _ := strings.Cut(p, ":")
		readsPublic := level == "read" && !r.Private
		if readsPublic || (s.inScope(a, r) && enough(a.Permissions[name], level)) {
			return nil
		}
		accepts = append(accepts, name+"="+level)
	}
	return &Refusal{
		Status: http.StatusForbidden, Message: "Resource not accessible by integration",
		Accepts: strings.Join(accepts, "; "),
	}
}

// IsMember says whether a person belongs to an organisation.
func (s *Store) IsMember(orgLogin string, u User) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	o, ok := s.orgs[fold(orgLogin)]
	return u.Admin || (ok && o.members[fold(u.Login)])
}
