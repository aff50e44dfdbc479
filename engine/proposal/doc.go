// Package proposal says what is to be checked of a pull request that a person opened against the ledger's default branch, and
// what became of the check.
//
// Words:
//
//   - A proposal is an open pull request to the default branch that is not an incident's: a branch of the ledger, or of a fork.
//   - A change is a file that it adds, alters, moves or takes away.
//   - The recorded history is what incidents left on the default branch. No proposal may change it.
//   - The scope is what has to be vetted because of the changes: the runbooks that they may have broken.
//   - A check is what is published on the proposal's head, under the same name as an incident's own check, so that one
//     required check serves both.
//
// Flow:
//
//	changes + texts of the runbooks ─ ScopeOf ─ vet (engine.Vet) ┬ render.Proposal ─ Check
//	changes ─ History ───────────────────────────────────────────┘
//
// The package reads nothing, evaluates nothing and knows neither git nor GitHub.
package proposal
