package sim

import (
	"strings"

	"github.com/pullbook/pullbook/engine"
	"github.com/pullbook/pullbook/engine/incident"
)

// facts are what has happened since the invariants were asked last.
type facts struct {
	effects []effect
	checks  []incident.CheckRun
	leaks   []string

	requests []request
	changed  bool // the remote, the forge or an inbox
}

// effect is one attempt's deed in the world.
type effect struct {
	process *process
	job     engine.StepJob
}

// out takes note of text that leaves the engine.
func (f *facts) out(text string) {
	f.changed = true
	if strings.Contains(text, canary) {
		f.leaks = append(f.leaks, text)
	}
}
