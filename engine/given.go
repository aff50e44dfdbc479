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

// runbookPath is the path of a runbook that a person named by it or by its name.
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
	tree, err := e.Ledger.Files(ctx, heads[e.DefaultBranch], runbookDir, orgFile)
	if err != nil {
		return nil, fmt.Errorf("check the inputs of %s: %w", a.Runbook, err)
	}
	files, name := cueFiles(tree), runbookPath(a.Runbook)
	if files[name] == nil {
		return nil, nil
	}
	src := runbook.Source{Runbook: name, Files: pick(files, name, orgFile), Inputs: given(a.Inputs)}
	_, problems, err := e.Eval.Load(ctx, src)
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
