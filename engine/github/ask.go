package github

import (
	"context"
	"errors"

	gh "github.com/google/go-github/v60/github"
)

// maxPages bounds a list, at 100 entries a page. GitHub closes a conversation at 2,500 comments.
const maxPages = 30

var errPages = errors.New("the list has more than 3,000 entries")

// read asks for something, unless the hub has asked us to be silent.
func (c *Client) read(op string, ask func() error) error {
	if err := c.budget.Read(op); err != nil {
		return err
	}
	return c.ask(op, ask)
}

func (c *Client) ask(op string, ask func() error) error {
	err := fault(op, ask(), c.now())
	if limited, ok := errors.AsType[*LimitedError](err); ok {
		c.budget.Silence(limited.Until)
	}
	return err
}

// write asks for a change when its turn has come.
func (c *Client) write(ctx context.Context, u Urgency, op string, ask func() error) error {
	leave, err := c.budget.Write(ctx, op, u)
	if err != nil {
		return err
	}
	defer leave()
	return c.ask(op, ask)
}

// pages reads a whole list. count is how many entries it has, if the hub has said so: it saves looking behind a full
// page for another.
func pages[T any](c *Client, op string, page func(gh.ListOptions) ([]T, *gh.Response, error), count *int) ([]T, error) {
	var all []T
	opts := gh.ListOptions{PerPage: 100, Page: 1}
	for range maxPages {
		var next int
		err := c.read(op, func() error {
			some, resp, err := page(opts)
			if err != nil {
				return err
			}
			all, next = append(all, some...), resp.NextPage
			if next == 0 && len(some) >= opts.PerPage && (count == nil || len(all) < *count) {
				// A full page that was the last one keeps its ETag when another follows, and with it the old Link.
				next = opts.Page + 1
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		if next == 0 {
			return all, nil
		}
		opts.Page = next
	}
	return nil, fault(op, errPages, c.now())
}
