package intake

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pullbook/pullbook/engine/incident"
)

const secret = "correct horse battery staple"

// store is an inbox in memory, which can be told to fail.
type store struct {
	mu     sync.Mutex
	alerts []incident.Alert
	fail   func(incident.Alert) error
}

func (s *store) put(_ context.Context, a incident.Alert) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fail != nil {
		if err := s.fail(a); err != nil {
			return err
		}
	}
	s.alerts = append(s.alerts, a)
	return nil
}

func (s *store) config() Config {
	return Config{Token: func(string) string { return secret }, Put: s.put}
}

// post is a request with the right token, from a loopback address.
func post(path, body string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+secret)
	r.RemoteAddr = "127.0.0.1:40000"
	return r
}

func serve(t *testing.T, c Config, r *http.Request) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	NewHandler(c).ServeHTTP(w, r)
	if got := w.Header().Get("Content-Type"); got != "application/json" || !json.Valid(w.Body.Bytes()) {
		t.Errorf("answer is %s: %s", got, w.Body)
	}
	return w
}

func refusalOf(t *testing.T, w *httptest.ResponseRecorder) string {
	t.Helper()
	var r refusal
	if err := json.Unmarshal(w.Body.Bytes(), &r); err != nil || strings.Count(r.Error, ": ") < 1 || !strings.Contains(r.Error, "; ") {
		t.Errorf("not place, problem, hint: %q, %v", r.Error, err)
	}
	return r.Error
}

func TestAcceptedOnlyOnceAllIsDurable(t *testing.T) {
	s := &store{}
	w := serve(t, s.config(), post("/alerts/generic", `[{"name":"A"},{"name":"B"},{"name":"A"}]`))
	var got receipt
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || w.Code != http.StatusAccepted || got.Accepted != 3 || len(s.alerts) != 3 {
		t.Fatalf("%d %s, %d stored", w.Code, w.Body, len(s.alerts))
	}
	if want := []string{s.alerts[0].Group, s.alerts[1].Group, s.alerts[0].Group}; !slices.Equal(got.Groups, want) {
		t.Errorf("groups %v, want %v", got.Groups, want)
	}

	var log bytes.Buffer
	s = &store{fail: func(a incident.Alert) error {
		if a.Name == "B" {
			return errors.New("disk of /var/lib/private is full")
		}
		return nil
	}}
	c := s.config()
	c.Logger = slog.New(slog.NewTextHandler(&log, nil))
	w = serve(t, c, post("/alerts/generic", `[{"name":"A"},{"name":"B"}]`))
	if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" {
		t.Errorf("%d %v", w.Code, w.Header())
	}
	if text := refusalOf(t, w); strings.Contains(text, "private") || !strings.Contains(log.String(), "private") {
		t.Errorf("the cause belongs into the log alone: %s; log: %s", text, log.String())
	}
}

func TestRealNotificationIsAccepted(t *testing.T) {
	body, err := os.ReadFile("testdata/alertmanager/firing.json")
	if err != nil {
		t.Fatal(err)
	}
	s := &store{}
	if w := serve(t, s.config(), post("/alerts/alertmanager", string(body))); w.Code != http.StatusAccepted || len(s.alerts) != 1 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	if got := s.alerts[0]; got.Name != "HighErrorRate" || len(got.Alerts) != 2 {
		t.Errorf("stored %+v", got)
	}
}

func TestRefusalsStoreNothing(t *testing.T) {
	const good = `{"name":"A"}`
	large := `{"name":"A","labels":{"x":"` + strings.Repeat("x", MaxBody) + `"}}`
	unknownLength := post("/alerts/generic", large)
	unknownLength.ContentLength = -1
	for name, c := range map[string]struct {
		request *http.Request
		status  int
		header  string
	}{
		"method":         {httptest.NewRequest(http.MethodGet, "/alerts/generic", nil), 405, "Allow"},
		"source":         {post("/alerts/grafana", good), 404, ""},
		"path":           {post("/alerts/generic/more", good), 404, ""},
		"declared size":  {post("/alerts/generic", large), 413, ""},
		"size":           {unknownLength, 413, ""},
		"no token":       {header(post("/alerts/generic", good), "Authorization"), 401, "WWW-Authenticate"},
		"wrong token":    {header(post("/alerts/generic", good), "Authorization", "Bearer correct"), 401, "WWW-Authenticate"},
		"two tokens":     {header(post("/alerts/generic", good), "Authorization", "Bearer "+secret, "Bearer "+secret), 401, "WWW-Authenticate"},
		"scheme":         {header(post("/alerts/generic", good), "Authorization", "Basic "+secret), 401, "WWW-Authenticate"},
		"encoding":       {header(post("/alerts/generic", good), "Content-Encoding", "gzip"), 415, ""},
		"not json":       {post("/alerts/generic", "name=A"), 400, ""},
		"second invalid": {post("/alerts/generic", `[{"name":"A"},{"name":""}]`), 400, ""},
		"other format":   {post("/alerts/alertmanager", good), 400, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := &store{}
			w := serve(t, s.config(), c.request)
			if w.Code != c.status || len(s.alerts) != 0 {
				t.Errorf("%d %s, %d stored", w.Code, w.Body, len(s.alerts))
			}
			if c.header != "" && w.Header().Get(c.header) == "" {
				t.Errorf("no header %s", c.header)
			}
			if text := refusalOf(t, w); strings.Contains(text, secret) {
				t.Errorf("the answer holds the token: %s", text)
			}
		})
	}
}

// header replaces all values of a header.
func header(r *http.Request, name string, values ...string) *http.Request {
	r.Header[name] = values
	return r
}

// unread fails the test when the body of a request that should be refused before is read.
type unread struct{ t *testing.T }

func (u unread) Read([]byte) (int, error) {
	u.t.Error("the body was read")
	return 0, io.EOF
}

func TestBodyIsReadOnlyForTheRightTokenAndSize(t *testing.T) {
	large := httptest.NewRequest(http.MethodPost, "/alerts/generic", unread{t})
	large.Header.Set("Authorization", "Bearer "+secret)
	large.ContentLength = MaxBody + 1
	if w := serve(t, (&store{}).config(), large); w.Code != http.StatusRequestEntityTooLarge {
		t.Errorf("%d", w.Code)
	}
	r := httptest.NewRequest(http.MethodPost, "/alerts/generic", unread{t})
	if w := serve(t, (&store{}).config(), r); w.Code != http.StatusUnauthorized {
		t.Errorf("%d", w.Code)
	}
}

func TestWithoutATokenOnlyProgramsOnThisMachinePost(t *testing.T) {
	anonymous := func(remote string) *http.Request {
		r := httptest.NewRequest(http.MethodPost, "/alerts/generic", strings.NewReader(`{"name":"A"}`))
		r.RemoteAddr = remote
		return r
	}
	tokens := func(source string) string {
		if source == Generic {
			return ""
		}
		return secret
	}
	for name, c := range map[string]struct {
		request *http.Request
		token   func(string) string
		allow   bool
		status  int
	}{
		"not allowed":          {anonymous("127.0.0.1:1"), tokens, false, 401},
		"no tokens at all":     {anonymous("127.0.0.1:1"), nil, false, 401},
		"loopback":             {anonymous("127.0.0.1:1"), tokens, true, 202},
		"loopback, version 6":  {anonymous("[::1]:1"), nil, true, 202},
		"loopback, mapped":     {anonymous("[::ffff:127.0.0.1]:1"), nil, true, 202},
		"network":              {anonymous("192.0.2.1:1"), tokens, true, 401},
		"no address":           {anonymous("@"), tokens, true, 401},
		"browser":              {header(anonymous("127.0.0.1:1"), "Origin", "null"), tokens, true, 401},
		"proxy":                {header(anonymous("127.0.0.1:1"), "X-Forwarded-For", "192.0.2.1"), tokens, true, 401},
		"proxy, RFC 7239":      {header(anonymous("127.0.0.1:1"), "Forwarded", "for=192.0.2.1"), tokens, true, 401},
		"empty token is given": {header(anonymous("127.0.0.1:1"), "Authorization", "Bearer "), tokens, false, 401},
		"token is set":         {anonymous("127.0.0.1:1"), func(string) string { return secret }, true, 401},
	} {
		s := &store{}
		w := serve(t, Config{Token: c.token, AllowAnonymous: c.allow, Put: s.put}, c.request)
		if stored := len(s.alerts) == 1; w.Code != c.status || stored != (c.status == 202) {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
}

func TestABugAnswers500AndTheNextRequestIsServed(t *testing.T) {
	first := true
	s := &store{fail: func(incident.Alert) error {
		if first {
			first = false
			panic("password=hunter2")
		}
		return nil
	}}
	var log bytes.Buffer
	c := s.config()
	c.Logger = slog.New(slog.NewTextHandler(&log, nil))
	h := NewHandler(c)
	for i, want := range []int{http.StatusInternalServerError, http.StatusAccepted} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, post("/alerts/generic", `{"name":"A"}`))
		if w.Code != want || strings.Contains(w.Body.String()+log.String(), "hunter2") {
			t.Errorf("request %d: %d %s, log %s", i, w.Code, w.Body, log.String())
		}
	}
}

// deadlines is a writer that records the deadlines set for reading.
type deadlines struct {
	*httptest.ResponseRecorder
	set []time.Time
}

func (d *deadlines) SetReadDeadline(t time.Time) error {
	d.set = append(d.set, t)
	return nil
}

// Left in place, the deadline for the body would end the context that Put is given.
func TestTheDeadlineOfTheBodyEndsBeforePut(t *testing.T) {
	w := &deadlines{ResponseRecorder: httptest.NewRecorder()}
	s := &store{fail: func(incident.Alert) error {
		if len(w.set) != 2 || w.set[0].IsZero() || !w.set[1].IsZero() {
			t.Errorf("deadlines %v", w.set)
		}
		return nil
	}}
	NewHandler(s.config()).ServeHTTP(w, post("/alerts/generic", `{"name":"A"}`))
	if w.Code != http.StatusAccepted {
		t.Errorf("%d", w.Code)
	}
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func TestABodyThatStopsIsAskedForAgain(t *testing.T) {
	s := &store{}
	r := httptest.NewRequest(http.MethodPost, "/alerts/generic", broken{})
	r.Header.Set("Authorization", "bearer "+secret)
	w := serve(t, s.config(), r)
	if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" || len(s.alerts) != 0 {
		t.Errorf("%d %v", w.Code, w.Header())
	}
}

// Over real connections, more at once than are read at once; and a small body that unpacks to a large one.
func TestOverAConnection(t *testing.T) {
	s := &store{}
	c := s.config()
	c.Put = func(ctx context.Context, a incident.Alert) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		return s.put(ctx, a)
	}
	server := httptest.NewServer(NewHandler(c))
	defer server.Close()
	send := func(body io.Reader, encoding string) int {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+"/alerts/generic", body)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+secret)
		if encoding != "" {
			r.Header.Set("Content-Encoding", encoding)
		}
		answer, err := server.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		if _, err := io.Copy(io.Discard, answer.Body); err != nil {
			t.Fatal(err)
		}
		return answer.StatusCode
	}
	var wg sync.WaitGroup
	for range 4 * bodies {
		wg.Go(func() {
			if status := send(strings.NewReader(`{"name":"A"}`), ""); status != http.StatusAccepted {
				t.Errorf("status %d", status)
			}
		})
	}
	wg.Wait()
	if len(s.alerts) != 4*bodies {
		t.Errorf("%d stored", len(s.alerts))
	}
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	if _, err := z.Write(make([]byte, 2*MaxBody)); err != nil || z.Close() != nil {
		t.Fatal(err)
	}
	if status := send(&packed, "gzip"); status != http.StatusUnsupportedMediaType {
		t.Errorf("gzip: status %d", status)
	}
}

func TestABusyHandlerAsksLaterWhenTheRequestEnds(t *testing.T) {
	entered, release := make(chan struct{}, bodies), make(chan struct{})
	h := NewHandler((&store{}).config())
	var wg sync.WaitGroup
	for range bodies {
		wg.Go(func() {
			r := httptest.NewRequest(http.MethodPost, "/alerts/generic", io.NopCloser(stalled{entered, release}))
			r.Header.Set("Authorization", "Bearer "+secret)
			h.ServeHTTP(httptest.NewRecorder(), r)
		})
	}
	for range bodies {
		<-entered
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, post("/alerts/generic", `{"name":"A"}`).WithContext(ctx))
	if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	close(release)
	wg.Wait()
}

// stalled is a body of which nothing comes until it is released.
type stalled struct {
	entered chan<- struct{}
	release <-chan struct{}
}

func (s stalled) Read([]byte) (int, error) {
	s.entered <- struct{}{}
	<-s.release
	return 0, io.EOF
}
