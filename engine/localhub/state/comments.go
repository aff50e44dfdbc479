package state

import (
	"slices"
	"strings"
)

// AddComment writes a comment into a pull request's conversation.
func (s *Store) AddComment(a Actor, fullName string, number int, body string) (_ *Comment, err error) {
	s.mu.Lock()
	defer s.commit(&err)
	r, p, err := s.pull(fullName, number)
	if err != nil {
		return nil, err
	}
	if err := checkComment(body); err != nil {
		return nil, err
	}
	c := &Comment{
		ID: s.newID(), Pull: number, User: a.User, Association: s.association(r, a.User), Body: body,
		Created: s.Now(), Updated: s.Now(),
	}
	r.addComment(c)
	s.saveComment(r, c)
	p.Comments++
	s.touch(p)
	s.emit(a, r, commentEvent(r, p, c, "created"))
	out := *c
	return &out, nil
}

func checkComment(body string) error {
	if strings.TrimSpace(body) == "" {
		return Invalid(Problem{Resource: "IssueComment", Field: "data", Code: "unprocessable", Message: "Body cannot be blank"})
	}
	return checkText("IssueComment", "body", body)
}

func commentEvent(r *repo, p *Pull, c *Comment, action string) Event {
	out := *c
	return Event{Name: "issue_comment", Action: action, Pull: copyOf(r, p), Comment: &out}
}

// Comments lists a pull request's conversation, oldest first.
func (s *Store) Comments(fullName string, number int) ([]Comment, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, _, err := s.pull(fullName, number)
	if err != nil {
		return nil, err
	}
	out := []Comment{}
	for _, c := range r.comments[number] {
		out = append(out, *c)
	}
	return out, nil
}

func (s *Store) comment(fullName string, id int64) (*repo, *Pull, *Comment, error) {
	r, err := s.repo(fullName)
	if err != nil {
		return nil, nil, nil, err
	}
	if c, ok := r.commentByID[id]; ok {
		return r, r.pulls[c.Pull], c, nil
	}
	return nil, nil, nil, NotFound()
}

// Comment finds one comment by its id.
func (s *Store) Comment(fullName string, id int64) (*Comment, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, _, c, err := s.comment(fullName, id)
	if err != nil {
		return nil, err
	}
	out := *c
	return &out, nil
}

// EditComment replaces a comment's text: its author may, and anyone with write access.
func (s *Store) EditComment(a Actor, fullName string, id int64, body string) (_ *Comment, err error) {
	s.mu.Lock()
	defer s.commit(&err)
	r, p, c, err := s.comment(fullName, id)
	if err != nil {
		return nil, err
	}
	if err := s.mayEdit(a, r, c.User); err != nil {
		return nil, err
	}
	if err := checkComment(body); err != nil {
		return nil, err
	}
	old := c.Body
	c.Body, c.Updated, c.Edited = body, s.Now(), true
	s.saveComment(r, c)
	s.touch(p)
	e := commentEvent(r, p, c, "edited")
	e.Changes = map[string]string{"body": old}
	s.emit(a, r, e)
	out := *c
	return &out, nil
}

// DeleteComment removes a comment: its author may, and anyone with write access.
func (s *Store) DeleteComment(a Actor, fullName string, id int64) (err error) {
	s.mu.Lock()
	defer s.commit(&err)
	r, p, c, err := s.comment(fullName, id)
	if err != nil {
		return err
	}
	if err := s.mayEdit(a, r, c.User); err != nil {
		return err
	}
	r.dropComment(c)
	s.dropComment(r, c)
	p.Comments--
	s.touch(p)
	s.emit(a, r, commentEvent(r, p, c, "deleted"))
	return nil
}

var reactionWords = []string{"+1", "-1", "laugh", "confused", "heart", "hooray", "rocket", "eyes"}

// React adds a reaction to a comment; fresh is false when the actor had given the same one.
func (s *Store) React(a Actor, fullName string, id int64, content string) (reaction Reaction, fresh bool, err error) {
	s.mu.Lock()
	defer s.commit(&err)
	r, p, c, err := s.comment(fullName, id)
	if err != nil {
		return Reaction{}, false, err
	}
	if !slices.Contains(reactionWords, content) {
		return Reaction{}, false, Invalid(Problem{Resource: "Reaction", Field: "content", Code: "invalid"})
	}
	for _, x := range c.Reactions {
		if x.User.ID == a.User.ID && x.Content == content {
			return x, false, nil
		}
	}
	x := Reaction{ID: s.newID(), User: a.User, Content: content, Created: s.Now()}
	c.Reactions = append(slices.Clone(c.Reactions), x)
	s.saveComment(r, c)
	p.Revision++
	s.savePull(p)
	return x, true, nil
}

// AddLabels puts labels on a pull request; names that the repository does not have yet are made.
func (s *Store) AddLabels(a Actor, fullName string, number int, names []string) (_ *Pull, err error) {
	s.mu.Lock()
	defer s.commit(&err)
	r, p, err := s.pull(fullName, number)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if name == "" || len(name) > 50 {
			return nil, Invalid(Problem{Resource: "Label", Field: "name", Code: "invalid"})
		}
	}
	s.touch(p)
	for _, name := range names {
		l, ok := r.labels[fold(name)]
		if !ok {
			l = Label{ID: s.newID(), Name: name, Color: "ededed"}
			r.labels[fold(name)] = l
			s.saveLabel(r, l)
			s.emit(a, r, Event{Name: "label", Action: "created", Label: &l})
		}
		if slices.ContainsFunc(p.Labels, func(x Label) bool { return x.ID == l.ID }) {
			continue
		}
		p.Labels = append(slices.Clone(p.Labels), l)
		s.emit(a, r, Event{Name: "pull_request", Action: "labeled", Pull: copyOf(r, p), Label: &l})
	}
	return copyOf(r, p), nil
}

// RemoveLabel takes one label off a pull request.
func (s *Store) RemoveLabel(a Actor, fullName string, number int, name string) (_ *Pull, err error) {
	s.mu.Lock()
	defer s.commit(&err)
	r, p, err := s.pull(fullName, number)
	if err != nil {
		return nil, err
	}
	at := slices.IndexFunc(p.Labels, func(l Label) bool { return fold(l.Name) == fold(name) })
	if at < 0 {
		return nil, &Refusal{Status: 404, Message: "Label does not exist"}
	}
	gone := p.Labels[at]
	p.Labels = slices.Delete(slices.Clone(p.Labels), at, at+1)
	s.touch(p)
	s.emit(a, r, Event{Name: "pull_request", Action: "unlabeled", Pull: copyOf(r, p), Label: &gone})
	return copyOf(r, p), nil
}

// Assign makes people responsible for a pull request; like GitHub it passes over those who cannot be.
func (s *Store) Assign(a Actor, fullName string, number int, logins []string) (_ *Pull, err error) {
	s.mu.Lock()
	defer s.commit(&err)
	r, p, err := s.pull(fullName, number)
	if err != nil {
		return nil, err
	}
	s.touch(p)
	for _, login := range logins {
		u, ok := s.accounts[fold(login)]
		if !ok || !s.granted(r, *u) || len(p.Assignees) >= 10 || slices.ContainsFunc(p.Assignees, u.same) {
			continue
		}
		who := *u
		p.Assignees = append(slices.Clone(p.Assignees), who)
		s.emit(a, r, Event{Name: "pull_request", Action: "assigned", Pull: copyOf(r, p), User: &who})
	}
	return copyOf(r, p), nil
}
