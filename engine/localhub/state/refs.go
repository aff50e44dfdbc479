package state

import "slices"

// A Moved is what a push did to one pull request: its head or base branch is now somewhere else.
type Moved struct {
	Number int
	Stats  Stats
	Base   string // the base branch's commit now
	Gone   bool   // the head branch is deleted
}

// Pushed records one changed ref and what follows: the push, the pull requests whose head it is, and a check suite for
// each App that writes checks.
func (s *Store) Pushed(a Actor, fullName string, push Push, moved []Moved) (err error) {
	s.mu.Lock()
	defer s.commit(&err)
	r, err := s.repo(fullName)
	if err != nil {
		return err
	}
	r.Repo.Pushed = s.Now()
	s.saveRepo(r)
	switch {
	case push.Created():
		s.emit(a, r, Event{Name: "create", Push: &push})
	case push.Deleted():
		s.emit(a, r, Event{Name: "delete", Push: &push})
	}
	s.emit(a, r, Event{Name: "push", Push: &push})
	for _, m := range moved {
		if p := r.pulls[m.Number]; p != nil {
			s.follow(a, r, p, push, m)
		}
	}
	if branch, ok := push.Branch(); ok && !push.Deleted() {
		s.requestSuites(a, r, branch, push)
	}
	return nil
}

func (s *Store) follow(a Actor, r *repo, p *Pull, push Push, m Moved) {
	switch {
	case m.Gone:
		p.HeadGone = true
		s.savePull(p)
		if p.Open() {
			s.setState(a, r, p, "closed")
		}
	case p.Open():
		p.Head.SHA, p.Base.SHA, p.Stats, p.HeadGone = push.After, m.Base, m.Stats, false
		p.PushedBy = a.User.ID
		s.dropStale(a, r, p)
		r.tips[p.Head.SHA] = p.Head.Ref
		s.touch(p)
		s.emit(a, r, Event{
			Name: "pull_request", Action: "synchronize", Pull: copyOf(r, p), Before: push.Before, After: push.After,
		})
	case !p.Merged:
		p.HeadGone = false
		s.savePull(p)
	}
}

// requestSuites makes a check suite on the commit for each App that may write checks, as GitHub does by default.
func (s *Store) requestSuites(a Actor, r *repo, branch string, push Push) {
	head := PushedCommit{SHA: push.After}
	if push.HeadCommit != nil {
		head = *push.HeadCommit
	}
	for _, in := range s.installsOf(r) {
		if !enough(in.Permissions["checks"], "write") || r.suite(in.App.ID, push.After) != nil {
			continue
		}
		suite := s.addSuite(r, *s.apps[in.App.ID], branch, head)
		s.emit(a, r, Event{Name: "check_suite", Action: "requested", Suite: suite.view(r), OnlyApp: in.App.ID})
	}
}

// installsOf lists the installations that reach a repository, by id.
func (s *Store) installsOf(r *repo) []*Installation {
	var out []*Installation
	for _, in := range s.installs {
		if s.covers(in, r) {
			out = append(out, in)
		}
	}
	slices.SortFunc(out, func(x, y *Installation) int { return int(x.ID - y.ID) })
	return out
}

// Dispatch sends a repository_dispatch to the Apps of a repository.
func (s *Store) Dispatch(a Actor, fullName string, d Dispatch) (err error) {
	s.mu.Lock()
	defer s.commit(&err)
	r, err := s.repo(fullName)
	if err != nil {
		return err
	}
	s.emit(a, r, Event{Name: "repository_dispatch", Action: d.Type, Dispatch: &d})
	return nil
}
