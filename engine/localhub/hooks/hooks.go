// Package hooks sends the hub's webhooks. They follow from the state's events and from nothing else.
//
//	delivery      one call of one App's hook; it has a GUID, which a redelivery keeps
//	log           what was sent and answered, kept by the state for GET /app/hook/deliveries
//
//	state ── Event ──> queue ── payload per installation ──> one line per App ── POST, signed ──> log
//
// An App gets its deliveries one after the other, in the order of the mutations; Apps do not wait for each other, and
// nobody who changes the state waits for a receiver. An answer other than 2xx, or none within ten seconds, is a failed
// delivery. As on GitHub nothing is sent again by itself: POST .../attempts does it, and receivers must look for
// themselves. Unlike GitHub nothing arrives out of order.
//
// The package follows no redirects, keeps nothing across a restart, and gives up what is still queued when it is closed.
package hooks

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/pullbook/pullbook/engine/localhub/state"
	"github.com/pullbook/pullbook/engine/localhub/wire"
)

// Timeout is how long a receiver has, as on GitHub.
const Timeout = 10 * time.Second

// maxQueued bounds what waits for one slow receiver; what comes on top is logged as failed.
const maxQueued = 10000

// maxReply is how much of a receiver's answer is kept.
const maxReply = 64 << 10

// A Sender delivers webhooks. Make one with New and end it with Close.
type Sender struct {
	store  *state.Store
	logger *slog.Logger
	client *http.Client
	events *queue[state.Event]
	stop   context.CancelFunc
	ctx    context.Context
	done   sync.WaitGroup

	mu    sync.Mutex
	lines map[int64]*queue[job]
}

// job is one delivery to make.
type job struct {
	app                  state.App
	guid, event, action  string
	installation, target int64
	payload              []byte
	redelivery           bool
}

// New subscribes to the store and starts to deliver.
func New(store *state.Store, logger *slog.Logger) *Sender {
	ctx, stop := context.WithCancel(context.Background())
	s := &Sender{
		store: store, logger: logger, events: newQueue[state.Event](), ctx: ctx, stop: stop, lines: map[int64]*queue[job]{},
		client: &http.Client{
			Timeout:       Timeout,
			Transport:     &http.Transport{Proxy: http.ProxyFromEnvironment, IdleConnTimeout: time.Minute},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
	store.Subscribe(func(e state.Event) { s.events.put(e) })
	s.done.Go(s.dispatch)
	return s
}

// Close stops deliveries and waits for those under way to be cut off.
func (s *Sender) Close() {
	s.stop()
	s.events.close()
	s.mu.Lock()
	for _, l := range s.lines {
		l.close()
	}
	s.mu.Unlock()
	s.done.Wait()
	s.client.CloseIdleConnections()
}

func (s *Sender) dispatch() {
	for {
		e, ok := s.events.take()
		if !ok {
			return
		}
		for _, in := range s.store.Listening(e) {
			payload, err := json.Marshal(wire.Payload(e, in))
			if err != nil {
				s.logger.Error("render a webhook", "event", e.Name, "error", err)
				continue
			}
			s.enqueue(job{
				app: in.App, guid: newGUID(), event: e.Name, action: e.Action, installation: in.ID, target: e.Repo.ID, payload: payload,
			})
		}
	}
}

func (s *Sender) enqueue(j job) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l, ok := s.lines[j.app.ID]
	if !ok {
		if s.ctx.Err() != nil {
			return
		}
		l = newQueue[job]()
		s.lines[j.app.ID] = l
		s.done.Go(func() { s.work(l) })
	}
	if l.len() >= maxQueued {
		d := s.record(j)
		d.Status = "too many deliveries are waiting"
		s.store.LogDelivery(d)
		return
	}
	l.put(j)
}

func (s *Sender) work(l *queue[job]) {
	for {
		j, ok := l.take()
		if !ok {
			return
		}
		s.store.LogDelivery(s.deliver(j))
	}
}

// Ping sends the event with which GitHub tries out a hook.
func (s *Sender) Ping(app *state.App, base string) {
	if app.Hook.URL == "" {
		return
	}
	hook := wire.Object{
		"type": "App", "id": app.Hook.ID, "name": "web", "active": true, "app_id": app.ID, "events": app.Events,
		"config": wire.Host(base).Hook(app.Hook),
	}
	payload, err := json.Marshal(wire.Object{"zen": "Keep it logically awesome.", "hook_id": app.Hook.ID, "hook": hook})
	if err != nil {
		s.logger.Error("render a ping", "error", err)
		return
	}
	s.enqueue(job{app: *app, guid: newGUID(), event: "ping", payload: payload})
}

// Redeliver sends a logged delivery again, with its old GUID, to where the hook points now.
func (s *Sender) Redeliver(app *state.App, d *state.Delivery) {
	s.enqueue(job{
		app: *app, guid: d.GUID, event: d.Event, action: d.Action, installation: d.Installation, target: d.Repository,
		payload: d.Payload, redelivery: true,
	})
}

func (s *Sender) record(j job) state.Delivery {
	return state.Delivery{
		ID: s.store.NewDelivery(), App: j.app.ID, GUID: j.guid, Event: j.event, Action: j.action, Installation: j.installation,
		Repository: j.target, Delivered: s.store.Now(), Redelivery: j.redelivery, URL: j.app.Hook.URL, Payload: j.payload,
	}
}

func (s *Sender) deliver(j job) state.Delivery {
	d := s.record(j)
	req, err := http.NewRequestWithContext(s.ctx, http.MethodPost, j.app.Hook.URL, bytes.NewReader(j.payload))
	if err != nil {
		d.Status = "the hook's url cannot be called"
		return d
	}
	d.Headers = headers(j)
	for k, v := range d.Headers {
		req.Header.Set(k, v)
	}
	begin := time.Now()
	resp, err := s.client.Do(req)
	d.Duration = time.Since(begin)
	if err != nil {
		d.Status = reason(err)
		return d
	}
	defer resp.Body.Close()
	reply, err := io.ReadAll(io.LimitReader(resp.Body, maxReply))
	if err != nil {
		s.logger.Debug("read a webhook's answer", "guid", j.guid, "error", err)
	}
	d.Code, d.Status, d.Reply, d.ReplyHeaders = resp.StatusCode, http.StatusText(resp.StatusCode), string(reply), map[string]string{}
	for k := range resp.Header {
		d.ReplyHeaders[k] = resp.Header.Get(k)
	}
	return d
}

func reason(err error) string {
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		return "timed out"
	}
	return "failed to connect to host"
}

// headers are those of "Webhook events and payloads" in GitHub's documentation.
func headers(j job) map[string]string {
	h := map[string]string{
		"Accept": "*/*", "Content-Type": "application/json", "User-Agent": "GitHub-Hookshot/localhub",
		"X-GitHub-Event": j.event, "X-GitHub-Delivery": j.guid, "X-GitHub-Hook-ID": strconv.FormatInt(j.app.Hook.ID, 10),
		"X-GitHub-Hook-Installation-Target-ID":   strconv.FormatInt(j.app.ID, 10),
		"X-GitHub-Hook-Installation-Target-Type": "integration",
	}
	if j.app.Hook.Secret != "" {
		mac := hmac.New(sha256.New, []byte(j.app.Hook.Secret))
		mac.Write(j.payload)
		h["X-Hub-Signature-256"] = "sha256=" + hex.EncodeToString(mac.Sum(nil))
	}
	return h
}

// newGUID is a random UUID (RFC 9562, version 4).
func newGUID() string {
	var b [16]byte
	rand.Read(b[:]) // never fails: crypto/rand aborts the program instead
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
