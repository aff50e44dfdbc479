package graphql

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"

	gql "github.com/graph-gophers/graphql-go"

	"github.com/pullbook/pullbook/engine/localhub/state"
)

// mutation is GitHub's Mutation. The library runs the mutations of a document one after the other.
type mutation struct{}

// allow is the repository for writing, or a refusal in GitHub's words: Apps are told by permission, people by name.
func (s *session) allow(fullName, name string, need state.Need) (*repository, error) {
	r, err := s.store().Check(s.actor, fullName, need)
	var no *state.Refusal
	if errors.As(err, &no) && no.Status == http.StatusForbidden && !s.actor.IsInstallation() {
		return nil, &fault{forbidden, fmt.Sprintf("%s does not have the correct permissions to execute `%s`", s.actor.User.Login, name)}
	}
	if err != nil {
		return nil, err
	}
	return s.repositoryNode(r), nil
}

// needs says who may run what, as REST's routes do.
func needs(role state.Role, apps ...string) state.Need { return state.Need{Role: role, App: apps} }

// pull finds the pull request of a mutation and checks that the actor may run it.
func (s *session) pull(ctx context.Context, id gql.ID, name string, need state.Need) (*state.Pull, error) {
	p, err := s.pullByID(ctx, id)
	if err != nil {
		return nil, err
	}
	_, err = s.allow(p.Repo.FullName(), name, need)
	return p, err
}

// repositoryByID finds a repository and checks that the actor may run a mutation in it.
func (s *session) repositoryByID(ctx context.Context, id gql.ID, name string, need state.Need) (*repository, error) {
	o, err := s.node(ctx, id)
	if err != nil {
		return nil, err
	}
	r, ok := o.ToRepository()
	if !ok {
		return nil, noNode(string(id))
	}
	return s.allow(r.full(), name, need)
}

// done is the answer to a mutation of a pull request.
type done struct {
	Actor            *object
	ClientMutationID *string
	PullRequest      *pullRequest
}

func (s *session) done(id *string, p *state.Pull) *done {
	return &done{s.actorNode(s.actor.User), id, s.pullNode(p)}
}

// CreatePullRequest opens a pull request between two branches.
func (*mutation) CreatePullRequest(ctx context.Context, args struct{ Input createPullInput }) (*done, error) {
	s, in := sessionOf(ctx), args.Input
	r, err := s.repositoryByID(ctx, in.RepositoryID, "CreatePullRequest", needs(state.Read, pullsWrite))
	if err != nil {
		return nil, err
	}
	if in.HeadRepositoryID != nil && *in.HeadRepositoryID != r.ID() {
		return nil, refuse("Head repository can't be another one: this hub has no forks")
	}
	p, err := s.git().OpenPull(ctx, s.actor, r.full(), in.opening())
	if err != nil {
		return nil, err
	}
	return s.done(in.ClientMutationID, p), nil
}

// UpdatePullRequest changes what is given.
func (*mutation) UpdatePullRequest(ctx context.Context, args struct{ Input updatePullInput }) (*done, error) {
	s, in := sessionOf(ctx), args.Input
	p, err := s.pull(ctx, in.PullRequestID, "UpdatePullRequest", needs(state.Read, pullsWrite))
	if err != nil {
		return nil, err
	}
	if in.MilestoneID != nil || (in.ProjectIDs != nil && len(*in.ProjectIDs) > 0) {
		return nil, refuse("Milestones and projects are not served by this hub")
	}
	edit := state.PullEdit{Title: in.Title, Body: in.Body}
	if in.State != nil {
		word := map[string]string{"OPEN": "open", "CLOSED": "closed"}[*in.State]
		edit.State = &word
	}
	if in.BaseRefName != nil && *in.BaseRefName != p.Base.Ref {
		edit.Base = &state.Tip{Ref: *in.BaseRefName}
	}
	if edit != (state.PullEdit{}) {
		if p, err = s.git().EditPull(ctx, s.actor, p.Repo.FullName(), p.Number, edit); err != nil {
			return nil, err
		}
	}
	if p, err = s.assign(p, in.AssigneeIDs); err != nil {
		return nil, err
	}
	if p, err = s.setLabels(p, in.LabelIDs); err != nil {
		return nil, err
	}
	return s.done(in.ClientMutationID, p), nil
}

// assign adds people; the hub has no way to take one away.
func (s *session) assign(p *state.Pull, ids *[]gql.ID) (*state.Pull, error) {
	if ids == nil || len(*ids) == 0 {
		return p, nil
	}
	if _, err := s.allow(p.Repo.FullName(), "UpdatePullRequest", needs(state.Triage, issuesWrite, pullsWrite)); err != nil {
		return nil, err
	}
	logins, err := s.logins(*ids)
	if err != nil {
		return nil, err
	}
	return s.store().Assign(s.actor, p.Repo.FullName(), p.Number, logins)
}

func (s *session) logins(ids []gql.ID) ([]string, error) {
	list, err := numbers(ids, "User")
	if err != nil {
		return nil, err
	}
	logins := make([]string, len(list))
	for i, id := range list {
		u, err := s.store().AccountByID(id)
		if err != nil {
			return nil, noNode(string(ids[i]))
		}
		logins[i] = u.Login
	}
	return logins, nil
}

// setLabels makes the labels exactly the given ones.
func (s *session) setLabels(p *state.Pull, ids *[]gql.ID) (*state.Pull, error) {
	if ids == nil {
		return p, nil
	}
	if _, err := s.allow(p.Repo.FullName(), "UpdatePullRequest", needs(state.Triage, issuesWrite, pullsWrite)); err != nil {
		return nil, err
	}
	wanted, err := s.labelNames(p, *ids)
	if err != nil {
		return nil, err
	}
	for _, l := range p.Labels {
		if slices.Contains(wanted, l.Name) {
			continue
		}
		if _, err := s.store().RemoveLabel(s.actor, p.Repo.FullName(), p.Number, l.Name); err != nil {
			return nil, err
		}
	}
	return s.store().AddLabels(s.actor, p.Repo.FullName(), p.Number, wanted)
}

func (s *session) labelNames(p *state.Pull, ids []gql.ID) ([]string, error) {
	list, err := numbers(ids, "Label")
	if err != nil {
		return nil, err
	}
	all, err := s.repositoryNode(p.Repo).labels()
	if err != nil {
		return nil, err
	}
	names := make([]string, len(list))
	for i, id := range list {
		at := slices.IndexFunc(all, func(l state.Label) bool { return l.ID == id })
		if at < 0 {
			return nil, noNode(string(ids[i]))
		}
		names[i] = all[at].Name
	}
	return names, nil
}

// ClosePullRequest closes without merging.
func (*mutation) ClosePullRequest(ctx context.Context, args struct{ Input pullInput }) (*done, error) {
	return sessionOf(ctx).setState(ctx, args.Input, "ClosePullRequest", "closed")
}

// ReopenPullRequest opens a closed one.
func (*mutation) ReopenPullRequest(ctx context.Context, args struct{ Input pullInput }) (*done, error) {
	return sessionOf(ctx).setState(ctx, args.Input, "ReopenPullRequest", "open")
}

func (s *session) setState(ctx context.Context, in pullInput, name, to string) (*done, error) {
	p, err := s.pull(ctx, in.PullRequestID, name, needs(state.Read, pullsWrite))
	if err != nil {
		return nil, err
	}
	if p, err = s.git().EditPull(ctx, s.actor, p.Repo.FullName(), p.Number, state.PullEdit{State: &to}); err != nil {
		return nil, err
	}
	return s.done(in.ClientMutationID, p), nil
}

// MergePullRequest merges a pull request whose head is still the expected one.
func (*mutation) MergePullRequest(ctx context.Context, args struct{ Input mergeInput }) (*done, error) {
	s, in := sessionOf(ctx), args.Input
	p, err := s.pull(ctx, in.PullRequestID, "MergePullRequest", needs(state.Write, contentsWrite))
	if err != nil {
		return nil, err
	}
	if _, err := s.git().Merge(ctx, s.actor, p.Repo.FullName(), p.Number, in.merging()); err != nil {
		return nil, err
	}
	if p, err = s.store().Pull(p.Repo.FullName(), p.Number); err != nil {
		return nil, err
	}
	return s.done(in.ClientMutationID, p), nil
}

// requested is the answer to RequestReviews.
type requested struct {
	done
	RequestedReviewersEdge *edge[user]
}

// RequestReviews asks people and teams; without union those who are not named are asked no longer.
func (*mutation) RequestReviews(ctx context.Context, args struct{ Input requestReviewsInput }) (*requested, error) {
	s, in := sessionOf(ctx), args.Input
	p, err := s.pull(ctx, in.PullRequestID, "RequestReviews", needs(state.Triage, pullsWrite))
	if err != nil {
		return nil, err
	}
	want, err := s.reviewers(in)
	if err != nil {
		return nil, err
	}
	full := p.Repo.FullName()
	if len(want.Users)+len(want.Teams) > 0 {
		if p, err = s.store().RequestReviewers(s.actor, full, p.Number, want); err != nil {
			return nil, err
		}
	}
	if extra := others(p, want); !isTrue(in.Union) {
		if len(extra.Users)+len(extra.Teams) > 0 {
			if p, err = s.store().RemoveReviewers(s.actor, full, p.Number, extra); err != nil {
				return nil, err
			}
		}
	}
	out := &requested{done: *s.done(in.ClientMutationID, p)}
	if n := len(p.Reviewers); n > 0 {
		out.RequestedReviewersEdge = &edge[user]{cursorOf(n - 1), s.userNode(p.Reviewers[n-1])}
	}
	return out, nil
}

func (s *session) reviewers(in requestReviewsInput) (want state.Reviewers, err error) {
	if in.UserIDs != nil {
		if want.Users, err = s.logins(*in.UserIDs); err != nil {
			return want, err
		}
	}
	if in.TeamIDs == nil {
		return want, nil
	}
	list, err := numbers(*in.TeamIDs, "Team")
	if err != nil {
		return want, err
	}
	for i, id := range list {
		t, _, err := s.teamByID(id)
		if err != nil {
			return want, err
		}
		if t == nil {
			return want, noNode(string((*in.TeamIDs)[i]))
		}
		want.Teams = append(want.Teams, t.t.Slug)
	}
	return want, nil
}

// others are those who are asked and not among the wanted.
func others(p *state.Pull, want state.Reviewers) state.Reviewers {
	var extra state.Reviewers
	for _, u := range p.Reviewers {
		if !anyOf(want.Users, []string{u.Login}) {
			extra.Users = append(extra.Users, u.Login)
		}
	}
	for _, t := range p.ReviewTeams {
		if !anyOf(want.Teams, []string{t.Slug}) {
			extra.Teams = append(extra.Teams, t.Slug)
		}
	}
	return extra
}
