// Package limits is GitHub's rate limits for the local hub. They can be switched off, one by one or all.
//
//	actor         whose requests are counted together: a person, an App, an installation
//	primary       requests of an actor in an hour; what is left is in the headers of every answer
//	secondary     what GitHub refuses besides: points in a minute, content in a minute and an hour, requests at one time
//	content       what a request creates: 1 for POST and PUT in a repository, one for each mutation of a GraphQL document
//	gap           the pause between two writes that GitHub asks for; it recommends it, the hub can insist
//	push          a push to a repository; likewise
//
//	request ── Admit ── one of the limits? ──> a *Refusal: what to tell the client, and when to come back
//	                └── none ──> the answer ── Count ──> headers
//
// The numbers are those of "Rate limits for the REST API", "Rate limits and query limits for the GraphQL API" and
// "Repository limits". GitHub does not say which requests create content; this package takes the wide view, so that a
// client that keeps to it here keeps to it there.
//
// The package knows neither HTTP nor GraphQL: callers say what a request is. Everything is in memory; a restart forgives.
package limits

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Limits are the numbers; 0 is no limit.
type Limits struct {
	Primary       int           // requests an hour, REST and GraphQL each, for every actor
	Points        int           // REST points a minute: a read is 1, a write 5
	GraphQLPoints int           // GraphQL points a minute: a query is 1, a mutation 5
	Concurrent    int           // requests of an actor at one time
	Content       int           // content a minute
	ContentHour   int           // content an hour
	WriteGap      time.Duration // between two writes of an actor
	Pushes        int           // pushes a minute to a repository

	// What a hub keeps to in any case, unless it is told another number: 0 is GitHub's own, negative is none.
	Text    int // characters of a body, 65,536; the output of a check may have one less
	Commits int // commits of a pull request or comparison that are listed, 250
}

// GitHub is what GitHub documents.
func GitHub() Limits {
	return Limits{
		Primary: 5000, Points: 900, GraphQLPoints: 2000, Concurrent: 100, Content: 80, ContentHour: 500,
		WriteGap: time.Second, Pushes: 6,
	}
}

// Parse reads "off", "github", or either followed by changes: "github,content=10,write-gap=0s".
func Parse(text string) (Limits, error) {
	base, rest, _ := strings.Cut(text, ",")
	var l Limits
	switch base {
	case "off", "":
	case "github":
		l = GitHub()
	default:
		return l, fmt.Errorf("limits %q: they begin with github or off", text)
	}
	if rest == "" {
		return l, nil
	}
	for change := range strings.SplitSeq(rest, ",") {
		if err := l.set(change); err != nil {
			return l, fmt.Errorf("limits %q: %w", text, err)
		}
	}
	return l, nil
}

func (l *Limits) set(change string) error {
	name, value, _ := strings.Cut(change, "=")
	numbers := map[string]*int{
		"primary": &l.Primary, "points": &l.Points, "graphql-points": &l.GraphQLPoints, "concurrent": &l.Concurrent,
		"content": &l.Content, "content-hour": &l.ContentHour, "pushes": &l.Pushes,
	}
	if name == "write-gap" {
		d, err := time.ParseDuration(value)
		if err != nil || d < 0 {
			return fmt.Errorf("write-gap is a duration such as 1s, not %q", value)
		}
		l.WriteGap = d
		return nil
	}
	always := map[string]*int{"text": &l.Text, "commits": &l.Commits}
	to, known := numbers[name]
	if !known {
		to, known = always[name]
	}
	if !known {
		return fmt.Errorf("%q is none of %s, write-gap, text, commits", name, strings.Join(slices.Sorted(maps.Keys(numbers)), ", "))
	}
	n, err := strconv.Atoi(value)
	if err != nil || n < 0 {
		return fmt.Errorf("%s is a number, not %q", name, value)
	}
	if n == 0 && always[name] != nil {
		n = -1
	}
	*to = n
	return nil
}

// ErrPrimary and ErrSecondary say which kind of limit a *Refusal is about.
var (
	ErrPrimary   = errors.New("the primary rate limit is used up")
	ErrSecondary = errors.New("a secondary rate limit is exceeded")
)

// A Refusal says why a request is refused, and when another may be made.
type Refusal struct {
	Kind  error  // ErrPrimary or ErrSecondary
	Limit string // its name, as Parse has it
	After time.Duration
	Usage Usage // of the primary limit
}

func (r *Refusal) Error() string { return fmt.Sprintf("%s: %v", r.Limit, r.Kind) }
func (r *Refusal) Unwrap() error { return r.Kind }
