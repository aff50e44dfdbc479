package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/pullbook/pullbook/engine/inbox"
)

// kindDeliveries is the kind of the message that has the hub asked which of its webhooks nobody took. Each puts the next one, so an
// engine that was down goes on from where the last one ended.
const kindDeliveries = "deliveries"

const (
	deliveriesEvery = 10 * time.Minute
	deliveriesKept  = 3 * 24 * time.Hour // by the hub
	deliveriesSlack = time.Minute        // in which a webhook may be on its way, or the clocks differ
)

// untakenSince is the body of such a message.
type untakenSince struct {
	Since time.Time `json:"since"`
}

// oweDeliveries makes durable that the hub is to be asked, unless that is so already. A new inbox has missed none; one that takes
// the place of a lost one does not know.
func (svc *service) oweDeliveries(ctx context.Context) error {
	owed, err := svc.inbox.Due(ctx)
	if _, already := owed[kindDeliveries]; err != nil || already {
		return err
	}
	now := time.Now()
	since, due := now, now.Add(deliveriesEvery)
	if svc.inbox.Recovered() != "" {
		since, due = now.Add(-deliveriesKept), now
	}
	m, err := deliveriesMessage(since, due)
	if err != nil {
		return err
	}
	return svc.inbox.Put(ctx, m)
}

func deliveriesMessage(since, due time.Time) (inbox.Message, error) {
	body, err := json.Marshal(untakenSince{since.UTC()})
	if err != nil {
		return inbox.Message{}, fmt.Errorf("encode when webhooks were looked for: %w", err)
	}
	return inbox.Message{Kind: kindDeliveries, Key: kindDeliveries, Body: body, Due: due}, nil
}

// askAgain has the hub send again what nobody took: presses of buttons and events that are alerts stand nowhere else.
func (svc *service) askAgain(ctx context.Context, m inbox.Message) error {
	var from untakenSince
	if err := json.Unmarshal(m.Body, &from); err != nil {
		return fmt.Errorf("read since when webhooks are to be looked for: %w", err)
	}
	now := time.Now()
	asked, err := svc.hub.Redeliver(ctx, from.Since.Add(-deliveriesSlack))
	if err != nil {
		return err
	}
	if asked > 0 {
		svc.log.Warn("the hub was asked to send webhooks again that nobody took", "webhooks", asked, "since", from.Since)
	}
	next, err := deliveriesMessage(now, now.Add(deliveriesEvery))
	if err != nil {
		return err
	}
	return svc.inbox.Put(ctx, next)
}
