package state

import (
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// An Issue is a plain one; pull requests share its numbers.
type Issue struct {
	ID          int64
	Number      int
	Title, Body string
	Author      User
	Association string
	State       string // "open" or "closed"
	Reason      string // completed, reopened, not_planned, duplicate; empty: none
	Labels      []Label
	Assignees   []User
	Milestone   int64      // number; 0: none
	In          *Milestone `json:",omitempty"` // in copies: the milestone itself
	Comments    int
	Reactions   []Reaction
	Created     time.Time
	Updated     time.Time
	Closed      time.Time
	ClosedBy    User
}

func (x Issue) number() int64 { return int64(x.Number) }

// An IssueInput creates an issue, or changes one in the fields that are not nil. A zero Milestone takes it away.
type IssueInput struct {
	Title, Body, State, Reason *string
	Labels, Assignees          *[]string
	Milestone                  *int64
}

// CreateIssue opens an issue. Labels, assignees and a milestone count only from those who may triage, as on GitHub.
func (s *Store) CreateIssue(a Actor, fullName string, in IssueInput) (*Issue, error) {
	return change(s, fullName, func(r *repo) (*Issue, error) {
		if in.Title == nil {
			return nil, missing("Issue", "title")
		}
		if err := s.checkIssue(r, in); err != nil {
			return nil, err
		}
		r.last++
		s.saveRepo(r)
		x := &Issue{
			ID: s.newID(), Number: r.last, Title: *in.Title, Author: a.User, Association: s.association(r, a.User), State: "open", Created: s.Now(),
		}
		if in.Body != nil {
			x.Body = *in.Body
		}
		if a.IsInstallation() || s.role(r, a.User) >= Triage {
			s.dress(a, r, x, in)
		}
		s.stowIssue(r, x)
		s.emitIssue(a, r, x, "opened")
		return r.issueCopy(x), nil
	})
}

func (s *Store) stowIssue(r *repo, x *Issue) {
	x.Updated = s.Now()
	stow(s, r, &r.desk.issues, "issue", x)
}

func (s *Store) emitIssue(a Actor, r *repo, x *Issue, action string) {
	s.emit(a, r, Event{Name: "issues", Action: action, Issue: r.issueCopy(x)})
}

func (s *Store) checkIssue(r *repo, in IssueInput) error {
	invalid := func(field string) error { return Invalid(Problem{Resource: "Issue", Field: field, Code: "invalid"}) }
	switch {
	case in.Title != nil && strings.TrimSpace(*in.Title) == "":
		return missing("Issue", "title")
	case in.Title != nil && utf8.RuneCountInString(*in.Title) > 256:
		return Invalid(Problem{Resource: "Issue", Field: "title", Code: "custom", Message: "title is too long (maximum is 256 characters)"})
	case in.State != nil && *in.State != "open" && *in.State != "closed":
		return invalid("state")
	case in.Reason != nil && !slices.Contains([]string{"", "completed", "not_planned", "duplicate", "reopened"}, *in.Reason):
		return invalid("state_reason")
	}
	if in.Milestone != nil && *in.Milestone != 0 {
		if _, err := r.desk.milestones.get(*in.Milestone); err != nil {
			return invalid("milestone")
		}
	}
	if in.Labels != nil {
		if err := checkLabelNames(*in.Labels); err != nil {
			return err
		}
	}
	if in.Body == nil {
		return nil
	}
	return s.checkText("Issue", "body", *in.Body)
}

// dress puts labels, assignees and milestone on an issue.
func (s *Store) dress(a Actor, r *repo, x *Issue, in IssueInput) {
	if in.Labels != nil {
		x.Labels = s.labelled(a, r, nil, *in.Labels)
	}
	if in.Assignees != nil {
		x.Assignees = s.assigned(r, nil, *in.Assignees)
	}
	if in.Milestone != nil {
		x.Milestone = *in.Milestone
	}
}

// EditIssue changes an issue: its author may change title, body and state, and who may triage everything.
func (s *Store) EditIssue(a Actor, fullName string, number int, in IssueInput) (*Issue, error) {
	return change(s, fullName, func(r *repo) (*Issue, error) {
		x, err := r.desk.issues.get(int64(number))
		if err != nil {
			return nil, err
		}
		triages := a.IsInstallation() || s.role(r, a.User) >= Triage
		if !triages && a.User.ID != x.Author.ID {
			return nil, Forbid("Must have triage access to repository")
		}
		if err := s.checkIssue(r, in); err != nil {
			return nil, err
		}
		was := *x
		if in.Title != nil {
			x.Title = *in.Title
		}
		if in.Body != nil {
			x.Body = *in.Body
		}
		if triages {
			s.dress(a, r, x, in)
		}
		if x.Title != was.Title || x.Body != was.Body {
			s.emitIssue(a, r, x, "edited")
		}
		s.turn(a, r, x, in)
		s.stowIssue(r, x)
		return r.issueCopy(x), nil
	})
}

// turn opens or closes an issue.
func (s *Store) turn(a Actor, r *repo, x *Issue, in IssueInput) {
	if in.State == nil || *in.State == x.State {
		return
	}
	x.State = *in.State
	if x.State == "closed" {
		x.Reason, x.Closed, x.ClosedBy = "completed", s.Now(), a.User
		if in.Reason != nil && *in.Reason != "" {
			x.Reason = *in.Reason
		}
		s.emitIssue(a, r, x, "closed")
		return
	}
	x.Reason, x.Closed, x.ClosedBy = "reopened", time.Time{}, User{}
	s.emitIssue(a, r, x, "reopened")
}

// Issue finds a plain issue.
func (s *Store) Issue(fullName string, number int) (*Issue, error) {
	return view(s, fullName, func(r *repo) (*Issue, error) {
		x, err := r.desk.issues.get(int64(number))
		if err != nil {
			return nil, err
		}
		return r.issueCopy(x), nil
	})
}

// issueCopy is an issue as it leaves the store.
func (r *repo) issueCopy(x *Issue) *Issue {
	c := *x
	c.In = r.milestoneOf(x.Milestone)
	return &c
}

func (r *repo) milestoneOf(number int64) *Milestone {
	m, err := r.desk.milestones.get(number)
	if err != nil {
		return nil // none, or number 0
	}
	c := r.counted(*m)
	return &c
}

// Issues lists a repository's plain issues, oldest first.
func (s *Store) Issues(fullName string) ([]Issue, error) {
	return view(s, fullName, func(r *repo) ([]Issue, error) { return r.desk.issues.all(nil), nil })
}

// A Milestone gathers issues and pull requests.
type Milestone struct {
	ID                 int64
	Number             int64
	Title, Description string
	State              string // "open" or "closed"
	Creator            User
	Created            time.Time
	Updated            time.Time
	Due                time.Time
	Closed             time.Time
	// Open and Done count what is in it. They follow from the issues and pull requests.
	Open, Done int
}

func (m Milestone) number() int64 { return m.Number }

// A MilestoneInput creates a milestone, or changes one in the fields that are not nil.
type MilestoneInput struct {
	Title, Description, State *string
	Due                       *time.Time
}

func (s *Store) fill(r *repo, m *Milestone, in MilestoneInput) error {
	if in.Title != nil {
		taken := func(x Milestone) bool { return x.Number != m.Number && strings.EqualFold(x.Title, *in.Title) }
		switch {
		case strings.TrimSpace(*in.Title) == "":
			return missing("Milestone", "title")
		case slices.ContainsFunc(r.desk.milestones.all(nil), taken):
			return Invalid(Problem{Resource: "Milestone", Field: "title", Code: "already_exists"})
		}
		m.Title = *in.Title
	}
	if in.Description != nil {
		m.Description = *in.Description
	}
	if in.Due != nil {
		m.Due = in.Due.UTC()
	}
	if in.State != nil {
		if *in.State != "open" && *in.State != "closed" {
			return Invalid(Problem{Resource: "Milestone", Field: "state", Code: "invalid"})
		}
		m.State, m.Closed = *in.State, time.Time{}
		if m.State == "closed" {
			m.Closed = s.Now()
		}
	}
	m.Updated = s.Now()
	return nil
}

// SaveMilestone creates a milestone (number 0) or changes one.
func (s *Store) SaveMilestone(a Actor, fullName string, number int64, in MilestoneInput) (*Milestone, error) {
	return change(s, fullName, func(r *repo) (*Milestone, error) {
		m := Milestone{Number: 1, State: "open", Creator: a.User, Created: s.Now()}
		if number != 0 {
			old, err := r.desk.milestones.get(number)
			if err != nil {
				return nil, err
			}
			m = *old
		} else if in.Title == nil {
			return nil, missing("Milestone", "title")
		}
		if number == 0 {
			for _, x := range r.desk.milestones.all(nil) {
				m.Number = max(m.Number, x.Number+1)
			}
		}
		if err := s.fill(r, &m, in); err != nil {
			return nil, err
		}
		if m.ID == 0 {
			m.ID = s.newID()
		}
		stow(s, r, &r.desk.milestones, "milestone", &m)
		c := r.counted(m)
		return &c, nil
	})
}

func (r *repo) counted(m Milestone) Milestone {
	add := func(in int64, state string) {
		switch {
		case in != m.Number:
		case state == "open":
			m.Open++
		default:
			m.Done++
		}
	}
	for _, x := range r.desk.issues.byID {
		add(x.Milestone, x.State)
	}
	for _, p := range r.pulls {
		add(p.Milestone, p.State)
	}
	return m
}

// Milestones lists a repository's milestones by number.
func (s *Store) Milestones(fullName string) ([]Milestone, error) {
	return view(s, fullName, func(r *repo) ([]Milestone, error) {
		list := r.desk.milestones.all(nil)
		for i := range list {
			list[i] = r.counted(list[i])
		}
		return list, nil
	})
}

// Milestone finds one.
func (s *Store) Milestone(fullName string, number int64) (*Milestone, error) {
	return view(s, fullName, func(r *repo) (*Milestone, error) {
		m, err := r.desk.milestones.get(number)
		if err != nil {
			return nil, err
		}
		c := r.counted(*m)
		return &c, nil
	})
}

// DropMilestone deletes a milestone and takes it off everything.
func (s *Store) DropMilestone(fullName string, number int64) error {
	_, err := change(s, fullName, func(r *repo) (struct{}, error) {
		if _, err := r.desk.milestones.get(number); err != nil {
			return struct{}{}, err
		}
		discard(s, r, &r.desk.milestones, "milestone", number)
		for _, x := range r.desk.issues.byID {
			if x.Milestone == number {
				x.Milestone = 0
				s.stowIssue(r, x)
			}
		}
		for _, p := range r.pulls {
			if p.Milestone == number {
				p.Milestone = 0
				s.touch(p)
			}
		}
		return struct{}{}, nil
	})
	return err
}
