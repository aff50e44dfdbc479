package engine

import (
	"cmp"
	"slices"

	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/render"
)

// Standing is how one incident stands, as far as this engine has seen.
type Standing struct {
	ID     incident.ID  `json:"id"`
	Pull   int          `json:"pull,omitempty"`
	URL    string       `json:"url,omitempty"`
	Title  string       `json:"title"`
	End    incident.End `json:"end,omitempty"`    // empty while it is open
	Merged bool         `json:"merged,omitempty"` // nothing is left to do
	// Headline says in Markdown what it waits for and for whom. Foreign text in it is defused.
	Headline string `json:"headline"`
}

// Standings tells how every incident stands that was looked at and has not been merged, in the order of their ids. It waits
// for looks that are under way.
func (e *Engine) Standings() []Standing {
	var out []Standing
	for _, w := range e.all() {
		if s, ok := w.standing(); ok {
			out = append(out, s)
		}
	}
	slices.SortFunc(out, func(a, b Standing) int { return cmp.Compare(a.ID, b.ID) })
	return out
}

func (w *worker) standing() (Standing, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ledger == nil || w.hub == nil || !w.plan.known {
		return Standing{}, false
	}
	state, view := w.ledger.state, w.view(nil, nil)
	return Standing{ID: state.Opened.ID, Pull: state.Pull, URL: state.PullURL, Title: render.Title(w.plan.plan, state), End: state.End,
		Merged: view.Pull != nil && view.Pull.Merged, Headline: render.Headline(w.plan.plan, state, view)}, true
}
