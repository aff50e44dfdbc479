package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/pullbook/pullbook/engine"
	"github.com/pullbook/pullbook/engine/github"
	"github.com/pullbook/pullbook/engine/inbox"
	"github.com/pullbook/pullbook/engine/intake"
)

// kindEvent is a message with an event of the hub of which an alert can be made. Key: the delivery; Body: hubEvent.
const kindEvent = "event"

// hubEvent is what is kept of an event until the organisation's policy has been asked.
type hubEvent struct {
	Kind     string          `json:"kind"`
	Repo     string          `json:"repo"`
	Sender   string          `json:"sender"`
	SenderID int64           `json:"sender_id"`
	Alert    json.RawMessage `json:"alert"` // in the generic format
}

// events decides which events of the hub become alerts.
type events struct {
	inboxHandler
	customs interface {
		Map(ctx context.Context, name string, body []byte) ([]byte, error)
	}
	mayWrite func(ctx context.Context, repo string, id int64, login string) (bool, error)
	put      func(ctx context.Context, a engine.Arrival) error
	drop     func(why string, e hubEvent, err error)          // tells of an event that is no alert
	again    func(ctx context.Context, m inbox.Message) error // has the hub send again what nobody took
}

func (svc *service) events() events {
	return events{inboxHandler: inboxHandler{svc.engine, svc.askAlertmanager}, customs: svc.customs, mayWrite: svc.hub.MayWrite, put: svc.putAlert, again: svc.askAgain,
		drop: func(why string, e hubEvent, err error) {
			svc.log.Info("an event of the hub is no alert", "why", why, "event", e.Kind, "repository", e.Repo, "sender", e.Sender, "detail", err)
		}}
}

// takeEvent makes durable what an event says of a problem. Whether it is an alert is decided afterwards, when the hub can be asked.
func (svc *service) takeEvent(ctx context.Context, e github.Event) (noted bool, err error) {
	alert, err := intake.Event(e.Kind, e.Body)
	if err != nil {
		return false, &github.EventError{Problem: err.Error()}
	}
	if alert == nil {
		return false, nil
	}
	body, err := json.Marshal(hubEvent{Kind: e.Kind, Repo: e.Repository, Sender: e.Sender, SenderID: e.SenderID, Alert: alert})
	if err != nil {
		return false, fmt.Errorf("encode the event %s: %w", e.Delivery, err)
	}
	return svc.inbox.PutOnce(ctx, e.Delivery+"/event", inbox.Message{Kind: kindEvent, Key: e.Delivery, Body: body})
}

// Handle acts on events, and leaves all else to the engine.
func (h events) Handle(ctx context.Context, m inbox.Message) error {
	if m.Kind == kindDeliveries {
		return h.again(ctx, m)
	}
	if m.Kind != kindEvent {
		return h.inboxHandler.Handle(ctx, m)
	}
	var e hubEvent
	if err := json.Unmarshal(m.Body, &e); err != nil {
		return fmt.Errorf("read the event %s: %w", m.Key, err)
	}
	return h.decide(ctx, e, m.Due)
}

// decide puts the alert of an event, if the ledger's pullbook.cue has an intake for it and its type fits, and if an issue was
// moved by somebody who may write. What is not clearly wanted is dropped. The alert came when the event did.
func (h events) decide(ctx context.Context, e hubEvent, received time.Time) error {
	made, err := h.customs.Map(ctx, intake.GitHub+"."+e.Kind, e.Alert)
	if wrong, ok := errors.AsType[*intake.MapError](err); ok {
		why := "it is not of the type that the intake wants"
		if wrong.Unknown {
			why = "no intake takes it"
		}
		h.drop(why, e, wrong)
		return nil
	}
	if err != nil {
		return fmt.Errorf("ask the policy about an event: %w", err)
	}
	alert, err := intake.FromHub(made)
	if err != nil {
		h.drop("the intake makes no alert of it", e, err)
		return nil
	}
	if e.Kind == "issues" {
		may, err := h.mayWrite(ctx, e.Repo, e.SenderID, e.Sender)
		switch {
		case err != nil:
			return fmt.Errorf("ask who moved an issue: %w", err)
		case !may:
			h.drop("its sender may not write to the repository", e, nil)
			return nil
		}
	}
	return h.put(ctx, engine.Arrival{Alert: alert, Received: received})
}
