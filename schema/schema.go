// Package schema holds the types that authors write against: what a runbook, an alert and an organisation may say.
//
// Words:
//
//   - #Runbook is one file below runbooks/: which alerts it answers and which steps to take.
//   - #Step is one unit of it; exactly one of the fields that carry @kind says what
//     it does. Its undo, where it has one, is an #UndoStep.
//   - #Alert is what a runbook may refer to as alert.
//   - #Organisation is pullbook.cue at the root of the ledger: who may command, and the policy for all steps.
//
// Flow: cueval compiles this text, unifies a runbook with #Runbook and pullbook.cue with #Organisation, and refuses what
// does not fit. Authors import nothing.
//
// The schema holds types only. It holds no default: what an absent field means is written in README.md beside it and
// filled by cueval, since a default in the schema would be a field that policies and templates conflict with. Rules that
// CUE cannot say with a readable error (exactly one kind, unique people) are cueval's too. What the house must know of a
// kind of step stands here as attributes, so that a new kind is a definition here and a file in engine/step.
package schema

import _ "embed"

//go:embed runbook.cue
var runbook string

// Runbook returns the CUE text of the schema.
func Runbook() []byte { return []byte(runbook) }
