package github

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// enter starts n writes in order; each reports its name when its turn comes, and takes a while.
type crowd struct {
	gate  *gate
	start time.Time
	turns []string
	errs  []error
}

func (c *crowd) enter(name string, u Urgency, takes time.Duration) {
	go func() {
		err := c.gate.enter(context.Background(), name, u)
		if err != nil {
			c.errs = append(c.errs, err)
			return
		}
		c.turns = append(c.turns, fmt.Sprintf("%s %s", name, time.Since(c.start)))
		time.Sleep(takes)
		c.gate.leave()
	}()
	synctest.Wait()
}

func newCrowd(l Limits) *crowd {
	return &crowd{gate: newGate(l, clockPace{time.Now}), start: time.Now()}
}

func TestWritesGoOneAtATimeTheUrgentFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(Limits{MinWriteInterval: time.Second})
		c.enter("body", Cosmetic, 2*time.Second)
		c.enter("mark", Cosmetic, 0)
		c.enter("check", Ordinary, 0)
		c.enter("merge", Urgent, 0)
		c.enter("review", Urgent, 0)
		time.Sleep(time.Minute)
		synctest.Wait()
		want := []string{"body 0s", "merge 3s", "review 4s", "check 5s", "mark 6s"}
		if !slices.Equal(c.turns, want) || c.errs != nil {
			t.Errorf("got %v, %v", c.turns, c.errs)
		}
	})
}

func TestWritesWithoutLimitsDoNotWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(Limits{})
		for i := range 1000 {
			c.enter(fmt.Sprint(i), Cosmetic, 0)
		}
		if len(c.turns) != 1000 || c.turns[999] != "999 0s" {
			t.Errorf("%d went", len(c.turns))
		}
	})
}

func TestBudgetsOfAMinuteAndAnHour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(Limits{WritesPerMinute: 10, WritesPerHour: 15})
		for range 9 {
			c.enter("mark", Cosmetic, 0)
		}
		if len(c.turns) != 8 {
			t.Errorf("%d cosmetic writes went: a fifth is kept for the urgent", len(c.turns))
		}
		c.enter("merge", Urgent, 0)
		c.enter("merge", Urgent, 0)
		c.enter("merge", Urgent, 0)
		if len(c.turns) != 10 || len(c.errs) != 2 {
			t.Errorf("%d went, %d were told to come later", len(c.turns), len(c.errs))
		}
		for _, err := range c.errs {
			if e, ok := errors.AsType[*LimitedError](err); !ok || !e.Until.Equal(c.start.Add(time.Minute)) {
				t.Error(err)
			}
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		for range 6 {
			c.enter("merge", Urgent, 0)
		}
		last := c.errs[len(c.errs)-1]
		if e, ok := errors.AsType[*LimitedError](last); len(c.turns) != 15 || !ok || !e.Until.Equal(c.start.Add(time.Hour)) {
			t.Errorf("%d went within the hour, then %v", len(c.turns), last)
		}
	})
}

func TestAnHourOfGitHubsLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(GitHubLimits(), clockPace{time.Now})
		var sent []time.Time
		stop := time.Now().Add(2 * time.Hour)
		for time.Now().Before(stop) {
			if err := g.enter(context.Background(), "merge", Urgent); err != nil {
				e, _ := errors.AsType[*LimitedError](err)
				time.Sleep(time.Until(e.Until))
				continue
			}
			sent = append(sent, time.Now())
			g.leave()
		}
		for i := range sent {
			if i > 0 && sent[i].Sub(sent[i-1]) < time.Second {
				t.Fatalf("write %d left %s after the one before", i, sent[i].Sub(sent[i-1]))
			}
			if i >= 80 && sent[i].Sub(sent[i-80]) < time.Minute || i >= 500 && sent[i].Sub(sent[i-500]) < time.Hour {
				t.Fatalf("write %d is over the budget", i)
			}
		}
		if len(sent) != 1000 {
			t.Errorf("%d writes in two hours, want 1000: the budget is there to be used", len(sent))
		}
	})
}

func TestWhoWaitsTooLongComesLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(Limits{})
		c.enter("slow", Urgent, time.Hour)
		c.enter("mark", Cosmetic, 0)
		ctx, cancel := context.WithCancel(context.Background())
		var ended error
		go func() { ended = c.gate.enter(ctx, "check", Ordinary) }()
		synctest.Wait()
		cancel()
		synctest.Wait()
		if !errors.Is(ended, context.Canceled) {
			t.Error(ended)
		}
		time.Sleep(longestWait)
		synctest.Wait()
		if e, ok := errors.AsType[*LimitedError](errors.Join(c.errs...)); !ok || !e.Until.After(time.Now()) {
			t.Error(c.errs)
		}
		time.Sleep(time.Hour)
		c.enter("next", Cosmetic, 0)
		if len(c.turns) != 2 || len(c.gate.waiting) != 0 {
			t.Errorf("a ticket that was withdrawn still holds a place: %v", c.turns)
		}
	})
}

func TestPointsOfAMinute(t *testing.T) {
	now := time.Unix(0, 0)
	p := points{limit: 10, now: func() time.Time { return now }}
	for i := range 8 {
		now = time.Unix(int64(i), 0)
		if err := p.take("read", readPoints); err != nil {
			t.Fatal(i, err)
		}
	}
	until := func(err error) int64 {
		e, ok := errors.AsType[*LimitedError](err)
		if !ok {
			return -1
		}
		return e.Until.Unix()
	}
	if got := until(p.take("read", readPoints)); got != 60 {
		t.Errorf("the ninth read may go at %d: a fifth is kept for writes", got)
	}
	if got := until(p.take("write", writePoints)); got != 62 {
		t.Errorf("a write may go at %d, when three reads are a minute old", got)
	}
	now = time.Unix(62, 0)
	if err := p.take("write", writePoints); err != nil {
		t.Error(err)
	}
	unlimited := points{now: p.now}
	for range 10_000 {
		if err := unlimited.take("read", readPoints); err != nil {
			t.Fatal(err)
		}
	}
}
