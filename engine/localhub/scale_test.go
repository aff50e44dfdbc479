package localhub_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/pullbook/pullbook/engine/localhub/state"
)

// fill makes pull requests without branches, nine of ten closed.
func fill(t testing.TB, w *world, repo string, n int) {
	t.Helper()
	store := w.hub.Store()
	alice, err := store.Account("alice")
	if err != nil {
		t.Fatal(err)
	}
	a := state.Actor{User: alice, Base: w.url}
	for i := range n {
		sha := fmt.Sprintf("%040x", i+1)
		p, err := store.CreatePull(a, repo, state.NewPull{
			Title: fmt.Sprintf("Incident %d", i), Body: strings.Repeat("text ", 100), Stats: state.Stats{Commits: 1},
			Base: state.Tip{Ref: "main", SHA: sha}, Head: state.Tip{Ref: fmt.Sprintf("incident/%d", i), SHA: sha},
		})
		if err == nil && i%10 != 0 {
			closed := "closed"
			_, err = store.EditPull(a, repo, p.Number, state.PullEdit{State: &closed})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

const manyPulls = 10_000

// looks are the requests that a person or a client makes among many pull requests.
func looks() []string {
	return []string{
		"/api/v3/repos/acme/open/pulls?per_page=100", "/api/v3/repos/acme/open/pulls?state=all&per_page=100&page=50",
		"/api/v3/repos/acme/open/pulls?state=all&head=acme:incident/5000", "/api/v3/repos/acme/open/pulls?state=all&sort=updated&per_page=100",
		"/acme/open/pulls", "/acme/open/pulls?state=closed", "/",
	}
}

// look gets one of them as alice.
func look(t testing.TB, w *world, path string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.url+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if strings.HasPrefix(path, "/api/") {
		req.Header.Set("Authorization", "Bearer alice-token")
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %d %.200s %v", path, resp.StatusCode, text, err)
	}
}

// TestManyPullRequests looks at lists and pages among 10,000 pull requests, before and after a restart. How fast that is,
// BenchmarkManyPullRequests measures.
func TestManyPullRequests(t *testing.T) {
	if testing.Short() {
		t.Skip("10,000 pull requests take some seconds")
	}
	w := newWorld(t, "")
	fill(t, w, "acme/open", manyPulls)
	for _, path := range looks() {
		look(t, w, path)
	}
	again := reopen(t, w)
	open, closed, err := again.hub.Store().PullCounts("acme/open")
	if err != nil || open+closed != manyPulls {
		t.Fatalf("after a restart: %d open, %d closed, %v", open, closed, err)
	}
}

func BenchmarkManyPullRequests(b *testing.B) {
	w := benchWorld(b)
	fill(b, w, "acme/open", manyPulls)
	for _, path := range looks() {
		b.Run(strings.ReplaceAll(path, "/", "_"), func(b *testing.B) {
			for b.Loop() {
				look(b, w, path)
			}
		})
	}
}

// deliver makes comments and waits until a fast receiver has them all; it fails unless each came once and in order.
func deliver(t testing.TB, n int) (rate float64) {
	t.Helper()
	got := make(chan string, n+10)
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var o struct{ Comment struct{ Body string } }
		if err := json.NewDecoder(r.Body).Decode(&o); err != nil {
			t.Error(err)
		}
		if r.Header.Get("X-GitHub-Event") == "issue_comment" {
			got <- o.Comment.Body
		}
	}))
	t.Cleanup(srv.Close)
	w := openWorld(t, t.TempDir(), srv.URL)
	fill(t, w, "acme/ops", 1)
	store := w.hub.Store()
	alice, err := store.Account("alice")
	if err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	for i := range n {
		if _, err := store.AddComment(state.Actor{User: alice, Base: w.url}, "acme/ops", 1, fmt.Sprint(i)); err != nil {
			t.Fatal(err)
		}
	}
	for i := range n {
		select {
		case body := <-got:
			if body != fmt.Sprint(i) {
				t.Fatalf("delivery %d is of comment %s", i, body)
			}
		case <-time.After(30 * time.Second):
			t.Fatalf("only %d of %d arrived", i, n)
		}
	}
	return float64(n) / time.Since(begin).Seconds()
}

// TestDeliveriesKeepUp sends a thousand webhooks in a row: each arrives once and in order. The rate is the benchmark's.
func TestDeliveriesKeepUp(t *testing.T) { deliver(t, 1000) }

func BenchmarkDeliveries(b *testing.B) {
	b.ReportMetric(deliver(b, max(b.N, 5000)), "deliveries/s")
}
