package limits_test

import (
	"errors"
	"testing"
	"time"

	"github.com/pullbook/pullbook/engine/localhub/limits"
)

// clock is a time that tests move.
type clock struct{ t time.Time }

func (c *clock) now() time.Time { return c.t }

func start() *clock { return &clock{time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)} }

func TestEachLimit(t *testing.T) {
	read := limits.Request{Actor: "a"}
	write := limits.Request{Actor: "a", Write: true}
	content := limits.Request{Actor: "a", Write: true, Content: 1}
	query := limits.Request{Actor: "a", GraphQL: true}
	many := limits.Request{Actor: "a", GraphQL: true, Write: true, Content: 3}
	for _, tt := range []struct {
		name    string
		limits  limits.Limits
		request limits.Request
		good    int
		after   time.Duration
	}{
		{"points", limits.Limits{Points: 10}, read, 10, time.Minute},
		{"points", limits.Limits{Points: 10}, write, 2, time.Minute},
		{"graphql-points", limits.Limits{GraphQLPoints: 3}, query, 3, time.Minute},
		{"content", limits.Limits{Content: 4}, content, 4, time.Minute},
		{"content", limits.Limits{Content: 8}, many, 2, time.Minute},
		{"content-hour", limits.Limits{ContentHour: 4, Content: 100}, content, 4, time.Hour},
		{"write-gap", limits.Limits{WriteGap: time.Second}, write, 1, time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := start()
			l := limits.New(tt.limits, c.now)
			for i := range tt.good {
				if err := admit(l, tt.request); err != nil {
					t.Fatalf("request %d: %v", i+1, err)
				}
			}
			var refusal *limits.Refusal
			if err := admit(l, tt.request); !errors.As(err, &refusal) || !errors.Is(err, limits.ErrSecondary) || refusal.Limit != tt.name || refusal.After != tt.after {
				t.Fatalf("beyond the limit: %+v", refusal)
			}
			other := tt.request
			other.Actor = "b"
			if err := admit(l, other); err != nil {
				t.Fatalf("somebody else: %v", err)
			}
			c.t = c.t.Add(tt.after)
			if err := admit(l, tt.request); err != nil {
				t.Fatalf("after %v: %v", tt.after, err)
			}
		})
	}
}

func admit(l *limits.Limiter, r limits.Request) error {
	done, err := l.Admit(r)
	if err == nil {
		done()
	}
	return err
}

func TestPrimaryCountsDown(t *testing.T) {
	c := start()
	l := limits.New(limits.Limits{Primary: 3}, c.now)
	for want := 2; want >= 0; want-- {
		if err := admit(l, limits.Request{Actor: "a"}); err != nil {
			t.Fatal(err)
		}
		if u := l.Count("a", "core", 1); u.Left() != want || u.Shown() != 3 {
			t.Fatalf("usage: %+v", u)
		}
	}
	if err := admit(l, limits.Request{Actor: "a"}); !errors.Is(err, limits.ErrPrimary) {
		t.Fatalf("the fourth: %v", err)
	}
	if err := admit(l, limits.Request{Actor: "a", GraphQL: true}); err != nil {
		t.Fatalf("GraphQL has its own: %v", err)
	}
	c.t = c.t.Add(time.Hour)
	if err := admit(l, limits.Request{Actor: "a"}); err != nil {
		t.Fatalf("an hour later: %v", err)
	}
}

func TestConcurrentRequests(t *testing.T) {
	l := limits.New(limits.Limits{Concurrent: 1}, start().now)
	done, err := l.Admit(limits.Request{Actor: "a"})
	if err != nil {
		t.Fatal(err)
	}
	if err := admit(l, limits.Request{Actor: "a"}); !errors.Is(err, limits.ErrSecondary) {
		t.Fatalf("a second at one time: %v", err)
	}
	done()
	if err := admit(l, limits.Request{Actor: "a"}); err != nil {
		t.Fatalf("a second afterwards: %v", err)
	}
}

func TestPushes(t *testing.T) {
	c := start()
	l := limits.New(limits.GitHub(), c.now)
	for range 6 {
		if err := l.Push("acme/ops"); err != nil {
			t.Fatal(err)
		}
		c.t = c.t.Add(time.Second)
	}
	var refusal *limits.Refusal
	if err := l.Push("acme/ops"); !errors.As(err, &refusal) || refusal.After != 54*time.Second {
		t.Fatalf("the seventh: %+v", refusal)
	}
	if err := l.Push("acme/other"); err != nil {
		t.Fatal(err)
	}
}

func TestNoLimitsRefuseNobody(t *testing.T) {
	l := limits.New(limits.Limits{}, start().now)
	for range 6000 {
		if err := admit(l, limits.Request{Actor: "a", Write: true, Content: 1}); err != nil {
			t.Fatal(err)
		}
		if u := l.Count("a", "core", 1); u.Left() < 1 || u.Shown() != 5000 {
			t.Fatalf("usage: %+v", u)
		}
	}
	if l.On() || !limits.New(limits.GitHub(), start().now).On() {
		t.Error("On is wrong")
	}
}

func TestParse(t *testing.T) {
	changed := limits.GitHub()
	changed.Content, changed.WriteGap = 10, 0
	for text, want := range map[string]limits.Limits{
		"": {}, "off": {}, "github": limits.GitHub(), "off,pushes=6": {Pushes: 6}, "off,text=100,commits=0": {Text: 100, Commits: -1}, "github,content=10,write-gap=0s": changed,
	} {
		if got, err := limits.Parse(text); err != nil || got != want {
			t.Errorf("%q: %+v, %v", text, got, err)
		}
	}
	for _, text := range []string{"on", "github,,", "github,content", "github,content=-1", "github,write-gap=1", "github,speed=3", "content=1"} {
		if _, err := limits.Parse(text); err == nil {
			t.Errorf("%q was taken", text)
		}
	}
}
