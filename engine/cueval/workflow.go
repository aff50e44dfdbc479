package cueval

import (
	"fmt"
	"slices"

	"cuelang.org/go/cue"

	"github.com/pullbook/pullbook/engine/runbook"
)

// mostDispatched is how many inputs the hub takes with a workflow_dispatch ("workflow_dispatch" in GitHub's list of events that
// trigger workflows).
const mostDispatched = 25

// workflow reads an #Actions as far as it is static; that it is known is looked at with the other static fields.
func (s *skeleton) workflow(k cue.Value) {
	var w runbook.Workflow
	for name, into := range map[string]*string{"repo": &w.Repo, "workflow": &w.File, "ref": &w.Ref, "key": &w.Key} {
		*into, _ = field(k, name).String()
	}
	s.step.Workflow = &w
	kind, names := string(runbook.KindActions), fieldNames(field(k, "inputs"))
	if w.Key != "" && slices.Contains(names, w.Key) {
		s.problem(fmt.Sprintf("the input %s gets the key of the attempt, and a value", w.Key), "leave it out of inputs", kind, "inputs")
	}
	if w.Key != "" {
		names = append(names, w.Key)
	}
	if len(names) > mostDispatched {
		s.problem(fmt.Sprintf("a workflow takes at most %d inputs", mostDispatched), "give it one with JSON in it", kind, "inputs")
	}
}
