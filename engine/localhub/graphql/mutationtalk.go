package graphql

import (
	"context"
	"slices"

	gql "github.com/graph-gophers/graphql-go"

	"github.com/pullbook/pullbook/engine/localhub/state"
)

// commented is the answer to AddComment.
type commented struct {
	ClientMutationID *string
	CommentEdge      *edge[comment]
	Subject          *object
}

// AddComment writes into a pull request's conversation.
func (*mutation) AddComment(ctx context.Context, args struct {
	Input struct {
		Body             string
		ClientMutationID *string
		SubjectID        gql.ID
	}
}) (*commented, error) {
	s, in := sessionOf(ctx), args.Input
	p, err := s.pull(ctx, in.SubjectID, "AddComment", needs(state.Read, issuesWrite, pullsWrite))
	if err != nil {
		return nil, err
	}
	c, err := s.store().AddComment(s.actor, p.Repo.FullName(), p.Number, in.Body)
	if err != nil {
		return nil, err
	}
	if p, err = s.store().Pull(p.Repo.FullName(), p.Number); err != nil {
		return nil, err
	}
	node := s.pullNode(p)
	return &commented{in.ClientMutationID, &edge[comment]{cursorOf(p.Comments - 1), node.commentNode(*c)}, &object{node}}, nil
}

// comment finds the comment of a mutation and checks that the actor may run it.
func (s *session) comment(ctx context.Context, id gql.ID, name string) (*comment, error) {
	o, err := s.node(ctx, id)
	if err != nil {
		return nil, err
	}
	c, ok := o.ToIssueComment()
	if !ok {
		return nil, noNode(string(id))
	}
	_, err = s.allow(c.p.r.full(), name, needs(state.Read, issuesWrite, pullsWrite))
	return c, err
}

type changedComment struct {
	ClientMutationID *string
	IssueComment     *comment
}

// UpdateIssueComment replaces a comment's text.
func (*mutation) UpdateIssueComment(ctx context.Context, args struct {
	Input struct {
		Body             string
		ClientMutationID *string
		ID               gql.ID
	}
}) (*changedComment, error) {
	s, in := sessionOf(ctx), args.Input
	c, err := s.comment(ctx, in.ID, "UpdateIssueComment")
	if err != nil {
		return nil, err
	}
	changed, err := s.store().EditComment(s.actor, c.p.r.full(), c.c.ID, in.Body)
	if err != nil {
		return nil, err
	}
	return &changedComment{in.ClientMutationID, c.p.commentNode(*changed)}, nil
}

// only is the answer to a mutation that has nothing to show.
type only struct{ ClientMutationID *string }

// DeleteIssueComment removes a comment.
func (*mutation) DeleteIssueComment(ctx context.Context, args struct {
	Input struct {
		ClientMutationID *string
		ID               gql.ID
	}
}) (*only, error) {
	s, in := sessionOf(ctx), args.Input
	c, err := s.comment(ctx, in.ID, "DeleteIssueComment")
	if err != nil {
		return nil, err
	}
	return &only{in.ClientMutationID}, s.store().DeleteComment(s.actor, c.p.r.full(), c.c.ID)
}

type reacted struct {
	ClientMutationID *string
	Reaction         *reaction
}

// AddReaction reacts to a comment or a pull request.
func (*mutation) AddReaction(ctx context.Context, args struct {
	Input struct {
		ClientMutationID *string
		Content          string
		SubjectID        gql.ID
	}
}) (*reacted, error) {
	s, in := sessionOf(ctx), args.Input
	word := reactionWord(in.Content, 0, 1)
	k, err := parseID(in.SubjectID)
	if err != nil {
		return nil, err
	}
	var x state.Reaction
	if k.kind == "IssueComment" {
		c, err := s.comment(ctx, in.SubjectID, "AddReaction")
		if err != nil {
			return nil, err
		}
		x, _, err = s.store().React(s.actor, c.p.r.full(), c.c.ID, word)
		if err != nil {
			return nil, err
		}
	} else {
		p, err := s.pull(ctx, in.SubjectID, "AddReaction", needs(state.Read, issuesWrite, pullsWrite))
		if err != nil {
			return nil, err
		}
		x, _, err = s.store().ReactTo(s.actor, p.Repo.FullName(), p.Number, word)
		if err != nil {
			return nil, err
		}
	}
	return &reacted{in.ClientMutationID, &reaction{s, x}}, nil
}

// reviewed is the answer to a mutation of a review.
type reviewed struct {
	ClientMutationID  *string
	PullRequestReview *review
	ReviewEdge        *edge[review]
}

func reviewDone(id *string, p *pullRequest, v state.Review) *reviewed {
	node := &review{p, v}
	return &reviewed{id, node, &edge[review]{cursorOf(0), node}}
}

type addReviewInput struct {
	Body             *string
	ClientMutationID *string
	Comments         *[]*lineInput
	CommitOID        *oid
	Event            *string
	PullRequestID    gql.ID
}

type lineInput struct {
	Body, Path string
	Position   int32
}

// AddPullRequestReview submits a review. One without an event is pending.
func (*mutation) AddPullRequestReview(ctx context.Context, args struct{ Input addReviewInput }) (*reviewed, error) {
	s, in := sessionOf(ctx), args.Input
	p, err := s.pull(ctx, in.PullRequestID, "AddPullRequestReview", needs(state.Read, pullsWrite))
	if err != nil {
		return nil, err
	}
	if in.Comments != nil && len(*in.Comments) > 0 {
		return nil, refuse("Comments on lines of a diff are not served by this hub.")
	}
	var next state.NewReview
	if in.Body != nil {
		next.Body = *in.Body
	}
	if in.CommitOID != nil {
		next.CommitID = string(*in.CommitOID)
		mine, err := s.git().Holds(ctx, p, next.CommitID)
		if err != nil {
			return nil, err
		}
		if !mine {
			return nil, refuse("Commit oid is not part of the pull request")
		}
	}
	if in.Event == nil {
		x, err := s.store().BeginReview(s.actor, p.Repo.FullName(), p.Number, next)
		if err != nil {
			return nil, err
		}
		return reviewDone(in.ClientMutationID, s.pullNode(p), x.Review), nil
	}
	next.Event = *in.Event
	v, err := s.store().CreateReview(s.actor, p.Repo.FullName(), p.Number, next)
	if err != nil {
		return nil, err
	}
	if p, err = s.store().Pull(p.Repo.FullName(), p.Number); err != nil {
		return nil, err
	}
	return reviewDone(in.ClientMutationID, s.pullNode(p), *v), nil
}

// review finds the review of a mutation and checks that the actor may run it.
func (s *session) review(ctx context.Context, id gql.ID, name string, need state.Need) (*review, error) {
	o, err := s.node(ctx, id)
	if err != nil {
		return nil, err
	}
	v, ok := o.ToPullRequestReview()
	if !ok {
		return nil, noNode(string(id))
	}
	_, err = s.allow(v.p.r.full(), name, need)
	return v, err
}

// UpdatePullRequestReview replaces a review's text.
func (*mutation) UpdatePullRequestReview(ctx context.Context, args struct {
	Input struct {
		Body                string
		ClientMutationID    *string
		PullRequestReviewID gql.ID
	}
}) (*reviewed, error) {
	s, in := sessionOf(ctx), args.Input
	v, err := s.review(ctx, in.PullRequestReviewID, "UpdatePullRequestReview", needs(state.Read, pullsWrite))
	if err != nil {
		return nil, err
	}
	if v.v.State == state.ReviewPending {
		x, err := s.store().EditDraft(s.actor, v.p.r.full(), v.p.p.Number, v.v.ID, in.Body)
		if err != nil {
			return nil, err
		}
		return reviewDone(in.ClientMutationID, v.p, x.Review), nil
	}
	changed, err := s.store().EditReview(s.actor, v.p.r.full(), v.p.p.Number, v.v.ID, in.Body)
	if err != nil {
		return nil, err
	}
	return reviewDone(in.ClientMutationID, v.p, *changed), nil
}

// DismissPullRequestReview takes back somebody's approval or request for changes.
func (*mutation) DismissPullRequestReview(ctx context.Context, args struct {
	Input struct {
		ClientMutationID    *string
		Message             string
		PullRequestReviewID gql.ID
	}
}) (*reviewed, error) {
	s, in := sessionOf(ctx), args.Input
	v, err := s.review(ctx, in.PullRequestReviewID, "DismissPullRequestReview", needs(state.Write, pullsWrite))
	if err != nil {
		return nil, err
	}
	changed, err := s.store().DismissReview(s.actor, v.p.r.full(), v.p.p.Number, v.v.ID, in.Message)
	if err != nil {
		return nil, err
	}
	return reviewDone(in.ClientMutationID, v.p, *changed), nil
}

type labelInput struct {
	ClientMutationID *string
	LabelIDs         []gql.ID
	LabelableID      gql.ID
}

type labelled struct {
	ClientMutationID *string
	Labelable        *labelable
}

// AddLabelsToLabelable puts labels on a pull request.
func (*mutation) AddLabelsToLabelable(ctx context.Context, args struct{ Input labelInput }) (*labelled, error) {
	return sessionOf(ctx).relabel(ctx, args.Input, "AddLabelsToLabelable", func(s *session, p *state.Pull, names []string) (*state.Pull, error) {
		return s.store().AddLabels(s.actor, p.Repo.FullName(), p.Number, names)
	})
}

// RemoveLabelsFromLabelable takes labels off; those that are not there are passed over.
func (*mutation) RemoveLabelsFromLabelable(ctx context.Context, args struct{ Input labelInput }) (*labelled, error) {
	return sessionOf(ctx).relabel(ctx, args.Input, "RemoveLabelsFromLabelable", func(s *session, p *state.Pull, names []string) (*state.Pull, error) {
		for _, name := range names {
			if !slices.ContainsFunc(p.Labels, func(l state.Label) bool { return l.Name == name }) {
				continue
			}
			after, err := s.store().RemoveLabel(s.actor, p.Repo.FullName(), p.Number, name)
			if err != nil {
				return nil, err
			}
			p = after
		}
		return p, nil
	})
}

type relabelling func(*session, *state.Pull, []string) (*state.Pull, error)

func (s *session) relabel(ctx context.Context, in labelInput, name string, do relabelling) (*labelled, error) {
	p, err := s.pull(ctx, in.LabelableID, name, needs(state.Triage, issuesWrite, pullsWrite))
	if err != nil {
		return nil, err
	}
	names, err := s.labelNames(p, in.LabelIDs)
	if err != nil {
		return nil, err
	}
	if p, err = do(s, p, names); err != nil {
		return nil, err
	}
	return &labelled{in.ClientMutationID, &labelable{object{s.pullNode(p)}}}, nil
}
