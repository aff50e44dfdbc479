package localhub

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/pullbook/pullbook/engine/localhub/faults"
	"github.com/pullbook/pullbook/engine/localhub/git"
	"github.com/pullbook/pullbook/engine/localhub/graphql"
	"github.com/pullbook/pullbook/engine/localhub/hooks"
	"github.com/pullbook/pullbook/engine/localhub/limits"
	"github.com/pullbook/pullbook/engine/localhub/pages"
	"github.com/pullbook/pullbook/engine/localhub/rest"
	"github.com/pullbook/pullbook/engine/localhub/state"
)

// StateFile is the file in a hub's directory that keeps its state.
const StateFile = "state.sqlite"

// Config says how to open a hub. Dir is created if need be and keeps everything. Limits are off unless given. Logger
// and Now may be nil: no log, and the system's clock. OnRequest may be nil; it is called just before each REST and git
// answer is sent (a client that has its answer has been counted), with the route's pattern ("/repos/{owner}/{repo}/pulls",
// "/{owner}/{repo}.git/git-receive-pack"), and after each GraphQL answer ("/graphql"), possibly from several goroutines at
// once.
type Config struct {
	Dir       string
	Seed      Seed
	Limits    limits.Limits
	Logger    *slog.Logger
	Now       func() time.Time
	OnRequest func(method, pattern string, status int)
}

// A Hub serves one seed's world. It is safe for concurrent use.
type Hub struct {
	config  Config
	store   *state.Store
	repos   *git.Repos
	sender  *hooks.Sender
	rest    *rest.Server
	graphql *graphql.Server
	limits  *limits.Limiter
	faults  faults.Table
	pages   *pages.Site
}

// Open builds the seed's world in an empty directory: the state, and a bare repository with its first commit for each
// repository. A directory that has a state is taken up where its last hub ended, however it ended; the seed must then be
// the same (else *SeedChanged) or empty.
func Open(c Config) (*Hub, error) {
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Dir == "" {
		return nil, errors.New("open the hub: no directory is given")
	}
	dir, err := filepath.Abs(c.Dir)
	if err != nil {
		return nil, fmt.Errorf("open the hub in %s: %w", c.Dir, err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("open the hub in %s: %w", c.Dir, err)
	}
	store, err := state.Open(state.Config{Path: filepath.Join(dir, StateFile), Seed: c.Seed, Now: c.Now, MaxText: c.Limits.Text})
	if err != nil {
		return nil, fmt.Errorf("open the hub in %s: %w", c.Dir, err)
	}
	h, err := open(c, dir, store)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open the hub in %s: %w", c.Dir, err), store.Close())
	}
	return h, nil
}

func open(c Config, dir string, store *state.Store) (*Hub, error) {
	repos := git.New(dir, store, c.Logger)
	repos.MaxCommits = c.Limits.Commits
	if err := createAll(repos, store.AllRepos(), c.Seed); err != nil {
		return nil, err
	}
	h := &Hub{config: c, store: store, repos: repos, limits: limits.New(c.Limits, c.Now)}
	var err error
	if h.sender, err = hooks.New(hooks.Config{Store: store, Logger: c.Logger, Disturb: h.disturb}); err != nil {
		return nil, err
	}
	if h.pages, err = pages.New(pages.Config{Store: store, Repos: repos, Redeliverer: h.sender, Logger: c.Logger}); err != nil {
		h.sender.Close()
		return nil, err
	}
	h.rest = rest.New(rest.Config{Store: store, Repos: repos, Deliverer: h.sender, Logger: c.Logger, Limits: h.limits, OnRequest: c.OnRequest})
	h.graphql = graphql.New(graphql.Config{Store: store, Repos: repos, Logger: c.Logger, OnRequest: c.OnRequest})
	return h, nil
}

// createTimeout bounds the making of all repositories.
const createTimeout = 5 * time.Minute

// createAll makes the repositories that are not there, and compares those that are with the state.
func createAll(repos *git.Repos, all []state.Repo, seed Seed) error {
	ctx, cancel := context.WithTimeout(context.Background(), createTimeout)
	defer cancel()
	if err := errors.Join(git.CheckVersion(ctx), repos.Sweep()); err != nil {
		return err
	}
	for _, r := range all {
		first := git.First{Branch: r.DefaultBranch, Message: "Begin " + r.FullName()}
		for _, x := range seed.Repositories {
			if strings.EqualFold(x.Name, r.FullName()) {
				first.Name, first.Email, first.Directory, first.Files = x.Author.Name, x.Author.Email, x.Directory, x.Files
			}
		}
		if first.Name == "" {
			first.Name, first.Email = "GitHub", "noreply@github.localhost"
		}
		if err := repos.Create(ctx, r.FullName(), first); err != nil {
			return err
		}
	}
	return nil
}

// Close stops the webhooks. Requests under way may still end; the caller shuts its server down first.
func (h *Hub) Close() error {
	h.sender.Close()
	if err := h.store.Close(); err != nil {
		return fmt.Errorf("close the hub: %w", err)
	}
	return nil
}

// SetTeam replaces the members of a team, as an organisation's owner would.
func (h *Hub) SetTeam(org, slug string, members []string) error {
	if err := h.store.SetTeam(org, slug, members); err != nil {
		return fmt.Errorf("set the members of %s/%s: %w", org, slug, err)
	}
	return nil
}

// hostForm is what may stand in a Host header: it comes back in every address that the hub writes.
var hostForm = regexp.MustCompile(`^[A-Za-z0-9.:\[\]_-]{1,255}$`)

// Handler answers REST below /api/v3, GraphQL at /api/graphql, git below /{owner}/{repo}.git, and pages everywhere else.
// At api.github.localhost it answers REST without a prefix and GraphQL at /graphql.
func (h *Hub) Handler() http.Handler {
	served, control := h.withFaults(h.limited(http.HandlerFunc(h.route))), h.control()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			if p := recover(); p != nil {
				if p == http.ErrAbortHandler {
					panic(p)
				}
				h.config.Logger.Error("a request panicked", "method", r.Method, "path", r.URL.Path, "panic", p)
				http.Error(w, "Server Error", http.StatusInternalServerError)
			}
		}()
		if !hostForm.MatchString(r.Host) {
			http.Error(w, "Bad Request", http.StatusBadRequest)
			return
		}
		if strays(r) {
			misdirect(w, r)
			return
		}
		if strings.HasPrefix(r.URL.Path, controlPrefix) {
			control.ServeHTTP(w, r)
			return
		}
		served.ServeHTTP(w, r)
	})
}

// route hands a request to the part that it is for.
func (h *Hub) route(w http.ResponseWriter, r *http.Request) {
	switch to, path := faceOf(r); to {
	case toGraphQL:
		h.graphql.ServeHTTP(w, r)
	case toREST:
		h.rest.ServeHTTP(w, r)
	case toGit:
		g, _ := parseGitPath(path)
		h.serveGit(w, r, g)
	case toStorage:
		h.rest.ServeStorage(w, r)
	default:
		h.pages.ServeHTTP(w, r)
	}
}

// withFaults lets requests meet the rules of faults.
func (h *Hub) withFaults(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		write := func(w http.ResponseWriter, a faults.Answer) { h.writeFault(w, r, a) }
		h.faults.Wrap(next, faultPath, write).ServeHTTP(w, r)
	})
}
