package engine

import (
	"maps"
	"slices"
	"strings"

	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/runbook"
)

// Rest is an incident in which nothing can be due before its branch moves, somebody does something on its pull request, the
// members of its teams change, or a timer ends. So another engine need not look at it until then.
type Rest struct {
	Standing Standing `json:"standing"`
	Branch   string   `json:"branch"`
	Head     string   `json:"head"`
	Teams    []string `json:"teams,omitempty"`
	Wide     bool     `json:"wide,omitempty"`  // what it waits for may also be on other incidents' branches
	Awake    bool     `json:"awake,omitempty"` // it does not rest: a step is under way, or something is not as it should be
}

// Resting returns the open incidents that this engine has looked at, ordered by branch. One with a step under way, with events
// that are not on the hub, or whose branch is not where it should be, is awake.
func (e *Engine) Resting() (out []Rest) {
	for _, w := range e.all() {
		if r, looked := w.resting(); looked {
			out = append(out, r)
		}
	}
	slices.SortFunc(out, func(a, b Rest) int { return strings.Compare(a.Branch, b.Branch) })
	return out
}

// all are the workers that are remembered.
func (e *Engine) all() []*worker {
	e.mu.Lock()
	defer e.mu.Unlock()
	workers := make([]*worker, 0, len(e.workers))
	for _, w := range e.workers {
		workers = append(workers, w)
	}
	return workers
}

func (w *worker) resting() (r Rest, looked bool) {
	s, ok := w.standing()
	w.mu.Lock()
	defer w.mu.Unlock()
	r = Rest{Standing: s, Branch: w.branch, Teams: w.frozen.teams, Awake: true}
	n := w.ledger
	if !ok || n == nil || s.Merged {
		return r, ok || w.hub != nil
	}
	r.Head, r.Wide, r.Awake = n.remote, n.state.Opened.Parent != nil, s.Pull == 0 || n.gone || n.deleted || n.lost != "" || n.pushed < n.state.Seq || n.head != n.remote
	if n.deleted {
		r.Head = n.head
	}
	for _, step := range n.state.Expand(w.plan.plan).Steps {
		st := n.state.Step(step.Name)
		r.Awake = r.Awake || st.Phase == incident.PhaseStarted && !step.Kind.AsksPeople() && step.Kind != runbook.KindWait && step.Kind != runbook.KindRunbook
		r.Wide = r.Wide || step.TakesLocks || step.Kind == runbook.KindRunbook
	}
	return r, true
}

// Vetted returns the heads of the pull requests of people that need no check any more, by number.
func (e *Engine) Vetted() map[int]string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return maps.Clone(e.vetted)
}
