//go:build mutant

package sim

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/pullbook/pullbook/engine"
	"github.com/pullbook/pullbook/engine/approval"
	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/runbook"
)

var most = flag.Uint64("most", 10_000, "TestMutants: within so many seeds each mutant has to be found")

// mutants are engines with one defence taken away, by a ring between them and the simulated world.
func mutants() map[string]func(engine.Config) engine.Config {
	hub := func(spoil func(*incident.HubView)) func(engine.Config) engine.Config {
		return func(c engine.Config) engine.Config { c.Hub = badHub{c.Hub, spoil}; return c }
	}
	reviews := func(spoil func(*incident.HubView, *approval.Review)) func(engine.Config) engine.Config {
		return hub(func(v *incident.HubView) {
			for i := range v.Reviews {
				spoil(v, &v.Reviews[i])
			}
		})
	}
	inbox := func(b badInbox) func(engine.Config) engine.Config {
		return func(c engine.Config) engine.Config { b.Inbox = c.Inbox; c.Inbox = b; return c }
	}
	journal := func(b badJournal) func(engine.Config) engine.Config {
		return func(c engine.Config) engine.Config { b.Journal = c.Journal; c.Journal = b; return c }
	}
	return map[string]func(engine.Config) engine.Config{
		"approvals are not asked for again before the push": journal(badJournal{blind: true}),
		"an intent is not pushed before its effect":         journal(badJournal{idle: true}),
		"a lost race for a branch is taken for won":         journal(badJournal{deaf: true}),
		"a dismissed review counts": reviews(func(_ *incident.HubView, r *approval.Review) {
			if r.State == approval.Dismissed {
				r.State = approval.Approved
			}
		}),
		"an approval of other bytes counts": reviews(func(v *incident.HubView, r *approval.Review) { r.Commit = v.Pull.Head }),
		"a request for changes approves": reviews(func(_ *incident.HubView, r *approval.Review) {
			if r.State == approval.ChangesRequested {
				r.State = approval.Approved
			}
		}),
		"a branch is given back on nobody's word": hub(func(v *incident.HubView) {
			v.Reviews = append(v.Reviews, approval.Review{ID: 1 << 40, By: approval.Person{ID: 1, Login: "alice", Write: true, Teams: []string{sreTeam}},
				State: approval.Commented, Commit: v.Pull.Head, Body: "/thaw so"})
		}),
		"anybody gives a branch back": reviews(func(_ *incident.HubView, r *approval.Review) {
			if strings.Contains(r.Body, "/thaw") {
				r.By.Write, r.By.Bot, r.By.Teams = true, false, []string{sreTeam}
			}
		}),
		"anybody may approve":                           reviews(func(_ *incident.HubView, r *approval.Review) { r.By.Write, r.By.Teams = true, []string{sreTeam} }),
		"bots approve":                                  reviews(func(_ *incident.HubView, r *approval.Review) { r.By.Bot = false }),
		"words that were edited count":                  reviews(func(_ *incident.HubView, r *approval.Review) { r.Edited = false }),
		"a vote for another gate counts":                reviews(func(_ *incident.HubView, r *approval.Review) { r.Body = "" }),
		"timers are lost":                               inbox(badInbox{noTimers: true}),
		"an attempt that was lost is started once more": inbox(badInbox{again: true}),
		"an outcome that nobody knows is a success":     inbox(badInbox{hope: true}),
		"the clock is ahead":                            func(c engine.Config) engine.Config { c.Clock = badClock{c.Clock}; return c },
	}
}

type badHub struct {
	engine.Hub
	spoil func(*incident.HubView)
}

func (b badHub) Look(ctx context.Context, q incident.HubQuery) (incident.HubView, error) {
	v, err := b.Hub.Look(ctx, q)
	v.Reviews = append([]approval.Review(nil), v.Reviews...)
	if v.Pull != nil {
		b.spoil(&v)
	}
	return v, err
}

type badJournal struct {
	engine.Journal
	blind, idle, deaf bool
}

func (b badJournal) Flush(ctx context.Context, branch string, confirm func(context.Context) error) error {
	if b.blind {
		confirm = func(context.Context) error { return nil }
	}
	if b.idle && branch[len(branch)-1]%2 == 0 {
		return nil
	}
	err := b.Journal.Flush(ctx, branch, confirm)
	if b.deaf && errors.Is(err, engine.ErrMoved) {
		return nil
	}
	return err
}

type badInbox struct {
	engine.Inbox
	noTimers, again, hope bool
}

func (b badInbox) Put(ctx context.Context, messages ...engine.Message) error {
	for i, m := range messages {
		if b.noTimers && !m.Due.IsZero() && m.Kind == engine.KindHub {
			messages[i].Due = m.Due.Add(24 * time.Hour)
		}
	}
	return b.Inbox.Put(ctx, messages...)
}

func (b badInbox) StartStep(ctx context.Context, j engine.StepJob) error {
	j.Repeatable = j.Repeatable || b.again
	return b.Inbox.StartStep(ctx, j)
}

func (b badInbox) Attempts(ctx context.Context, branch string, after int64) ([]incident.Attempt, error) {
	all, err := b.Inbox.Attempts(ctx, branch, after)
	for i, a := range all {
		if b.hope && a.State == incident.AttemptLost {
			all[i].State, all[i].Outcome = incident.AttemptEnded, &runbook.Outcome{Key: a.Key, Step: a.Step, Attempt: a.Number,
				Conclusion: runbook.Succeeded, Output: []byte(`{"hosts":[],"n":1}`)}
		}
	}
	return all, err
}

type badClock struct{ engine.Clock }

func (b badClock) Now() time.Time { return b.Clock.Now().Add(2 * time.Second) }

// TestMutants looks for each mutant until it is found.
func TestMutants(t *testing.T) {
	for name, spoil := range mutants() {
		t.Run(name, func(t *testing.T) {
			for seed := range *most {
				if r := Run(seed, Options{spoil: spoil}); r.Err != nil {
					t.Log(fmt.Sprintf("found by seed %d: %.200s", seed, r.Err.Error()))
					return
				}
			}
			t.Errorf("not found within %d seeds", *most)
		})
	}
}
