package engine

import (
	"context"
	"fmt"
	"path"
	"strings"

	"github.com/pullbook/pullbook/engine/runbook"
)

// maxFetches bounds how often a question is asked again because packages were missing: each time at least one more is there.
const maxFetches = 16

// cue reads what every question about the runbooks at a commit begins with. Packages come as they turn out to be missing.
func (e *Engine) cue(ctx context.Context, commit string) (map[string][]byte, error) {
	tree, err := e.Ledger.Files(ctx, commit, runbookDir, orgFile, moduleFile)
	if err != nil {
		return nil, fmt.Errorf("read the runbooks at %s: %w", commit, err)
	}
	return cueFiles(tree), nil
}

// load loads a runbook of a commit. What it imports is added to the source's other files.
func (e *Engine) load(ctx context.Context, src runbook.Source, commit string) (plan runbook.Plan, problems []runbook.Problem, err error) {
	for range maxFetches {
		if plan, problems, err = e.Eval.Load(ctx, src); err != nil {
			return plan, nil, err
		}
		if more, err := e.fetch(ctx, src.Others, problems, commit); err != nil || !more {
			return plan, problems, err
		}
	}
	return plan, problems, nil
}

// fetch adds the packages that problems say are missing to the files at hand, and reports whether there were any.
func (e *Engine) fetch(ctx context.Context, files map[string][]byte, problems []runbook.Problem, commit string) (more bool, err error) {
	for _, p := range problems {
		if p.Missing == "" {
			continue
		}
		tree, err := e.Ledger.Files(ctx, commit, p.Missing)
		if err != nil {
			return false, fmt.Errorf("%w: the package %s at %s: %w", errUnread, p.Missing, commit, err)
		}
		for name, f := range tree {
			if path.Dir(name) == p.Missing && strings.HasSuffix(name, ".cue") && files[name] == nil {
				files[name], more = f.Data, true
			}
		}
	}
	return more, nil
}
