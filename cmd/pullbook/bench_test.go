package main

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"
)

// BenchmarkAlertToPull is the time from the POST of an alert to its open pull request on the local hub, limits off, with
// everything real in one process: HTTP, inbox, evaluation in a child process, git, the hub's REST. p50-ms is the median; the issue asks for
// at most 500. calls/incident is what the engine asks of the hub until an incident waits for people (the last incident's may be
// cut short), and pushes/incident how often it pushes.
func BenchmarkAlertToPull(b *testing.B) {
	if _, err := exec.LookPath("git"); err != nil {
		b.Skip("git is not installed")
	}
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	w, err := newWorld(ctx, stage{dir: b.TempDir(), listen: "127.0.0.1:0"})
	if err != nil {
		b.Fatal(err)
	}
	defer w.close()
	opened := make(chan struct{}, 1)
	handler := w.server.Handler
	w.server.Handler = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		handler.ServeHTTP(rw, r)
		if r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/pulls") {
			opened <- struct{}{}
		}
	})
	svc, err := w.service(ctx, slog.New(slog.DiscardHandler), nil)
	if err != nil {
		b.Fatal(err)
	}
	stopped := make(chan error, 1)
	go func() { stopped <- svc.run(ctx) }()
	before := w.requests()
	times := alertToPull(b, "http://"+svc.listener.Addr().String(), opened)
	cancel()
	if err := <-stopped; err != nil {
		b.Error(err)
	}
	svc.close()
	report(b, w, before, times)
}

// alertToPull sends an alert of a group of its own for each iteration, one after the other.
func alertToPull(b *testing.B, engine string, opened <-chan struct{}) (times []time.Duration) {
	for i := 0; b.Loop(); i++ {
		body := fmt.Sprintf(`{"name": "Bench", "group": "bench-%d", "labels": {"service": "bench"}}`, i)
		start := time.Now()
		resp, err := http.Post(engine+"/alerts/generic", "application/json", bytes.NewReader([]byte(body)))
		if err != nil {
			b.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusAccepted {
			b.Fatalf("the alert was answered %s", resp.Status)
		}
		<-opened
		times = append(times, time.Since(start))
	}
	return times
}

func report(b *testing.B, w *world, before tallied, times []time.Duration) {
	slices.Sort(times)
	after, n := w.requests(), float64(len(times))
	b.ReportMetric(float64(times[len(times)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(times[len(times)*9/10].Microseconds())/1000, "p90-ms")
	b.ReportMetric(float64(after.calls-before.calls)/n, "calls/incident")
	b.ReportMetric(float64(after.pushes-before.pushes)/n, "pushes/incident")
}

// tallied are requests to the hub.
type tallied struct{ calls, pushes int }

// requests counts all requests so far. Nobody but the engine makes any in the benchmark.
func (w *world) requests() (n tallied) {
	w.count.mu.Lock()
	defer w.count.mu.Unlock()
	for call, times := range w.count.count {
		n.calls += times
		if strings.Contains(call, "git-receive-pack") {
			n.pushes += times
		}
	}
	return n
}
