package main

import (
	"context"
	"fmt"
	"time"

	"github.com/pullbook/pullbook/engine"
	"github.com/pullbook/pullbook/engine/inbox"
	"github.com/pullbook/pullbook/engine/intake"
)

// kindAsk is the kind of the message that has Alertmanager asked what fires. It is put once for each inbox, and delivered until
// Alertmanager has answered.
const kindAsk = "ask-alertmanager"

// tellLoss says what a lost inbox costs: what comes back by itself, and what nobody can bring back.
func (svc *service) tellLoss(note string) {
	svc.log.Warn("the inbox begins anew; the sweep brings back what git and the hub hold", "detail", note)
	alerts := "alerts that fire no more, and those of sources other than Alertmanager"
	if svc.settings.alertmanager == "" {
		alerts = "alerts (--alertmanager would have that one asked what fires)"
	}
	svc.log.Warn("what was taken and had not reached the ledger is lost: "+alerts+", orders of pullbook open, presses of buttons, alerts from events of the hub; "+
		"a step whose end is not in the ledger is asked about", "detail", note)
	if svc.inbox.Bookmarks() != nil {
		svc.log.Warn("where the engine had left the incidents' branches is lost as well: that one was moved back or deleted meanwhile goes unnoticed", "detail", note)
	}
}

// oweQuestion makes durable that Alertmanager is to be asked what fires, once for each inbox, and when the end of its log is missing: one that
// is new, or takes the place of a lost one, does not know.
func (svc *service) oweQuestion(ctx context.Context) error {
	s := svc.settings
	if s.alertmanager == "" {
		return nil
	}
	var err error
	if svc.asked, err = intake.ParseAsked(s.alertmanager, s.receiver); err != nil {
		return err
	}
	ask := inbox.Message{Kind: kindAsk, Key: kindAsk}
	if svc.inbox.Unread() != "" {
		return svc.inbox.Put(ctx, ask)
	}
	_, err = svc.inbox.PutOnce(ctx, kindAsk, ask)
	return err
}

// askAlertmanager takes what fires as if Alertmanager had posted it. What is known of an open incident is not recorded again.
func (svc *service) askAlertmanager(ctx context.Context) error {
	if svc.asked.URL == nil {
		return nil // it was to be asked before the engine was started without it
	}
	answer, err := svc.asked.Firing(ctx, time.Now())
	if err != nil {
		return fmt.Errorf("ask what fires: %w", err)
	}
	for _, why := range answer.Left {
		svc.log.Warn("an alert that fires was not taken from Alertmanager; it comes with its next notification", "why", why)
	}
	groups := make([]string, len(answer.Alerts))
	for i, a := range answer.Alerts {
		groups[i] = a.Group
		if err := svc.putAlert(ctx, engine.Arrival{Alert: a, Asked: true}); err != nil {
			return fmt.Errorf("store an alert that fires: %w", err)
		}
	}
	svc.log.Info("Alertmanager was asked what fires", "groups", groups)
	return nil
}
