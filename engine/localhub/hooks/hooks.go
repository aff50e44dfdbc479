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
	"net/netip"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
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

// Config says what a Sender works with. Disturb may be nil; it is asked once for each delivery.
type Config struct {
	Store   *state.Store
	Logger  *slog.Logger
	Disturb func(event, action string) Disturbance
}

// A Disturbance is what goes wrong with one delivery; the zero value is nothing.
type Disturbance struct {
	Lost  bool          // it is never sent
	Twice bool          // it is sent again at once, with the same GUID
	Swap  bool          // the App's next delivery overtakes it
	Delay time.Duration // it is sent so much later, and all that come meanwhile overtake it
}

// A Sender delivers webhooks. Make one with New and end it with Close.
type Sender struct {
	Config
	client *http.Client
	events *queue[news]
	stop   context.CancelFunc
	ctx    context.Context
	done   sync.WaitGroup
	logs   *queue[state.Logged]
	logged sync.WaitGroup

	mu    sync.Mutex
	lines map[int64]*queue[job]
}

// news is an event to tell. An older one is from a hub that ended before it had settled it.
type news struct {
	state.Event
	older bool
}

// job is one delivery to make. event, which may be nil, counts the deliveries of the event that are still to be made.
type job struct {
	app                  state.App
	guid, name, action   string
	installation, target int64
	payload              []byte
	redelivery           bool
	disturbed            bool // Disturb was asked
	event                *pending
}

type pending struct {
	id   int64
	left atomic.Int64
}

// settled is the event's id when this was the last of its deliveries, or 0.
func (p *pending) settled() int64 {
	if p != nil && p.left.Add(-1) == 0 {
		return p.id
	}
	return 0
}

// New subscribes to the store and starts to deliver, beginning with what an earlier hub did not get sent.
func New(c Config) (*Sender, error) {
	ctx, stop := context.WithCancel(context.Background())
	dialer := &net.Dialer{Timeout: Timeout, Control: reachable}
	s := &Sender{
		Config: c, events: newQueue[news](), ctx: ctx, stop: stop, logs: newQueue[state.Logged](), lines: map[int64]*queue[job]{},
		client: &http.Client{
			Timeout:       Timeout,
			Transport:     &http.Transport{Proxy: http.ProxyFromEnvironment, DialContext: dialer.DialContext, IdleConnTimeout: time.Minute},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
	unsent, err := c.Store.Unsent()
	if err != nil {
		stop()
		return nil, fmt.Errorf("take up webhooks again: %w", err)
	}
	for _, e := range unsent {
		s.events.put(news{e, true})
	}
	c.Store.Subscribe(func(e state.Event) {
		if e.ID != 0 {
			s.events.put(news{Event: e})
		}
	})
	s.done.Go(s.dispatch)
	s.logged.Go(s.keepLog)
	return s, nil
}

// Close stops deliveries and waits for those under way to be cut off.
func (s *Sender) Close() {
	s.stop()
	s.events.close()
	var left []job
	s.mu.Lock()
	for _, l := range s.lines {
		left = append(left, l.close()...)
	}
	s.mu.Unlock()
	s.done.Wait()
	for _, j := range left {
		s.giveUp(j)
	}
	s.logs.end()
	s.logged.Wait()
	s.client.CloseIdleConnections()
}

func (s *Sender) dispatch() {
	for {
		e, ok := s.events.take()
		if !ok {
			return
		}
		jobs := s.jobs(e)
		if len(jobs) == 0 {
			s.settle(e.ID)
			continue
		}
		p := &pending{id: e.ID}
		p.left.Store(int64(len(jobs)))
		for _, j := range jobs {
			j.event = p
			s.enqueue(j)
		}
	}
}

func (s *Sender) settle(event int64) {
	if err := s.Store.Settle(event); err != nil {
		s.Logger.Error("settle an event", "error", err)
	}
}

// jobs are the deliveries that an event still needs.
func (s *Sender) jobs(e news) []job {
	var out []job
	for _, in := range s.Store.Listening(e.Event) {
		guid := guidOf(e.Key, in.ID)
		if e.older && s.sent(in.App.ID, guid) {
			continue
		}
		payload, err := json.Marshal(wire.Payload(e.Event, in))
		if err != nil {
			s.Logger.Error("render a webhook", "event", e.Name, "error", err)
			continue
		}
		out = append(out, job{
			app: in.App, guid: guid, name: e.Name, action: e.Action, installation: in.ID, target: e.Repo.ID, payload: payload,
		})
	}
	return out
}

func (s *Sender) sent(app int64, guid string) bool {
	sent, err := s.Store.Delivered(app, guid)
	if err != nil {
		s.Logger.Error("look for a delivery", "guid", guid, "error", err)
	}
	return sent
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
		s.log(d, j)
		return
	}
	l.put(j)
}

// work sends what is in an App's line. held are deliveries that the next one is to overtake.
func (s *Sender) work(l *queue[job]) {
	var held []job
	for {
		j, ok := l.take()
		if !ok {
			return
		}
		d := s.disturbance(&j)
		switch {
		case d.Swap:
			held = append(held, j)
			continue
		case d.Delay > 0:
			time.AfterFunc(d.Delay, func() { l.put(j) })
			continue
		}
		s.handle(j, d)
		for _, late := range held {
			s.handle(late, Disturbance{})
		}
		held = nil
	}
}

func (s *Sender) disturbance(j *job) Disturbance {
	if s.Disturb == nil || j.disturbed {
		return Disturbance{}
	}
	j.disturbed = true
	return s.Disturb(j.name, j.action)
}

func (s *Sender) handle(j job, d Disturbance) {
	if d.Lost {
		if id := j.event.settled(); id != 0 {
			s.settle(id)
		}
		return
	}
	sent := s.deliver(j)
	if s.ctx.Err() != nil && sent.Code == 0 {
		s.giveUp(j) // cut off by Close
		return
	}
	s.log(sent, j)
	if d.Twice {
		j.event = nil
		s.log(s.deliver(j), j)
	}
}

// giveUp is for what Close keeps from being sent. The next hub makes the deliveries of events; a ping or redelivery has no
// event that it could follow from, so the log says that it was not sent.
func (s *Sender) giveUp(j job) {
	if j.event == nil {
		d := s.record(j)
		d.Status = "the hub ended before it was sent"
		s.log(d, j)
	}
}

func (s *Sender) log(d state.Delivery, j job) {
	s.logs.put(state.Logged{Delivery: d, Settled: j.event.settled()})
}

// batch is how many deliveries are logged in one transaction at most.
const batch = 100

// keepLog writes the log, so that nobody who sends has to wait for the disk.
func (s *Sender) keepLog() {
	for {
		list, ok := s.logs.takeUpTo(batch)
		if !ok {
			return
		}
		if err := s.Store.LogDeliveries(list); err != nil {
			s.Logger.Error("log deliveries", "first", list[0].Delivery.GUID, "error", err)
		}
	}
}

// Ping sends the event with which GitHub tries out a hook.
func (s *Sender) Ping(app *state.App, base string) {
	if app.Hook.URL == "" {
		return
	}
	hook := wire.Object{
		"type": "App", "id": app.Hook.ID, "name": "web", "active": true, "app_id": app.ID, "events": app.Events,
		"created_at": app.Created.UTC().Format(time.RFC3339), "updated_at": app.Created.UTC().Format(time.RFC3339),
		"config": wire.Host(base).Hook(app.Hook),
	}
	payload, err := json.Marshal(wire.Object{"zen": "Keep it logically awesome.", "hook_id": app.Hook.ID, "hook": hook})
	if err != nil {
		s.Logger.Error("render a ping", "error", err)
		return
	}
	s.enqueue(job{app: *app, guid: guidOf(rand.Text(), 0), name: "ping", payload: payload})
}

// Redeliver sends a logged delivery again, with its old GUID, to where the hook points now.
func (s *Sender) Redeliver(app *state.App, d *state.Delivery) {
	s.enqueue(job{
		app: *app, guid: d.GUID, name: d.Event, action: d.Action, installation: d.Installation, target: d.Repository,
		payload: d.Payload, redelivery: true,
	})
}

func (s *Sender) record(j job) state.Delivery {
	return state.Delivery{
		App: j.app.ID, GUID: j.guid, Event: j.name, Action: j.action, Installation: j.installation,
		Repository: j.target, Delivered: s.Store.Now(), Redelivery: j.redelivery, URL: j.app.Hook.URL, Payload: j.payload,
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
		s.Logger.Debug("read a webhook's answer", "guid", j.guid, "error", err)
	}
	d.Code, d.Status, d.Reply, d.ReplyHeaders = resp.StatusCode, http.StatusText(resp.StatusCode), string(reply), map[string]string{}
	for k := range resp.Header {
		d.ReplyHeaders[k] = resp.Header.Get(k)
	}
	return d
}

// errAddress is why a hook whose address is none of a receiver's is not called.
var errAddress = errors.New("the address is not one that webhooks go to")

// reachable keeps deliveries from link-local addresses, where clouds serve credentials to whoever asks on the machine, and
// from those that are nobody's. It sees the address that a name led to.
func reachable(_, address string, _ syscall.RawConn) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("read the address %s: %w", address, err)
	}
	ip := to.Addr().Unmap().WithZone("")
	metadata := netip.AddrFrom16([16]byte{0xfd, 0, 0x0e, 0xc2, 14: 2, 15: 0x54}) // fd00:ec2::254
	if ip.IsLinkLocalUnicast() || ip.IsMulticast() || ip.IsUnspecified() || ip == metadata {
		return fmt.Errorf("%w: %s", errAddress, ip)
	}
	return nil
}

func reason(err error) string {
	if errors.Is(err, errAddress) {
		return errAddress.Error()
	}
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
		"X-GitHub-Event": j.name, "X-GitHub-Delivery": j.guid, "X-GitHub-Hook-ID": strconv.FormatInt(j.app.Hook.ID, 10),
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

// guidOf is a UUID (RFC 9562, version 8) that follows from an event's key and the installation, so that a delivery which
// has to be made again after a restart has the GUID that it had.
func guidOf(key string, installation int64) string {
	b := sha256.Sum256(fmt.Appendf(nil, "%s %d", key, installation))
	b[6], b[8] = b[6]&0x0f|0x80, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:16])
}
