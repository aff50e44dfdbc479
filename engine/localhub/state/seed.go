package state

import (
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
)

// A Seed is the world that a hub starts with. Ids that are 0 are assigned. The README documents the JSON form.
type Seed struct {
	Users         []SeedUser         `json:"users"`
	Organizations []SeedOrganization `json:"organizations"`
	Teams         []SeedTeam         `json:"teams"`
	Apps          []SeedApp          `json:"apps"`
	Installations []SeedInstallation `json:"installations"`
	Repositories  []SeedRepository   `json:"repositories"`
}

// SeedUser is a person, or a machine account with type "Bot".
type SeedUser struct {
	Login     string `json:"login"`
	ID        int64  `json:"id"`
	Name      string `json:"name"`
	Email     string `json:"email"`
	Type      string `json:"type"`  // "User" unless given
	Token     string `json:"token"` // for REST and git; empty: cannot authenticate
	SiteAdmin bool   `json:"site_admin"`
}

// SeedOrganization is an organisation. Owners are admins of its repositories, members have DefaultPermission ("read").
type SeedOrganization struct {
	Login             string   `json:"login"`
	ID                int64    `json:"id"`
	Name              string   `json:"name"`
	Owners            []string `json:"owners"`
	Members           []string `json:"members"`
	DefaultPermission string   `json:"default_permission"`
}

// SeedTeam is a team of an organisation; its members become members of the organisation.
type SeedTeam struct {
	Org         string   `json:"org"`
	Slug        string   `json:"slug"`
	ID          int64    `json:"id"`
	Name        string   `json:"name"`
	Description string   `json:"description"`
	Members     []string `json:"members"`
}

// SeedApp is a GitHub App. Key is PEM text of its private or public key; only the public half is kept. KeyFile is read
// in its place when the seed comes from a file.
type SeedApp struct {
	ID          int64             `json:"id"`
	Slug        string            `json:"slug"`
	Name        string            `json:"name"`
	Description string            `json:"description"`
	Owner       string            `json:"owner"`
	Key         string            `json:"key"`
	KeyFile     string            `json:"key_file"`
	Webhook     SeedWebhook       `json:"webhook"`
	Permissions map[string]string `json:"permissions"`
	Events      []string          `json:"events"`
}

// SeedWebhook is where an App's webhooks go; without a URL none are sent.
type SeedWebhook struct {
	URL    string `json:"url"`
	Secret string `json:"secret"`
}

// SeedInstallation puts an App onto an account: on all of its repositories, or on those named ("owner/name").
type SeedInstallation struct {
	ID           int64             `json:"id"`
	App          string            `json:"app"`
	Account      string            `json:"account"`
	Repositories []string          `json:"repositories"`
	Permissions  map[string]string `json:"permissions"` // the App's unless given
}

// SeedRepository is a repository; its first commit holds Directory's files, then Files over them.
type SeedRepository struct {
	Name                     string            `json:"name"` // "owner/name"
	ID                       int64             `json:"id"`
	Description              string            `json:"description"`
	Private                  bool              `json:"private"`
	DefaultBranch            string            `json:"default_branch"` // "main" unless given
	Collaborators            map[string]string `json:"collaborators"`  // login to role
	Teams                    map[string]string `json:"teams"`          // slug, of the owner, to role
	RequiredChecks           []string          `json:"required_checks"`
	RestrictIncidentBranches string            `json:"restrict_incident_branches"` // an App's slug
	Directory                string            `json:"directory"`
	Files                    map[string]string `json:"files"`
	Author                   SeedAuthor        `json:"author"`
}

// SeedAuthor is who the first commit is by.
type SeedAuthor struct {
	Name  string `json:"name"`
	Email string `json:"email"`
}

var (
	loginForm = regexp.MustCompile(`^[A-Za-z0-9](?:[A-Za-z0-9]|-[A-Za-z0-9]){0,38}$`)
	nameForm  = regexp.MustCompile(`^[A-Za-z0-9._-]{1,100}$`)
)

// reserve starts the counter above every id that the seed names, so that none is given out twice.
func (s *Store) reserve(seed Seed) {
	for _, x := range seed.Users {
		s.lastID = max(s.lastID, x.ID)
	}
	for _, x := range seed.Organizations {
		s.lastID = max(s.lastID, x.ID)
	}
	for _, x := range seed.Teams {
		s.lastID = max(s.lastID, x.ID)
	}
	for _, x := range seed.Apps {
		s.lastID = max(s.lastID, x.ID)
	}
	for _, x := range seed.Repositories {
		s.lastID = max(s.lastID, x.ID)
	}
	for _, x := range seed.Installations {
		s.lastID = max(s.lastID, x.ID)
	}
}

func (s *Store) idOr(id int64) int64 {
	if id != 0 {
		return id
	}
	return s.newID()
}

func (s *Store) addAccount(u User) (*User, error) {
	if _, taken := s.accounts[fold(u.Login)]; taken {
		return nil, fmt.Errorf("account %q: the login is taken", u.Login)
	}
	u.ID, u.Created = s.idOr(u.ID), s.Now()
	for _, other := range s.accounts {
		if other.ID == u.ID {
			return nil, fmt.Errorf("account %q: id %d is %s's", u.Login, u.ID, other.Login)
		}
	}
	s.accounts[fold(u.Login)] = &u
	return &u, nil
}

func (s *Store) seedUsers(seed Seed) error {
	for _, x := range seed.Users {
		if !loginForm.MatchString(x.Login) {
			return fmt.Errorf("user %q: not a login (letters, digits and single hyphens, at most 39)", x.Login)
		}
		if x.Type == "" {
			x.Type = TypeUser
		}
		if x.Type != TypeUser && x.Type != TypeBot {
			return fmt.Errorf("user %q: type %q is neither %q nor %q", x.Login, x.Type, TypeUser, TypeBot)
		}
		u, err := s.addAccount(User{ID: x.ID, Login: x.Login, Name: x.Name, Email: x.Email, Type: x.Type, Admin: x.SiteAdmin})
		if err != nil {
			return err
		}
		if x.Token == "" {
			continue
		}
		sum := sha256.Sum256([]byte(x.Token))
		if _, taken := s.tokens[sum]; taken {
			return fmt.Errorf("user %q: the token is somebody else's", x.Login)
		}
		s.addToken(sum, credential{user: fold(u.Login)})
	}
	return nil
}

func (s *Store) seedOrgs(seed Seed) error {
	for _, x := range seed.Organizations {
		if !loginForm.MatchString(x.Login) {
			return fmt.Errorf("organization %q: not a login", x.Login)
		}
		if _, err := s.addAccount(User{ID: x.ID, Login: x.Login, Name: x.Name, Type: TypeOrganization}); err != nil {
			return err
		}
		if x.DefaultPermission == "" {
			x.DefaultPermission = "read"
		}
		base, ok := parseRole(x.DefaultPermission)
		if !ok {
			return fmt.Errorf("organization %q: default_permission %q is not a role", x.Login, x.DefaultPermission)
		}
		o := &org{owners: map[string]bool{}, members: map[string]bool{}, base: base}
		if err := s.enrol(o.owners, x.Owners); err != nil {
			return fmt.Errorf("organization %q: %w", x.Login, err)
		}
		if err := s.enrol(o.members, append(x.Owners, x.Members...)); err != nil {
			return fmt.Errorf("organization %q: %w", x.Login, err)
		}
		s.orgs[fold(x.Login)] = o
	}
	return nil
}

func (s *Store) enrol(set map[string]bool, logins []string) error {
	for _, login := range logins {
		if u := s.accounts[fold(login)]; u == nil || u.Type == TypeOrganization {
			return fmt.Errorf("no user %q", login)
		}
		set[fold(login)] = true
	}
	return nil
}

func (s *Store) seedTeams(seed Seed) error {
	for _, x := range seed.Teams {
		o := s.orgs[fold(x.Org)]
		key := fold(x.Org + "/" + x.Slug)
		switch {
		case o == nil:
			return fmt.Errorf("team %q: no organization %q", x.Slug, x.Org)
		case !nameForm.MatchString(x.Slug):
			return fmt.Errorf("team %q: not a slug", x.Slug)
		case s.teams[key] != nil:
			return fmt.Errorf("team %q of %q: named twice", x.Slug, x.Org)
		}
		if err := s.enrol(o.members, x.Members); err != nil {
			return fmt.Errorf("team %q: %w", x.Slug, err)
		}
		if x.Name == "" {
			x.Name = x.Slug
		}
		s.teams[key] = &Team{
			ID: s.idOr(x.ID), Org: s.accounts[fold(x.Org)].Login, Slug: x.Slug, Name: x.Name,
			Description: x.Description, Members: append([]string(nil), x.Members...), Created: s.Now(),
		}
	}
	return nil
}

func (s *Store) seedApps(seed Seed) error {
	for _, x := range seed.Apps {
		if err := s.seedApp(x); err != nil {
			return fmt.Errorf("app %q: %w", x.Slug, err)
		}
	}
	return nil
}

func (s *Store) seedApp(x SeedApp) error {
	if !loginForm.MatchString(x.Slug) {
		return errors.New("not a slug")
	}
	owner := s.accounts[fold(x.Owner)]
	if owner == nil {
		return fmt.Errorf("no owner %q", x.Owner)
	}
	key, err := publicKey(x.Key)
	if err != nil {
		return err
	}
	if err := checkHookURL(x.Webhook.URL); err != nil {
		return err
	}
	for name, level := range x.Permissions {
		if !enough(level, "read") {
			return fmt.Errorf("permission %s: %q is none of read, write, admin", name, level)
		}
	}
	bot, err := s.addAccount(User{Login: x.Slug + "[bot]", Type: TypeBot})
	if err != nil {
		return err
	}
	if x.Name == "" {
		x.Name = x.Slug
	}
	id := s.idOr(x.ID)
	if s.apps[id] != nil {
		return fmt.Errorf("id %d is %s's", id, s.apps[id].Slug)
	}
	s.apps[id] = &App{
		ID: id, Slug: x.Slug, Name: x.Name, Description: x.Description, Owner: *owner, Bot: *bot, Key: key,
		Permissions: withMetadata(x.Permissions), Events: x.Events, Created: s.Now(),
		Hook: Hook{ID: s.newID(), URL: x.Webhook.URL, Secret: x.Webhook.Secret},
	}
	return nil
}

// withMetadata adds what every App has.
func withMetadata(p map[string]string) map[string]string {
	out := map[string]string{"metadata": "read"}
	for k, v := range p {
		out[k] = v
	}
	return out
}

func checkHookURL(raw string) error {
	if raw == "" {
		return nil
	}
	u, err := url.Parse(raw)
	if err != nil {
		return fmt.Errorf("parse the webhook url: %w", err)
	}
	if (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return fmt.Errorf("webhook url %q is not an http address", raw)
	}
	return nil
}

// publicKey reads the PEM forms that GitHub and openssl write: PKCS #1 and #8 private keys, PKCS #1 and PKIX public keys.
func publicKey(text string) (*rsa.PublicKey, error) {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return nil, errors.New("the key is not PEM")
	}
	if k, err := x509.ParsePKCS1PrivateKey(block.Bytes); err == nil {
		return &k.PublicKey, nil
	}
	if k, err := x509.ParsePKCS1PublicKey(block.Bytes); err == nil {
		return k, nil
	}
	if k, err := x509.ParsePKCS8PrivateKey(block.Bytes); err == nil {
		if rsaKey, ok := k.(*rsa.PrivateKey); ok {
			return &rsaKey.PublicKey, nil
		}
	}
	if k, err := x509.ParsePKIXPublicKey(block.Bytes); err == nil {
		if rsaKey, ok := k.(*rsa.PublicKey); ok {
			return rsaKey, nil
		}
	}
	return nil, fmt.Errorf("the key of type %q is not an RSA key", block.Type)
}

func (s *Store) seedRepos(seed Seed) error {
	for _, x := range seed.Repositories {
		if err := s.seedRepo(x); err != nil {
			return fmt.Errorf("repository %q: %w", x.Name, err)
		}
	}
	return nil
}

func (s *Store) seedRepo(x SeedRepository) error {
	ownerLogin, name, ok := strings.Cut(x.Name, "/")
	if !ok || !nameForm.MatchString(name) || strings.Trim(name, ".") == "" || strings.HasSuffix(name, ".git") {
		return errors.New("the name is not owner/name")
	}
	owner := s.accounts[fold(ownerLogin)]
	if owner == nil {
		return fmt.Errorf("no owner %q", ownerLogin)
	}
	if s.repos[fold(x.Name)] != nil {
		return errors.New("named twice")
	}
	if x.DefaultBranch == "" {
		x.DefaultBranch = "main"
	}
	r := s.newRepo(Repo{
		ID: s.idOr(x.ID), Owner: *owner, Name: name, Description: x.Description, Private: x.Private,
		DefaultBranch: x.DefaultBranch, RequiredChecks: x.RequiredChecks, IncidentApp: x.RestrictIncidentBranches,
		Collaborators: map[string]Role{}, Teams: map[string]Role{}, Created: s.Now(), Pushed: s.Now(), Updated: s.Now(),
	})
	if slug := x.RestrictIncidentBranches; slug != "" && s.accounts[fold(slug+"[bot]")] == nil {
		return fmt.Errorf("restrict_incident_branches: no app %q", slug)
	}
	if err := s.seedGrants(r, x); err != nil {
		return err
	}
	s.addRepo(r)
	return nil
}

func (s *Store) seedGrants(r *repo, x SeedRepository) error {
	for login, word := range x.Collaborators {
		role, ok := parseRole(word)
		if !ok {
			return fmt.Errorf("collaborator %q: %q is not a role", login, word)
		}
		if u := s.accounts[fold(login)]; u == nil || u.Type == TypeOrganization {
			return fmt.Errorf("no user %q", login)
		}
		r.Collaborators[fold(login)] = role
	}
	for slug, word := range x.Teams {
		key := fold(r.Owner.Login + "/" + slug)
		role, ok := parseRole(word)
		if !ok {
			return fmt.Errorf("team %q: %q is not a role", slug, word)
		}
		if s.teams[key] == nil {
			return fmt.Errorf("no team %q of %q", slug, r.Owner.Login)
		}
		r.Teams[key] = role
	}
	return nil
}

func (s *Store) seedInstallations(seed Seed) error {
	for _, x := range seed.Installations {
		if err := s.seedInstallation(x); err != nil {
			return fmt.Errorf("installation of %q on %q: %w", x.App, x.Account, err)
		}
	}
	return nil
}

func (s *Store) seedInstallation(x SeedInstallation) error {
	app := s.appBySlug(x.App)
	account := s.accounts[fold(x.Account)]
	switch {
	case app == nil:
		return errors.New("no such app")
	case account == nil:
		return errors.New("no such account")
	}
	in := &Installation{
		ID: s.idOr(x.ID), App: *app, Account: *account, Permissions: app.Permissions, Events: app.Events, Created: s.Now(),
	}
	if s.installs[in.ID] != nil {
		return fmt.Errorf("id %d is given twice", in.ID)
	}
	if x.Permissions != nil {
		for name, level := range x.Permissions {
			if !enough(app.Permissions[name], level) {
				return fmt.Errorf("permission %s:%s is more than the app's", name, level)
			}
		}
		in.Permissions = withMetadata(x.Permissions)
	}
	for _, name := range x.Repositories {
		r := s.repos[fold(name)]
		if r == nil || r.Owner.ID != account.ID {
			return fmt.Errorf("no repository %q of the account", name)
		}
		in.Repositories = append(in.Repositories, r.ID)
	}
	s.installs[in.ID] = in
	return nil
}
