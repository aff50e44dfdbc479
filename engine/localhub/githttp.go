package localhub

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/pullbook/pullbook/engine/localhub/git"
	"github.com/pullbook/pullbook/engine/localhub/rest"
	"github.com/pullbook/pullbook/engine/localhub/state"
)

// gitPath is a request of gitprotocol-http(5): /{owner}/{repo}.git/{action}, where ".git" may be left out as on GitHub.
type gitPath struct {
	repo   string
	action string // info/refs, git-upload-pack, git-receive-pack
}

func parseGitPath(path string) (gitPath, bool) {
	parts := strings.SplitN(strings.TrimPrefix(path, "/"), "/", 3)
	if len(parts) != 3 {
		return gitPath{}, false
	}
	switch parts[2] {
	case "info/refs", string(git.Upload), string(git.Receive):
	default:
		return gitPath{}, false
	}
	owner, err1 := url.PathUnescape(parts[0])
	name, err2 := url.PathUnescape(parts[1])
	if err1 != nil || err2 != nil {
		return gitPath{}, false
	}
	return gitPath{owner + "/" + strings.TrimSuffix(name, ".git"), parts[2]}, true
}

// statusWriter tells of the status just before the answer begins, and remembers that it has begun.
type statusWriter struct {
	http.ResponseWriter
	begun bool
	tell  func(status int)
}

func (w *statusWriter) begin(status int) {
	if !w.begun {
		w.begun = true
		w.tell(status)
	}
}

func (w *statusWriter) WriteHeader(status int) {
	w.begin(status)
	w.ResponseWriter.WriteHeader(status)
}

func (w *statusWriter) Write(p []byte) (int, error) {
	w.begin(http.StatusOK)
	return w.ResponseWriter.Write(p)
}

// Unwrap lets http.ResponseController find the real writer.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (h *Hub) serveGit(rw http.ResponseWriter, r *http.Request, g gitPath) {
	w := &statusWriter{ResponseWriter: rw, tell: func(status int) {
		if h.config.OnRequest != nil {
			h.config.OnRequest(r.Method, "/{owner}/{repo}.git/"+g.action, status)
		}
	}}
	if err := h.git(w, r, g); err != nil {
		h.refuseGit(w, err)
	}
	w.begin(http.StatusOK) // an answer without a body
}

// refuseGit answers in plain text, which git shows to the person.
func (h *Hub) refuseGit(w *statusWriter, err error) {
	var refusal *state.Refusal
	if !errors.As(err, &refusal) {
		h.config.Logger.Error("answer a git client", "error", err)
		refusal = &state.Refusal{Status: http.StatusInternalServerError, Message: "Internal Server Error"}
	}
	if w.begun {
		return // the answer has begun; the client sees it end early
	}
	if refusal.Status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Basic realm="GitHub"`)
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(refusal.Status)
	fmt.Fprintln(w, refusal.Message)
}

func (h *Hub) git(w http.ResponseWriter, r *http.Request, g gitPath) error {
	service := git.Service(g.action)
	wants := http.MethodPost
	if g.action == "info/refs" {
		wants = http.MethodGet
		service = git.Service(r.URL.Query().Get("service"))
	}
	switch {
	case r.Method != wants:
		return &state.Refusal{Status: http.StatusMethodNotAllowed, Message: "Method Not Allowed"}
	case service != git.Upload && service != git.Receive:
		return state.Forbid("Please upgrade your git client.\nGitHub.com no longer supports git over dumb-http.")
	}
	actor, repo, err := h.mayUse(r, g.repo, service)
	if err != nil {
		return err
	}
	switch {
	case wants == http.MethodGet:
		return h.repos.Advertise(w, r, repo, service)
	case service == git.Upload:
		return h.repos.Serve(w, r, repo)
	default:
		return h.repos.Receive(w, r, actor, repo)
	}
}

// mayUse finds the actor and the repository's name, and refuses as GitHub's git front does: 401 so that git asks for a
// credential, 404 for what may not be seen, 403 for what may not be written.
func (h *Hub) mayUse(r *http.Request, repo string, service git.Service) (state.Actor, string, error) {
	login := &state.Refusal{Status: http.StatusUnauthorized, Message: "Invalid username or token. Password authentication is not supported for Git operations."}
	actor, err := rest.Actor(h.store, r)
	if err != nil || (actor.App != nil && !actor.IsInstallation()) {
		return actor, "", login
	}
	actor.Base = string(rest.HostOf(r))
	need := state.Need{App: []string{"contents:read"}, Role: state.Read}
	if service == git.Receive {
		need = state.Need{App: []string{"contents:write"}, Role: state.Write}
	}
	found, err := h.store.Check(actor, repo, need)
	var refusal *state.Refusal
	switch {
	case err == nil:
		return actor, found.FullName(), nil
	case actor.Anonymous():
		return actor, "", login
	case errors.As(err, &refusal) && refusal.Status == http.StatusForbidden:
		return actor, "", state.Forbid(fmt.Sprintf("Permission to %s.git denied to %s.", found.FullName(), actor.User.Login))
	default:
		return actor, "", &state.Refusal{Status: http.StatusNotFound, Message: "Repository not found."}
	}
}
