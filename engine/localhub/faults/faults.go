// Package faults lets things go wrong with the local hub on purpose, so that a test can show what its client does then.
//
//	rule          which requests, or which webhooks, meet which fault, and how often
//	fault         what happens: see the table in Faults
//	before        the fault stands in for the work: nothing has happened
//	after         the work is done, and the client is told otherwise or nothing
//
//	request ── first rule with something left that matches ──> fault
//	        └─ none ──> the hub
//	webhook ── likewise, by event or event.action
//
// Rules are tried in the order in which they were added, and each counts down, so that a test says exactly which call
// fails: "the second POST of a pull request loses its answer". They are in memory, and gone with the hub.
//
// The package decides nothing by chance and forges nothing but answers: a webhook that is doubled has its one GUID.
package faults

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// A Fault is one kind of mishap.
type Fault string

// What can happen to a request. Those with a status stand in for the work unless they say otherwise.
const (
	NotFound       Fault = "not_found"       // 404, as a resource that another replica does not have yet
	Forbidden      Fault = "forbidden"       // 403 of a secondary limit, with Retry-After when the rule has one
	TooMany        Fault = "too_many"        // 429 likewise
	TokenExpired   Fault = "token_expired"   // 401
	Unavailable    Fault = "unavailable"     // 503
	BadGateway     Fault = "bad_gateway"     // 502 after the work
	GatewayTimeout Fault = "gateway_timeout" // 504 after the work
	ReplyLost      Fault = "reply_lost"      // the connection is cut after the work
	Slow           Fault = "slow"            // the work begins after the rule's delay
)

// What can happen to a webhook.
const (
	HookLost      Fault = "hook_lost"      // it is not sent
	HookDoubled   Fault = "hook_doubled"   // it is sent twice
	HookReordered Fault = "hook_reordered" // the next one overtakes it
	HookDelayed   Fault = "hook_delayed"   // it is sent after the rule's delay
)

func requestFaults() []Fault {
	return []Fault{NotFound, Forbidden, TooMany, TokenExpired, Unavailable, BadGateway, GatewayTimeout, ReplyLost, Slow}
}

func hookFaults() []Fault { return []Fault{HookLost, HookDoubled, HookReordered, HookDelayed} }

// A Rule says what meets a fault. For requests Method is empty for any, and Path a pattern such as
// "/repos/{owner}/{repo}/pulls/{number}" (below the API's prefix), "/graphql" or "/{owner}/{repo}.git/git-receive-pack";
// {name} takes one segment, {name...} at the end the rest. For webhooks Path is "*", an event, or "event.action".
type Rule struct {
	ID         int64  `json:"id"`
	Fault      Fault  `json:"fault"`
	Method     string `json:"method,omitempty"`
	Path       string `json:"path"`
	Skip       int    `json:"skip"`        // how many that match are let through first
	Count      int    `json:"count"`       // how many then meet the fault; 1 unless given
	RetryAfter int    `json:"retry_after"` // seconds, for forbidden and too_many; 0: no header
	DelayMS    int    `json:"delay_ms"`    // for slow and hook_delayed
	Hits       int    `json:"hits"`        // how many have met it
}

// Delay is the rule's delay.
func (r Rule) Delay() time.Duration { return time.Duration(r.DelayMS) * time.Millisecond }

func (r Rule) check() error {
	hook := slices.Contains(hookFaults(), r.Fault)
	switch {
	case !hook && !slices.Contains(requestFaults(), r.Fault):
		return fmt.Errorf("%q is no fault", r.Fault)
	case hook && r.Method != "":
		return errors.New("a webhook has no method")
	case !hook && !strings.HasPrefix(r.Path, "/"):
		return fmt.Errorf("path %q does not begin with a slash", r.Path)
	case hook && (r.Path == "" || strings.Contains(r.Path, "/")):
		return fmt.Errorf("path %q is neither *, event nor event.action", r.Path)
	case r.Skip < 0 || r.Count < 0 || r.RetryAfter < 0 || r.DelayMS < 0:
		return errors.New("a number is negative")
	case (r.Fault == Slow || r.Fault == HookDelayed) && r.DelayMS == 0:
		return fmt.Errorf("%s needs delay_ms", r.Fault)
	}
	return nil
}

// A Table holds the rules. It is safe for concurrent use; the zero Table is empty.
type Table struct {
	mu    sync.Mutex
	last  int64
	rules []*Rule
}

// Add puts a rule at the end, and returns it with its id.
func (t *Table) Add(r Rule) (Rule, error) {
	if r.Count == 0 {
		r.Count = 1
	}
	if err := r.check(); err != nil {
		return Rule{}, fmt.Errorf("add a fault: %w", err)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last++
	r.ID, r.Hits = t.last, 0
	t.rules = append(t.rules, &r)
	return r, nil
}

// Rules lists the rules with their hits.
func (t *Table) Rules() []Rule {
	t.mu.Lock()
	defer t.mu.Unlock()
	out := []Rule{}
	for _, r := range t.rules {
		out = append(out, *r)
	}
	return out
}

// Clear removes all rules.
func (t *Table) Clear() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.rules = nil
}

// take finds the rule that something meets, and counts it.
func (t *Table) take(matches func(*Rule) bool) (Rule, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, r := range t.rules {
		switch {
		case r.Hits >= r.Count || !matches(r):
		case r.Skip > 0:
			r.Skip--
		default:
			r.Hits++
			return *r, true
		}
	}
	return Rule{}, false
}

// Webhook says what happens to a webhook.
func (t *Table) Webhook(event, action string) (Rule, bool) {
	return t.take(func(r *Rule) bool {
		return slices.Contains(hookFaults(), r.Fault) && (r.Path == "*" || r.Path == event || r.Path == event+"."+action)
	})
}

// request says what happens to a request to a path, which has no prefix.
func (t *Table) request(method, path string) (Rule, bool) {
	return t.take(func(r *Rule) bool {
		return slices.Contains(requestFaults(), r.Fault) && (r.Method == "" || r.Method == method) && match(r.Path, path)
	})
}

func match(pattern, path string) bool {
	want, have := strings.Split(pattern, "/"), strings.Split(path, "/")
	for i, w := range want {
		switch {
		case i >= len(have):
			return false
		case strings.HasSuffix(w, "...}"):
			return have[i] != ""
		case !fits(w, have[i]):
			return false
		}
	}
	return len(want) == len(have)
}

// fits compares a segment: text, {name}, or {name} with text behind it as in {repo}.git.
func fits(want, have string) bool {
	if !strings.HasPrefix(want, "{") {
		return want == have
	}
	_, tail, _ := strings.Cut(want, "}")
	return len(have) > len(tail) && strings.HasSuffix(have, tail)
}

// Answer is what a fault says in place of the work, or after it.
type Answer struct {
	Status     int
	Message    string
	RetryAfter int
	Secondary  bool // it is a secondary rate limit's
}

// answer is the rule's; a status of 0 means none: the connection is cut, or the work is only slow.
func (r Rule) answer() Answer {
	switch r.Fault {
	case NotFound:
		return Answer{Status: http.StatusNotFound, Message: "Not Found"}
	case Forbidden:
		return Answer{Status: http.StatusForbidden, RetryAfter: r.RetryAfter, Secondary: true}
	case TooMany:
		return Answer{Status: http.StatusTooManyRequests, RetryAfter: r.RetryAfter, Secondary: true}
	case TokenExpired:
		return Answer{Status: http.StatusUnauthorized, Message: "Bad credentials"}
	case Unavailable:
		return Answer{Status: http.StatusServiceUnavailable, Message: "Service Unavailable"}
	case BadGateway:
		return Answer{Status: http.StatusBadGateway, Message: "Server Error"}
	case GatewayTimeout:
		return Answer{Status: http.StatusGatewayTimeout, Message: "We couldn't respond to your request in time."}
	}
	return Answer{}
}
