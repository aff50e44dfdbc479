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

var longSteps = flag.Int("steps", 300, "how many steps the incident of TestLongIncident has, about")

// longShare is how many elements each list of a long runbook has at most. What one evaluation may take bounds one list, not the
// incident.
const longShare = 500

// longRunbook looks at so many things, a list of them after the other; how long each is says the step before it. Before all and after all
// there are so many steps that follow each other, each of which is a commit.
func longRunbook(things, hops int) string {
	var b strings.Builder
	b.WriteString("import \"list\"\n\ntitle: \"Look at all of them\"\nmatch: labels: service: \"long\"\nalert: _\nsteps: {\n")
	before := ""
	needs := func() string {
		if before == "" {
			return ""
		}
		return fmt.Sprintf("needs: [%q], ", before)
	}
	chain := func(name string) {
		for i := range hops {
			fmt.Fprintf(&b, "\t%s%d: {%srisk: \"read\", exec: command: [\"true\"]}\n", name, i, needs())
			before = fmt.Sprint(name, i)
		}
	}
	chain("first")
	for i := 0; i*longShare < things; i++ {
		fmt.Fprintf(&b, "\tcount%d: {%srisk: \"read\", exec: command: [\"echo\", \"{\\\"n\\\": %d}\"], output: n: int}\n", i, needs(), min(longShare, things-i*longShare))
		fmt.Fprintf(&b, "\tlook%d: {each: list.Range(0, count%[1]d.output.n, 1), key: \"n\\(item)\", risk: \"read\", exec: command: [\"true\"]}\n", i)
		before = fmt.Sprint("look", i)
	}
	chain("last")
	b.WriteString("}\n")
	return b.String()
}

const longPolicy = `name: "acme"
limits: each: 500
readCommands: [["true"], ["echo", "..."]]
`

// widest is how many entries a directory of the ledger may have: hubs show no more than that of one, and trees that are written anew
// with every commit stay small.
const widest = 3000

// TestLongIncident plays an incident of many steps, 5,000 in long runs: it is still one journal, no directory is wide, the ledger
// verifies, and the steps that follow each other at its end are told beside those at its start.
func TestLongIncident(t *testing.T) {
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("git is not installed")
	}
	t.Parallel()
	hops := min(100, *longSteps/20)
	things := *longSteps - 2*hops
	lists := (things + longShare - 1) / longShare
	s := newScene(t, stage{files: map[string]string{"runbooks/long.cue": longRunbook(things, hops), "pullbook.cue": longPolicy}})
	s.serve(t)
	group := s.raise(t, alarm{Name: "Long", Labels: map[string]string{"service": "long"}})
	seen := s.sightWithin(t, incident.Slot(group, ""), time.Minute+time.Duration(*longSteps)*400*time.Millisecond, sight.merged)
	if n := count[incident.StepEnded](seen); n != *longSteps+2*lists { // each list has a step that counts it, and an end of its own
		t.Fatalf("%d steps ended, want %d", n, *longSteps+2*lists)
	}
	most := 0
	for dir, n := range s.directories(t) {
		if most = max(most, n); n >= widest {
			t.Errorf("%s has %d entries", dir, n)
		}
	}
	began := time.Now()
	s.verify(t, 1)
	start, end := tookFor(seen, "first", hops), tookFor(seen, "last", hops)
	t.Logf("%d events, at most %d entries of a directory, verified in %s; a step that follows another one took %s at the start and %s at the end, %.2f times as long",
		len(seen.events), most, time.Since(began).Round(time.Millisecond), start, end, float64(end)/float64(start))
}

// tookFor is how long a step took of a chain with a name, from the end of the one before to its own.
func tookFor(seen sight, name string, hops int) time.Duration {
	var from, to time.Time
	for _, e := range seen.events {
		d, ended := e.Data.(incident.StepEnded)
		switch {
		case ended && d.Step == name+"0":
			from = e.At
		case ended && d.Step == fmt.Sprint(name, hops-1):
			to = e.At
		}
	}
	return to.Sub(from) / time.Duration(max(1, hops-1))
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
