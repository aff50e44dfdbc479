package proposal

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/pullbook/pullbook/engine/runbook"
)

// historyDir is where incidents are recorded (incident.ID has the paths below it).
const historyDir = "incidents"

// Recorded reports whether a change is one of the recorded history. The engine alone writes there, and it gets to the default
// branch by the merge of an incident's own pull request alone: anything else is a finding of `pullbook audit verify` for ever.
func (c Change) Recorded() bool {
	return c.Path == historyDir || strings.HasPrefix(c.Path, historyDir+"/")
}

// History says what changes would do to the recorded history, once for each incident. The hint is for a clone whose remote
// branch is the one that the proposal is against.
func History(changes []Change, remote string) (ps []runbook.Problem) {
	of := map[string][]string{} // the changed files of each incident
	for _, c := range changes {
		if c.Recorded() {
			dir := recordOf(c.Path)
			of[dir] = append(of[dir], c.Path)
		}
	}
	for _, dir := range slices.Sorted(maps.Keys(of)) {
		files := slices.Compact(slices.Sorted(slices.Values(of[dir])))
		p := runbook.Problem{File: files[0], Text: "it belongs to the recorded history of incidents, which nobody but the engine may change",
			Hint: fmt.Sprintf("git restore --source=%s... --staged --worktree %s takes it out of the proposal", remote, historyDir)}
		if more := len(files) - 1; more > 0 {
			p.Text += fmt.Sprintf("; %d more changed below %s", more, dir)
		}
		ps = append(ps, p)
	}
	return ps
}

// recordOf is the directory of the incident that a path lies in, as incidents/2026/11/22/<id>, or else the path.
func recordOf(file string) string {
	const deep = 5
	words := strings.SplitN(file, "/", deep+1)
	if len(words) <= deep {
		return file
	}
	return strings.Join(words[:deep], "/")
}
