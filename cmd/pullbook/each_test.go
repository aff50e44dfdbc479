package main

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/runbook"
)

// eachRunbook restarts every host that a step finds, and says with what result. The first restart of web-3 fails.
const eachRunbook = `import "strings"

title: "Restart what is stuck"
match: labels: service: "hosts"
alert: _
steps: {
	find: {
		title: "Find the hosts"
		risk:  "read"
		exec: command: ["sh", "-c", "echo '{\"hosts\": [{\"name\": \"web-1\", \"port\": 80}, {\"name\": \"web-2\", \"port\": 81}, {\"name\": \"web-3\", \"port\": 82}, {\"name\": \"web-4\", \"port\": 83}, {\"name\": \"web-5\", \"port\": 84}]}'"]
		output: hosts: [...{name: string, port: int}]
	}
	restart: {
		title: "Restart \(item.name)"
		each:  find.output.hosts
		key:   item.name
		approval: {from: ["acme/sre"], count: 1}
		exec: {
			command: ["sh", "-c", "if [ $HOST = web-3 ] && mkdir $MARKS/tried; then exit 7; fi; echo \"{\\\"port\\\": $PORT}\""]
			env: {HOST: item.name, PORT: "\(item.port)", MARKS: "MARKS_DIR"}
		}
		output: [string]: port: int
	}
	tell: {
		title: "Say what was restarted"
		risk:  "read"
		exec: {command: ["sh", "-c", "echo \"{\\\"said\\\": \\\"$SAID\\\"}\""], env: SAID: strings.Join([for k, o in restart.output {"\(k):\(o.port)"}], ",")}
		output: said: string
	}
}
`

// TestEach plays a loop over five hosts that a step put out against a real engine: one gate for all of them, one that fails
// and is tried again behind a gate of its own, and outputs that a later step uses. The record verifies.
func TestEach(t *testing.T) {
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("git is not installed")
	}
	t.Parallel()
	text := strings.Replace(eachRunbook, "MARKS_DIR", t.TempDir(), 1)
	s := newScene(t, stage{files: map[string]string{"runbooks/hosts.cue": text}})
	s.serve(t)
	group := s.raise(t, alarm{Name: "Stuck", Labels: map[string]string{"service": "hosts"}})
	seen := s.await(t, group, "the gate opens", func(v sight) bool { return count[incident.GateOpened](v) == 1 })
	page := s.gatePage(t, seen, "restart")
	for _, host := range []string{"web-1", "web-2", "web-3", "web-4", "web-5"} {
		if !strings.Contains(page, "\nrestart."+host+"  {\"exec\":") {
			t.Errorf("the page has no line that says what runs for %s:\n%s", host, page)
		}
	}
	if err := s.world.review(t.Context(), "alice", seen.pull.GetNumber(), "/approve restart"); err != nil {
		t.Fatal(err)
	}
	seen = s.await(t, group, "all have ended but web-3, which failed", func(v sight) bool { return count[incident.StepEnded](v) == 6 })
	if err := s.world.comment(t.Context(), "bob", seen.pull.GetNumber(), "/retry restart.web-3"); err != nil {
		t.Fatal(err)
	}
	seen = s.await(t, group, "the gate of web-3 opens", func(v sight) bool { return count[incident.GateOpened](v) == 2 })
	if err := s.world.review(t.Context(), "alice", seen.pull.GetNumber(), "/approve restart.web-3"); err != nil {
		t.Fatal(err)
	}
	seen = s.await(t, group, "it is merged", sight.merged)
	checkEach(t, seen)
	s.verify(t, 1)
}

func checkEach(t *testing.T, seen sight) {
	t.Helper()
	expanded, _ := find[incident.EachExpanded](seen)
	if got := strings.Join(expanded.Keys, " "); got != "web-1 web-2 web-3 web-4 web-5" {
		t.Errorf("the elements are %q", got)
	}
	restart, _ := seen.ended("restart")
	if want := `{"web-1":{"port":80},"web-2":{"port":81},"web-3":{"port":82},"web-4":{"port":83},"web-5":{"port":84}}`; restart.Conclusion != runbook.Succeeded || string(restart.Output) != want {
		t.Errorf("the loop ended %q with %s", restart.Conclusion, restart.Output)
	}
	if tell, _ := seen.ended("tell"); string(tell.Output) != `{"said":"web-1:80,web-2:81,web-3:82,web-4:83,web-5:84"}` {
		t.Errorf("what was said: %s %s", tell.Output, tell.Error)
	}
	attempts := map[string]int{}
	for _, e := range seen.events {
		if d, ok := e.Data.(incident.StepStarted); ok {
			attempts[d.Step]++
		}
	}
	if len(attempts) != 5 || attempts["restart.web-3"] != 2 || attempts["restart.web-1"] != 1 {
		t.Errorf("attempts: %v", attempts)
	}
	if end, _ := find[incident.Ended](seen); end.End != incident.EndResolved {
		t.Errorf("the incident ended %q", end.End)
	}
}
