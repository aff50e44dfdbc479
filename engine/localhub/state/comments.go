package state

import (
	"slices"
	"strings"
)

// AddComment writes a comment into the conversation of an issue or pull request.
func (s *Store) AddComment(a Actor, fullName string, number int, body string) (_ *Comment, err error) {
	s.mu.Lock()
	defer s.commit(&err)
	t, err := s.thread(fullName, number)
	if err != nil {
		return nil, err
	}
	if err := s.checkComment(body); err != nil {
		return nil, err
	}
	c := &Comment{
		ID: s.newID(), Pull: number, User: a.User, Association: s.association(t.repo, a.User), Body: body,
		Created: s.Now(), Updated: s.Now(),
	}
	t.repo.addComment(c)
	s.saveComment(t.repo, c)
	t.countComment(1)
	s.touchThread(t)
	s.emit(a, t.repo, commentEvent(t, c, "created"))
	out := *c
	return &out, nil
}

func (s *Store) checkComment(body string) error {
	if strings.TrimSpace(body) == "" {
		return Invalid(Problem{Resource: "IssueComment", Field: "data", Code: "unprocessable", Message: "Body cannot be blank"})
	}
	return s.checkText("IssueComment", "body", body)
}

func commentEvent(t thread, c *Comment, action string) Event {
	e := t.event(action)
	out := *c
	e.Name, e.Comment = "issue_comment", &out
	return e
}

// Comments lists the conversation of an issue or pull request, oldest first.
func (s *Store) Comments(fullName string, number int) ([]Comment, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := s.thread(fullName, number)
	if err != nil {
		return nil, err
	}
	out := []Comment{}
	for _, c := range t.repo.comments[number] {
		out = append(out, *c)
	}
	return out, nil
}

// AllComments lists the comments of all of a repository's conversations, oldest first.
func (s *Store) AllComments(fullName string) ([]Comment, error) {
	return view(s, fullName, func(r *repo) ([]Comment, error) {
		out := []Comment{}
		for _, c := range r.commentByID {
			out = append(out, *c)
		}
		slices.SortFunc(out, func(x, y Comment) int { return int(x.ID - y.ID) })
		return out, nil
	})
}

func (s *Store) comment(fullName string, id int64) (thread, *Comment, error) {
	r, err := s.repo(fullName)
	if err != nil {
		return thread{}, nil, err
	}
	c, ok := r.commentByID[id]
	if !ok {
		return thread{}, nil, NotFound()
	}
	t, err := s.thread(fullName, c.Pull)
	return t, c, err
}

// Comment finds one comment by its id.
func (s *Store) Comment(fullName string, id int64) (*Comment, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, c, err := s.comment(fullName, id)
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
	t, c, err := s.comment(fullName, id)
	if err != nil {
		return nil, err
	}
	if err := s.mayEdit(a, t.repo, c.User); err != nil {
		return nil, err
	}
	if err := s.checkComment(body); err != nil {
		return nil, err
	}
	old := c.Body
	c.Body, c.Updated, c.Edited = body, s.Now(), true
	s.saveComment(t.repo, c)
	s.touchThread(t)
	e := commentEvent(t, c, "edited")
	e.Changes = map[string]string{"body": old}
	s.emit(a, t.repo, e)
	out := *c
	return &out, nil
}

// DeleteComment removes a comment: its author may, and anyone with write access.
func (s *Store) DeleteComment(a Actor, fullName string, id int64) (err error) {
	s.mu.Lock()
	defer s.commit(&err)
	t, c, err := s.comment(fullName, id)
	if err != nil {
		return err
	}
	if err := s.mayEdit(a, t.repo, c.User); err != nil {
		return err
	}
	t.repo.dropComment(c)
	s.dropComment(t.repo, c)
	t.countComment(-1)
	s.touchThread(t)
	s.emit(a, t.repo, commentEvent(t, c, "deleted"))
	return nil
}

var reactionWords = []string{"+1", "-1", "laugh", "confused", "heart", "hooray", "rocket", "eyes"}

// react adds a reaction to a list; fresh is false when the actor had given the same one.
func (s *Store) react(a Actor, to *[]Reaction, content string) (reaction Reaction, fresh bool, err error) {
	if !slices.Contains(reactionWords, content) {
		return Reaction{}, false, Invalid(Problem{Resource: "Reaction", Field: "content", Code: "invalid"})
	}
	for _, x := range *to {
		if x.User.ID == a.User.ID && x.Content == content {
			return x, false, nil
		}
	}
	x := Reaction{ID: s.newID(), User: a.User, Content: content, Created: s.Now()}
	*to = append(slices.Clone(*to), x)
	return x, true, nil
}

// unreact takes a reaction of the actor's own away.
func unreact(a Actor, from *[]Reaction, id int64) error {
	at := slices.IndexFunc(*from, func(x Reaction) bool { return x.ID == id })
	switch {
	case at < 0:
		return NotFound()
	case (*from)[at].User.ID != a.User.ID:
		return Forbid("Must be the author of the reaction to delete it.")
	}
	*from = slices.Delete(slices.Clone(*from), at, at+1)
	return nil
}

// React adds a reaction to a comment; fresh is false when the actor had given the same one.
func (s *Store) React(a Actor, fullName string, id int64, content string) (reaction Reaction, fresh bool, err error) {
	s.mu.Lock()
	defer s.commit(&err)
	t, c, err := s.comment(fullName, id)
	if err != nil {
		return Reaction{}, false, err
	}
	if reaction, fresh, err = s.react(a, &c.Reactions, content); fresh {
		s.saveReactions(t, c)
	}
	return reaction, fresh, err
}

// Unreact takes the actor's reaction to a comment away.
func (s *Store) Unreact(a Actor, fullName string, id, reaction int64) (err error) {
	s.mu.Lock()
	defer s.commit(&err)
	t, c, err := s.comment(fullName, id)
	if err != nil {
		return err
	}
	if err := unreact(a, &c.Reactions, reaction); err != nil {
		return err
	}
	s.saveReactions(t, c)
	return nil
}

// saveReactions keeps what a comment shows; updated_at stays, as on GitHub.
func (s *Store) saveReactions(t thread, c *Comment) {
	s.saveComment(t.repo, c)
	if t.pull != nil {
		t.pull.Revision++
		s.savePull(t.pull)
	}
}

// ReactTo adds a reaction to an issue or pull request itself.
func (s *Store) ReactTo(a Actor, fullName string, number int, content string) (reaction Reaction, fresh bool, err error) {
	_, err = s.changeThread(fullName, number, func(t thread) error {
		reaction, fresh, err = s.react(a, t.reactions(), content)
		s.saveThread(t)
		return err
	})
	return reaction, fresh, err
}

// UnreactTo takes the actor's reaction to an issue or pull request away.
func (s *Store) UnreactTo(a Actor, fullName string, number int, reaction int64) error {
	_, err := s.changeThread(fullName, number, func(t thread) error {
		s.saveThread(t)
		return unreact(a, t.reactions(), reaction)
	})
	return err
}

func (t thread) reactions() *[]Reaction {
	if t.pull != nil {
		return &t.pull.Reactions
	}
	return &t.issue.Reactions
}

// saveThread keeps an issue or pull request without counting it as updated.
func (s *Store) saveThread(t thread) {
	if t.pull != nil {
		t.pull.Revision++
		s.savePull(t.pull)
		return
	}
	stow(s, t.repo, &t.repo.desk.issues, "issue", t.issue)
}
