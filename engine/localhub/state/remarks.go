package state

import (
	"strings"
	"time"
)

// A Remark is a comment on a line of a pull request's diff. GitHub calls it a review comment.
type Remark struct {
	ID           int64
	Review       int64 // 0: given alone
	Pull         int
	Reply        int64 // the remark that it answers; 0: none
	User         User
	Association  string
	Body         string
	Path         string
	Side         string // LEFT or RIGHT
	Line         int
	StartLine    int // 0: one line
	Position     int // in the patch, from 1
	Hunk         string
	CommitID     string
	Created      time.Time
	Updated      time.Time
	Reactions    []Reaction
	OriginalHead string
}

func (x Remark) number() int64 { return x.ID }

// AddRemark keeps a remark, whose place the caller has found in the diff.
func (s *Store) AddRemark(a Actor, fullName string, x Remark) (*Remark, error) {
	return change(s, fullName, func(r *repo) (*Remark, error) {
		p, ok := r.pulls[x.Pull]
		if !ok {
			return nil, NotFound()
		}
		out, err := s.addRemark(a, r, p, x)
		if err != nil {
			return nil, err
		}
		s.touch(p)
		c := *out
		return &c, nil
	})
}

func (s *Store) addRemark(a Actor, r *repo, p *Pull, x Remark) (*Remark, error) {
	if err := s.checkRemark(x.Body); err != nil {
		return nil, err
	}
	if x.ID == 0 { // one of a pending review has its id already
		x.ID = s.newID()
	}
	x.User, x.Association, x.Created, x.Updated = a.User, s.association(r, a.User), s.Now(), s.Now()
	x.OriginalHead = p.Head.SHA
	stow(s, r, &r.desk.remarks, "remark", &x)
	c := x
	s.emit(a, r, Event{Name: "pull_request_review_comment", Action: "created", Pull: copyOf(r, p), Remark: &c})
	return &x, nil
}

func (s *Store) checkRemark(body string) error {
	if strings.TrimSpace(body) == "" {
		return missing("PullRequestReviewComment", "body")
	}
	return s.checkText("PullRequestReviewComment", "body", body)
}

// Remarks lists the remarks on a pull request (0: on all), oldest first.
func (s *Store) Remarks(fullName string, pull int) ([]Remark, error) {
	return view(s, fullName, func(r *repo) ([]Remark, error) {
		return r.desk.remarks.all(func(x *Remark) bool { return pull == 0 || x.Pull == pull }), nil
	})
}

// Remark finds one.
func (s *Store) Remark(fullName string, id int64) (*Remark, error) {
	return view(s, fullName, func(r *repo) (*Remark, error) {
		x, err := r.desk.remarks.get(id)
		if err != nil {
			return nil, err
		}
		c := *x
		return &c, nil
	})
}

// EditRemark replaces a remark's text: its author may, and anyone with write access.
func (s *Store) EditRemark(a Actor, fullName string, id int64, body string) (*Remark, error) {
	return change(s, fullName, func(r *repo) (*Remark, error) {
		x, err := r.desk.remarks.get(id)
		if err != nil {
			return nil, err
		}
		if err := s.mayEdit(a, r, x.User); err != nil {
			return nil, err
		}
		if err := s.checkRemark(body); err != nil {
			return nil, err
		}
		old := x.Body
		x.Body, x.Updated = body, s.Now()
		stow(s, r, &r.desk.remarks, "remark", x)
		c := *x
		s.emit(a, r, Event{
			Name: "pull_request_review_comment", Action: "edited", Pull: copyOf(r, r.pulls[x.Pull]), Remark: &c, Changes: map[string]string{"body": old},
		})
		return &c, nil
	})
}

// DropRemark removes a remark: its author may, and anyone with write access.
func (s *Store) DropRemark(a Actor, fullName string, id int64) error {
	_, err := change(s, fullName, func(r *repo) (struct{}, error) {
		x, err := r.desk.remarks.get(id)
		if err != nil {
			return struct{}{}, err
		}
		if err := s.mayEdit(a, r, x.User); err != nil {
			return struct{}{}, err
		}
		discard(s, r, &r.desk.remarks, "remark", id)
		s.emit(a, r, Event{Name: "pull_request_review_comment", Action: "deleted", Pull: copyOf(r, r.pulls[x.Pull]), Remark: x})
		return struct{}{}, nil
	})
	return err
}
