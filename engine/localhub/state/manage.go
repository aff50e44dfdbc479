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
