package state

import (
	"slices"
	"strings"
)

// PullByID finds a pull request of a repository by its own id, or by that of the issue that it is, too.
func (s *Store) PullByID(fullName string, id int64) (*Pull, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.repo(fullName)
	if err != nil {
		return nil, err
	}
	for _, p := range r.pulls {
		if p.ID == id || p.IssueID == id {
			return copyOf(r, p), nil
		}
	}
	return nil, NotFound()
}

// ReviewByID finds a review of a repository, whichever pull request it is of.
func (s *Store) ReviewByID(fullName string, id int64) (*Review, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.repo(fullName)
	if err != nil {
		return nil, err
	}
	for _, list := range r.reviews {
		for _, v := range list {
			if v.ID == id {
				c := *v
				return &c, nil
			}
		}
	}
	return nil, NotFound()
}

// Labels lists a repository's labels by name.
func (s *Store) Labels(fullName string) ([]Label, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.repo(fullName)
	if err != nil {
		return nil, err
	}
	out := make([]Label, 0, len(r.labels))
	for _, l := range r.labels {
		out = append(out, l)
	}
	slices.SortFunc(out, func(a, b Label) int { return strings.Compare(fold(a.Name), fold(b.Name)) })
	return out, nil
}
