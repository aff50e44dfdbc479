package engine

import (
	"context"
	"slices"
	"strings"

	"github.com/pullbook/pullbook/engine/incident"
)

// ReadOpen reads all open incidents, before looks that wait already read them one by one. Where it fails, they do.
func (e *Engine) ReadOpen(ctx context.Context) {
	heads, err := e.Ledger.Heads(ctx)
	if err != nil {
		e.Log.Info("incidents will be read one by one", "why", err)
		return
	}
	e.readMany(ctx, heads, heads, e.bookmarks())
}

// readMany reads the incidents on branches that nobody remembers, as a start finds them, with few requests of the hub. It is what
// the looks at them would do one by one, and what it cannot do is left to them: they say why. left is where the engine left each.
func (e *Engine) readMany(ctx context.Context, branches, heads, left map[string]string) {
	e.reading.Lock()
	defer e.reading.Unlock() // whoever comes second finds them read
	unread := map[string]string{}
	for branch := range branches {
		if w := e.known(branch); strings.HasPrefix(branch, incident.BranchPrefix) && heads[branch] != "" && (w == nil || w.report.Load() == nil) {
			unread[branch] = heads[branch]
		}
	}
	e.together(ctx, heads, unread, func(branch string, b Branch) {
		if own, _ := sift(b); left[branch] != "" && !slices.Contains(names(own), left[branch]) {
			return // it does not lead to where the engine left it
		}
		w := e.worker(branch)
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.ledger != nil {
			return // a look came first
		}
		if err := e.taken(w, b, left[branch]); err != nil {
			e.Log.Info("an incident will be read once more", "branch", branch, "why", err)
		}
	})
}

// together reads branches where a listing had them, at, and leaves out those whose incident is on the default branch already.
func (e *Engine) together(ctx context.Context, heads, at map[string]string, found func(branch string, b Branch)) {
	if len(at) < 2 {
		return // one is read as well by whoever needs it
	}
	q := BranchesQuery{DefaultTip: heads[e.DefaultBranch], At: at}
	merged, err := e.Ledger.Incidents(ctx, q.DefaultTip)
	for _, id := range merged {
		delete(at, id.Branch())
	}
	if err == nil {
		err = e.Ledger.Branches(ctx, q, found)
	}
	if err != nil {
		e.Log.Info("incidents will be read one by one", "branches", len(at), "why", err)
	}
}
