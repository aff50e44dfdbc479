package step

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/pullbook/pullbook/engine/runbook"
)

// mostRedirects is how often one request may be sent elsewhere.
const mostRedirects = 5

// request is the work of an http: one request.
type request struct {
	named                     // usable in header values as $NAME
	URL     string            `json:"url"`
	Method  string            `json:"method"` // GET when empty
	Headers map[string]string `json:"headers"`
	Body    json.RawMessage   `json:"body"` // a JSON text is sent as it reads, any other value as JSON
}

// HTTP is the kind that makes one request.
func (kinds) HTTP() performer { return new(request) }

// perform makes the request. Its facts are method, url (without user, query and fragment) and, once there was an answer,
// status. The answer's body is the output if the step declares one and the request succeeded, and otherwise the log.
func (w *request) perform(ctx stepContext, a *attempt) result {
	req, err := a.request(w)
	if err != nil {
		return failed("%w", err)
	}
	client := a.client()
	defer client.CloseIdleConnections()
	body := newCapture(max(a.cfg.OutputLimit, a.cfg.LogLimit), a.veil.margin)
	ans, err := send(ctx, client, req, io.MultiWriter(body, a.log))
	if ans != nil {
		a.facts["status"] = strconv.Itoa(ans.StatusCode)
	}
	a.noteCut("body", a.log)
	switch {
	case err != nil && ctx.Err() != nil:
		return ctx.ended(err.Error())
	case errors.As(err, new(*sentError)):
		return result{conclusion: runbook.Unknown, problem: err.Error()}
	case err != nil:
		return failed("%w", err)
	case ans.StatusCode >= http.StatusBadRequest:
		return failed("%s %s answered %s", req.Method, bare(req.URL), ans.Status)
	case !safe(req.Method) && redirects(ans.StatusCode):
		return failed("%s %s answered %s: requests that change things are not redirected", req.Method, bare(req.URL), ans.Status)
	case !a.job.HasOutput:
		return result{conclusion: runbook.Succeeded}
	}
	data, whole := body.all()
	output, err := a.asOutput("the answer's body", data, whole)
	if err != nil {
		return failed("%w", err)
	}
	a.log, a.cuts = newCapture(a.cfg.LogLimit, a.veil.margin), nil
	return result{conclusion: runbook.Succeeded, output: output}
}

// sentError is a failure after the request of a changing method had reached the wire.
type sentError struct{ error }

func (e *sentError) Error() string { return e.error.Error() + "; whether it took effect is unknown" }

func (e *sentError) Unwrap() error { return e.error }

// send makes the request and reads the whole answer into body. When reading fails, both an answer and an error are
// returned. Errors do not hold the request's URL beyond its path.
func send(ctx context.Context, client *http.Client, req *http.Request, body io.Writer) (*http.Response, error) {
	var onWire atomic.Bool // the transport may still be writing when Do returns early
	trace := &httptrace.ClientTrace{WroteHeaders: func() { onWire.Store(true) }}
	ans, err := client.Do(req.WithContext(httptrace.WithClientTrace(ctx, trace)))
	if err == nil {
		defer ans.Body.Close()
		if _, err = io.Copy(body, ans.Body); err == nil {
			return ans, nil
		}
		err = fmt.Errorf("read the answer of %s %s: %w", req.Method, bare(req.URL), err)
	} else {
		var verbose *url.Error // holds the whole URL
		if errors.As(err, &verbose) {
			err = verbose.Err
		}
		err = fmt.Errorf("%s %s: %w", req.Method, bare(req.URL), err)
	}
	if onWire.Load() && !safe(req.Method) && (ans == nil || ans.StatusCode < http.StatusBadRequest) {
		err = &sentError{err}
	}
	return ans, err
}

func safe(method string) bool { return method == http.MethodGet || method == http.MethodHead }

// redirects tells the statuses that ask for the same request elsewhere. After 303, See Other, it was done.
func redirects(status int) bool {
	switch status {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return true
	}
	return false
}

// request builds the request and puts secrets where its headers name them.
func (a *attempt) request(w *request) (*http.Request, error) {
	to, err := url.Parse(w.URL)
	if err != nil {
		return nil, errors.New("the url cannot be parsed") // the error would repeat the url with its query
	}
	if to.Scheme != "http" && to.Scheme != "https" || to.Host == "" {
		return nil, fmt.Errorf("url %s: want http or https and a host", bare(to))
	}
	method := strings.ToUpper(w.Method)
	if method == "" {
		method = http.MethodGet
	}
	a.facts["method"], a.facts["url"] = method, bare(to)
	body := w.body()
	req, err := http.NewRequest(method, to.String(), strings.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("%s %s: the request cannot be made", method, bare(to))
	}
	req.Header.Set("User-Agent", "pullbook")
	if !safe(method) {
		req.Header.Set("Idempotency-Key", a.job.Key)
	}
	if body != "" && json.Valid([]byte(body)) {
		req.Header.Set("Content-Type", "application/json")
	}
	for name, value := range w.Headers {
		value, err := fill(value, a.secrets)
		if err != nil {
			return nil, fmt.Errorf("header %s: %w", name, err)
		}
		req.Header.Set(name, value)
	}
	req.Host = req.Header.Get("Host")
	return req, nil
}

// body is what is sent.
func (w *request) body() string {
	var text string
	if json.Unmarshal(w.Body, &text) == nil {
		return text
	}
	return string(w.Body)
}

// bare is the part of a URL that may be written down.
func bare(u *url.URL) string {
	short := url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path, RawPath: u.RawPath}
	return short.String()
}

var variable = regexp.MustCompile(`\$[A-Za-z_][A-Za-z0-9_]*`)

// fill replaces $NAME by the secret NAME. A name that the step does not list is a mistake, not text.
func fill(value string, secrets []secret) (string, error) {
	var unknown string
	filled := variable.ReplaceAllStringFunc(value, func(ref string) string {
		for _, s := range secrets {
			if "$"+s.name == ref {
				return s.value
			}
		}
		unknown = ref
		return ""
	})
	if unknown != "" {
		return "", fmt.Errorf("%s is not among the step's secrets", unknown)
	}
	return filled, nil
}

// client makes a client for one attempt. No proxy: behind one, the address that is connected to says nothing.
// No decompression: a small answer stays small.
func (a *attempt) client() *http.Client {
	return &http.Client{
		CheckRedirect: checkRedirect,
		Transport: &http.Transport{
			DialContext:            a.dialer().DialContext,
			TLSHandshakeTimeout:    dialTimeout,
			MaxResponseHeaderBytes: 64 << 10,
			DisableCompression:     true,
			ForceAttemptHTTP2:      true,
			MaxIdleConnsPerHost:    1,
		},
	}
}

// checkRedirect lets requests that only read follow to another place. Another origin gets none of the step's headers:
// any of them may hold a secret, and Referer the query of the first. Nothing goes back from https to http.
func checkRedirect(req *http.Request, via []*http.Request) error {
	first := via[0]
	if !safe(first.Method) {
		return http.ErrUseLastResponse
	}
	if len(via) > mostRedirects {
		return fmt.Errorf("redirected more than %d times", mostRedirects)
	}
	if req.URL.Scheme != "http" && req.URL.Scheme != "https" || first.URL.Scheme == "https" && req.URL.Scheme == "http" {
		return fmt.Errorf("redirect from %s to %s refused", first.URL.Scheme, req.URL.Scheme)
	}
	if req.URL.Scheme != first.URL.Scheme || req.URL.Host != first.URL.Host {
		req.Header = http.Header{"User-Agent": {"pullbook"}}
		req.Host = ""
	}
	return nil
}

// answer is what a probe's condition is about.
type answer struct {
	Status  int               `json:"status"`
	Headers map[string]string `json:"headers"`
	Body    any               `json:"body"`
}

// answerJSON encodes an answer for Until.
func answerJSON(ans *http.Response, body []byte) (json.RawMessage, error) {
	out := answer{Status: ans.StatusCode, Headers: make(map[string]string, len(ans.Header)), Body: string(body)}
	if json.Valid(body) {
		out.Body = json.RawMessage(bytes.TrimSpace(body))
	}
	for name, values := range ans.Header {
		out.Headers[name] = strings.Join(values, ", ")
	}
	return json.Marshal(out)
}
