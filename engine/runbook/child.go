package runbook

import (
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strings"
)

// MaxChain is how many runbooks may open one another, the first included.
const MaxChain = 4

// MaxTree is how many incidents may come from one that no step opened, all that come from these included.
const MaxTree = 1_000

// Child opens an incident of its own that follows another runbook of the ledger, and waits for its end.
type Child struct {
	Name string          `json:"name"`           // of the runbook: its file's, without directory and ending
	With json.RawMessage `json:"with,omitempty"` // its inputs, a JSON object
}

// NameOf is the name of the runbook at a path of the ledger, for example db_failover of runbooks/db_failover.cue.
func NameOf(file string) string { return strings.TrimSuffix(path.Base(file), ".cue") }

// ChainProblem says why the last runbook of a chain must not open the named one; empty if it may. The chain holds the paths
// of the runbooks of an incident and of all its ancestors, the first incident's first.
func ChainProblem(chain []string, name string) string {
	names := make([]string, len(chain))
	for i, file := range chain {
		names[i] = NameOf(file)
	}
	way := strings.Join(append(slices.Clone(names), name), " opens ")
	switch {
	case slices.Contains(names, name):
		return fmt.Sprintf("the runbook %s would open itself: %s", name, way)
	case len(chain) >= MaxChain:
		return fmt.Sprintf("the chain is too long: %s; at most %d runbooks open one another", way, MaxChain)
	}
	return ""
}
