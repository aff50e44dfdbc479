package github

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	gh "github.com/google/go-github/v60/github"
)

const (
	deliveryPages  = 5  // of a hundred that are read at a time
	mostRedeliver  = 50 // deliveries that are asked for at a time
	mostDeliveries = 3  // of one event: what fails so often is not for this engine to take
)

// Redeliver asks the hub to send those webhooks of the App's installation again that it has sent since a time and nobody
// has taken: it does not do so by itself, and keeps them for three days ("Handling failed webhook deliveries"; seven on GitHub
// Enterprise Server). It reads at most 500 of the latest, and asks for at most 50. The same event has the same delivery id each
// time, so whatever was taken meanwhile is not taken again. A hub at which the App has no webhook has sent none.
func (c *Client) Redeliver(ctx context.Context, since time.Time) (asked int, err error) {
	sent, err := c.deliveriesSince(ctx, since)
	if err != nil {
		return 0, err
	}
	for _, id := range untaken(sent) {
		if asked == mostRedeliver {
			break
		}
		const op = "ask for a webhook again"
		if err := c.budget.take(op, writePoints); err != nil {
			return asked, err
		}
		err := c.ask(op, func() error {
			_, _, err := c.asApp.Apps.RedeliverHookDelivery(ctx, id)
			if _, accepted := errors.AsType[*gh.AcceptedError](err); accepted {
				return nil
			}
			return err
		})
		if status(err) == http.StatusNotFound || status(err) == http.StatusUnprocessableEntity {
			continue // it is too old by now
		}
		if err != nil {
			return asked, err
		}
		asked++
	}
	return asked, nil
}

// deliveriesSince reads the deliveries to the installation since a time, the latest first.
func (c *Client) deliveriesSince(ctx context.Context, since time.Time) (sent []*gh.HookDelivery, err error) {
	opts := &gh.ListCursorOptions{PerPage: 100}
	for range deliveryPages {
		var page []*gh.HookDelivery
		var resp *gh.Response
		err := c.read("list the webhooks that were sent", func() (err error) {
			page, resp, err = c.asApp.Apps.ListHookDeliveries(ctx, opts)
			return err
		})
		if status(err) == http.StatusNotFound {
			return nil, nil
		}
		if err != nil {
			return nil, fmt.Errorf("look for webhooks that nobody took: %w", err)
		}
		for _, d := range page {
			if d.GetDeliveredAt().Before(since) {
				return sent, nil
			}
			if d.GetInstallationID() == c.installation {
				sent = append(sent, d)
			}
		}
		if resp.Cursor == "" {
			break
		}
		opts.Cursor = resp.Cursor
	}
	return sent, nil
}

// untaken gives a delivery of each event that nobody has taken, the oldest event first.
func untaken(sent []*gh.HookDelivery) (ids []int64) {
	taken, times := map[string]bool{}, map[string]int{}
	for _, d := range sent {
		times[d.GetGUID()]++
		taken[d.GetGUID()] = taken[d.GetGUID()] || d.GetStatusCode()/100 == 2
	}
	for _, d := range slices.Backward(sent) {
		if guid := d.GetGUID(); !taken[guid] && times[guid] < mostDeliveries {
			taken[guid] = true // once is enough
			ids = append(ids, d.GetID())
		}
	}
	return ids
}
