package state

import (
	"maps"
	"slices"
)

// ManagedApps lists the Apps that a person manages, by id: the person's own, those of organisations that the person
// owns, and for a site administrator all. As on GitHub only they see what is sent to an App's hook.
func (s *Store) ManagedApps(u User) []App {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := []App{}
	if u.ID == 0 {
		return out
	}
	for _, id := range slices.Sorted(maps.Keys(s.apps)) {
		a := s.apps[id]
		o, ok := s.orgs[fold(a.Owner.Login)]
		if u.Admin || a.Owner.ID == u.ID || (ok && o.owners[fold(u.Login)]) {
			out = append(out, *a)
		}
	}
	return out
}

// ManagedAccounts lists the accounts whose Apps and installations a person decides on: the person's own, and those of
// organisations that the person owns.
func (s *Store) ManagedAccounts(u User) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := []string{u.Login}
	for _, name := range slices.Sorted(maps.Keys(s.orgs)) {
		if o := s.orgs[name]; o.owners[fold(u.Login)] {
			out = append(out, s.accounts[name].Login)
		}
	}
	return out
}
