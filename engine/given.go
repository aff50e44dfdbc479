package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"path"
	"strings"

	"github.com/pullbook/pullbook/engine/runbook"
)

// given are the inputs of an arrival: from now on what is not among them is missing.
func given(inputs json.RawMessage) json.RawMessage {
	if len(inputs) == 0 {
		return json.RawMessage("{}")
	}
	return inputs
}

// runbookPath is where one looks for a runbook that was named by its path or its name and is not there.
func runbookPath(chosen string) string {
	if strings.HasSuffix(chosen, ".cue") {
		return chosen
	}
	return path.Join(runbookDir, chosen+".cue")
}

// WrongInputs says what is wrong with the inputs that a person gives to a runbook, so that it can be said before the
// incident is opened. Of a runbook that does not exist, or is wrong itself, it says nothing: the incident will.
func (e *Engine) WrongInputs(ctx context.Context, a Arrival) ([]runbook.Problem, error) {
	heads, err := e.Ledger.Heads(ctx)
	if err != nil {
		return nil, fmt.Errorf("check the inputs of %s: %w", a.Runbook, err)
	}
	tip := heads[e.DefaultBranch]
	files, err := e.cue(ctx, tip)
	if err != nil {
		return nil, fmt.Errorf("check the inputs of %s: %w", a.Runbook, err)
	}
	name, there := runbook.Find(files, a.Runbook)
	if !there {
		return nil, nil
	}
	src := runbook.SourceOf(files, name)
	src.Inputs = given(a.Inputs)
	_, problems, err := e.load(ctx, src, tip)
	if err != nil {
		return nil, fmt.Errorf("check the inputs of %s: %w", a.Runbook, err)
	}
	var wrong []runbook.Problem
	for _, p := range problems {
		if p.Path == "inputs" || strings.HasPrefix(p.Path, "inputs.") {
			wrong = append(wrong, p)
		}
	}
	return wrong, nil
}
