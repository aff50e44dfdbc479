package intake

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"runtime/debug"
	"strings"
	"time"

	"github.com/pullbook/pullbook/engine/door"
	"github.com/pullbook/pullbook/engine/incident"
)

// Config is what the handler needs from outside.
type Config struct {
	// Token is the bearer token that a source must present. Where it is nil, or empty for a source, the source is refused.
	Token func(source string) string

	// AllowAnonymous lets a source without a token post from a loopback address, unless a browser or a
	// proxy does it (Local).
	AllowAnonymous bool

	// Put makes an alert durable and returns nil only then. It is called for each alert of a request in order, side by
	// side for different requests, and again for the same alert when a source repeats itself. It is required.
	Put func(ctx context.Context, alert incident.Alert) error

	// Map makes a generic alert, as JSON, of a body in the custom format with a name. It is called side by side. Nil: there
	// are no custom formats.
	Map func(ctx context.Context, name string, body []byte) ([]byte, error)

	// Logger gets one record for each answer, without foreign text except what an error quotes; nil is silence.
	Logger *slog.Logger
}

const (
	readTime   = 10 * time.Second // for a whole body: a source on a network that works needs far less
	graceTime  = time.Second      // in which a source keeps its place whatever comes
	bodies     = 16               // read, and parsed, at one time; the worst body makes Parse allocate 34 MB (BenchmarkParse)
	retryAfter = "5"              // seconds
)

// NewHandler serves POST /alerts/{source} and POST /alerts/custom/{name}. Every answer is JSON: {"accepted": n, "groups": [key of each alert]} with 202
// once all alerts are durable, else {"error": "place: problem; hint"}. It sets its own deadline for reading a body; the
// deadline for headers is the server's.
func NewHandler(c Config) http.Handler {
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Token == nil {
		c.Token = func(string) string { return "" }
	}
	h := &handler{Config: c, door: door.New(bodies, readTime, graceTime), slots: make(chan struct{}, bodies)}
	mux := http.NewServeMux()
	mux.HandleFunc("/alerts/{source}", h.serve)
	mux.HandleFunc("/alerts/custom/{name}", h.serve)
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusNotFound, refusal{fault("path", "nothing is here", "alerts are posted to /alerts/{source} or /alerts/custom/{name}").Error()})
	})
	return mux
}

type handler struct {
	Config
	door  *door.Door
	slots chan struct{} // for parsing
}

type refusal struct {
	Error string `json:"error"`
}

type receipt struct {
	Accepted int      `json:"accepted"`
	Groups   []string `json:"groups"`
}

// failure is an answer other than 202.
type failure struct {
	status int
	err    error // what the source is told
	cause  error // what only the log is told: it may name what is inside
}

func (h *handler) serve(w http.ResponseWriter, r *http.Request) {
	defer h.recovered(w, r)
	alerts, failed := h.take(w, r)
	if failed == nil {
		failed = h.store(w, r, alerts)
	}
	log := h.Logger.With("source", line(sourceOf(r), MaxFingerprint), "remote", r.RemoteAddr)
	if failed != nil {
		log.Warn("alert refused", "status", failed.status, "error", failed.err, "cause", failed.cause)
		answer(w, failed.status, refusal{failed.err.Error()})
		return
	}
	groups := make([]string, len(alerts))
	for i, a := range alerts {
		groups[i] = a.Group
	}
	log.Info("alert accepted", "status", http.StatusAccepted, "groups", groups)
	answer(w, http.StatusAccepted, receipt{len(alerts), groups})
}

// recovered answers 500 where a request met a bug, so that the source sends it again and the engine lives on.
func (h *handler) recovered(w http.ResponseWriter, r *http.Request) {
	p := recover()
	if p == nil {
		return
	}
	if p == http.ErrAbortHandler {
		panic(p)
	}
	h.Logger.Error("alert handler panicked", "remote", r.RemoteAddr, "panic", fmt.Sprintf("%T", p), "stack", string(debug.Stack()))
	answer(w, http.StatusInternalServerError, refusal{fault("server", "a bug met this request", "it is safe to send it again").Error()})
}

// take admits a request and reads its alerts. The checks that cost nothing come before the ones that cost something.
func (h *handler) take(w http.ResponseWriter, r *http.Request) ([]incident.Alert, *failure) {
	source := sourceOf(r)
	name, custom := strings.CutPrefix(source, Custom)
	if _, known := parserOf(source); !known && !custom {
		return nil, &failure{status: http.StatusNotFound, err: fault("path", "no such source", "alerts are posted to /alerts/alertmanager, /alerts/generic or /alerts/custom/{name}")}
	}
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		return nil, &failure{status: http.StatusMethodNotAllowed, err: fault("method", quote(r.Method)+" is not allowed", "alerts are posted")}
	}
	if r.ContentLength > MaxBody {
		return nil, tooLarge()
	}
	if err := h.admit(source, r); err != nil {
		w.Header().Set("WWW-Authenticate", `Bearer realm="pullbook alerts"`)
		return nil, &failure{status: http.StatusUnauthorized, err: err}
	}
	if e := r.Header.Get("Content-Encoding"); e != "" && !strings.EqualFold(e, "identity") {
		return nil, &failure{status: http.StatusUnsupportedMediaType, err: fault("header Content-Encoding", quote(e)+" is not read", "send the body as it is")}
	}
	body, failed := h.read(w, r)
	if failed != nil {
		return nil, failed
	}
	h.slots <- struct{}{} // the body is here: nobody else's slowness is waited for
	defer func() { <-h.slots }()
	if custom {
		alerts, failed := h.custom(r.Context(), name, body)
		if failed != nil && failed.status == http.StatusServiceUnavailable {
			w.Header().Set("Retry-After", retryAfter)
		}
		return alerts, failed
	}
	alerts, err := Parse(source, body)
	if err != nil {
		return nil, &failure{status: http.StatusBadRequest, err: err}
	}
	return alerts, nil
}

// sourceOf is the name of the source that a request is for.
func sourceOf(r *http.Request) string {
	if name := r.PathValue("name"); name != "" {
		return Custom + name
	}
	return r.PathValue("source")
}

// admit compares digests, so that neither the length nor the content of the token shows in the time taken.
func (h *handler) admit(source string, r *http.Request) error {
	want := h.Token(source)
	if want == "" {
		if h.AllowAnonymous && Local(r) {
			return nil
		}
		return fault("source", "no token is set for it", "set one in the engine's configuration")
	}
	given := r.Header.Values("Authorization")
	if len(given) != 1 {
		return fault("header Authorization", "missing or given twice", "send one bearer token")
	}
	scheme, token, _ := strings.Cut(given[0], " ")
	a, b := sha256.Sum256([]byte(token)), sha256.Sum256([]byte(want))
	if !strings.EqualFold(scheme, "Bearer") || subtle.ConstantTimeCompare(a[:], b[:]) != 1 {
		return fault("header Authorization", "not the bearer token of this source", "compare it with the engine's configuration")
	}
	return nil
}

// Local reports that a program on this machine posts. A page in a browser here could be anyone's, and browsers send
// Origin with every POST, so a request that carries it is not local. Nor is one that a proxy or a tunnel on this machine
// hands on, as webhooks may need one: it is anyone's, too, and says so in one of the headers that proxies add.
func Local(r *http.Request) bool {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return false
	}
	for _, handedOn := range []string{"Origin", "Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-Ip", "Via"} {
		if len(r.Header.Values(handedOn)) > 0 {
			return false
		}
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback()
}

func tooLarge() *failure {
	return &failure{status: http.StatusRequestEntityTooLarge, err: fault("body", fmt.Sprintf("larger than %d bytes", MaxBody), tooLargeHint)}
}

// read takes the whole body. A body that stops or stalls is no fault of the alert in it, so the source is asked to repeat.
func (h *handler) read(w http.ResponseWriter, r *http.Request) ([]byte, *failure) {
	body, err := h.door.Read(w, r, MaxBody)
	if _, over := errors.AsType[*http.MaxBytesError](err); over {
		return nil, tooLarge()
	}
	if err != nil {
		return nil, later(w, fault("body", "could not be read", "send it again"), err)
	}
	return body, nil
}

func (h *handler) store(w http.ResponseWriter, r *http.Request, alerts []incident.Alert) *failure {
	for _, a := range alerts {
		if err := h.Put(r.Context(), a); err != nil {
			return later(w, fault("inbox", "the alert could not be stored", "send it again"), fmt.Errorf("store alert of group %s: %w", a.Group, err))
		}
	}
	return nil
}

// later asks the source to send the same again.
func later(w http.ResponseWriter, err, cause error) *failure {
	w.Header().Set("Retry-After", retryAfter)
	return &failure{status: http.StatusServiceUnavailable, err: err, cause: cause}
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	// A source that is gone reads no answer and sends again; there is nobody to tell.
	_ = json.NewEncoder(w).Encode(body)
}
