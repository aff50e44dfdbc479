package state

import (
	"fmt"
	"math"
	"strings"
	"unicode/utf8"
)

// A NewPull is what opens a pull request. The caller has resolved both branches and measured what is between them.
type NewPull struct {
	Title, Body string
	Draft       bool
	Base, Head  Tip
	Stats       Stats
}

// longest is how many characters a body may have.
func (s *Store) longest() int {
	if s.maxText < 0 {
		return math.MaxInt
	}
	return s.maxText
}

func (s *Store) checkText(resource, field, text string) error {
	if most := s.longest(); utf8.RuneCountInString(text) > most {
		return Invalid(Problem{
			Resource: resource, Field: field, Code: "custom",
			Message: fmt.Sprintf("%s is too long (maximum is %d characters)", field, most),
		})
	}
	return nil
}

func checkTitle(title string) error {
	if strings.TrimSpace(title) == "" {
		return missing("PullRequest", "title")
	}
	if utf8.RuneCountInString(title) > 256 {
		return Invalid(Problem{Resource: "PullRequest", Field: "title", Code: "custom", Message: "title is too long (maximum is 256 characters)"})
	}
	return nil
}

// CreatePull opens a pull request.
func (s *Store) CreatePull(a Actor, fullName string, in NewPull) (_ *Pull, err error) {
	s.mu.Lock()
	defer s.commit(&err)
	r, err := s.repo(fullName)
	if err != nil {
		return nil, err
	}
	if err := checkTitle(in.Title); err != nil {
		return nil, err
	}
	if err := s.checkText("PullRequest", "body", in.Body); err != nil {
		return nil, err
	}
	if in.Stats.Commits == 0 {
		return nil, custom("PullRequest", fmt.Sprintf("No commits between %s and %s", in.Base.Ref, in.Head.Ref))
	}
	if err := r.checkFree(in.Head.Ref, in.Base.Ref, 0); err != nil {
		return nil, err
	}
	r.last++
	p := &Pull{
		ID: s.newID(), IssueID: s.newID(), Number: r.last, Title: in.Title, Body: in.Body, Draft: in.Draft,
		Author: a.User, Association: s.association(r, a.User), State: "open",
		Base: in.Base, Head: in.Head, Stats: in.Stats, Created: s.Now(),
	}
	r.addPull(p)
	s.touch(p)
	s.saveRepo(r)
	s.emit(a, r, Event{Name: "pull_request", Action: "opened", Pull: copyOf(r, p)})
	return copyOf(r, p), nil
}

// checkFree refuses a second open pull request for the same two branches.
func (r *repo) checkFree(head, base string, except int) error {
	for _, n := range r.heads[head] {
		if p := r.pulls[n]; p.Open() && p.Number != except && p.Base.Ref == base {
			return custom("PullRequest", fmt.Sprintf("A pull request already exists for %s:%s.", r.Owner.Login, head))
		}
	}
	return nil
}

// StartAfter makes the next pull request's number greater than last: the bare repository may remember older ones.
func (s *Store) StartAfter(fullName string, last int) (err error) {
	s.mu.Lock()
	defer s.commit(&err)
	r, err := s.repo(fullName)
	if err != nil {
		return err
	}
	if last > r.last {
		r.last = last
		s.saveRepo(r)
	}
	return nil
}

// Pull finds a pull request.
func (s *Store) Pull(fullName string, number int) (*Pull, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, p, err := s.pull(fullName, number)
	if err != nil {
		return nil, err
	}
	return copyOf(r, p), nil
}

// A PullEdit changes what is not nil. Stats comes with Base. Head is where the head branch is when a closed pull request
// is opened again.
type PullEdit struct {
	Title, Body, State *string
	Base, Head         *Tip
	Stats              *Stats
}

// EditPull changes title, body, base or state. A person needs write access unless the pull request is their own; the
// route has checked an App's permission.
func (s *Store) EditPull(a Actor, fullName string, number int, in PullEdit) (_ *Pull, err error) {
	s.mu.Lock()
	defer s.commit(&err)
	r, p, err := s.pull(fullName, number)
	if err != nil {
		return nil, err
	}
	if err := s.mayEdit(a, r, p.Author); err != nil {
		return nil, err
	}
	if err := s.checkEdit(r, p, in); err != nil {
		return nil, err
	}
	changes := map[string]string{}
	if in.Title != nil && *in.Title != p.Title {
		changes["title"], p.Title = p.Title, *in.Title
	}
	if in.Body != nil && *in.Body != p.Body {
		changes["body"], p.Body = p.Body, *in.Body
	}
	if in.Base != nil && in.Base.Ref != p.Base.Ref {
		changes["base"], p.Base, p.Stats = p.Base.Ref, *in.Base, *in.Stats
	}
	if len(changes) > 0 {
		s.touch(p)
		s.emit(a, r, Event{Name: "pull_request", Action: "edited", Pull: copyOf(r, p), Changes: changes})
	}
	if in.State != nil && *in.State != p.State {
		if in.Head != nil {
			p.Head, p.Base.SHA, p.Stats = *in.Head, in.Base.SHA, *in.Stats
		}
		s.setState(a, r, p, *in.State)
	}
	return copyOf(r, p), nil
}

func (s *Store) checkEdit(r *repo, p *Pull, in PullEdit) error {
	if in.Title != nil {
		if err := checkTitle(*in.Title); err != nil {
			return err
		}
	}
	if in.Body != nil {
		if err := s.checkText("PullRequest", "body", *in.Body); err != nil {
			return err
		}
	}
	if in.Base != nil && in.Base.Ref != p.Base.Ref {
		if !p.Open() {
			return Invalid(Problem{Resource: "PullRequest", Field: "base", Code: "custom", Message: "Cannot change the base branch of a closed pull request."})
		}
		if err := r.checkFree(p.Head.Ref, in.Base.Ref, p.Number); err != nil {
			return err
		}
	}
	if in.State == nil || *in.State == p.State {
		return nil
	}
	switch {
	case *in.State != "open" && *in.State != "closed":
		return Invalid(Problem{Resource: "PullRequest", Field: "state", Code: "invalid"})
	case p.Merged:
		return Invalid(Problem{Resource: "PullRequest", Field: "state", Code: "invalid", Message: "state cannot be changed. The pull request is merged."})
	case *in.State == "open" && p.HeadGone:
		return Invalid(Problem{Resource: "PullRequest", Field: "state", Code: "invalid", Message: fmt.Sprintf("state cannot be changed. The %s branch has been deleted.", p.Head.Ref)})
	case *in.State == "open":
		return r.checkFree(p.Head.Ref, p.Base.Ref, p.Number)
	}
	return nil
}

// mayEdit lets authors change their own texts and writers all; Apps were checked by permission.
func (s *Store) mayEdit(a Actor, r *repo, author User) error {
	if a.IsInstallation() || a.User.ID == author.ID || s.role(r, a.User) >= Write {
		return nil
	}
	return Forbid("Must have push access to repository")
}

func (s *Store) setState(a Actor, r *repo, p *Pull, to string) {
	action := "reopened"
	p.State = to
	r.reopenOrClose(p)
	if to == "closed" {
		action = "closed"
		p.Closed = s.Now()
	} else {
		p.Closed = p.MergedAt
	}
	s.touch(p)
	s.emit(a, r, Event{Name: "pull_request", Action: action, Pull: copyOf(r, p)})
}

// A Merged is where a merge happened: the base branch moved from Base to Commit.
type Merged struct {
	Base, Commit string
}

// MarkMerged notes that the base branch now holds the head. It does nothing to a pull request that is no longer open.
func (s *Store) MarkMerged(a Actor, fullName string, number int, m Merged) (err error) {
	s.mu.Lock()
	defer s.commit(&err)
	r, p, err := s.pull(fullName, number)
	if err != nil || !p.Open() {
		return err
	}
	p.Merged, p.MergedBy, p.MergeCommit, p.MergedAt, p.Base.SHA = true, a.User, m.Commit, s.Now(), m.Base
	s.setState(a, r, p, "closed")
	return nil
}
