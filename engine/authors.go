package engine

import (
	"context"
	"slices"
	"strings"

	"github.com/pullbook/pullbook/engine/runbook"
)

// authors says who wrote the steps whose gates may open. The frozen commit does not change, so the hub is asked once, and again
// only where an edit has made steps of further files. While it does not answer, the gates stay closed and all else goes on.
func (e *Engine) authors(ctx context.Context, w *worker, plan runbook.Plan) map[string]runbook.Authorship {
	if !w.opensGates(plan) {
		return nil
	}
	opened := w.ledger.state.Opened
	own := strings.HasPrefix(opened.Runbook, embedded) // nobody of the hub's wrote the engine's own runbook
	files := filesOf(plan)
	asked := !slices.ContainsFunc(files, func(f string) bool { return !slices.Contains(w.blamed, f) })
	if !asked && !own {
		blame, err := e.Hub.Blame(ctx, opened.Commit, files)
		if err != nil {
			e.Log.Warn("nobody could be asked who wrote the runbook; its gates do not open", "branch", w.branch, "error", err)
			return nil
		}
		w.blame, w.blamed = blame, files
	}
	out := map[string]runbook.Authorship{}
	for _, step := range plan.Steps {
		if out[step.Name] = (runbook.Authorship{}); !own {
			out[step.Name] = runbook.AuthorsOf(step.Lines, w.blame)
		}
	}
	return out
}

// opensGates reports whether a gate may open now that has not said who wrote its step.
func (w *worker) opensGates(plan runbook.Plan) bool {
	freezes := len(plan.Calendar.All()) > 0
	return slices.ContainsFunc(plan.Steps, func(s runbook.Step) bool {
		st := w.ledger.state.Step(s.Name)
		gated := s.Approval != nil || freezes && s.Risk != runbook.RiskRead
		over := st.Over() && w.ledger.state.RetryAt(s).IsZero() // what is tried again may be asked anew: it was edited, or a freeze has begun
		return gated && len(s.Lines) > 0 && !st.Gate.SaysAuthors() && s.Now.Status == runbook.StatusReady && !over
	})
}

// filesOf lists the files that make the steps of a plan.
func filesOf(plan runbook.Plan) (files []string) {
	for _, step := range plan.Steps {
		for _, l := range step.Lines {
			if !slices.Contains(files, l.File) {
				files = append(files, l.File)
			}
		}
	}
	return files
}
