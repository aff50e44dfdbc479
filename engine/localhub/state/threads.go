package state

import (
	"slices"
	"strings"
)

// A thread is what a number stands for in the paths of issues: a plain issue or a pull request.
type thread struct {
	repo  *repo
	pull  *Pull
	issue *Issue
}

func (s *Store) thread(fullName string, number int) (thread, error) {
	r, err := s.repo(fullName)
	if err != nil {
		return thread{}, err
	}
	t := thread{repo: r, pull: r.pulls[number], issue: r.desk.issues.byID[int64(number)]}
	if t.pull == nil && t.issue == nil {
		return thread{}, NotFound()
	}
	return t, nil
}

func (s *Store) touchThread(t thread) {
	if t.pull != nil {
		s.touch(t.pull)
		return
	}
	s.stowIssue(t.repo, t.issue)
}

func (t thread) labels() *[]Label {
	if t.pull != nil {
		return &t.pull.Labels
	}
	return &t.issue.Labels
}

func (t thread) assignees() *[]User {
	if t.pull != nil {
		return &t.pull.Assignees
	}
	return &t.issue.Assignees
}

func (t thread) countComment(n int) {
	if t.pull != nil {
		t.pull.Comments += n
		return
	}
	t.issue.Comments += n
}

// event is one of the thread itself: pull_request or issues.
func (t thread) event(action string) Event {
	if t.pull != nil {
		return Event{Name: "pull_request", Action: action, Pull: copyOf(t.repo, t.pull)}
	}
	return Event{Name: "issues", Action: action, Issue: t.repo.issueCopy(t.issue)}
}

// A Thread is a plain issue or a pull request; exactly one is set.
type Thread struct {
	Pull  *Pull
	Issue *Issue
}

func (t thread) view() Thread {
	if t.pull != nil {
		return Thread{Pull: copyOf(t.repo, t.pull)}
	}
	return Thread{Issue: t.repo.issueCopy(t.issue)}
}

// Thread finds the issue or pull request with a number.
func (s *Store) Thread(fullName string, number int) (Thread, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := s.thread(fullName, number)
	if err != nil {
		return Thread{}, err
	}
	return t.view(), nil
}

// Threads lists a repository's issues and pull requests by number.
func (s *Store) Threads(fullName string) ([]Thread, error) {
	return view(s, fullName, func(r *repo) ([]Thread, error) {
		var out []Thread
		for n := 1; n <= r.last; n++ {
			t := thread{repo: r, pull: r.pulls[n], issue: r.desk.issues.byID[int64(n)]}
			if t.pull != nil || t.issue != nil {
				out = append(out, t.view())
			}
		}
		return out, nil
	})
}

// changeThread runs a mutation on an issue or pull request and returns it as it is then.
func (s *Store) changeThread(fullName string, number int, do func(thread) error) (_ Thread, err error) {
	s.mu.Lock()
	defer s.commit(&err)
	t, err := s.thread(fullName, number)
	if err != nil {
		return Thread{}, err
	}
	if err := do(t); err != nil {
		return Thread{}, err
	}
	return t.view(), nil
}

func checkLabelNames(names []string) error {
	for _, name := range names {
		if strings.TrimSpace(name) == "" || len(name) > 50 {
			return Invalid(Problem{Resource: "Label", Field: "name", Code: "invalid"})
		}
	}
	return nil
}

// labelled adds labels by name; those that the repository does not have yet are made.
func (s *Store) labelled(a Actor, r *repo, have []Label, names []string) []Label {
	out := slices.Clone(have)
	for _, name := range names {
		l, ok := r.labels[fold(name)]
		if !ok {
			l = Label{ID: s.newID(), Name: name, Color: "ededed"}
			r.labels[fold(name)] = l
			s.saveLabel(r, l)
			s.emit(a, r, Event{Name: "label", Action: "created", Label: &l})
		}
		if !slices.Contains(out, l) {
			out = append(out, l)
		}
	}
	return out
}

// relabel replaces the labels of a thread and tells of each that came or went.
func (s *Store) relabel(a Actor, t thread, to []Label) {
	was := *t.labels()
	*t.labels() = to
	s.touchThread(t)
	tell := func(action string, l Label) {
		e := t.event(action)
		e.Label = &l
		s.emit(a, t.repo, e)
	}
	for _, l := range to {
		if !slices.Contains(was, l) {
			tell("labeled", l)
		}
	}
	for _, l := range was {
		if !slices.Contains(to, l) {
			tell("unlabeled", l)
		}
	}
}

// PutLabels puts labels on an issue or pull request; names that the repository does not have yet are made.
func (s *Store) PutLabels(a Actor, fullName string, number int, names []string) (Thread, error) {
	return s.changeThread(fullName, number, func(t thread) error {
		if err := checkLabelNames(names); err != nil {
			return err
		}
		s.relabel(a, t, s.labelled(a, t.repo, *t.labels(), names))
		return nil
	})
}

// SetLabels replaces the labels of an issue or pull request.
func (s *Store) SetLabels(a Actor, fullName string, number int, names []string) (Thread, error) {
	return s.changeThread(fullName, number, func(t thread) error {
		if err := checkLabelNames(names); err != nil {
			return err
		}
		s.relabel(a, t, s.labelled(a, t.repo, nil, names))
		return nil
	})
}

// TakeLabel takes one label off.
func (s *Store) TakeLabel(a Actor, fullName string, number int, name string) (Thread, error) {
	return s.changeThread(fullName, number, func(t thread) error {
		left := slices.DeleteFunc(slices.Clone(*t.labels()), func(l Label) bool { return fold(l.Name) == fold(name) })
		if len(left) == len(*t.labels()) {
			return &Refusal{Status: 404, Message: "Label does not exist"}
		}
		s.relabel(a, t, left)
		return nil
	})
}

// maxAssignees is GitHub's ("Assigning issues and pull requests to other GitHub users").
const maxAssignees = 10

func (s *Store) assigned(r *repo, have []User, logins []string) []User {
	out := slices.Clone(have)
	for _, login := range logins {
		u, ok := s.accounts[fold(login)]
		if ok && s.granted(r, *u) && len(out) < maxAssignees && !slices.ContainsFunc(out, u.same) {
			out = append(out, *u)
		}
	}
	return out
}

// AssignTo makes people responsible; like GitHub it passes over those who cannot be.
func (s *Store) AssignTo(a Actor, fullName string, number int, logins []string) (Thread, error) {
	return s.reassign(a, fullName, number, func(r *repo, have []User) []User { return s.assigned(r, have, logins) })
}

// SetAssignees replaces who is responsible.
func (s *Store) SetAssignees(a Actor, fullName string, number int, logins []string) (Thread, error) {
	return s.reassign(a, fullName, number, func(r *repo, _ []User) []User { return s.assigned(r, nil, logins) })
}

// Unassign takes people off; names that were not assigned are passed over.
func (s *Store) Unassign(a Actor, fullName string, number int, logins []string) (Thread, error) {
	return s.reassign(a, fullName, number, func(_ *repo, have []User) []User {
		return slices.DeleteFunc(slices.Clone(have), func(u User) bool {
			return slices.ContainsFunc(logins, func(n string) bool { return strings.EqualFold(n, u.Login) })
		})
	})
}

func (s *Store) reassign(a Actor, fullName string, number int, next func(*repo, []User) []User) (Thread, error) {
	return s.changeThread(fullName, number, func(t thread) error {
		was := *t.assignees()
		*t.assignees() = next(t.repo, was)
		s.touchThread(t)
		tell := func(action string, u User) {
			e := t.event(action)
			e.User = &u
			s.emit(a, t.repo, e)
		}
		for _, u := range *t.assignees() {
			if !slices.ContainsFunc(was, u.same) {
				tell("assigned", u)
			}
		}
		for _, u := range was {
			if !slices.ContainsFunc(*t.assignees(), u.same) {
				tell("unassigned", u)
			}
		}
		return nil
	})
}

// SetMilestone puts an issue or pull request into a milestone; 0 takes it out.
func (s *Store) SetMilestone(fullName string, number int, milestone int64) (Thread, error) {
	return s.changeThread(fullName, number, func(t thread) error {
		if milestone != 0 {
			if _, err := t.repo.desk.milestones.get(milestone); err != nil {
				return Invalid(Problem{Resource: "Issue", Field: "milestone", Code: "invalid"})
			}
		}
		if t.pull != nil {
			t.pull.Milestone = milestone
		} else {
			t.issue.Milestone = milestone
		}
		s.touchThread(t)
		return nil
	})
}

// A LabelInput creates a label, or changes one in the fields that are not nil. Color is six hexadecimal digits.
type LabelInput struct{ Name, Color, Description *string }

// SaveLabel creates a label (name "") or changes the named one, wherever it hangs.
func (s *Store) SaveLabel(a Actor, fullName, name string, in LabelInput) (*Label, error) {
	return change(s, fullName, func(r *repo) (*Label, error) {
		l, known := r.labels[fold(name)]
		if name != "" && !known {
			return nil, NotFound()
		}
		was := l
		if in.Name != nil {
			l.Name = *in.Name
		}
		if in.Description != nil {
			l.Description = *in.Description
		}
		if in.Color != nil {
			l.Color = strings.TrimPrefix(*in.Color, "#")
		} else if !known {
			l.Color = "ededed"
		}
		if err := r.checkLabel(l, was.ID); err != nil {
			return nil, err
		}
		if l.ID == 0 {
			l.ID = s.newID()
		}
		s.rename(r, was, &l)
		r.labels[fold(l.Name)] = l
		s.saveLabel(r, l)
		action := "edited"
		if !known {
			action = "created"
		}
		s.emit(a, r, Event{Name: "label", Action: action, Label: &l})
		return &l, nil
	})
}

func (r *repo) checkLabel(l Label, own int64) error {
	other, taken := r.labels[fold(l.Name)]
	hex := strings.Trim(fold(l.Color), "0123456789abcdef")
	switch {
	case l.Name == "":
		return missing("Label", "name")
	case len(l.Name) > 50:
		return Invalid(Problem{Resource: "Label", Field: "name", Code: "invalid"})
	case taken && other.ID != own:
		return Invalid(Problem{Resource: "Label", Field: "name", Code: "already_exists"})
	case len(l.Color) != 6 || hex != "":
		return Invalid(Problem{Resource: "Label", Field: "color", Code: "invalid"})
	case len(l.Description) > 100:
		return Invalid(Problem{Resource: "Label", Field: "description", Code: "custom", Message: "description is too long (maximum is 100 characters)"})
	}
	return nil
}

// rename puts the label to in the place of was everywhere; a nil to takes it away.
func (s *Store) rename(r *repo, was Label, to *Label) {
	if was.ID == 0 {
		return
	}
	delete(r.labels, fold(was.Name))
	swap := func(list []Label) ([]Label, bool) {
		at := slices.Index(list, was)
		if at < 0 {
			return list, false
		}
		list = slices.Clone(list)
		if to == nil {
			return slices.Delete(list, at, at+1), true
		}
		list[at] = *to
		return list, true
	}
	for _, p := range r.pulls {
		if list, hit := swap(p.Labels); hit {
			p.Labels = list
			s.touch(p)
		}
	}
	for _, x := range r.desk.issues.byID {
		if list, hit := swap(x.Labels); hit {
			x.Labels = list
			s.stowIssue(r, x)
		}
	}
}

// DropLabel deletes a label, wherever it hangs.
func (s *Store) DropLabel(a Actor, fullName, name string) error {
	_, err := change(s, fullName, func(r *repo) (struct{}, error) {
		l, known := r.labels[fold(name)]
		if !known {
			return struct{}{}, NotFound()
		}
		s.rename(r, l, nil)
		s.save("label", key(r.ID, l.ID), nil)
		s.emit(a, r, Event{Name: "label", Action: "deleted", Label: &l})
		return struct{}{}, nil
	})
	return err
}

// AddLabels is PutLabels for a pull request.
func (s *Store) AddLabels(a Actor, fullName string, number int, names []string) (*Pull, error) {
	t, err := s.PutLabels(a, fullName, number, names)
	return t.Pull, err
}

// RemoveLabel is TakeLabel for a pull request.
func (s *Store) RemoveLabel(a Actor, fullName string, number int, name string) (*Pull, error) {
	t, err := s.TakeLabel(a, fullName, number, name)
	return t.Pull, err
}

// Assign is AssignTo for a pull request.
func (s *Store) Assign(a Actor, fullName string, number int, logins []string) (*Pull, error) {
	t, err := s.AssignTo(a, fullName, number, logins)
	return t.Pull, err
}
