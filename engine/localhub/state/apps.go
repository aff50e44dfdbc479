package state

import (
	"maps"
	"slices"
)

func (s *Store) appBySlug(slug string) *App {
	for _, a := range s.apps {
		if fold(a.Slug) == fold(slug) {
			return a
		}
	}
	return nil
}

// App finds an App by its id.
func (s *Store) App(id int64) (*App, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a, ok := s.apps[id]; ok {
		c := *a
		return &c, nil
	}
	return nil, NotFound()
}

// AppBySlug finds an App by its slug.
func (s *Store) AppBySlug(slug string) (*App, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a := s.appBySlug(slug); a != nil {
		c := *a
		return &c, nil
	}
	return nil, NotFound()
}

// Installations lists an App's installations by id.
func (s *Store) Installations(app int64) []Installation {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := []Installation{}
	for _, id := range slices.Sorted(maps.Keys(s.installs)) {
		if in := s.installs[id]; in.App.ID == app {
			out = append(out, *in)
		}
	}
	return out
}

// Installation finds one installation of an App.
func (s *Store) Installation(app, id int64) (*Installation, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	in, ok := s.installs[id]
	if !ok || in.App.ID != app {
		return nil, NotFound()
	}
	c := *in
	return &c, nil
}

// InstallationOn finds an App's installation that reaches a repository.
func (s *Store) InstallationOn(app int64, fullName string) (*Installation, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.repo(fullName)
	if err != nil {
		return nil, err
	}
	for _, in := range s.installs {
		if in.App.ID == app && s.covers(in, r) {
			c := *in
			return &c, nil
		}
	}
	return nil, NotFound()
}

// Listening lists the installations on an event's repository whose App has a hook and asked for the event, and whose
// App it is meant for. It may be called from a subscriber's queue, not from the subscriber itself.
func (s *Store) Listening(e Event) []Installation {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.listening(e)
}

func (s *Store) listening(e Event) []Installation {
	if e.Installation != nil {
		in := *e.Installation
		app, ok := s.apps[in.App.ID]
		if !ok || app.Hook.URL == "" {
			return nil
		}
		in.App = *app
		return []Installation{in}
	}
	var out []Installation
	r, ok := s.repoByID[e.Repo.ID]
	if !ok {
		return nil
	}
	for _, in := range s.installsOf(r) {
		app := s.apps[in.App.ID]
		meant := e.OnlyApp == app.ID || (e.OnlyApp == 0 && slices.Contains(in.Events, e.Name))
		if app.Hook.URL != "" && meant && in.Suspended.IsZero() {
			c := *in
			c.App = *app
			out = append(out, c)
		}
	}
	return out
}

// InstallationRepos lists the repositories that an installation token reaches, by full name.
func (s *Store) InstallationRepos(a Actor) []Repo {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := []Repo{}
	for _, name := range slices.Sorted(maps.Keys(s.repos)) {
		if r := s.repos[name]; s.inScope(a, r) {
			out = append(out, r.Repo)
		}
	}
	return out
}

// SetHook changes where an App's webhooks go, in the fields that are not nil.
func (s *Store) SetHook(app int64, url, secret *string) (_ Hook, err error) {
	s.mu.Lock()
	defer s.commit(&err)
	a, ok := s.apps[app]
	if !ok {
		return Hook{}, NotFound()
	}
	if url != nil {
		if err := checkHookURL(*url); err != nil {
			return Hook{}, Invalid(Problem{Resource: "Hook", Field: "url", Code: "custom", Message: err.Error()})
		}
		a.Hook.URL = *url
	}
	if secret != nil {
		a.Hook.Secret = *secret
	}
	s.saveApp(a)
	return a.Hook, nil
}
