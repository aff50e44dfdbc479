package github

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/bradleyfalzon/ghinstallation/v2"
	gh "github.com/google/go-github/v60/github"
)

var (
	// ErrHeadMoved says that a pull request was not merged because its head is another commit than the one named.
	ErrHeadMoved = errors.New("the head of the pull request has moved")
	// ErrNotMergeable says that the hub does not merge a pull request as it stands: a required check or review is
	// missing, there is a conflict, or it is closed.
	ErrNotMergeable = errors.New("the pull request cannot be merged")
)

// Error is a request that failed. It holds no address, no header and no credential.
type Error struct {
	Op      string // what was tried, on what
	Status  int    // of the hub's answer; 0 without one
	Message string // the hub's words, or what kept the answer away; one line, bounded
	cause   error  // only what a caller may branch on: an end of the context, a sentinel of this package
}

func (e *Error) Error() string {
	if e.Status == 0 {
		return e.Op + ": " + e.Message
	}
	return fmt.Sprintf("%s: the hub answered %d: %s", e.Op, e.Status, e.Message)
}

func (e *Error) Unwrap() error { return e.cause }

// LimitedError says that a limit of the hub, or our own budget below it, is used up. Nothing was sent after the answer
// that said so; ask again at Until.
type LimitedError struct {
	Op    string // what was tried
	Until time.Time
	Why   string
}

func (e *LimitedError) Error() string {
	return fmt.Sprintf("%s: %s; again at %s", e.Op, e.Why, e.Until.UTC().Format(time.RFC3339))
}

const (
	maxPause  = time.Hour   // GitHub's longest window
	somePause = time.Minute // what GitHub asks for when it names no time
)

// fault turns what the libraries return into this package's errors. Theirs may hold the request with its credentials, so
// none of them is wrapped.
func fault(op string, err error, now time.Time) error {
	if err == nil {
		return nil
	}
	resp, message, secondary := answered(err)
	if resp == nil {
		return unanswered(op, err)
	}
	if until, limited := Limit(resp, secondary, now); limited {
		return &LimitedError{Op: op, Until: until, Why: "the hub limits requests"}
	}
	if message == "" {
		message = http.StatusText(resp.StatusCode)
	}
	return &Error{Op: op, Status: resp.StatusCode, Message: line(message)}
}

// answered finds the hub's answer in an error, if there is one.
func answered(err error) (resp *http.Response, message string, secondary bool) {
	if e, ok := errors.AsType[*gh.RateLimitError](err); ok {
		return limitResponse(e), e.Message, false
	}
	if e, ok := errors.AsType[*gh.AbuseRateLimitError](err); ok {
		return abuseResponse(e), e.Message, true
	}
	if e, ok := errors.AsType[*gh.ErrorResponse](err); ok {
		return e.Response, words(e), false
	}
	if e, ok := errors.AsType[*ghinstallation.HTTPError](err); ok && e.Response != nil {
		said := &gh.ErrorResponse{}
		body, _ := io.ReadAll(e.Response.Body) // in memory already: see wire
		_ = json.Unmarshal(body, said)         // what is no JSON has no words
		return e.Response, words(said), strings.HasSuffix(said.DocumentationURL, "secondary-rate-limits")
	}
	return nil, "", false
}

// limitResponse is the answer that told of a used-up primary limit. The library makes an empty one up while it knows that
// the limit still holds; what it knows is put into the header, where the hub would have said it.
func limitResponse(e *gh.RateLimitError) *http.Response {
	r := *e.Response
	r.Header = r.Header.Clone()
	r.Header.Set("X-RateLimit-Remaining", "0")
	r.Header.Set("X-RateLimit-Reset", strconv.FormatInt(e.Rate.Reset.Unix(), 10))
	return &r
}

// abuseResponse is likewise the answer that told of a secondary limit.
func abuseResponse(e *gh.AbuseRateLimitError) *http.Response {
	r := *e.Response
	r.Header = r.Header.Clone()
	if e.RetryAfter != nil && r.Header.Get("Retry-After") == "" {
		r.Header.Set("Retry-After", strconv.Itoa(int(e.RetryAfter.Seconds())+1))
	}
	return &r
}

// Limit says until when an answer forbids requests. The order of the headers is GitHub's: "Rate limits for the REST API",
// section "Exceeding the rate limit".
func Limit(resp *http.Response, secondary bool, now time.Time) (until time.Time, limited bool) {
	if resp.StatusCode != http.StatusForbidden && resp.StatusCode != http.StatusTooManyRequests {
		return time.Time{}, false
	}
	after, reset := resp.Header.Get("Retry-After"), resp.Header.Get("X-RateLimit-Reset")
	spent := resp.Header.Get("X-RateLimit-Remaining") == "0"
	seconds, err := strconv.Atoi(after)
	date, dateErr := http.ParseTime(after)
	epoch, resetErr := strconv.ParseInt(reset, 10, 64)
	switch {
	case err == nil:
		until = now.Add(time.Duration(min(max(seconds, 1), int(maxPause.Seconds()))) * time.Second)
	case dateErr == nil:
		until = date
	case spent && resetErr == nil:
		until = time.Unix(epoch, 0)
	case after == "" && !spent && !secondary && resp.StatusCode == http.StatusForbidden:
		return time.Time{}, false
	default:
		until = now.Add(somePause)
	}
	if until.Before(now.Add(time.Second)) {
		until = now.Add(time.Second)
	}
	if until.After(now.Add(maxPause)) {
		until = now.Add(maxPause)
	}
	return until, true
}

// unanswered is for what failed without an answer.
func unanswered(op string, err error) error {
	for _, cause := range []error{context.Canceled, context.DeadlineExceeded} {
		if errors.Is(err, cause) {
			return &Error{Op: op, Message: cause.Error(), cause: cause}
		}
	}
	for _, ours := range []error{errElsewhere, errRedirect, errSlow, errTooLarge, errPages, errArchive} {
		if errors.Is(err, ours) {
			return &Error{Op: op, Message: ours.Error(), cause: ours}
		}
	}
	return &Error{Op: op, Message: "no readable answer: " + innermost(err)}
}

// innermost names the first cause. Only kinds of errors that are known to quote neither an address nor a secret are
// quoted; of others the type has to do.
func innermost(err error) string {
	if e, ok := errors.AsType[*net.OpError](err); ok {
		return line(e.Error())
	}
	if e, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return line(e.Error())
	}
	for next := err; next != nil; next = errors.Unwrap(err) {
		err = next
	}
	if _, ok := err.(*json.SyntaxError); ok || err == io.EOF || err == io.ErrUnexpectedEOF {
		return line(err.Error())
	}
	return fmt.Sprintf("%T", err)
}

// words is what the hub says is wrong, with its codes for each field.
func words(e *gh.ErrorResponse) string {
	parts := []string{e.Message}
	for _, f := range e.Errors {
		switch {
		case f.Message != "":
			parts = append(parts, f.Message)
		case f.Code != "":
			parts = append(parts, f.Resource+" "+f.Field+" "+f.Code)
		}
	}
	return strings.Join(parts, "; ")
}

// line bounds foreign text and makes it one line of printable characters.
func line(s string) string {
	const bound = 300
	out := strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, s[:min(len(s), bound)])
	if len(s) > bound {
		out += "…"
	}
	return strings.ToValidUTF8(out, "\uFFFD")
}

// status is the hub's status in an error of this package, or 0.
func status(err error) int {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Status
	}
	return 0
}
