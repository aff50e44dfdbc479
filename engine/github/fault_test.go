package github

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/pullbook/pullbook/engine/incident"
)

const secondaryBody = `{"message": "You have exceeded a secondary rate limit", "documentation_url": "https://docs.github.com/rest/overview/rate-limits-for-the-rest-api#about-secondary-rate-limits"}`

type limitCase struct {
	name      string
	status    int
	header    map[string]string
	body      string
	min, max  time.Duration // from now; 0: not a limit
	remaining string
}

func TestLimitsOfTheHubAreObeyed(t *testing.T) {
	for _, test := range []limitCase{
		{"429 without a word", 429, nil, `{"message": "slow down"}`, time.Minute, time.Minute, ""},
		{"429 and Retry-After", 429, map[string]string{"Retry-After": "7"}, "", 7 * time.Second, 7 * time.Second, ""},
		{"403 and Retry-After", 403, map[string]string{"Retry-After": "7"}, `{}`, 7 * time.Second, 7 * time.Second, ""},
		{"403 and a date", 403, map[string]string{"Retry-After": time.Now().Add(2 * time.Minute).UTC().Format(http.TimeFormat)}, `{}`, time.Minute, 2 * time.Minute, ""},
		{"Retry-After in the past", 429, map[string]string{"Retry-After": "-5"}, "", time.Second, time.Second, ""},
		{"Retry-After without end", 429, map[string]string{"Retry-After": "999999999"}, "", time.Hour, time.Hour, ""},
		{"Retry-After of nonsense", 429, map[string]string{"Retry-After": "soon"}, "", time.Minute, time.Minute, ""},
		{"secondary, no header", 403, nil, secondaryBody, time.Minute, time.Minute, ""},
		{"secondary and Retry-After", 403, map[string]string{"Retry-After": "30"}, secondaryBody, 30 * time.Second, 31 * time.Second, ""},
		{"primary", 403, map[string]string{"X-RateLimit-Reset": strconv.FormatInt(time.Now().Add(10*time.Minute).Unix(), 10)}, `{}`, 9 * time.Minute, 10 * time.Minute, "0"},
		{"primary without end", 403, map[string]string{"X-RateLimit-Reset": strconv.FormatInt(time.Now().Add(100*time.Hour).Unix(), 10)}, `{}`, time.Hour, time.Hour, "0"},
		{"no permission", 403, nil, `{"message": "Resource not accessible by integration"}`, 0, 0, "17"},
	} {
		checkLimit(t, test)
	}
}

// stage is a hub that limits the reading of pull request 7, with a client whose clock the test sets.
func (test limitCase) stage(t *testing.T) (*stage, *Client, *time.Time) {
	t.Helper()
	s := newStage(t)
	now := time.Now()
	cfg := s.config()
	cfg.Now = func() time.Time { return now }
	c, err := New(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	s.on("GET "+repo+"/pulls/7", func(w http.ResponseWriter, _ *http.Request) {
		for k, v := range test.header {
			w.Header().Set(k, v)
		}
		if test.remaining != "" {
			w.Header().Set("X-RateLimit-Remaining", test.remaining)
		}
		w.WriteHeader(test.status)
		fmt.Fprint(w, test.body)
	})
	s.forget()
	return s, c, &now
}

func checkLimit(t *testing.T, test limitCase) {
	s, c, now := test.stage(t)
	_, first := c.Look(context.Background(), incident.HubQuery{Pull: 7})
	limited, ok := errors.AsType[*LimitedError](first)
	if ok != (test.max > 0) {
		t.Errorf("%s: %v", test.name, first)
		return
	}
	if !ok {
		return
	}
	if wait := limited.Until.Sub(*now); wait < test.min || wait > test.max {
		t.Errorf("%s: to be asked again in %s", test.name, wait)
	}
	_, again := c.OpenPull(context.Background(), incident.NewPull{Branch: "incident/a"})
	_, alsoRead := c.Look(context.Background(), incident.HubQuery{Pull: 7})
	for _, err := range []error{again, alsoRead} {
		if _, ok := errors.AsType[*LimitedError](err); !ok || len(s.asked) != 1 {
			t.Errorf("%s: the hub was asked again at once: %v", test.name, err)
		}
	}
	*now = limited.Until
	s.people()
	if _, err := c.find(context.Background(), incident.HubQuery{Pull: 7}); err != nil && test.body != secondaryBody && test.remaining == "" {
		t.Errorf("%s: silent for longer than asked: %v", test.name, err)
	}
}

func TestALimitOnTokensIsALimit(t *testing.T) {
	s := newStage(t)
	s.on("POST /app/installations/99/access_tokens", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "30")
		w.WriteHeader(403)
		fmt.Fprint(w, secondaryBody)
	})
	_, err := New(context.Background(), s.config())
	if _, ok := errors.AsType[*LimitedError](err); !ok {
		t.Error(err)
	}
}

func TestWordsOfTheHubAreBoundedAndOneLine(t *testing.T) {
	s := newStage(t)
	long := "a\nb\u001b[31m\u202e"
	for range 1000 {
		long += "é"
	}
	body, err := json.Marshal(map[string]string{"message": long})
	if err != nil {
		t.Fatal(err)
	}
	s.say("GET "+repo+"/pulls/7", 500, string(body))
	_, err = s.client().Look(context.Background(), incident.HubQuery{Pull: 7})
	e, ok := errors.AsType[*Error](err)
	if !ok || len(e.Message) > 310 || !strings.HasPrefix(e.Message, "a b [31m é") {
		t.Errorf("%q", e.Message)
	}
}

func TestGoneHub(t *testing.T) {
	s := newStage(t)
	c := s.client()
	c.wire.base = gone{}
	_, err := c.Look(context.Background(), incident.HubQuery{Pull: 7})
	if err == nil || status(err) != 0 || errors.Unwrap(err) != nil {
		t.Error(err)
	}
}

// gone refuses connections, as a hub does that is being restarted.
type gone struct{}

func (gone) RoundTrip(r *http.Request) (*http.Response, error) {
	t := &http.Transport{DisableKeepAlives: true}
	r = r.Clone(r.Context())
	r.URL.Host = "127.0.0.1:1"
	return t.RoundTrip(r)
}
