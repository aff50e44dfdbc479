package state

import (
	"maps"
	"slices"
)

// A Member of an organisation. Role is "admin" for its owners and "member" for the others.
type Member struct {
	User User
	Role string
}

// Members lists an organisation's members by login.
func (s *Store) Members(orgLogin string) ([]Member, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o, ok := s.orgs[fold(orgLogin)]
	if !ok {
		return nil, NotFound()
	}
	out := []Member{}
	for _, login := range slices.Sorted(maps.Keys(o.members)) {
		m := Member{User: *s.accounts[login], Role: "member"}
		if o.owners[login] {
			m.Role = "admin"
		}
		out = append(out, m)
	}
	return out, nil
}

// OrgsOf lists the organisations of a person by login.
func (s *Store) OrgsOf(login string) []User {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := []User{}
	for _, name := range slices.Sorted(maps.Keys(s.orgs)) {
		if s.orgs[name].members[fold(login)] {
			out = append(out, *s.accounts[name])
		}
	}
	return out
}

// A Granted is a repository with the role that a team has in it, or a team with the role that it has in a repository.
type Granted struct {
	Repo Repo
	Team Team
	Role Role
}

// TeamRepos lists the repositories that a team has been given, by name.
func (s *Store) TeamRepos(orgLogin, slug string) ([]Granted, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, ok := s.teams[fold(orgLogin+"/"+slug)]
	if !ok {
		return nil, NotFound()
	}
	out := []Granted{}
	for _, name := range slices.Sorted(maps.Keys(s.repos)) {
		r := s.repos[name]
		if role, ok := r.Teams[fold(orgLogin+"/"+slug)]; ok {
			out = append(out, Granted{r.Repo, *t, role})
		}
	}
	return out, nil
}

// RepoTeams lists the teams that a repository has been given to, by slug.
func (s *Store) RepoTeams(fullName string) ([]Granted, error) {
	return view(s, fullName, func(r *repo) ([]Granted, error) {
		out := []Granted{}
		for _, key := range slices.Sorted(maps.Keys(r.Teams)) {
			if t := s.teams[key]; t != nil {
				out = append(out, Granted{r.Repo, *t, r.Teams[key]})
			}
		}
		return out, nil
	})
}

// InTeam adds a person to a team or takes one out. Owners of the organisation may, and Apps with members:write on it.
func (s *Store) InTeam(orgLogin, slug, login string, in bool) (err error) {
	s.mu.Lock()
	defer s.commit(&err)
	t, ok := s.teams[fold(orgLogin+"/"+slug)]
	u, known := s.accounts[fold(login)]
	if !ok || !known || u.Type == TypeOrganization {
		return NotFound()
	}
	members := slices.DeleteFunc(slices.Clone(t.Members), func(m string) bool { return fold(m) == fold(login) })
	if in {
		members = append(members, u.Login)
		s.orgs[fold(orgLogin)].members[fold(login)] = true
		s.saveOrg(orgLogin)
	}
	t.Members = members
	s.saveTeam(t)
	return nil
}

// IsOwner says whether a person owns an organisation.
func (s *Store) IsOwner(orgLogin string, u User) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	o, ok := s.orgs[fold(orgLogin)]
	return u.Admin || (ok && o.owners[fold(u.Login)])
}

// InstallationFor finds an App's installation on an account.
func (s *Store) InstallationFor(app int64, login string) (*Installation, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, in := range s.installs {
		if in.App.ID == app && fold(in.Account.Login) == fold(login) {
			c := *in
			return &c, nil
		}
	}
	return nil, NotFound()
}

// InstallationsOn lists the installations on an account, by id.
func (s *Store) InstallationsOn(login string) []Installation {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := []Installation{}
	for _, id := range slices.Sorted(maps.Keys(s.installs)) {
		if in := s.installs[id]; fold(in.Account.Login) == fold(login) {
			out = append(out, *in)
		}
	}
	return out
}
