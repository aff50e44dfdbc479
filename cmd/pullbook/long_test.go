package main

import (
	"flag"
	"fmt"
	"os/exec"
	"path"
	"strings"
	"testing"
	"time"

	"github.com/pullbook/pullbook/engine/incident"
)

var longSteps = flag.Int("steps", 150, "how many steps the incident of TestLongIncident has")

// longRunbook looks at each of COUNT things.
const longRunbook = `import "list"

title: "Look at all of them"
match: labels: service: "long"
alert: _
steps: {
	look: {
		each: list.Range(0, COUNT, 1)
		key:  "n\(item)"
		risk: "read"
		exec: command: ["true"]
	}
	end: {needs: ["look"], risk: "read", exec: command: ["true"]}
}
`

const longPolicy = `name: "acme"
limits: each: 5000
readCommands: [["true"]]
`

// widest is how many entries a directory of the ledger may have: hubs show no more than that of one, and trees that are written anew
// with every commit stay small.
const widest = 3000

// TestLongIncident plays an incident of many steps, 5,000 in long runs: it is still one journal, no directory is wide, what a
// commit adds does not grow, and the ledger verifies.
func TestLongIncident(t *testing.T) {
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("git is not installed")
	}
	t.Parallel()
	text := strings.Replace(longRunbook, "COUNT", fmt.Sprint(*longSteps), 1)
	s := newScene(t, stage{files: map[string]string{"runbooks/long.cue": text, "pullbook.cue": longPolicy}})
	s.serve(t)
	group := s.raise(t, alarm{Name: "Long", Labels: map[string]string{"service": "long"}})
	seen := s.sightWithin(t, incident.Slot(group, ""), time.Minute+time.Duration(*longSteps)*200*time.Millisecond, sight.merged)
	if n := count[incident.StepEnded](seen); n != *longSteps+2 { // the list of all has an end of its own
		t.Fatalf("%d steps ended, want %d", n, *longSteps+2)
	}
	for dir, n := range s.directories(t) {
		if n >= widest {
			t.Errorf("%s has %d entries", dir, n)
		}
	}
	var ends []time.Time
	for _, e := range seen.events {
		if d, ok := e.Data.(incident.StepEnded); ok && d.Step != "end" {
			ends = append(ends, e.At)
		}
	}
	tenth := len(ends) / 10
	t.Logf("%d steps, %d events: the first tenth took %s, the last %s", len(ends), len(seen.events),
		ends[tenth].Sub(ends[0]).Round(time.Millisecond), ends[len(ends)-1].Sub(ends[len(ends)-1-tenth]).Round(time.Millisecond))
	s.verify(t, 1)
}

// sightWithin looks at an incident until it is as it should be, or for too long.
func (s *scene) sightWithin(t *testing.T, slot string, patience time.Duration, good func(sight) bool) sight {
	t.Helper()
	for until := time.Now().Add(patience); time.Now().Before(until); time.Sleep(500 * time.Millisecond) {
		if seen := s.seeSlot(t, slot); seen.pull != nil && good(seen) {
			return seen
		}
	}
	t.Fatalf("the incident is not as it should be after %s", patience)
	panic("unreachable: Fatal ends the test")
}

// directories counts the entries of each directory of the ledger's default branch.
func (s *scene) directories(t *testing.T) map[string]int {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "git", "-C", s.world.bareRepo(), "ls-tree", "-r", "-t", "--name-only", "-z", "main").Output()
	if err != nil {
		t.Fatal(err)
	}
	entries := map[string]int{}
	for file := range strings.SplitSeq(strings.TrimSuffix(string(out), "\x00"), "\x00") {
		entries[path.Dir(file)]++
	}
	return entries
}
