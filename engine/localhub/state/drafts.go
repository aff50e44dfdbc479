package state

import (
	"slices"
	"strings"
)

// ReviewPending is the state of a review that its author has not submitted.
const ReviewPending = "PENDING"

// A Draft is a pending review. Nobody but its author sees it, and it decides nothing; so it lies apart from reviews until
// it becomes one, under its id. Submitted is when it was begun.
type Draft struct {
	Review
	Remarks []Remark
}

func (x Draft) number() int64 { return x.ID }

// draft is the actor's pending review of a pull request, of which there is at most one.
func (r *repo) draft(a Actor, number int) *Draft {
	for _, x := range r.desk.drafts.byID {
		if x.Pull == number && x.User.ID == a.User.ID {
			return x
		}
	}
	return nil
}

func (r *repo) draftByID(a Actor, number int, id int64) (*Draft, error) {
	if x := r.draft(a, number); x != nil && x.ID == id {
		return x, nil
	}
	return nil, NotFound()
}

// BeginReview keeps a review whose author will submit it later. The event of in is not looked at.
func (s *Store) BeginReview(a Actor, fullName string, number int, in NewReview) (*Draft, error) {
	return change(s, fullName, func(r *repo) (*Draft, error) {
		p, ok := r.pulls[number]
		if !ok {
			return nil, NotFound()
		}
		if err := s.checkReview(in.Body, in.Remarks); err != nil {
			return nil, err
		}
		if r.draft(a, number) != nil {
			return nil, unprocessableList("User can only have one pending review per pull request")
		}
		if in.CommitID == "" {
			in.CommitID = p.Head.SHA
		}
		x := &Draft{Review: Review{
			ID: s.newID(), Pull: number, User: a.User, Association: s.association(r, a.User), Body: in.Body, State: ReviewPending,
			CommitID: in.CommitID, Submitted: s.Now(),
		}}
		for _, remark := range in.Remarks {
			remark.ID, remark.Review, remark.Pull, remark.User, remark.Association = s.newID(), x.ID, number, a.User, x.Association
			remark.Created, remark.Updated, remark.OriginalHead = s.Now(), s.Now(), p.Head.SHA
			x.Remarks = append(x.Remarks, remark)
		}
		stow(s, r, &r.desk.drafts, "draft", x)
		c := *x
		return &c, nil
	})
}

// Draft finds the actor's pending review of a pull request; it is nil where there is none.
func (s *Store) Draft(a Actor, fullName string, number int) (*Draft, error) {
	return view(s, fullName, func(r *repo) (*Draft, error) {
		x := r.draft(a, number)
		if x == nil {
			return nil, nil
		}
		c := *x
		c.Remarks = slices.Clone(x.Remarks)
		return &c, nil
	})
}

// DraftByID finds a pending review of the actor's wherever in a repository it is.
func (s *Store) DraftByID(a Actor, fullName string, id int64) (*Draft, error) {
	return view(s, fullName, func(r *repo) (*Draft, error) {
		x, err := r.desk.drafts.get(id)
		if err != nil || x.User.ID != a.User.ID {
			return nil, NotFound()
		}
		c := *x
		return &c, nil
	})
}

// EditDraft changes the body of the actor's pending review.
func (s *Store) EditDraft(a Actor, fullName string, number int, id int64, body string) (*Draft, error) {
	return change(s, fullName, func(r *repo) (*Draft, error) {
		x, err := r.draftByID(a, number, id)
		if err != nil {
			return nil, err
		}
		if err := s.checkReview(body, nil); err != nil {
			return nil, err
		}
		x.Body = body
		stow(s, r, &r.desk.drafts, "draft", x)
		c := *x
		return &c, nil
	})
}

// DropDraft forgets the actor's pending review, and returns what it was. A review that was submitted stays.
func (s *Store) DropDraft(a Actor, fullName string, number int, id int64) (*Draft, error) {
	return change(s, fullName, func(r *repo) (*Draft, error) {
		if slices.ContainsFunc(r.reviews[number], func(v *Review) bool { return v.ID == id }) {
			return nil, unprocessableList("Can not delete a non-pending pull request review")
		}
		x, err := r.draftByID(a, number, id)
		if err == nil {
			discard(s, r, &r.desk.drafts, "draft", id)
		}
		return x, err
	})
}

// SubmitDraft makes a review of the actor's pending one. A body that is not empty replaces the draft's.
func (s *Store) SubmitDraft(a Actor, fullName string, number int, id int64, in NewReview) (*Review, error) {
	return change(s, fullName, func(r *repo) (*Review, error) {
		if slices.ContainsFunc(r.reviews[number], func(v *Review) bool { return v.ID == id }) {
			return nil, unprocessableList("Can not submit a review that was already submitted")
		}
		x, err := r.draftByID(a, number, id)
		if err != nil {
			return nil, err
		}
		next := NewReview{Event: in.Event, Body: x.Body, CommitID: x.CommitID, Remarks: x.Remarks}
		if strings.TrimSpace(in.Body) != "" {
			next.Body = in.Body
		}
		discard(s, r, &r.desk.drafts, "draft", id)
		return s.submitReview(a, r, r.pulls[number], next, id)
	})
}
