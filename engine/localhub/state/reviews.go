package state

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// A NewReview is a submitted review. CommitID is empty for the current head; the caller has checked that a given one is
// a commit of the pull request.
type NewReview struct {
	Event    string // APPROVE, REQUEST_CHANGES, COMMENT
	Body     string
	CommitID string
	Remarks  []Remark // on lines; their places are found already
}

// CreateReview submits a review.
func (s *Store) CreateReview(a Actor, fullName string, number int, in NewReview) (_ *Review, err error) {
	s.mu.Lock()
	defer s.commit(&err)
	r, p, err := s.pull(fullName, number)
	if err != nil {
		return nil, err
	}
	if r.draft(a, number) != nil {
		return nil, unprocessableList("User can only have one pending review per pull request")
	}
	return s.submitReview(a, r, p, in, 0)
}

// submitReview makes a review, under the id of a pending one if that is not 0.
func (s *Store) submitReview(a Actor, r *repo, p *Pull, in NewReview, id int64) (*Review, error) {
	if err := s.checkReview(in.Body, in.Remarks); err != nil {
		return nil, err
	}
	states := map[string]string{"APPROVE": ReviewApproved, "REQUEST_CHANGES": ReviewChanges, "COMMENT": ReviewCommented}
	state, ok := states[in.Event]
	own := p.Author.ID == a.User.ID
	switch {
	case !ok:
		return nil, unprocessableList("Variable $event of type PullRequestReviewEvent was provided invalid value")
	case own && state == ReviewApproved:
		return nil, unprocessableList("Can not approve your own pull request")
	case own && state == ReviewChanges:
		return nil, unprocessableList("Can not request changes on your own pull request")
	case state != ReviewApproved && in.Body == "" && len(in.Remarks) == 0:
		return nil, unprocessableList("You need to leave a comment indicating the requested changes.")
	}
	if in.CommitID == "" {
		in.CommitID = p.Head.SHA
	}
	if id == 0 {
		id = s.newID()
	}
	number := p.Number
	v := &Review{
		ID: id, Pull: number, User: a.User, Association: s.association(r, a.User),
		Body: in.Body, State: state, CommitID: in.CommitID, Submitted: s.Now(),
	}
	s.answerRequests(p, v)
	r.reviews[number] = append(r.reviews[number], v)
	s.saveReview(r, v)
	s.touch(p)
	s.emit(a, r, reviewEvent(r, p, v, "submitted"))
	for _, x := range in.Remarks {
		x.Review = v.ID
		if _, err := s.addRemark(a, r, p, x); err != nil {
			return nil, err
		}
	}
	c := *v
	return &c, nil
}

// answerRequests takes back the requests that a review answers: its author's, and those of the asked teams that they belong to.
func (s *Store) answerRequests(p *Pull, v *Review) {
	p.Reviewers = slices.DeleteFunc(slices.Clone(p.Reviewers), func(u User) bool { return u.ID == v.User.ID })
	member := func(t Team) bool {
		return slices.ContainsFunc(t.Members, func(m string) bool { return fold(m) == fold(v.User.Login) })
	}
	left := slices.DeleteFunc(slices.Clone(p.ReviewTeams), member)
	for _, t := range p.ReviewTeams {
		if member(t) && !slices.ContainsFunc(p.Answered, func(x Team) bool { return x.ID == t.ID }) {
			p.Answered = append(slices.Clip(p.Answered), t)
		}
	}
	p.ReviewTeams = left
}

// checkReview refuses the texts of a review, whose errors are bare strings.
func (s *Store) checkReview(body string, remarks []Remark) error {
	err := s.checkText("PullRequestReview", "body", body)
	for _, x := range remarks {
		if err == nil {
			err = s.checkRemark(x.Body)
		}
	}
	var r *Refusal
	if errors.As(err, &r) && len(r.Problems) > 0 {
		p := r.Problems[0]
		return unprocessableList(strings.TrimSpace(p.Resource + " " + p.Field + " " + cmp.Or(p.Message, p.Code)))
	}
	return err
}

// unprocessableList is GitHub's older 422, whose errors are bare strings.
func unprocessableList(message string) *Refusal {
	r := Unprocessable("Unprocessable Entity")
	r.Problems = []Problem{{Message: message}}
	return r
}

func reviewEvent(r *repo, p *Pull, v *Review, action string) Event {
	c := *v
	return Event{Name: "pull_request_review", Action: action, Pull: copyOf(r, p), Review: &c}
}

// Reviews lists a pull request's reviews, oldest first.
func (s *Store) Reviews(fullName string, number int) ([]Review, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, _, err := s.pull(fullName, number)
	if err != nil {
		return nil, err
	}
	out := []Review{}
	for _, v := range r.reviews[number] {
		out = append(out, *v)
	}
	return out, nil
}

func (s *Store) review(fullName string, number int, id int64) (*repo, *Pull, *Review, error) {
	r, p, err := s.pull(fullName, number)
	if err != nil {
		return nil, nil, nil, err
	}
	for _, v := range r.reviews[number] {
		if v.ID == id {
			return r, p, v, nil
		}
	}
	return nil, nil, nil, NotFound()
}

// Review finds one review.
func (s *Store) Review(fullName string, number int, id int64) (*Review, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, _, v, err := s.review(fullName, number, id)
	if err != nil {
		return nil, err
	}
	c := *v
	return &c, nil
}

// EditReview changes a review's body, which only its author may.
func (s *Store) EditReview(a Actor, fullName string, number int, id int64, body string) (_ *Review, err error) {
	s.mu.Lock()
	defer s.commit(&err)
	r, p, v, err := s.review(fullName, number, id)
	if err != nil {
		return nil, err
	}
	if v.User.ID != a.User.ID {
		return nil, Forbid("You must be the author of the review to update it.")
	}
	if err := s.checkReview(body, nil); err != nil {
		return nil, err
	}
	old := v.Body
	v.Body, v.Edited = body, s.Now()
	s.saveReview(r, v)
	s.touch(p)
	e := reviewEvent(r, p, v, "edited")
	e.Changes = map[string]string{"body": old}
	s.emit(a, r, e)
	c := *v
	return &c, nil
}

// DismissReview takes back somebody's approval or request for changes.
func (s *Store) DismissReview(a Actor, fullName string, number int, id int64, message string) (_ *Review, err error) {
	s.mu.Lock()
	defer s.commit(&err)
	r, p, v, err := s.review(fullName, number, id)
	if err != nil {
		return nil, err
	}
	switch {
	case strings.TrimSpace(message) == "":
		return nil, missing("PullRequestReview", "message")
	case v.State != ReviewApproved && v.State != ReviewChanges:
		return nil, unprocessableList("Can not dismiss a " + strings.ToLower(v.State) + " pull request review")
	}
	v.State = ReviewDismissed
	s.saveReview(r, v)
	s.touch(p)
	s.emit(a, r, reviewEvent(r, p, v, "dismissed"))
	c := *v
	return &c, nil
}

// Reviewers names people by login and teams by slug.
type Reviewers struct {
	Users []string
	Teams []string
}

// RequestReviewers asks for reviews. Everybody named must be able to read the repository.
func (s *Store) RequestReviewers(a Actor, fullName string, number int, in Reviewers) (_ *Pull, err error) {
	s.mu.Lock()
	defer s.commit(&err)
	r, p, err := s.pull(fullName, number)
	if err != nil {
		return nil, err
	}
	users, teams := slices.Clone(p.Reviewers), slices.Clone(p.ReviewTeams)
	for _, login := range in.Users {
		u, ok := s.accounts[fold(login)]
		switch {
		case !ok || !s.granted(r, *u):
			return nil, Unprocessable(fmt.Sprintf("Reviews may only be requested from collaborators. One or more of the users or teams you specified is not a collaborator of the %s repository.", r.FullName()))
		case u.ID == p.Author.ID:
			return nil, Unprocessable("Review cannot be requested from pull request author.")
		case !slices.ContainsFunc(users, func(x User) bool { return x.ID == u.ID }):
			users = append(users, *u)
		}
	}
	for _, slug := range in.Teams {
		t, ok := s.teams[fold(r.Owner.Login+"/"+slug)]
		switch {
		case !ok || r.Teams[fold(t.Org+"/"+t.Slug)] < Read:
			return nil, Unprocessable(fmt.Sprintf("Could not add requested reviewers to pull request. Team %s is not a collaborator of the %s repository.", slug, r.FullName()))
		case !slices.ContainsFunc(teams, func(x Team) bool { return x.ID == t.ID }):
			teams = append(teams, *t)
		}
	}
	newUsers, newTeams := users[len(p.Reviewers):], teams[len(p.ReviewTeams):]
	p.Reviewers, p.ReviewTeams = users, teams
	s.touch(p)
	s.emitAsked(a, r, p, "review_requested", asked{newUsers, newTeams})
	return copyOf(r, p), nil
}

type asked struct {
	users []User
	teams []Team
}

// emitAsked sends one event for each person and team, as GitHub does.
func (s *Store) emitAsked(a Actor, r *repo, p *Pull, action string, who asked) {
	for _, u := range who.users {
		s.emit(a, r, Event{Name: "pull_request", Action: action, Pull: copyOf(r, p), User: &u})
	}
	for _, t := range who.teams {
		s.emit(a, r, Event{Name: "pull_request", Action: action, Pull: copyOf(r, p), Team: &t})
	}
}

// RemoveReviewers takes requests back; names that were not asked are ignored, as on GitHub.
func (s *Store) RemoveReviewers(a Actor, fullName string, number int, in Reviewers) (_ *Pull, err error) {
	s.mu.Lock()
	defer s.commit(&err)
	r, p, err := s.pull(fullName, number)
	if err != nil {
		return nil, err
	}
	var goneUsers []User
	p.Reviewers = slices.DeleteFunc(slices.Clone(p.Reviewers), func(u User) bool {
		named := slices.ContainsFunc(in.Users, func(n string) bool { return fold(n) == fold(u.Login) })
		if named {
			goneUsers = append(goneUsers, u)
		}
		return named
	})
	var goneTeams []Team
	p.ReviewTeams = slices.DeleteFunc(slices.Clone(p.ReviewTeams), func(t Team) bool {
		named := slices.ContainsFunc(in.Teams, func(n string) bool { return fold(n) == fold(t.Slug) })
		if named {
			goneTeams = append(goneTeams, t)
		}
		return named
	})
	s.touch(p)
	s.emitAsked(a, r, p, "review_request_removed", asked{goneUsers, goneTeams})
	return copyOf(r, p), nil
}
