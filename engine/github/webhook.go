package github

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"github.com/pullbook/pullbook/engine/door"
	"github.com/pullbook/pullbook/engine/incident"
)

// WebhookConfig is what the receiver of the hub's webhooks needs from outside.
type WebhookConfig struct {
	Secret         []byte // of the App's webhook; without one every delivery is refused
	Repository     string // owner/name: deliveries about others are dropped
	InstallationID int64  // 0: any; otherwise deliveries about others are dropped
	AppID          int64  // 0: any; otherwise buttons of other Apps' check runs are no business of ours
	OwnSender      string // login of the App's bot: what we did ourselves is no news

	// Once makes a hint durable, unless the same delivery was made so before, and returns nil only when that survives a
	// power cut. Fresh is false for a delivery that was here before. It is required.
	Once func(ctx context.Context, deliveryID string, hint Hint) (fresh bool, err error)

	// Event takes an event of which an alert can be made, of any repository of the installation, and makes durable what follows
	// from it, unless the same delivery was here before. Noted is false where nothing does. An *EventError is the sender's
	// fault. nil: no event is taken.
	Event func(ctx context.Context, e Event) (noted bool, err error)

	// Events are the events that Event wants.
	Events []string

	// Logger gets one record for each answer, without foreign text except names that were checked; nil is silence.
	Logger *slog.Logger
}

// Hint says where the engine should look again. It has a branch, a pull request, a commit or a workflow run.
type Hint struct {
	Kind   string // the event, such as pull_request_review
	Branch string // "" when the event does not say
	Pull   int    // 0 when the event does not say
	Again  string // the commit whose check somebody asked for once more; "" when nobody did
	Run    int64  // of a workflow, of any repository of the installation; 0 when the event is about none

	Press *incident.Press // of a button: the one fact that a delivery carries, since the hub tells it nowhere else
}

// Event is a verified delivery.
type Event struct {
	Delivery, Kind string
	Repository     string // owner/name
	SenderID       int64
	Sender         string // login
	Body           []byte
}

// EventError says what is wrong with an event, in words that its sender may see.
type EventError struct{ Problem string }

func (e *EventError) Error() string { return e.Problem }

const (
	maxDelivery  = 1 << 20 // bytes
	deliveryTime = 10 * time.Second
	graceTime    = time.Second // in which a sender keeps its place whatever comes
	deliveries   = 16          // read at one time, so at most 16 MiB of bodies are in memory
)

// NewWebhook receives the hub's webhooks. It answers 202 to a delivery that is durable, that was here before or that is
// none of ours, and otherwise says what is wrong in one line: 405, 413, 401 (the signature), 400, 503 (could not be made
// durable), 408 (others waited for a sender that was slower), 500. Nothing of a body is parsed before its signature is verified. It sets its own deadline for reading a
// body; the deadline for headers is the server's.
func NewWebhook(c WebhookConfig) http.Handler {
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	c.Secret = bytes.Clone(c.Secret)
	return &webhook{WebhookConfig: c, door: door.New(deliveries, deliveryTime, graceTime)}
}

type webhook struct {
	WebhookConfig
	door *door.Door
}

// refusal is an answer other than 202.
type refusal struct {
	status int
	text   string // told to the sender
	cause  error  // told to the log
}

func (h *webhook) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	defer h.recovered(w, r)
	outcome, refused := h.receive(w, r)
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	if refused != nil {
		h.Logger.Warn("webhook refused", "remote", r.RemoteAddr, "status", refused.status, "why", refused.text, "cause", refused.cause)
		w.WriteHeader(refused.status)
		fmt.Fprintln(w, refused.text)
		return
	}
	h.Logger.Debug("webhook accepted", "delivery", r.Header.Get("X-GitHub-Delivery"), "outcome", outcome)
	w.WriteHeader(http.StatusAccepted)
	fmt.Fprintln(w, outcome)
}

// recovered answers 500 where a delivery met a bug. The hub keeps it for redelivery.
func (h *webhook) recovered(w http.ResponseWriter, r *http.Request) {
	p := recover()
	if p == nil {
		return
	}
	if p == http.ErrAbortHandler {
		panic(p)
	}
	h.Logger.Error("webhook panicked", "remote", r.RemoteAddr, "panic", fmt.Sprintf("%T", p), "stack", string(debug.Stack()))
	http.Error(w, "a bug met this delivery", http.StatusInternalServerError)
}

func (h *webhook) receive(w http.ResponseWriter, r *http.Request) (outcome string, refused *refusal) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		return "", &refusal{status: http.StatusMethodNotAllowed, text: "webhooks are posted"}
	}
	body, refused := h.body(w, r)
	if refused != nil {
		return "", refused
	}
	if !h.signed(r.Header.Values("X-Hub-Signature-256"), body) {
		return "", &refusal{status: http.StatusUnauthorized, text: "the signature is missing or wrong"}
	}
	id, kind := r.Header.Get("X-GitHub-Delivery"), r.Header.Get("X-GitHub-Event")
	if !plain(id) {
		return "", &refusal{status: http.StatusBadRequest, text: "the header X-GitHub-Delivery is missing or is no id"}
	}
	hint, outcome, err := h.hint(kind, body)
	if err != nil {
		return "", &refusal{status: http.StatusBadRequest, text: "the body is not a JSON object of this event", cause: err}
	}
	noted, refused := h.event(r.Context(), id, kind, body)
	switch {
	case refused != nil && refused.status == http.StatusServiceUnavailable:
		w.Header().Set("Retry-After", "5")
		return "", refused
	case refused != nil:
		return "", refused
	case noted && outcome != "":
		return "noted", nil
	case outcome != "":
		return outcome, nil
	}
	if hint.Press != nil {
		hint.Press.Delivery, hint.Press.At = id, time.Now().UTC().Truncate(time.Millisecond)
	}
	fresh, err := h.Once(r.Context(), id, hint)
	switch {
	case err != nil:
		w.Header().Set("Retry-After", "5")
		return "", &refusal{status: http.StatusServiceUnavailable, text: "could not be stored", cause: err}
	case !fresh:
		return "was here before", nil
	}
	return "noted", nil
}

// body reads the raw body, bounded in size and in time. The number of bodies in memory is bounded as well.
func (h *webhook) body(w http.ResponseWriter, r *http.Request) ([]byte, *refusal) {
	tooLarge := &refusal{status: http.StatusRequestEntityTooLarge, text: "the body is larger than 1 MiB"}
	if r.ContentLength > maxDelivery {
		return nil, tooLarge
	}
	body, err := h.door.Read(w, r, maxDelivery)
	_, over := errors.AsType[*http.MaxBytesError](err)
	switch {
	case over:
		return nil, tooLarge
	case errors.Is(err, door.ErrSlow):
		return nil, &refusal{status: http.StatusRequestTimeout, text: door.ErrSlow.Error()}
	case err != nil && r.Context().Err() != nil:
		return nil, &refusal{status: http.StatusServiceUnavailable, text: "busy", cause: r.Context().Err()}
	case err != nil:
		return nil, &refusal{status: http.StatusBadRequest, text: "the body could not be read", cause: err}
	}
	return body, nil
}

// signed checks the header X-Hub-Signature-256: "sha256=" and the HMAC-SHA256 of the raw body in hexadecimal ("Validating
// webhook deliveries" in GitHub's documentation). The comparison takes the same time wherever the difference is.
func (h *webhook) signed(headers []string, body []byte) bool {
	if len(h.Secret) == 0 || len(headers) != 1 {
		return false
	}
	digits, found := strings.CutPrefix(headers[0], "sha256=")
	given, err := hex.DecodeString(digits)
	if !found || err != nil {
		return false
	}
	mac := hmac.New(sha256.New, h.Secret)
	mac.Write(body)
	return hmac.Equal(given, mac.Sum(nil))
}
