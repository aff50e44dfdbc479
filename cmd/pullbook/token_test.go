package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/pullbook/pullbook/engine/incident"
)

// TestTokenRevoked: the hub revokes the engine's token while it waits. An alert that comes then becomes an incident all the same, with
// another token: the engine asks git first of all, and its refusal is enough.
func TestTokenRevoked(t *testing.T) {
	t.Parallel()
	s := newScene(t, stage{})
	k := newTokenKeeper(s)
	s.serve(t)
	k.revoke(t)
	group := s.raise(t, alarm{Name: "After", Labels: map[string]string{}})
	seen := s.await(t, group, "the incident opens with another token", func(v sight) bool { return has[incident.Opened](v) && v.started("look") })
	if k.mu.Lock(); k.refused["git"] == 0 {
		t.Errorf("refused were %v", k.refused)
	}
	k.mu.Unlock()
	if err := s.world.comment(t.Context(), "bob", seen.pull.GetNumber(), "/done look"); err != nil {
		t.Fatal(err)
	}
	s.await(t, group, "it is merged", sight.merged)
}

// tokenKeeper sees the tokens with which the engine comes.
type tokenKeeper struct {
	hub http.Handler

	mu      sync.Mutex
	tokens  map[string]bool
	refused map[string]int // git or rest
}

func newTokenKeeper(s *scene) *tokenKeeper {
	k := &tokenKeeper{hub: s.world.server.Handler, tokens: map[string]bool{}, refused: map[string]int{}}
	s.world.server.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !s.fromEngine(r) {
			k.hub.ServeHTTP(w, r)
			return
		}
		way := "rest"
		token, signed := strings.CutPrefix(r.Header.Get("Authorization"), "token ")
		if _, password, basic := r.BasicAuth(); basic {
			way, token, signed = "git", password, true
		}
		answer := &heardAnswer{ResponseWriter: w}
		k.hub.ServeHTTP(answer, r)
		k.mu.Lock()
		defer k.mu.Unlock()
		switch {
		case signed && answer.status == http.StatusUnauthorized:
			k.refused[way]++
		case signed:
			k.tokens[token] = true
		}
	})
	return k
}

// heardAnswer keeps the status of an answer.
type heardAnswer struct {
	http.ResponseWriter
	status int
}

func (n *heardAnswer) WriteHeader(status int) {
	n.status = status
	n.ResponseWriter.WriteHeader(status)
}

func (n *heardAnswer) Unwrap() http.ResponseWriter { return n.ResponseWriter }

// revoke ends every token that was used.
func (k *tokenKeeper) revoke(t *testing.T) {
	t.Helper()
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.tokens) == 0 {
		t.Fatal("the engine has come with no token")
	}
	for token := range k.tokens {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodDelete, "/api/v3/installation/token", nil)
		r.Header.Set("Authorization", "token "+token)
		w := httptest.NewRecorder()
		if k.hub.ServeHTTP(w, r); w.Code != http.StatusNoContent {
			t.Fatalf("revoke a token: %d %s", w.Code, w.Body)
		}
	}
}
