package pages

import (
	"bytes"
	"crypto/rand"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/yuin/goldmark"

	"github.com/pullbook/pullbook/engine/localhub/git"
	"github.com/pullbook/pullbook/engine/localhub/state"
)

//go:embed templates/*.html
var templateFiles embed.FS

// Config is what a Site works with.
type Config struct {
	Store       *state.Store
	Repos       *git.Repos
	Redeliverer Redeliverer
	Logger      *slog.Logger
}

// A Site serves the pages.
type Site struct {
	Config
	key       [32]byte // signs cookies and form tokens; a restart signs everybody out
	templates map[string]*template.Template
	mux       *http.ServeMux
	comment   goldmark.Markdown
	document  goldmark.Markdown
	assets    map[string]asset
	spent     spent
}

// New makes a site.
func New(c Config) (*Site, error) {
	s := &Site{Config: c, templates: map[string]*template.Template{}, mux: http.NewServeMux(), spent: spent{until: map[string]time.Time{}}}
	rand.Read(s.key[:]) // never fails: crypto/rand aborts the program instead
	s.comment, s.document = markdown(true), markdown(false)
	for _, name := range []string{"home", "pulls", "pull", "commit", "file", "deliveries", "delivery", "register", "install", "error"} {
		t, err := template.New("layout.html").Funcs(s.functions()).ParseFS(templateFiles, "templates/layout.html", "templates/parts.html", "templates/"+name+".html")
		if err != nil {
			return nil, fmt.Errorf("parse the template %s: %w", name, err)
		}
		s.templates[name] = t
	}
	var err error
	if s.assets, err = loadAssets(); err != nil {
		return nil, err
	}
	s.route()
	return s, nil
}

// page is a handler that answers with a refusal instead of writing one.
type page func(*visit) error

func (s *Site) route() {
	for pattern, p := range map[string]page{
		"GET /{$}":                                    home,
		"GET /{owner}/{repo}":                         toPulls,
		"GET /{owner}/{repo}/pulls":                   pulls,
		"GET /{owner}/{repo}/pull/{number}":           pull,
		"GET /{owner}/{repo}/pull/{number}/live":      live,
		"GET /{owner}/{repo}/pull/{number}/{part}":    pullPart,
		"POST /{owner}/{repo}/pull/{number}/comment":  postComment,
		"POST /{owner}/{repo}/pull/{number}/review":   postReview,
		"POST /{owner}/{repo}/pull/{number}/merge":    postMerge,
		"POST /{owner}/{repo}/pull/{number}/state":    postState,
		"GET /{owner}/{repo}/commit/{sha}":            commit,
		"POST /{owner}/{repo}/runs/{id}/press":        postPress,
		"GET /{owner}/{repo}/runs/{id}":               run,
		"GET /{owner}/{repo}/blob/{place...}":         file,
		"GET /{owner}/{repo}/tree/{place...}":         file,
		"GET /apps/{slug}":                            toDeliveries,
		"GET /apps/{slug}/deliveries":                 deliveries,
		"GET /apps/{slug}/deliveries/{id}":            delivery,
		"POST /apps/{slug}/deliveries/{id}/redeliver": postRedeliver,
		"GET /settings/apps/new":                      register,
		"GET /organizations/{org}/settings/apps/new":  register,
		"POST /settings/apps":                         postRegister,
		"GET /apps/{slug}/installations/new":          install,
		"POST /apps/{slug}/installations":             postInstall,
		"POST /login":                                 postLogin,
		"GET /assets/{name}":                          static,
		"GET /avatars/{id}":                           avatar,
	} {
		s.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) { s.serve(w, r, p) })
	}
	s.mux.HandleFunc("POST /settings/apps/new", s.offerManifest)
	s.mux.HandleFunc("POST /organizations/{org}/settings/apps/new", s.offerManifest)
	s.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		s.serve(w, r, func(*visit) error { return state.NotFound() })
	})
}

// ServeHTTP answers everything that is neither REST nor git.
func (s *Site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.Contains(r.URL.EscapedPath(), "//") || strings.Contains(r.URL.Path, "/../") {
		s.serve(w, r, func(*visit) error { return state.NotFound() }) // the mux would redirect to a cleaned path
		return
	}
	s.mux.ServeHTTP(w, r)
}

// maxForm bounds a form: a text of state.MaxText characters in its longest encoding, and a little.
const maxForm = 12*state.MaxText + 4096

func (s *Site) serve(w http.ResponseWriter, r *http.Request, p page) {
	v := &visit{Site: s, w: w, r: r}
	v.headers()
	v.identify()
	err := v.admit()
	if err == nil {
		err = p(v)
	}
	if err == nil {
		return
	}
	if v.nonce != "" {
		s.spent.giveBack(v.nonce)
	}
	var refusal *state.Refusal
	switch {
	case errors.As(err, &refusal):
	case errors.Is(err, git.ErrAbsent):
		refusal = state.NotFound()
	default:
		s.Logger.Error("show a page", "path", r.URL.Path, "error", err)
		refusal = &state.Refusal{Status: http.StatusInternalServerError, Message: "Something went wrong in the hub; its log says what."}
	}
	v.fail(refusal)
}

// visit is one request for a page.
type visit struct {
	*Site
	w       http.ResponseWriter
	r       *http.Request
	session string // the random part of the cookie
	actor   state.Actor
	local   bool   // the peer may choose who it is
	graphs  bool   // the page has a graph to draw
	nonce   string // of the form that is being carried out
	leadsTo string // the origin that the page's form leads to in the end, if that is another
}

const policy = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// graphPolicy adds what mermaid needs: the style element inside each picture that it draws.
var graphPolicy = strings.Replace(policy, "style-src 'self'", "style-src 'self' 'unsafe-inline'", 1)

func (v *visit) headers() {
	h := v.w.Header()
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cache-Control", "no-cache")
}

// admit reads a form and checks that one of our pages made it.
func (v *visit) admit() error {
	if v.r.Method != http.MethodPost {
		return nil
	}
	v.r.Body = http.MaxBytesReader(v.w, v.r.Body, maxForm)
	err := v.r.ParseForm()
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return &state.Refusal{Status: http.StatusRequestEntityTooLarge, Message: "The form is too large."}
	case err != nil:
		return &state.Refusal{Status: http.StatusBadRequest, Message: "The form cannot be read."}
	}
	v.nonce, err = v.spend(v.r.PostFormValue("csrf"))
	return err
}

// frame is what every template gets; Page is the template's own.
type frame struct {
	Title  string
	Viewer state.User
	Local  bool
	People []state.User
	Path   string
	Graphs bool
	Page   any
	visit  *visit
}

// Token is for one form; each form of a page has its own.
func (f frame) Token() string { return f.visit.token() }

// show renders a page whole before anything is sent, so that an error is still an error.
func (v *visit) show(name, title string, status int, data any) error {
	f := frame{
		Title: title, Viewer: v.actor.User, Local: v.local, Path: v.r.URL.RequestURI(), Graphs: v.graphs, Page: data, visit: v,
	}
	if v.local {
		f.People = v.Store.People()
	}
	var b bytes.Buffer
	if err := v.templates[name].Execute(&b, f); err != nil {
		return fmt.Errorf("render the page %s: %w", name, err)
	}
	h := v.w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	if v.graphs {
		h.Set("Content-Security-Policy", graphPolicy)
	}
	if v.leadsTo != "" { // browsers ask the policy about where a form's answer leads, too
		h.Set("Content-Security-Policy", strings.Replace(policy, "form-action 'self'", "form-action 'self' "+v.leadsTo, 1))
	}
	v.w.WriteHeader(status)
	if _, err := v.w.Write(b.Bytes()); err != nil {
		v.Logger.Debug("write a page", "error", err)
	}
	return nil
}

func (v *visit) fail(r *state.Refusal) {
	text := r.Message
	for _, p := range r.Problems {
		text += " " + p.Message
	}
	data := struct {
		Status  int
		Message string
	}{r.Status, strings.TrimSpace(text)}
	if err := v.show("error", http.StatusText(r.Status), r.Status, data); err != nil {
		v.Logger.Error("show an error", "error", err)
		http.Error(v.w, data.Message, r.Status)
	}
}

func (s *Site) functions() template.FuncMap {
	return template.FuncMap{
		"time": func(t time.Time) template.HTML {
			const machine, human = time.RFC3339, "2 Jan 2006, 15:04:05"
			return template.HTML(fmt.Sprintf(`<time datetime="%s">%s UTC</time>`, t.Format(machine), t.Format(human)))
		},
		"short": func(sha string) string { return fmt.Sprintf("%.7s", sha) },
		"path":  escapePath,
		"add":   func(a, b int) int { return a + b },
		"size":  size,
		"took":  took,
		"row":   func(repo string, c commitRow) commitInList { return commitInList{repo, c} },
	}
}
