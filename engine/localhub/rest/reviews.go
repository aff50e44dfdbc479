package rest

import (
	"github.com/pullbook/pullbook/engine/localhub/state"
	"github.com/pullbook/pullbook/engine/localhub/wire"
)

func (c *call) review(p *state.Pull) func(state.Review) wire.Object {
	return func(v state.Review) wire.Object { return c.host.Review(p, v, false) }
}

func listReviews(c *call) (reply, error) {
	p, err := c.pull()
	if err != nil {
		return reply{}, err
	}
	reviews, err := c.Store.Reviews(c.name(), p.Number)
	if err != nil {
		return reply{}, err
	}
	draft, err := c.Store.Draft(c.actor, c.name(), p.Number)
	if err != nil {
		return reply{}, err
	}
	if draft != nil {
		reviews = append(reviews, draft.Review)
	}
	return listed(c, reviews, c.review(p))
}

func createReview(c *call) (reply, error) {
	p, err := c.pull()
	if err != nil {
		return reply{}, err
	}
	var in struct {
		CommitID string `json:"commit_id"`
		Body     string `json:"body"`
		Event    string `json:"event"`
		Comments []spot `json:"comments"`
	}
	if err := c.decode(&in); err != nil {
		return reply{}, err
	}
	if in.CommitID != "" {
		if err := c.holds(p, in.CommitID); err != nil {
			return reply{}, err
		}
	}
	remarks, err := c.spots(p, in.Comments)
	if err != nil {
		return reply{}, err
	}
	next := state.NewReview{Event: in.Event, Body: in.Body, CommitID: in.CommitID, Remarks: remarks}
	if in.Event == "" {
		return reviewed(c, p)(begun(c.Store.BeginReview(c.actor, c.name(), p.Number, next)))
	}
	return reviewed(c, p)(c.Store.CreateReview(c.actor, c.name(), p.Number, next))
}

// reviewDone answers with the review that an operation on {number} and {id} returned.
func reviewDone(c *call, do func(number int, id int64) (*state.Review, error)) (reply, error) {
	p, err := c.pull()
	if err != nil {
		return reply{}, err
	}
	id, err := c.id("id")
	if err != nil {
		return reply{}, err
	}
	return reviewed(c, p)(do(p.Number, id))
}

// reviewed answers with a review of a pull request.
func reviewed(c *call, p *state.Pull) func(*state.Review, error) (reply, error) {
	return func(v *state.Review, err error) (reply, error) {
		if err != nil {
			return reply{}, err
		}
		return ok(c.host.Review(p, *v, false))
	}
}

// begun is a pending review as a review.
func begun(x *state.Draft, err error) (*state.Review, error) {
	if err != nil {
		return nil, err
	}
	return &x.Review, nil
}

// pending finds the caller's own pending review by its id; it is nil where that is not one.
func (c *call) pending(number int, id int64) (*state.Draft, error) {
	x, err := c.Store.Draft(c.actor, c.name(), number)
	if err != nil || x == nil || x.ID != id {
		return nil, err
	}
	return x, nil
}

func getReview(c *call) (reply, error) {
	return reviewDone(c, func(number int, id int64) (*state.Review, error) {
		if x, err := c.pending(number, id); err != nil || x != nil {
			return begun(x, err)
		}
		return c.Store.Review(c.name(), number, id)
	})
}

func updateReview(c *call) (reply, error) {
	var in struct{ Body string }
	if err := c.decode(&in); err != nil {
		return reply{}, err
	}
	return reviewDone(c, func(number int, id int64) (*state.Review, error) {
		if x, err := c.pending(number, id); err != nil || x != nil {
			return begun(c.Store.EditDraft(c.actor, c.name(), number, id, in.Body))
		}
		return c.Store.EditReview(c.actor, c.name(), number, id, in.Body)
	})
}

func dismissReview(c *call) (reply, error) {
	var in struct{ Message string }
	if err := c.decode(&in); err != nil {
		return reply{}, err
	}
	return reviewDone(c, func(number int, id int64) (*state.Review, error) {
		return c.Store.DismissReview(c.actor, c.name(), number, id, in.Message)
	})
}

// submitReview makes a review of a pending one.
func submitReview(c *call) (reply, error) {
	var in struct{ Body, Event string }
	if err := c.decode(&in); err != nil {
		return reply{}, err
	}
	return reviewDone(c, func(number int, id int64) (*state.Review, error) {
		return c.Store.SubmitDraft(c.actor, c.name(), number, id, state.NewReview{Event: in.Event, Body: in.Body})
	})
}

// dropReview forgets a pending review.
func dropReview(c *call) (reply, error) {
	return reviewDone(c, func(number int, id int64) (*state.Review, error) {
		return begun(c.Store.DropDraft(c.actor, c.name(), number, id))
	})
}
