package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"
)

// toy is the demonstration's checkout service: a real HTTP server on loopback whose bad release answers 500. Its error
// rate is measured over the latest requests, so it falls only as good answers come in after a rollback.
type toy struct {
	server   *http.Server
	listener net.Listener
	url      string

	mu       sync.Mutex
	current  string
	previous string
	latest   [100]bool // whether a request failed, a ring
	requests int
}

const (
	goodRelease = "2.4.1"
	badRelease  = "2.5.0"
)

// startToy serves until the context is done. Shoppers come every two milliseconds.
func startToy(ctx context.Context) (*toy, error) {
	t, err := newToy()
	if err != nil {
		return nil, err
	}
	t.serve(ctx)
	return t, nil
}

// newToy takes an address. Nothing is answered there until serve is called.
func newToy() (*toy, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("start the checkout service: %w", err)
	}
	t := &toy{listener: listener, url: "http://" + listener.Addr().String(), current: badRelease, previous: goodRelease}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /buy", t.buy)
	mux.HandleFunc("GET /metrics.json", t.metrics)
	mux.HandleFunc("GET /version", t.version)
	mux.HandleFunc("POST /rollback", t.rollback)
	t.server = &http.Server{Handler: mux, ReadHeaderTimeout: time.Second}
	return t, nil
}

func (t *toy) serve(ctx context.Context) {
	go t.server.Serve(t.listener) //nolint:errcheck // it ends with ErrServerClosed when the context is done
	go t.shop(ctx)
	context.AfterFunc(ctx, func() { _ = t.server.Close() })
}

// shop sends requests as customers would.
func (t *toy) shop(ctx context.Context) {
	ticker := time.NewTicker(2 * time.Millisecond)
	defer ticker.Stop()
	client := &http.Client{Timeout: time.Second}
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			if resp, err := client.Get(t.url + "/buy"); err == nil {
				_ = resp.Body.Close() // only the status matters to the service's own count
			}
		}
	}
}

func (t *toy) buy(w http.ResponseWriter, _ *http.Request) {
	t.mu.Lock()
	defer t.mu.Unlock()
	failed := t.current == badRelease && t.requests%3 == 0
	t.latest[t.requests%len(t.latest)] = failed
	t.requests++
	if failed {
		http.Error(w, "the basket cannot be read", http.StatusInternalServerError)
		return
	}
	fmt.Fprintln(w, "thank you")
}

func (t *toy) metrics(w http.ResponseWriter, _ *http.Request) {
	t.mu.Lock()
	defer t.mu.Unlock()
	failed := 0
	for _, f := range t.latest {
		if f {
			failed++
		}
	}
	seen := max(1, min(t.requests, len(t.latest)))
	writeJSON(w, map[string]any{"error_rate": float64(failed) / float64(seen), "requests": t.requests})
}

func (t *toy) version(w http.ResponseWriter, _ *http.Request) {
	t.mu.Lock()
	defer t.mu.Unlock()
	writeJSON(w, map[string]string{"current": t.current, "previous": t.previous})
}

func (t *toy) rollback(w http.ResponseWriter, r *http.Request) {
	var to struct{ To string }
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<10)).Decode(&to); err != nil || to.To != goodRelease {
		http.Error(w, "there is no such release", http.StatusBadRequest)
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.current, t.previous = to.To, t.current
	writeJSON(w, map[string]string{"current": t.current})
}

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(v); err != nil {
		http.Error(w, "encode", http.StatusInternalServerError) // unreachable unless the client went away
	}
}
