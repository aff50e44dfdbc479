package main

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-github/v60/github"

	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/localhub"
)

// pressedRunbook fails in a step that anybody who may command can skip, and in one whose approvers have to; and somebody has to look.
const pressedRunbook = `title: "Press, skip, go on"
match: labels: service: "pressed"
alert: _
steps: {
	broken: {risk: "read", exec: command: ["sh", "-c", "exit 3"]}
	risky: {
		approval: {from: ["acme/sre"], count: 1}
		exec: command: ["sh", "-c", "exit 3"]
	}
	look: manual: task: "Look at the graphs"
}
`

// TestButtons drives a failed incident by the buttons of its check runs: they lead to what the comments lead to, for the same
// people, and a gate is not overridden by one.
func TestButtons(t *testing.T) {
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("git is not installed")
	}
	t.Parallel()
	s := newScene(t, stage{files: map[string]string{"runbooks/pressed.cue": pressedRunbook}})
	s.serve(t)
	group := s.raise(t, alarm{Name: "Pressed", Labels: map[string]string{"service": "pressed"}})
	failed := func(step string, times int) sight {
		return s.await(t, group, step+" has failed", func(v sight) bool { return len(endings(v, step)) == times })
	}
	seen := failed("broken", 1)
	number := seen.pull.GetNumber()
	s.press(t, seen, "carol", "broken", "retry") // an owner of the repository, and not of the team that may command
	s.awaitAnswers(t, number, "The button that carol pressed did nothing: only people with write permission who are named in `command`")
	s.press(t, seen, "alice", "broken", "retry")
	seen = failed("broken", 2)
	s.press(t, seen, "bob", "broken", "skip")
	s.await(t, group, "it is skipped", func(v sight) bool { return has[incident.StepSkipped](v) })
	for _, body := range []string{"/approve risky", ""} {
		if body == "" {
			seen = failed("risky", 1)
			s.press(t, seen, "bob", "risky", "skip")
			s.awaitAnswers(t, number, "which a button does not override", "say `/skip risky <reason>` in a review")
			body = "/skip risky not needed"
		}
		if err := s.world.review(t.Context(), "alice", number, body); err != nil {
			t.Fatal(err)
		}
	}
	seen = s.await(t, group, "nothing but a manual step is left", func(v sight) bool { return len(skips(v)) == 2 })
	s.pressOn(t, seen, "alice", incident.RollupName, "/waiting/", fmt.Sprintf("skip:%d", startOf(seen, "look")))
	seen = s.await(t, group, "it is merged", sight.merged)
	if last := skips(seen)[2]; last.Step != "look" || last.Deed.Via != incident.ViaButton || last.Deed.By.Login != "alice" {
		t.Errorf("the manual step was skipped as %+v", last)
	}
	retried, _ := find[incident.RetryAsked](seen)
	skipped, _ := find[incident.StepSkipped](seen)
	for by, deed := range map[string]incident.Deed{"alice": retried.Deed, "bob": *skipped.Deed} {
		if deed.Via != incident.ViaButton || deed.By.Login != by || !deed.By.Write || deed.Delivery == "" || deed.ID == 0 {
			t.Errorf("what %s pressed is recorded as %+v", by, deed)
		}
	}
	s.verify(t, 1)
}

// endings are the sequence numbers of the ends of a step's attempts.
func endings(v sight, step string) (seqs []int) {
	for _, e := range v.events {
		if d, ok := e.Data.(incident.StepEnded); ok && d.Step == step {
			seqs = append(seqs, e.Seq)
		}
	}
	return seqs
}

// skips are what was skipped by people, in order.
func skips(v sight) (all []incident.StepSkipped) {
	for _, e := range v.events {
		if d, ok := e.Data.(incident.StepSkipped); ok && d.Deed != nil {
			all = append(all, d)
		}
	}
	return all
}

// startOf is the sequence number of the start of a step.
func startOf(v sight, step string) int {
	for _, e := range v.events {
		if d, ok := e.Data.(incident.StepStarted); ok && d.Step == step {
			return e.Seq
		}
	}
	return 0
}

// press presses a button of the check run of a step's latest attempt.
func (s *scene) press(t *testing.T, seen sight, login, step, verb string) {
	t.Helper()
	ends := endings(seen, step)
	last := ends[len(ends)-1]
	s.pressOn(t, seen, login, "step: "+step, fmt.Sprintf("/%d/", last), fmt.Sprintf("%s:%d", verb, last))
}

// pressOn presses a button of the latest check run with a name, whose external id holds a text, as its page in the hub does.
func (s *scene) pressOn(t *testing.T, seen sight, login, check, id, button string) {
	t.Helper()
	c, err := s.world.client(login)
	if err != nil {
		t.Fatal(err)
	}
	var run int64
	waitFor(t, "the check run "+check, func() bool {
		commits, _, err := c.PullRequests.ListCommits(t.Context(), demoOwner, demoName, seen.pull.GetNumber(), nil)
		if err != nil {
			return false
		}
		for _, commit := range commits {
			runs, _, err := c.Checks.ListCheckRunsForRef(t.Context(), demoOwner, demoName, commit.GetSHA(), &github.ListCheckRunsOptions{CheckName: &check})
			if err != nil {
				return false
			}
			for _, r := range runs.CheckRuns {
				if strings.Contains(r.GetExternalID()+"/", id) {
					run = r.GetID()
				}
			}
		}
		return run != 0
	})
	if err := s.world.hub.PressButton(demoOwner+"/"+demoName, run, localhub.By{Login: login, Base: s.world.url}, button); err != nil {
		t.Fatal(err)
	}
}
