package main

import (
	"os/exec"
	"slices"
	"testing"
	"time"

	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/runbook"
)

// stagesRunbook waits, asks for a choice, fails where the choice says so, undoes what had succeeded and cleans up.
const stagesRunbook = `title: "Drain, choose, and take it back"
match: labels: service: "stages"
alert: _
steps: {
	pause: wait: for: "1s"
	region: {
		needs: ["pause"]
		choose: {question: "Which region?", options: ["eu", "us"]}
		output: choice: string
	}
	drain: {
		title: "Drain \(region.output.choice)"
		approval: {from: ["acme/sre"], count: 1}
		exec: {command: ["sh", "-c", "echo drained"], env: REGION: region.output.choice}
		undo: exec: command: ["sh", "-c", "echo undrained"]
		undo: approval: {from: ["acme/sre"], count: 1}
	}
	move: {
		needs: ["drain"]
		onFailure: "undo"
		approval: {from: ["acme/sre"], count: 1}
		exec: command: ["sh", "-c", "exit 3"]
	}
	never: {needs: ["move"], manual: task: "nobody comes here"}
}
finally: tidy: {
	risk: "read"
	exec: command: ["sh", "-c", "echo tidied after $MOVED"]
	exec: env: MOVED: steps.move.status
}
`

// TestStages plays a runbook with every stage against a real engine: a wait that is never early, a choice by comment, a
// failure that undoes what had succeeded behind a gate of its own, a finally step, and an end that verifies.
func TestStages(t *testing.T) {
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("git is not installed")
	}
	t.Parallel()
	s := newScene(t, stage{files: map[string]string{"runbooks/stages.cue": stagesRunbook}})
	s.serve(t)
	group := s.raise(t, alarm{Name: "Stages", Labels: map[string]string{"service": "stages"}})
	seen := s.await(t, group, "a choice is asked for", func(v sight) bool { return v.started("region") })
	if err := s.world.comment(t.Context(), "bob", seen.pull.GetNumber(), "/choose region eu"); err != nil {
		t.Fatal(err)
	}
	for i, step := range []string{"drain", "move", "drain_undo"} {
		seen = s.await(t, group, "the gate of "+step+" opens", func(v sight) bool { return count[incident.GateOpened](v) > i })
		if err := s.world.review(t.Context(), "alice", seen.pull.GetNumber(), "/approve "+step); err != nil {
			t.Fatal(err)
		}
	}
	seen = s.await(t, group, "it is merged", sight.merged)
	checkStages(t, seen)
	s.verify(t, 1)
}

func checkStages(t *testing.T, seen sight) {
	t.Helper()
	pause, _ := seen.ended("pause")
	if took := pause.Ended.Sub(pause.Started); took < time.Second {
		t.Errorf("the wait of 1s took %s", took)
	}
	if region, _ := seen.ended("region"); string(region.Output) != `{"choice":"eu"}` || region.Deed == nil || region.Deed.By.Login != "bob" {
		t.Errorf("the choice is recorded as %s by %v", region.Output, region.Deed)
	}
	for step, want := range map[string]runbook.Conclusion{"drain": runbook.Succeeded, "move": runbook.Failed, "drain_undo": runbook.Succeeded, "tidy": runbook.Succeeded} {
		if got, _ := seen.ended(step); got.Conclusion != want {
			t.Errorf("%s ended %q, want %q (%s)", step, got.Conclusion, want, got.Error)
		}
	}
	if seen.started("never") {
		t.Error("a step after the failure was started")
	}
	if end, _ := find[incident.Ended](seen); end.End != incident.EndUndone {
		t.Errorf("the incident ended %q, want %q", end.End, incident.EndUndone)
	}
	var order []string
	for _, e := range seen.events {
		if d, ok := e.Data.(incident.StepEnded); ok {
			order = append(order, d.Step)
		}
	}
	if want := []string{"pause", "region", "drain", "move", "drain_undo", "tidy"}; !slices.Equal(order, want) {
		t.Errorf("the steps ended in the order %v, want %v", order, want)
	}
}
