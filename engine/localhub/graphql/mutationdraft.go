package graphql

import (
	"context"

	gql "github.com/graph-gophers/graphql-go"

	"github.com/pullbook/pullbook/engine/localhub/state"
)

type submitReviewInput struct {
	Body                *string
	ClientMutationID    *string
	Event               string
	PullRequestID       *gql.ID
	PullRequestReviewID *gql.ID
}

// SubmitPullRequestReview makes a review of a pending one: of the one that is named, or of the actor's on the pull request.
func (*mutation) SubmitPullRequestReview(ctx context.Context, args struct{ Input submitReviewInput }) (*reviewed, error) {
	s, in := sessionOf(ctx), args.Input
	v, err := s.pendingReview(ctx, in)
	if err != nil {
		return nil, err
	}
	next := state.NewReview{Event: in.Event}
	if in.Body != nil {
		next.Body = *in.Body
	}
	done, err := s.store().SubmitDraft(s.actor, v.p.r.full(), v.p.p.Number, v.v.ID, next)
	if err != nil {
		return nil, err
	}
	p, err := s.store().Pull(v.p.r.full(), v.p.p.Number)
	if err != nil {
		return nil, err
	}
	return reviewDone(in.ClientMutationID, s.pullNode(p), *done), nil
}

func (s *session) pendingReview(ctx context.Context, in submitReviewInput) (*review, error) {
	switch {
	case in.PullRequestReviewID != nil:
		return s.review(ctx, *in.PullRequestReviewID, "SubmitPullRequestReview", needs(state.Read, pullsWrite))
	case in.PullRequestID == nil:
		return nil, &fault{"ARGUMENT_ERROR", "Either `pullRequestId` or `pullRequestReviewId` must be given."}
	}
	p, err := s.pull(ctx, *in.PullRequestID, "SubmitPullRequestReview", needs(state.Read, pullsWrite))
	if err != nil {
		return nil, err
	}
	x, err := s.store().Draft(s.actor, p.Repo.FullName(), p.Number)
	if err != nil {
		return nil, err
	}
	if x == nil {
		return nil, absent("Could not find a pending review of yours on pull request %d.", p.Number)
	}
	return &review{s.pullNode(p), x.Review}, nil
}

// DeletePullRequestReview forgets a pending review.
func (*mutation) DeletePullRequestReview(ctx context.Context, args struct {
	Input struct {
		ClientMutationID    *string
		PullRequestReviewID gql.ID
	}
}) (*reviewed, error) {
	s, in := sessionOf(ctx), args.Input
	v, err := s.review(ctx, in.PullRequestReviewID, "DeletePullRequestReview", needs(state.Read, pullsWrite))
	if err != nil {
		return nil, err
	}
	x, err := s.store().DropDraft(s.actor, v.p.r.full(), v.p.p.Number, v.v.ID)
	if err != nil {
		return nil, err
	}
	return reviewDone(in.ClientMutationID, v.p, x.Review), nil
}
