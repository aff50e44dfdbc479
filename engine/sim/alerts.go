package sim

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/pullbook/pullbook/engine"
	"github.com/pullbook/pullbook/engine/incident"
)

// source is a monitoring tool that tells of one problem. It tells again until it is answered.
type source struct {
	w     *World
	group string
	book  string
	told  int // notifications so far
	begun time.Time
	flaps bool // what it tells of comes and goes within seconds
}

// plan puts the notifications of the trouble on the agenda.
func (s *source) plan(until time.Duration) {
	r := s.w.dice.alerts
	s.w.in(between(r, 0, 5*time.Second), "", func() { s.fire() })
	for range r.IntN(4) {
		s.w.in(between(r, 10*time.Second, until), "", func() {
			if s.w.calm {
				return
			}
			over := oneIn(r, 3)
			s.tell(over)
			if s.flaps {
				s.w.in(between(s.w.dice.bent, 0, 3*time.Second), "", func() { s.tell(!over) })
			}
		})
	}
}

func (s *source) tell(over bool) {
	if over {
		s.send(s.alert(incident.ResolvedNow))
		return
	}
	s.fire()
}

func (s *source) fire() {
	if oneIn(s.w.dice.alerts, 2) || s.begun.IsZero() {
		s.begun = s.w.now.Truncate(time.Second)
	}
	s.send(s.alert(incident.Firing))
}

func (s *source) alert(status incident.AlertStatus) incident.Alert {
	if !oneIn(s.w.dice.alerts, 4) {
		s.told++ // otherwise it repeats itself word for word
	}
	return incident.Alert{Name: "Broken", Source: "generic", Status: status, Fingerprint: s.group, Group: s.group,
		Labels: map[string]string{"book": s.book}, Annotations: map[string]string{"told": fmt.Sprint(s.told)}, StartsAt: s.begun}
}

// send posts a notification to the engine, and again some seconds later until it is acknowledged.
func (s *source) send(a incident.Alert) {
	w := s.w
	again := func() { w.in(between(w.dice.alerts, 5*time.Second, 20*time.Second), "", func() { s.send(a) }) }
	p := w.trouble.door(w)
	if p == nil || p.paused {
		again()
		return
	}
	arrival := engine.Arrival{Alert: a}
	if w.dated {
		arrival.Received = p.clock()
		w.chronicle.sent(arrival)
	}
	body, err := json.Marshal(arrival)
	if err != nil {
		w.fail("sim", "an alert is always JSON: %v", err) // unreachable unless bug in this package
		return
	}
	t := &task{name: "alert of " + s.group, after: func() {}}
	answered := false
	p.spawn(t, func(ctx context.Context, _ *task) {
		err := p.acknowledge(ctx, engine.Message{Kind: engine.KindAlert, Key: a.Group, Body: body})
		if answered = err == nil && !p.dead; answered {
			w.tell(p.name, "202 to the %s alert %s of %s", a.Status, short(a.Digest()), a.Group)
			w.chronicle.acknowledged(p, a)
		}
	})
	w.in(time.Second, "", func() {
		if !answered {
			again()
		}
	})
}

// acknowledge is what the intake does: the answer 202 waits until the alert is in the inbox.
func (p *process) acknowledge(ctx context.Context, m engine.Message) error {
	return inboxPort{p}.Put(ctx, m)
}
