package rest

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"strings"

	"github.com/pullbook/pullbook/engine/localhub/git"
	"github.com/pullbook/pullbook/engine/localhub/limits"
	"github.com/pullbook/pullbook/engine/localhub/state"
	"github.com/pullbook/pullbook/engine/localhub/wire"
)

// Prefix is where the API lies, as on GitHub Enterprise Server.
const Prefix = "/api/v3"

// Deliverer sends webhooks that no mutation causes.
type Deliverer interface {
	// Redeliver queues a logged delivery of the App once more.
	Redeliver(app *state.App, d *state.Delivery)
	// Ping queues a ping to the App's hook; base is the hub's own address.
	Ping(app *state.App, base string)
}

// Config is what a Server works with. OnRequest may be nil; it is called just before each answer is sent, with the
// route's pattern, which is empty when no route matched.
type Config struct {
	Store     *state.Store
	Repos     *git.Repos
	Deliverer Deliverer
	Logger    *slog.Logger
	Limits    *limits.Limiter
	OnRequest func(method, pattern string, status int)
}

// A Server answers REST.
type Server struct {
	Config
	routes []served
	key    []byte // signs the addresses of archives
}

type served struct {
	Route
	pattern pattern
}

// New makes a server with all of Routes.
func New(c Config) *Server {
	s := &Server{Config: c, key: make([]byte, 32)}
	rand.Read(s.key) // never fails: crypto/rand aborts the program instead
	for _, r := range Routes() {
		s.routes = append(s.routes, served{r, parsePattern(r.Path)})
	}
	return s
}

// call is one request on its way.
type call struct {
	*Server
	r      *http.Request
	w      http.ResponseWriter
	actor  state.Actor
	host   wire.Host
	params map[string]string
	repo   state.Repo // set for routes below /repos/{owner}/{repo}
	route  string     // the route's pattern
}

func (c *call) name() string { return c.repo.FullName() }

// reply is an answer: body as JSON, or text with its content type.
type reply struct {
	status int
	body   any
	text   []byte
	media  string
	link   string
}

func ok(body any) (reply, error)      { return reply{status: http.StatusOK, body: body}, nil }
func created(body any) (reply, error) { return reply{status: http.StatusCreated, body: body}, nil }
func empty() (reply, error)           { return reply{status: http.StatusNoContent}, nil }

// ServeHTTP answers a request whose path begins with Prefix, or which came to wire.APIHost.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c := &call{Server: s, r: r, w: w, host: HostOf(r)}
	c.standardHeaders()
	route, params, found := s.find(r)
	c.params, c.route = params, route.Path
	var err error
	if c.actor, err = Actor(s.Store, r); err != nil {
		c.refuse(err)
		return
	}
	c.actor.Base = string(c.host)
	answer, err := c.answer(route, found)
	if err != nil {
		c.count(false)
		c.refuse(err)
		return
	}
	c.send(answer)
}

func (c *call) answer(route Route, found bool) (reply, error) {
	if !found {
		return reply{}, state.NotFound()
	}
	if err := c.admit(route.Access); err != nil {
		return reply{}, err
	}
	return route.Do(c)
}

// HostOf is the address under which a request reached the hub. That of the API's own host is that of the pages, from
// which wire.Host makes both.
func HostOf(r *http.Request) wire.Host {
	scheme, name := "http", strings.ToLower(r.Host)
	if r.TLS != nil {
		scheme = "https"
	}
	if name == wire.APIHost || strings.HasPrefix(name, wire.APIHost+":") {
		name = strings.TrimPrefix(name, "api.")
	}
	return wire.Host(scheme + "://" + name)
}

func (s *Server) find(r *http.Request) (Route, map[string]string, bool) {
	path := strings.TrimPrefix(r.URL.EscapedPath(), Prefix)
	if path != "/" {
		path = strings.TrimSuffix(path, "/")
	}
	method := r.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	for _, route := range s.routes {
		if route.Method != method {
			continue
		}
		if params, ok := route.pattern.match(path); ok {
			return route.Route, params, true
		}
	}
	return Route{}, nil, false
}

// admit checks the caller against the route's access and finds the route's repository.
func (c *call) admit(a Access) error {
	switch {
	case a.who == jwtOnly && (c.actor.App == nil || c.actor.IsInstallation()):
		return unauthorized("A JSON web token could not be decoded")
	case a.who != jwtOnly && a.who != jwtToo && c.actor.App != nil && !c.actor.IsInstallation():
		return state.Forbid("Resource not accessible by integration")
	case a.who == tokenOnly && !c.actor.IsInstallation():
		return state.Forbid("You must authenticate with an installation access token in order to list repositories for an installation.")
	case a.who == person && c.actor.Anonymous():
		return unauthorized("Requires authentication")
	}
	owner, isRepo := c.params["owner"]
	if !isRepo {
		return nil
	}
	var err error
	c.repo, err = c.Store.Check(c.actor, owner+"/"+c.params["repo"], state.Need{App: a.apps, Role: a.role})
	if err != nil {
		return fmt.Errorf("%s %s: %w", c.r.Method, c.r.URL.Path, err)
	}
	return nil
}

func (c *call) standardHeaders() {
	h := c.w.Header()
	var id [8]byte
	rand.Read(id[:]) // never fails: crypto/rand aborts the program instead
	h.Set("X-GitHub-Request-Id", strings.ToUpper(hex.EncodeToString(id[:])))
	h.Set("X-GitHub-Media-Type", "github.v3; format=json")
	h.Set("X-GitHub-Api-Version-Selected", "2022-11-28")
	h.Set("Date", c.Store.Now().Format(http.TimeFormat))
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "default-src 'none'")
	h.Set("Vary", "Accept, Authorization, Cookie, X-GitHub-OTP")
	h.Set("Cache-Control", "private, max-age=60, s-maxage=60")
}

const documentation = "https://docs.github.com/rest"

// refuse writes an error as GitHub does. Anything that is not a refusal is a fault of the hub: it is logged, and the
// client learns nothing of it.
func (c *call) refuse(err error) {
	var r *state.Refusal
	if !errors.As(err, &r) {
		if errors.Is(err, git.ErrAbsent) {
			r = state.NotFound()
		} else {
			c.Logger.Error("answer a request", "method", c.r.Method, "path", c.r.URL.Path, "error", err)
			r = &state.Refusal{Status: http.StatusInternalServerError, Message: "Server Error"}
		}
	}
	body := wire.Object{"message": r.Message, "documentation_url": documentation, "status": strconv.Itoa(r.Status)}
	if len(r.Problems) > 0 {
		list := make([]any, len(r.Problems))
		for i, p := range r.Problems {
			list[i] = problem(p)
		}
		body["errors"] = list
	}
	if r.Accepts != "" {
		c.w.Header().Set("X-Accepted-GitHub-Permissions", r.Accepts)
	}
	c.w.Header().Del("Cache-Control")
	c.write(r.Status, "application/json; charset=utf-8", encode(body))
}

func problem(p state.Problem) any {
	if p.Resource == "" {
		return p.Message
	}
	o := wire.Object{"resource": p.Resource, "code": p.Code}
	if p.Field != "" {
		o["field"] = p.Field
	}
	if p.Message != "" {
		o["message"] = p.Message
	}
	return o
}

// encode writes JSON without escaping <, > and &, as GitHub does.
func encode(body any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(body); err != nil {
		// unreachable unless a shape holds a channel or a function
		return []byte(`{"message":"Server Error"}`)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// send writes an answer; a GET that the client has already is a 304, which costs nothing of the rate limit.
func (c *call) send(a reply) {
	if a.link != "" {
		c.w.Header().Set("Link", a.link)
	}
	text, media := a.text, a.media
	if a.body != nil {
		text, media = encode(a.body), "application/json; charset=utf-8"
	}
	read := c.r.Method == http.MethodGet || c.r.Method == http.MethodHead
	if read && a.status == http.StatusOK {
		sum := sha256.Sum256(append([]byte(media+a.link), text...))
		tag := `"` + hex.EncodeToString(sum[:]) + `"`
		c.w.Header().Set("ETag", "W/"+tag)
		if matches(c.r.Header.Get("If-None-Match"), tag) {
			c.count(true)
			c.write(http.StatusNotModified, "", nil)
			return
		}
	}
	c.count(false)
	c.write(a.status, media, text)
}

// matches compares weakly (RFC 9110, section 13.1.2).
func matches(header, tag string) bool {
	for part := range strings.SplitSeq(header, ",") {
		if t := strings.TrimSpace(part); t == "*" || strings.TrimPrefix(t, "W/") == tag {
			return true
		}
	}
	return false
}

func (c *call) write(status int, media string, text []byte) {
	if c.OnRequest != nil {
		c.OnRequest(c.r.Method, c.route, status)
	}
	if media != "" {
		c.w.Header().Set("Content-Type", media)
	}
	c.w.WriteHeader(status)
	if c.r.Method != http.MethodHead && len(text) > 0 {
		if _, err := c.w.Write(text); err != nil {
			c.Logger.Debug("write an answer", "error", err)
		}
	}
}

// count sets the rate-limit headers. A request that is free does not count.
func (c *call) count(free bool) {
	q := c.usage(free)
	h := c.w.Header()
	h.Set("X-RateLimit-Limit", strconv.Itoa(q.Shown()))
	h.Set("X-RateLimit-Remaining", strconv.Itoa(q.Left()))
	h.Set("X-RateLimit-Used", strconv.Itoa(q.Used))
	h.Set("X-RateLimit-Reset", strconv.FormatInt(q.Reset.Unix(), 10))
	h.Set("X-RateLimit-Resource", "core")
}

func (c *call) usage(free bool) limits.Usage {
	n := 1
	if free {
		n = 0
	}
	return c.Limits.Count(c.actor.Key(), "core", n)
}
