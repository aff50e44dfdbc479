package door

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"
)

// serve answers a request with what the door says: the body, or the error with status 400.
func serve(t *testing.T, d *Door, most int64) (url string, errs <-chan error) {
	t.Helper()
	failed := make(chan error, 100)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := d.Read(w, r, most)
		if err != nil {
			failed <- err
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		w.Write(body)
	}))
	t.Cleanup(s.Close)
	return s.URL, failed
}

// hold sends the beginning of a body, and no more until the test ends.
func hold(t *testing.T, url, beginning string) {
	t.Helper()
	r, w := io.Pipe()
	ctx, cancel := context.WithCancel(t.Context())
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, r)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if resp, err := http.DefaultClient.Do(req); err == nil {
			resp.Body.Close()
		}
	}()
	if _, err := w.Write([]byte(beginning)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cancel(); w.CloseWithError(io.EOF); <-done })
}

func post(t *testing.T, url, body string) string {
	t.Helper()
	resp, err := http.Post(url, "text/plain", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.Status + " " + string(text)
}

func TestSlowSendersKeepNobodyOut(t *testing.T) {
	d := New(2, time.Hour, 0)
	url, errs := serve(t, d, 100)
	for range 4 {
		hold(t, url, "a")
	}
	if got := post(t, url, "hello"); got != "200 OK hello" {
		t.Error(got)
	}
	for len(errs) > 0 {
		if err := <-errs; !errors.Is(err, ErrSlow) {
			t.Error(err)
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.senders) > 2 {
		t.Errorf("%d senders in 2 places", len(d.senders))
	}
}

// sender that came some time ago and has sent so much.
func (d *Door) put(ago time.Duration, got int64) *sender {
	s := &sender{deadline: func(time.Time) error { return nil }, since: time.Now().Add(-ago)}
	s.got.Store(got)
	d.senders = append(d.senders, s)
	return s
}

func TestTheSlowestGivesWay(t *testing.T) {
	d := New(3, time.Hour, time.Minute)
	d.put(time.Hour, 1<<20)
	slow := d.put(2*time.Minute, 100)
	young := d.put(time.Second, 0)
	if left, _ := d.try(&sender{deadline: func(time.Time) error { return nil }}); left != nil {
		t.Fatal("a newcomer waits although somebody is slow")
	}
	if !slow.slow.Load() || young.slow.Load() || len(d.senders) != 3 {
		t.Error("not the slowest of those who had their moment gave way")
	}
}

func TestNewcomersDoNotPushEachOtherOut(t *testing.T) {
	d := New(1, time.Hour, time.Minute)
	young := d.put(time.Second, 0)
	s := &sender{deadline: func(time.Time) error { return nil }}
	left, wait := d.try(s)
	if left == nil || wait <= 0 || wait > time.Minute || young.slow.Load() {
		t.Fatal("a sender that had only just come was pushed out")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := d.enter(ctx, s); !errors.Is(err, context.Canceled) {
		t.Errorf("who waits at the door cannot leave: %v", err)
	}
	d.leave(young)
	<-left
	if left, _ = d.try(s); left != nil {
		t.Error("a free place is not given")
	}
}

func TestABodyThatEndsLate(t *testing.T) {
	url, errs := serve(t, New(2, 0, time.Hour), 100)
	hold(t, url, "hello")
	if err := <-errs; !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("its time was over: %v", err)
	}
}

func TestBodiesAreBounded(t *testing.T) {
	d := New(1, time.Hour, time.Hour)
	url, errs := serve(t, d, 5)
	if got := post(t, url, "hello"); got != "200 OK hello" {
		t.Error(got)
	}
	post(t, url, "hello!")
	if _, over := errors.AsType[*http.MaxBytesError](<-errs); !over {
		t.Error("a body that is too large was read")
	}
	if got := post(t, url, "again"); got != "200 OK again" {
		t.Error("a place was not given back:", got)
	}
}

func TestAWriterWithoutDeadlines(t *testing.T) {
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader("hello"))
	body, err := New(1, time.Hour, 0).Read(httptest.NewRecorder(), r, 5)
	if string(body) != "hello" || err != nil {
		t.Errorf("%q, %v", body, err)
	}
}
