package step

import (
	"compress/gzip"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pullbook/pullbook/engine/runbook"
)

func serve(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

func sends(method, url string) Job {
	return job("http", map[string]any{"method": method, "url": url})
}

func TestHTTPRequestIsAsWritten(t *testing.T) {
	url := serve(t, func(w http.ResponseWriter, q *http.Request) {
		body, _ := io.ReadAll(q.Body)
		fmt.Fprintf(w, "%s %s host=%s auth=%s key=%s type=%s body=%s", q.Method, q.URL, q.Host, q.Header.Get("Authorization"),
			q.Header.Get("Idempotency-Key"), q.Header.Get("Content-Type"), body)
	})
	r := newRunner(t, map[string]string{"TOKEN": "s3cr3t-value"})
	j := sends("post", url+"/roll?to=1")
	set(&j, "headers", map[string]string{"authorization": "Bearer $TOKEN", "Host": "checkout.test"})
	set(&j, "secrets", []string{"TOKEN"})
	set(&j, "body", `{"to":"1.4.1"}`)
	got := r.Run(t.Context(), j, nil)
	expect(t, got, runbook.Succeeded, "")
	want := "POST /roll?to=1 host=checkout.test auth=Bearer [redacted TOKEN] key=20261122-k3jq5zabcd/deploy/1" +
		` type=application/json body={"to":"1.4.1"}`
	if got.Log != want {
		t.Errorf("log %q", got.Log)
	}
	if got.Facts["status"] != "200" || got.Facts["method"] != "POST" || got.Facts["url"] != url+"/roll" {
		t.Errorf("facts %v", got.Facts)
	}
	if got := r.Run(t.Context(), sends("", url+"/"), nil); !strings.Contains(got.Log, "GET / host=127") ||
		!strings.Contains(got.Log, "key= ") {
		t.Errorf("a plain request is %q", got.Log)
	}
}

func TestHTTPOutput(t *testing.T) {
	tests := map[string]struct {
		status                int
		body, output, problem string
	}{
		"object":    {200, `{"rate":0.5}`, `{"rate":0.5}`, ""},
		"no object": {200, `[1]`, "", "not one JSON object"},
		"failure":   {503, `{"rate":0.5}`, "", "503 Service Unavailable"},
		"too long":  {200, `{"a":"` + strings.Repeat("x", outputLimit) + `"}`, "", "larger than"},
	}
	r := newRunner(t, nil)
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			j := sends("GET", serve(t, func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(tt.status)
				_, _ = io.WriteString(w, tt.body)
			}))
			j.HasOutput = true
			got := r.Run(t.Context(), j, nil)
			if tt.problem == "" {
				expect(t, got, runbook.Succeeded, "")
			} else {
				expect(t, got, runbook.Failed, tt.problem)
			}
			if string(got.Output) != tt.output || (got.Log == "") != (tt.output != "") {
				t.Errorf("output %.40q, log %.40q", got.Output, got.Log)
			}
		})
	}
}

func TestHTTPFailures(t *testing.T) {
	header := sends("GET", "http://127.0.0.1:1/")
	set(&header, "headers", map[string]string{"X-Key": "$OTHER"})
	split := sends("GET", "http://127.0.0.1:1/")
	set(&split, "headers", map[string]string{"X-Key": "a\r\nX-Evil: b"})
	tests := map[string]struct {
		job  Job
		want string
	}{
		"scheme":         {sends("GET", "file:///etc/passwd"), "want http or https"},
		"no host":        {sends("GET", "http:///x"), "want http or https and a host"},
		"no url":         {sends("GET", "http://[::1?secret=x"), "cannot be parsed"},
		"method":         {sends("G ET", "http://127.0.0.1/"), "cannot be made"},
		"unlisted":       {header, "$OTHER is not among the step's secrets"},
		"split header":   {split, "invalid header field value"},
		"nobody listens": {sends("POST", "http://127.0.0.1:1/?secret=x"), "connection refused"},
	}
	r := newRunner(t, nil)
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := r.Run(t.Context(), tt.job, nil)
			expect(t, got, runbook.Failed, tt.want)
			if strings.Contains(got.Error, "secret=x") || strings.Contains(got.Facts["url"], "secret=x") {
				t.Errorf("the query is in %q or %q", got.Error, got.Facts["url"])
			}
		})
	}
}

// Whether a request that changes something was carried out cannot be told from an answer that never came.
func TestHTTPLostAnswer(t *testing.T) {
	url := serve(t, func(w http.ResponseWriter, q *http.Request) {
		_, _ = io.Copy(io.Discard, q.Body)
		panic(http.ErrAbortHandler)
	})
	r := newRunner(t, nil)
	expect(t, r.Run(t.Context(), sends("POST", url), nil), runbook.Unknown, "whether it took effect is unknown")
	expect(t, r.Run(t.Context(), sends("GET", url), nil), runbook.Failed, "EOF")
}

func TestHTTPIsSentOnce(t *testing.T) {
	var requests atomic.Int32
	url := serve(t, func(w http.ResponseWriter, q *http.Request) {
		requests.Add(1)
		panic(http.ErrAbortHandler)
	})
	expect(t, newRunner(t, nil).Run(t.Context(), sends("DELETE", url), nil), runbook.Unknown, "")
	if n := requests.Load(); n != 1 {
		t.Errorf("%d requests", n)
	}
}

func TestHTTPTimeout(t *testing.T) {
	url := serve(t, func(w http.ResponseWriter, q *http.Request) { <-q.Context().Done() })
	j := sends("POST", url)
	j.Timeout = time.Second
	expect(t, newRunner(t, nil).Run(t.Context(), j, nil), runbook.TimedOut, "whether it took effect is unknown")
}

func TestHTTPBodyIsBounded(t *testing.T) {
	const size = 8 << 20
	url := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, strings.Repeat("0123456\n", size/8))
	})
	got := newRunner(t, nil).Run(t.Context(), sends("GET", url), nil)
	expect(t, got, runbook.Succeeded, "")
	if len(got.Log) > logLimit+200 || len(got.Cut) != 1 || got.Cut[0].Name != "body" || got.Cut[0].Bytes != size {
		t.Errorf("log of %d bytes, cut %+v", len(got.Log), got.Cut)
	}
}

func TestHTTPDoesNotDecompress(t *testing.T) {
	url := serve(t, func(w http.ResponseWriter, q *http.Request) {
		if q.Header.Get("Accept-Encoding") != "" {
			t.Errorf("asked for %s", q.Header.Get("Accept-Encoding"))
		}
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		_, _ = z.Write(make([]byte, 8<<20))
		_ = z.Close()
	})
	got := newRunner(t, nil).Run(t.Context(), sends("GET", url), nil)
	expect(t, got, runbook.Succeeded, "")
	if len(got.Cut) != 0 {
		t.Errorf("a bomb of 8 MiB was unpacked: %+v", got.Cut)
	}
}

// redirector answers with a redirect to another origin, which records the headers that reach it.
func redirector(t *testing.T, status int) (from string, seen *atomic.Pointer[http.Header]) {
	t.Helper()
	seen = new(atomic.Pointer[http.Header])
	to := serve(t, func(w http.ResponseWriter, q *http.Request) { seen.Store(&q.Header) })
	from = serve(t, func(w http.ResponseWriter, q *http.Request) {
		if q.URL.Path == "/same" {
			http.Redirect(w, q, "/end", status)
		} else if q.URL.Path != "/end" {
			http.Redirect(w, q, to+"/", status)
		} else if q.Header.Get("X-Api-Key") == "" {
			w.WriteHeader(http.StatusUnauthorized)
		}
	})
	return from, seen
}

func TestHTTPRedirectLeavesTheHeadersBehind(t *testing.T) {
	from, seen := redirector(t, http.StatusFound)
	r := newRunner(t, map[string]string{"TOKEN": "s3cr3t-value"})
	j := sends("GET", strings.Replace(from, "http://", "http://user:password@", 1)+"/?query=private")
	set(&j, "headers", map[string]string{"Authorization": "Bearer $TOKEN", "X-Api-Key": "$TOKEN", "Cookie": "a=b"})
	set(&j, "secrets", []string{"TOKEN"})
	expect(t, r.Run(t.Context(), j, nil), runbook.Succeeded, "")
	if seen.Load() == nil {
		t.Fatal("not redirected")
	}
	for name := range *seen.Load() {
		if name != "User-Agent" {
			t.Errorf("%s reached the other host: %q", name, seen.Load().Get(name))
		}
	}
	set(&j, "url", from+"/same")
	expect(t, r.Run(t.Context(), j, nil), runbook.Succeeded, "")
}

func TestHTTPChangesAreNotRedirected(t *testing.T) {
	for _, status := range []int{301, 302, 307, 308} {
		from, seen := redirector(t, status)
		expect(t, newRunner(t, nil).Run(t.Context(), sends("POST", from), nil), runbook.Failed, "are not redirected")
		if seen.Load() != nil {
			t.Errorf("status %d was followed", status)
		}
	}
	from, _ := redirector(t, http.StatusSeeOther)
	expect(t, newRunner(t, nil).Run(t.Context(), sends("POST", from), nil), runbook.Succeeded, "")
}

func TestHTTPRedirectsEnd(t *testing.T) {
	url := serve(t, func(w http.ResponseWriter, q *http.Request) { http.Redirect(w, q, "/", http.StatusFound) })
	expect(t, newRunner(t, nil).Run(t.Context(), sends("GET", url), nil), runbook.Failed, "redirected more than 5 times")
	url = serve(t, func(w http.ResponseWriter, q *http.Request) {
		http.Redirect(w, q, "file:///etc/passwd", http.StatusFound)
	})
	expect(t, newRunner(t, nil).Run(t.Context(), sends("GET", url), nil), runbook.Failed, "refused")
}

func TestHTTPRefusesInternalAddresses(t *testing.T) {
	reached := false
	url := serve(t, func(http.ResponseWriter, *http.Request) { reached = true })
	r := newRunner(t, nil)
	r.cfg.PrivateNetworks = false
	for _, to := range []string{url, strings.Replace(url, "127.0.0.1", "localhost", 1), strings.Replace(url, "127.0.0.1", "[::ffff:127.0.0.1]", 1)} {
		expect(t, r.Run(t.Context(), sends("POST", to), nil), runbook.Failed, "not allowed by this runner's configuration")
	}
	if reached {
		t.Error("the request arrived")
	}
	for _, to := range []string{"http://169.254.169.254/latest/meta-data/", "http://0.0.0.0/", "http://[fd00:ec2::254]/"} {
		expect(t, newRunner(t, nil).Run(t.Context(), sends("GET", to), nil), runbook.Failed, "out of bounds")
	}
}

func TestHTTPRedirectToMetadataIsRefused(t *testing.T) {
	url := serve(t, func(w http.ResponseWriter, q *http.Request) {
		http.Redirect(w, q, "http://169.254.169.254/latest/meta-data/", http.StatusFound)
	})
	expect(t, newRunner(t, nil).Run(t.Context(), sends("GET", url), nil), runbook.Failed, "169.254.169.254: link-local")
}

// A name that answers differently each time: the address that is connected to is checked, not one asked before.
func TestHTTPAnswerOfTheResolverThatChanges(t *testing.T) {
	url := serve(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	_, port, err := net.SplitHostPort(strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	r := newRunner(t, nil)
	r.resolver = fakeResolver(t, [4]byte{127, 0, 0, 1}, [4]byte{169, 254, 169, 254})
	j := sends("GET", "http://rebind.test:"+port+"/")
	expect(t, r.Run(t.Context(), j, nil), runbook.Succeeded, "")
	expect(t, r.Run(t.Context(), j, nil), runbook.Failed, "out of bounds")
}
