package localhub_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-github/v60/github"
)

// TestUnsentWebhooksAreSentByTheNextHub ends a hub while its receiver does not answer: the next hub sends what was under
// way and what waited behind it, in order, and the delivery that was cut off has the GUID that it had.
func TestUnsentWebhooksAreSentByTheNextHub(t *testing.T) {
	type call struct{ event, guid string }
	calls := make(chan call, 100)
	var deaf atomic.Bool
	deaf.Store(true)
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		calls <- call{r.Header.Get("X-GitHub-Event"), r.Header.Get("X-GitHub-Delivery")}
		if deaf.Load() {
			_, _ = io.Copy(io.Discard, r.Body) // only then the server notices that the client has gone
			<-r.Context().Done()
		}
	}))
	t.Cleanup(srv.Close)
	wait := func() call {
		t.Helper()
		select {
		case c := <-calls:
			return c
		case <-time.After(10 * time.Second):
			t.Fatal("no webhook came")
			return call{}
		}
	}
	w := newWorld(t, srv.URL)
	w.commit(w.clone(), "incident/1", "one.txt", "1\n")
	first := wait()
	w.openPull("incident/1")
	w.close()
	deaf.Store(false)
	openWorld(t, w.dir, srv.URL)
	if again := wait(); again != first {
		t.Errorf("first came %v, and not %v again", again, first)
	}
	for _, want := range []string{"push", "check_suite", "pull_request"} {
		if got := wait(); got.event != want {
			t.Errorf("%s came in place of %s", got.event, want)
		}
	}
}

// A ping has no event that the next hub could send it for: the log of deliveries says that it was not sent.
func TestUnsentPingIsInTheLog(t *testing.T) {
	came := make(chan string, 10)
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // only then the server notices that the client has gone
		came <- r.Header.Get("X-GitHub-Event")
		<-r.Context().Done()
	}))
	t.Cleanup(srv.Close)
	w := newWorld(t, "")
	url := srv.URL
	for range 2 { // one under way, one waiting
		if _, _, err := w.jwt(appID).Apps.UpdateHookConfig(t.Context(), &github.HookConfig{URL: &url}); err != nil {
			t.Fatal(err)
		}
		url += "/again"
	}
	if got := <-came; got != "ping" {
		t.Fatalf("%s came first", got)
	}
	w = reopen(t, w)
	list, _, err := w.jwt(appID).Apps.ListHookDeliveries(t.Context(), nil)
	if err != nil || len(list) != 2 {
		t.Fatalf("deliveries: %v %v", list, err)
	}
	for _, d := range list {
		if d.GetEvent() != "ping" || d.GetStatusCode() != 0 || d.GetStatus() != "the hub ended before it was sent" {
			t.Errorf("a delivery: %v", d)
		}
	}
}
