package state

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

// An Install puts an App onto an account: on all of its repositories, or on those named ("owner/name").
type Install struct {
	App, Account string
	Repositories []string
}

// AddInstallation installs an App, as its account's owner would on GitHub's pages.
func (s *Store) AddInstallation(a Actor, in Install) (_ *Installation, err error) {
	s.mu.Lock()
	defer s.commit(&err)
	seed := SeedInstallation{App: in.App, Account: in.Account, Repositories: in.Repositories}
	before := slices.Collect(maps.Keys(s.installs))
	if err := s.seedInstallation(seed); err != nil {
		return nil, Unprocessable(err.Error())
	}
	for id, x := range s.installs {
		if slices.Contains(before, id) {
			continue
		}
		s.saveInstallation(x)
		s.emitInstallation(a, x, Event{Name: "installation", Action: "created", Repos: s.reposOf(x)})
		c := *x
		return &c, nil
	}
	return nil, NotFound() // unreachable: one was added
}

// RemoveInstallation takes an App off an account, as the App itself may. Its tokens end with it.
func (s *Store) RemoveInstallation(a Actor, app, id int64) (err error) {
	s.mu.Lock()
	defer s.commit(&err)
	in, err := s.installation(app, id)
	if err != nil {
		return err
	}
	s.emitInstallation(a, in, Event{Name: "installation", Action: "deleted", Repos: s.reposOf(in)})
	for sum, c := range s.tokens {
		if c.installation == id {
			s.dropToken(sum)
		}
	}
	delete(s.installs, id)
	s.save("installation", key(id), nil)
	return nil
}

// SuspendInstallation stops an installation, or lets it go on. While it is suspended its tokens are refused.
func (s *Store) SuspendInstallation(a Actor, app, id int64, suspend bool) (err error) {
	s.mu.Lock()
	defer s.commit(&err)
	in, err := s.installation(app, id)
	if err != nil {
		return err
	}
	if in.Suspended.IsZero() != suspend {
		return nil
	}
	action := "unsuspend"
	in.Suspended, in.SuspendedBy = time.Time{}, User{}
	if suspend {
		action = "suspend"
		in.Suspended, in.SuspendedBy = s.Now(), a.User
	}
	s.saveInstallation(in)
	s.emitInstallation(a, in, Event{Name: "installation", Action: action, Repos: s.reposOf(in)})
	return nil
}

// CoverRepository adds a repository to an installation that covers some, or takes it out. The actor is a person who
// administers it.
func (s *Store) CoverRepository(a Actor, id, repository int64, add bool) (err error) {
	s.mu.Lock()
	defer s.commit(&err)
	in, r := s.installs[id], s.repoByID[repository]
	if in == nil || r == nil || r.Owner.ID != in.Account.ID || s.role(r, a.User) < Read {
		return NotFound()
	}
	if s.role(r, a.User) < Admin {
		return Forbid("Must have admin access to repository")
	}
	has := slices.Contains(in.Repositories, r.ID)
	e := Event{Name: "installation_repositories", Action: "added", Repos: []Repo{r.Repo}}
	switch {
	case in.Repositories == nil:
		return Unprocessable("The installation covers all repositories.")
	case has == add:
		return nil
	case add:
		in.Repositories = append(slices.Clone(in.Repositories), r.ID)
	default:
		e.Action = "removed"
		in.Repositories = slices.DeleteFunc(slices.Clone(in.Repositories), func(x int64) bool { return x == r.ID })
	}
	s.saveInstallation(in)
	s.emitInstallation(a, in, e)
	return nil
}

func (s *Store) installation(app, id int64) (*Installation, error) {
	in, ok := s.installs[id]
	if !ok || in.App.ID != app {
		return nil, NotFound()
	}
	return in, nil
}

// emitInstallation queues an event that goes to the installation's App and to nobody else, whatever it asked for.
func (s *Store) emitInstallation(a Actor, in *Installation, e Event) {
	c := *in
	e.Installation, e.OnlyApp = &c, in.App.ID
	s.queue(a, e)
}

func (s *Store) reposOf(in *Installation) []Repo {
	out := []Repo{}
	for _, name := range slices.SortedFunc(maps.Keys(s.repos), strings.Compare) {
		if r := s.repos[name]; s.covers(in, r) {
			out = append(out, r.Repo)
		}
	}
	return out
}

// suspended is the refusal of a token whose installation is stopped.
func suspended() *Refusal {
	return &Refusal{Status: http.StatusForbidden, Message: "This installation has been suspended"}
}
