package engine

import (
	"context"
	"fmt"

	"github.com/pullbook/pullbook/engine/codeowners"
	"github.com/pullbook/pullbook/engine/runbook"
)

// ownCode writes into a plan who owns the code of its steps by the CODEOWNERS of a commit.
func (e *Engine) ownCode(ctx context.Context, src runbook.Source, plan *runbook.Plan, commit string) ([]runbook.Problem, error) {
	found, err := e.Ledger.Files(ctx, commit, codeowners.Places()...)
	if err != nil {
		return nil, fmt.Errorf("%w: CODEOWNERS at %s: %w", errUnread, commit, err)
	}
	var file codeowners.File
	for _, place := range codeowners.Places() {
		if f, there := found[place]; there {
			file = codeowners.Parse(f.Data)
			for _, lost := range file.Lost {
				e.Log.Warn("a part of CODEOWNERS does not count", "file", place, "commit", commit, "why", lost)
			}
			break
		}
	}
	problems := plan.OwnCode(file.Of)
	for i := range problems {
		problems[i].File = src.Runbook
	}
	return problems, nil
}
