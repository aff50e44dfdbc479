package graphql

import (
	"context"
	"errors"
	"strconv"
	"strings"

	gql "github.com/graph-gophers/graphql-go"

	"github.com/pullbook/pullbook/engine/localhub/git"
	"github.com/pullbook/pullbook/engine/localhub/state"
)

// node finds what a global id names, among what the actor may see.
func (s *session) node(ctx context.Context, id gql.ID) (*object, error) {
	k, err := parseID(id)
	if err != nil {
		return nil, err
	}
	found, err := s.lookup(ctx, k)
	if isAbsent(err) || (err == nil && found == nil) {
		return nil, noNode(string(id))
	}
	return found, err
}

func (s *session) lookup(ctx context.Context, k key) (*object, error) {
	switch k.kind {
	case "User", "Bot", "Organization":
		u, err := s.store().AccountByID(k.number)
		if err != nil {
			return nil, err
		}
		return s.actorNode(u), nil
	case "Team":
		return s.teamObject(k.number)
	case "Integration":
		a, err := s.store().App(k.number)
		if err != nil {
			return nil, err
		}
		return &object{&app{s, *a}}, nil
	case "Ref":
		return s.refObject(ctx, k.rest)
	case "Commit":
		return s.commitObject(ctx, k.rest)
	}
	for _, r := range s.store().Repos(s.actor) {
		found, err := s.inRepository(s.repositoryNode(r), k)
		if found != nil || (err != nil && !isAbsent(err)) {
			return found, err
		}
	}
	return nil, nil
}

// inRepository looks into one repository; null when it is not there.
func (s *session) inRepository(r *repository, k key) (*object, error) {
	switch k.kind {
	case "Repository":
		if r.r.ID == k.number {
			return &object{r}, nil
		}
	case "PullRequest", "Issue":
		p, err := s.store().PullByID(r.full(), k.number)
		if err != nil {
			return r.issueObject(k.number)
		}
		return &object{s.pullNode(p)}, r.may(pullsRead, issuesRead)
	case "IssueComment":
		return r.commentObject(k.number)
	case "PullRequestReview":
		return r.reviewObject(k.number)
	case "CheckRun":
		run, err := s.store().Run(r.full(), k.number)
		if err != nil {
			return nil, err
		}
		return &object{r.runNode(*run)}, r.may(checksRead)
	case "CheckSuite":
		x, err := s.store().SuiteByID(r.full(), k.number)
		if err != nil {
			return nil, err
		}
		return &object{&checkSuite{r, *x}}, r.may(checksRead)
	case "Label":
		all, err := r.labels()
		for _, l := range all {
			if l.ID == k.number {
				return &object{&label{r, l}}, nil
			}
		}
		return nil, err
	}
	return nil, nil
}

func (r *repository) commentObject(id int64) (*object, error) {
	c, err := r.s.store().Comment(r.full(), id)
	if err != nil {
		return nil, err
	}
	if err := r.may(issuesRead, pullsRead); err != nil {
		return nil, err
	}
	p, err := r.s.store().Pull(r.full(), c.Pull)
	if err != nil {
		return nil, err
	}
	return &object{r.s.pullNode(p).commentNode(*c)}, nil
}

func (r *repository) reviewObject(id int64) (*object, error) {
	v, err := r.s.store().ReviewByID(r.full(), id)
	if err != nil {
		x, absent := r.s.store().DraftByID(r.s.actor, r.full(), id)
		if absent != nil {
			return nil, err
		}
		v = &x.Review
	}
	if err := r.may(pullsRead); err != nil {
		return nil, err
	}
	p, err := r.s.store().Pull(r.full(), v.Pull)
	if err != nil {
		return nil, err
	}
	return &object{&review{r.s.pullNode(p), *v}}, nil
}

// teamObject looks into the organisations of the repositories that the actor sees, and shows members' teams alone.
func (s *session) teamObject(id int64) (*object, error) {
	t, o, err := s.teamByID(id)
	if err != nil || t == nil {
		return nil, err
	}
	if o.mayReadTeams() != nil {
		return nil, nil
	}
	return &object{t}, nil
}

func (s *session) teamByID(id int64) (*team, *organization, error) {
	seen := map[string]bool{}
	for _, r := range s.store().Repos(s.actor) {
		if seen[r.Owner.Login] || r.Owner.Type != state.TypeOrganization {
			continue
		}
		seen[r.Owner.Login] = true
		for _, t := range s.store().Teams(r.Owner.Login) {
			if t.ID == id {
				return &team{s, t}, &organization{account{s, r.Owner}}, nil
			}
		}
	}
	return nil, nil, nil
}

func (s *session) refObject(ctx context.Context, rest string) (*object, error) {
	repo, full, _ := strings.Cut(rest, ":")
	r, err := s.repository(repo)
	if err != nil {
		return nil, nil // what the actor may not see is not there
	}
	f, err := r.refNode(ctx, full)
	if f == nil || err != nil {
		return nil, err
	}
	return &object{f}, nil
}

func (s *session) commitObject(ctx context.Context, sha string) (*object, error) {
	for _, repo := range s.store().Repos(s.actor) {
		r := s.repositoryNode(repo)
		if _, err := s.git().Resolve(ctx, r.full(), sha); errors.Is(err, git.ErrAbsent) {
			continue
		}
		if err := r.may(contentsRead); err != nil {
			return nil, err
		}
		c, err := r.commit(ctx, sha)
		if err != nil {
			return nil, err
		}
		return &object{c}, nil
	}
	return nil, nil
}

// pullByID finds the pull request of a global id.
func (s *session) pullByID(ctx context.Context, id gql.ID) (*state.Pull, error) {
	o, err := s.node(ctx, id)
	if err != nil {
		return nil, err
	}
	p, ok := o.ToPullRequest()
	if !ok {
		return nil, noNode(string(id))
	}
	return p.p, nil
}

// numbers are the ids of several nodes of the given kinds.
func numbers(ids []gql.ID, kinds ...string) ([]int64, error) {
	var out []int64
	for _, id := range ids {
		k, err := parseID(id)
		if err != nil {
			return nil, err
		}
		if !anyOf(kinds, []string{k.kind}) || strconv.FormatInt(k.number, 10) != k.rest {
			return nil, noNode(string(id))
		}
		out = append(out, k.number)
	}
	return out, nil
}
