package github

import (
	"bytes"
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/url"
	"time"
)

const (
	requestTime = 15 * time.Second
	maxAnswer   = 32 << 20 // bytes: a page of 100 comments of 65,536 characters of up to four bytes, and what surrounds them
	concurrent  = 16       // requests at one time, of the 100 that GitHub bears
)

var (
	errElsewhere = errors.New("refused to send a request to another host than the hub's")
	errSlow      = errors.New("the hub did not answer within 15 s")
	errTooLarge  = errors.New("the hub's answer is larger than 32 MiB")
)

// wire is the innermost transport: every request of the client, for tokens too, passes it. It sends to one host only,
// in bounded time and number, reads answers whole and bounded, asks with ETags and counts. A 304 costs nothing of
// GitHub's primary limit, and is handed on as the answer that it confirms.
type wire struct {
	api   *url.URL
	base  http.RoundTripper
	slots chan struct{}
	time  time.Duration
	cache *cache
	calls *calls
}

func newWire(at address, base http.RoundTripper) *wire {
	if base == nil {
		base = http.DefaultTransport
		if t, ok := base.(*http.Transport); ok {
			base = t.Clone()
		}
	}
	return &wire{api: at.api, base: base, slots: make(chan struct{}, concurrent), time: requestTime,
		cache: newCache(), calls: newCalls(at)}
}

func (w *wire) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL.Scheme != w.api.Scheme || req.URL.Host != w.api.Host {
		discard(req.Body)
		return nil, errElsewhere
	}
	select {
	case w.slots <- struct{}{}:
		defer func() { <-w.slots }()
	case <-req.Context().Done():
		discard(req.Body)
		return nil, req.Context().Err()
	}
	ctx, cancel := context.WithTimeout(req.Context(), w.time)
	defer cancel()
	resp, err := w.send(req.Clone(ctx))
	if err != nil && ctx.Err() != nil && req.Context().Err() == nil {
		return nil, errSlow
	}
	return resp, err
}

// discard closes the body of a request that is not sent, as http.RoundTripper demands.
func discard(body io.ReadCloser) {
	if body != nil {
		body.Close()
	}
}

// send owns req.
func (w *wire) send(req *http.Request) (*http.Response, error) {
	key := req.URL.String() + " " + req.Header.Get("Accept")
	var known *answer
	if req.Method == http.MethodGet {
		if known = w.cache.get(key); known != nil {
			req.Header.Set("If-None-Match", known.tag)
		}
	}
	w.calls.count(req)
	resp, err := w.base.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	body, err := readAnswer(resp.Body)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode == http.StatusNotModified && known != nil {
		w.calls.countUnchanged(req)
		return known.confirmed(resp), nil
	}
	if tag := resp.Header.Get("ETag"); tag != "" && req.Method == http.MethodGet && resp.StatusCode == http.StatusOK {
		w.cache.put(&answer{key: key, tag: tag, header: resp.Header.Clone(), body: body})
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return resp, nil
}

func readAnswer(from io.ReadCloser) ([]byte, error) {
	defer from.Close()
	body, err := io.ReadAll(io.LimitReader(from, maxAnswer+1))
	if err == nil && len(body) > maxAnswer {
		err = errTooLarge
	}
	return body, err
}

// confirmed is the stored answer with the newer headers of a 304, among them what is left of the limits.
func (a *answer) confirmed(by *http.Response) *http.Response {
	header := a.header.Clone()
	maps.Copy(header, by.Header)
	header.Del("Content-Length")
	by.Status, by.StatusCode = "200 OK", http.StatusOK
	by.Header = header
	by.ContentLength = int64(len(a.body))
	by.Body = io.NopCloser(bytes.NewReader(a.body))
	return by
}
