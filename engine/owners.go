package engine

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

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
	problems := ownedBy(plan, file)
	for i := range problems {
		problems[i].File = src.Runbook
	}
	return problems, nil
}

// ownedBy does the same with the file. A problem tells what of the file does not count: that may be why.
func ownedBy(plan *runbook.Plan, file codeowners.File) []runbook.Problem {
	problems := plan.OwnCode(file.Of)
	for i := range problems {
		if len(file.Lost) > 0 {
			problems[i].Hint += "; of CODEOWNERS does not count: " + strings.Join(file.Lost, ", ")
		}
	}
	return problems
}

// unowned reports approvals that ask code owners where there are none, or too few.
func unowned(ctx context.Context, t Tree, asks []runbook.Ask) (ps []runbook.Problem, err error) {
	if len(asks) == 0 {
		return nil, nil
	}
	file, err := ownersIn(ctx, t)
	if err != nil {
		return nil, err
	}
	for _, ask := range asks {
		step := ask.Step
		step.Files = nil
		for _, f := range ask.Step.Files {
			found, err := t.List(ctx, f.Path)
			if err != nil {
				return nil, fmt.Errorf("look for %s: %w", f.Path, err)
			}
			for _, path := range slices.Sorted(maps.Keys(found)) {
				step.Files = append(step.Files, runbook.File{Path: path})
			}
		}
		for _, p := range ownedBy(&runbook.Plan{Steps: []runbook.Step{step}}, file) {
			p.File, p.Line, p.Column = ask.At.File, ask.At.Line, ask.At.Column
			ps = append(ps, p)
		}
	}
	return ps, nil
}

// ownersIn reads the CODEOWNERS of a tree.
func ownersIn(ctx context.Context, t Tree) (codeowners.File, error) {
	for _, place := range codeowners.Places() {
		text, there, err := t.Text(ctx, place)
		if err != nil {
			return codeowners.File{}, fmt.Errorf("read %s: %w", place, err)
		}
		if there {
			return codeowners.Parse(text), nil
		}
	}
	return codeowners.File{}, nil
}
