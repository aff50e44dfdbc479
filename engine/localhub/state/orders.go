package state

import (
	"slices"

	"unicode/utf8"
)

// A RunAction is a button of a check run.
type RunAction struct {
	Label       string `json:"label"`
	Description string `json:"description"`
	Identifier  string `json:"identifier"`
}

// checkActions applies the limits of checks/create in GitHub's OpenAPI description.
func checkActions(list []RunAction) error {
	invalid := func() error { return Invalid(Problem{Resource: "CheckRun", Field: "actions", Code: "invalid"}) }
	if len(list) > 3 {
		return invalid()
	}
	for _, x := range list {
		n := utf8.RuneCountInString
		if x.Label == "" || n(x.Label) > 20 || x.Identifier == "" || n(x.Identifier) > 20 || x.Description == "" || n(x.Description) > 40 {
			return invalid()
		}
	}
	return nil
}

// PressButton asks the App of a completed check run to act, as a person who presses one of its buttons does. GitHub has no
// REST call for it: the pages and tests use this one.
func (s *Store) PressButton(a Actor, fullName string, id int64, identifier string) error {
	_, err := change(s, fullName, func(r *repo) (struct{}, error) {
		run, ok := r.runByID[id]
		if !ok {
			return struct{}{}, NotFound()
		}
		if a.User.Type != TypeUser || s.role(r, a.User) < Write {
			return struct{}{}, Forbid("Must have push access to repository")
		}
		named := func(x RunAction) bool { return x.Identifier == identifier }
		if run.Status != "completed" || !slices.ContainsFunc(run.Actions, named) {
			return struct{}{}, Invalid(Problem{Resource: "CheckRun", Field: "actions", Code: "invalid"})
		}
		s.askRun(a, r, run, Event{Action: "requested_action", Requested: identifier})
		return struct{}{}, nil
	})
	return err
}

// askRun sends a check_run event to the App whose run it is, and to nobody else.
func (s *Store) askRun(a Actor, r *repo, run *Run, e Event) {
	c := *run
	e.Name, e.Run, e.OnlyApp = "check_run", &c, run.App.ID
	if suite := r.suite(run.App.ID, run.HeadSHA); suite != nil {
		e.Suite = suite.view(r)
	}
	s.emit(a, r, e)
}

// RerequestRun asks for a check run once more. The run itself does not change; its App decides.
func (s *Store) RerequestRun(a Actor, fullName string, id int64) error {
	_, err := change(s, fullName, func(r *repo) (struct{}, error) {
		run, ok := r.runByID[id]
		if !ok {
			return struct{}{}, NotFound()
		}
		if a.App != nil && a.App.ID != run.App.ID {
			return struct{}{}, Forbid("This check run is not rerequestable")
		}
		if run.Status != "completed" {
			return struct{}{}, Unprocessable("This check run is not rerequestable")
		}
		s.askRun(a, r, run, Event{Action: "rerequested"})
		return struct{}{}, nil
	})
	return err
}

// RerequestSuite asks for all checks of a suite once more: it is queued again and has no conclusion.
func (s *Store) RerequestSuite(a Actor, fullName string, id int64) error {
	_, err := change(s, fullName, func(r *repo) (struct{}, error) {
		x, ok := r.suiteByID[id]
		if !ok {
			return struct{}{}, NotFound()
		}
		if a.App != nil && a.App.ID != x.App.ID {
			return struct{}{}, Forbid("This check suite is not rerequestable")
		}
		x.Updated, x.Again = s.Now(), true
		s.saveSuite(r, x)
		r.checksMoved()
		s.emit(a, r, Event{Name: "check_suite", Action: "rerequested", Suite: x.view(r), OnlyApp: x.App.ID})
		return struct{}{}, nil
	})
	return err
}

// CreateSuite makes a check suite of the actor's App on a commit; fresh is false when there was one.
func (s *Store) CreateSuite(a Actor, fullName string, head PushedCommit) (out *Suite, fresh bool, err error) {
	out, err = change(s, fullName, func(r *repo) (*Suite, error) {
		if err := onlyApps(a); err != nil {
			return nil, err
		}
		if x := r.suite(a.App.ID, head.SHA); x != nil {
			return x.view(r), nil
		}
		fresh = true
		x := s.addSuite(r, *s.apps[a.App.ID], r.branchOf(head.SHA), head)
		s.emit(a, r, Event{Name: "check_suite", Action: "requested", Suite: x.view(r), OnlyApp: a.App.ID})
		return x.view(r), nil
	})
	return out, fresh, err
}

// SuiteRuns lists a suite's check runs, newest first.
func (s *Store) SuiteRuns(fullName string, id int64) ([]Run, error) {
	return view(s, fullName, func(r *repo) ([]Run, error) {
		x, ok := r.suiteByID[id]
		if !ok {
			return nil, NotFound()
		}
		out := []Run{}
		for _, run := range slices.Backward(r.runsBySHA[x.HeadSHA]) {
			if run.Suite == id {
				out = append(out, *run)
			}
		}
		return out, nil
	})
}

// A Merging is how a repository may be merged, and what follows. The zero value is the hub's usual: merge commits alone.
type Merging struct {
	NoCommit     bool // merge commits are refused
	Squash       bool // squash merges are allowed
	Rebase       bool // rebase merges are allowed
	DeleteBranch bool // a merged branch is deleted
	UpdateBranch bool // the pages offer to update a branch
	AutoMerge    bool // only shown
}

// A RepoEdit changes a repository in the fields that are not nil.
type RepoEdit struct {
	Description, DefaultBranch, Homepage  *string
	Private                               *bool
	MergeCommit, Squash, Rebase           *bool
	DeleteBranch, UpdateBranch, AutoMerge *bool
}

// EditRepo changes a repository's settings; the caller has checked that a new default branch exists.
func (s *Store) EditRepo(fullName string, in RepoEdit) (Repo, error) {
	return change(s, fullName, func(r *repo) (Repo, error) {
		m := r.Merging
		set := func(to *bool, from *bool, negated bool) {
			if from != nil {
				*to = *from != negated
			}
		}
		set(&m.NoCommit, in.MergeCommit, true)
		set(&m.Squash, in.Squash, false)
		set(&m.Rebase, in.Rebase, false)
		set(&m.DeleteBranch, in.DeleteBranch, false)
		set(&m.UpdateBranch, in.UpdateBranch, false)
		set(&m.AutoMerge, in.AutoMerge, false)
		if m.NoCommit && !m.Squash && !m.Rebase {
			return Repo{}, Invalid(Problem{Resource: "Repository", Field: "merge_commit_allowed", Code: "custom", Message: "Sorry, you need to allow at least one merge strategy."})
		}
		r.Merging = m
		set(&r.Private, in.Private, false)
		for to, from := range map[*string]*string{&r.Description: in.Description, &r.DefaultBranch: in.DefaultBranch, &r.Homepage: in.Homepage} {
			if from != nil {
				*to = *from
			}
		}
		r.Updated = s.Now()
		s.saveRepo(r)
		return r.Repo, nil
	})
}
