package rest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/pullbook/pullbook/engine/localhub/state"
)

// MaxBody bounds a request. The largest that GitHub's limits allow, a check run with 50 annotations of 64 KiB, fits.
const MaxBody = 8 << 20

func (c *call) read() ([]byte, error) {
	raw, err := io.ReadAll(http.MaxBytesReader(c.w, c.r.Body, MaxBody))
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return nil, &state.Refusal{Status: http.StatusRequestEntityTooLarge, Message: "Request body is too large"}
	}
	if err != nil {
		return nil, &state.Refusal{Status: http.StatusBadRequest, Message: "Problems reading the request"}
	}
	return raw, nil
}

// decode reads the request's JSON object.
func (c *call) decode(into any) error {
	raw, err := c.read()
	if err != nil {
		return err
	}
	return decodeObject(raw, into)
}

// decodeObject takes an absent body, and the null that ghinstallation sends in its place, for an empty object. Unknown fields are ignored, as on GitHub.
func decodeObject(raw []byte, into any) error {
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 || string(raw) == "null" {
		return nil
	}
	if !json.Valid(raw) {
		return &state.Refusal{Status: http.StatusBadRequest, Message: "Problems parsing JSON"}
	}
	if raw[0] != '{' {
		return &state.Refusal{Status: http.StatusBadRequest, Message: "Body should be a JSON object"}
	}
	return convert(raw, into)
}

func convert(raw []byte, into any) error {
	err := json.Unmarshal(raw, into)
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) {
		return state.Unprocessable(fmt.Sprintf("Invalid request.\n\nFor 'properties/%s', a %s is not of the expected type.", strings.ToLower(wrong.Field), wrong.Value))
	}
	if err != nil {
		return state.Unprocessable("Invalid request.")
	}
	return nil
}

// number is a path parameter that must be a number; anything else names nothing.
func (c *call) number(name string) (int, error) {
	n, err := strconv.Atoi(c.params[name])
	if err != nil || n <= 0 {
		return 0, state.NotFound()
	}
	return n, nil
}

func (c *call) id(name string) (int64, error) {
	n, err := c.number(name)
	return int64(n), err
}

func (c *call) query(name string) string { return c.r.URL.Query().Get(name) }

// pages are GitHub's: 30 items unless told otherwise, 100 at most.
const (
	usualPage = 30
	maxPage   = 100
)

func positive(text string, otherwise int) int {
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		return otherwise
	}
	return n
}

// window is the part of a list that the request asks for.
func (c *call) window() state.Window {
	per := min(positive(c.query("per_page"), usualPage), maxPage)
	at := min(positive(c.query("page"), 1), 1<<30)
	return state.Window{Offset: (at - 1) * per, Limit: per}
}

// links is the Link header (RFC 8288) of a window into a list with so many items.
func (c *call) links(w state.Window, total int) string {
	last := max((total+w.Limit-1)/w.Limit, 1)
	at := w.Offset/w.Limit + 1
	var links []string
	link := func(n int, rel string) {
		q := c.r.URL.Query()
		q.Set("page", strconv.Itoa(n))
		u := url.URL{Path: c.r.URL.Path, RawPath: c.r.URL.RawPath, RawQuery: q.Encode()}
		links = append(links, fmt.Sprintf(`<%s>; rel="%s"`, c.host.API("%s", strings.TrimPrefix(u.String(), Prefix)), rel))
	}
	if at > 1 {
		link(min(at-1, last), "prev")
	}
	if at < last {
		link(at+1, "next")
		link(last, "last")
	}
	if at > 1 {
		link(1, "first")
	}
	return strings.Join(links, ", ")
}

// page cuts out what a list request asks for, and makes its Link header.
func page[T any](c *call, items []T) ([]T, string) {
	w := c.window()
	from := min(w.Offset, len(items))
	return items[from:min(from+w.Limit, len(items))], c.links(w, len(items))
}

// listed answers one page of a list.
func listed[T any, O any](c *call, items []T, shape func(T) O) (reply, error) {
	some, link := page(c, items)
	out := make([]O, 0, len(some))
	for _, x := range some {
		out = append(out, shape(x))
	}
	return reply{status: http.StatusOK, body: out, link: link}, nil
}

// counted answers one page of a list that GitHub wraps in an object with the total.
func counted[T any, O any](c *call, name string, items []T, shape func(T) O) (reply, error) {
	r, err := listed(c, items, shape)
	r.body = map[string]any{"total_count": len(items), name: r.body}
	return r, err
}
