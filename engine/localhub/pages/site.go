package pages

import (
	"log/slog"
	"net/http"

	"github.com/pullbook/pullbook/engine/localhub/git"
	"github.com/pullbook/pullbook/engine/localhub/state"
)

// Config is what a Site works with.
type Config struct {
	Store  *state.Store
	Repos  *git.Repos
	Logger *slog.Logger
}

// A Site serves the pages.
type Site struct{ Config }

// New makes a site.
func New(c Config) (*Site, error) { return &Site{c}, nil }

// ServeHTTP answers.
func (s *Site) ServeHTTP(w http.ResponseWriter, r *http.Request) { http.NotFound(w, r) }
