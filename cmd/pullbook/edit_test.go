package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-github/v60/github"

	"github.com/pullbook/pullbook/engine/incident"
)

const editRule = `
edit: {from: ["acme/sre"], count: 1}
`

// twoGates are two steps that wait for people at the same time. The second would fail.
const twoGates = `title: "Two gates"
match: labels: service: "gates"
alert: _
steps: {
	first: {
		approval: {from: ["acme/sre"], count: 2}
		exec: command: ["true"]
	}
	second: {
		approval: {from: ["acme/sre"], count: 1}
		exec: command: ["false"]
	}
}
`

// TestLiveEdit: a person asks for an edit of a running incident's plan by a pull request. What an edit may not do is said on its
// head. Approved by somebody else it is taken in a commit of the engine's own, and closed: the gate that it changed asks again,
// the other one keeps its approval, and who wrote it does not approve what they changed.
func TestLiveEdit(t *testing.T) {
	t.Parallel()
	s := newScene(t, stage{files: map[string]string{"pullbook.cue": plainPolicy + editRule, "runbooks/gates.cue": twoGates}})
	s.serve(t)
	group := s.raise(t, alarm{Name: "Gates", Labels: map[string]string{"service": "gates"}})
	seen := s.await(t, group, "both gates open", func(v sight) bool {
		return strings.Contains(v.pull.GetBody(), "/approve first") && strings.Contains(v.pull.GetBody(), "/approve second")
	})
	number := seen.pull.GetNumber()
	review := func(login string, pull int, says string) {
		t.Helper()
		if err := s.world.review(t.Context(), login, pull, says); err != nil {
			t.Fatal(err)
		}
	}
	review("alice", number, "/approve first")

	opened, _ := find[incident.Opened](seen)
	plan := opened.ID.Dir() + "/plan/"
	edit := newMeddler(t, s, seen)
	edit.git(t, edit.dir, "switch", "--quiet", "-c", "edit/second")
	e := editor{s, edit, plan}
	e.push(t, "README.md", "# Not a part of the plan\n")
	asked := e.propose(t)
	s.awaitCheck(t, asked, "failure", "README.md: an edit changes nothing but files of the plan")
	edit.git(t, edit.dir, "reset", "--quiet", "--hard", "HEAD~1")
	e.push(t, plan+"runbooks/gates.cue", strings.Replace(twoGates, `["false"]`, `["false"], retries: 3`, 1))
	s.awaitCheck(t, asked, "failure", "unknown field")
	edit.git(t, edit.dir, "reset", "--quiet", "--hard", "HEAD~1")
	e.push(t, plan+"runbooks/gates.cue", strings.Replace(twoGates, `["false"]`, `["true"]`, 1))
	s.awaitCheck(t, asked, "action_required", "Changes `second`")
	s.await(t, group, "the incident says that an edit waits", func(v sight) bool {
		return strings.Contains(v.pull.GetBody(), "**An edit of the plan** is asked for:")
	})
	why, _ := said(t, "why", string(opened.ID), "second", "--server", s.address())
	if !strings.Contains(why, "An edit of the plan") || !strings.Contains(why, "waits for 1 of 1 from acme/sre") {
		t.Errorf("why does not tell of the edit:\n%s", why)
	}
	review("alice", asked, "The old command could not work.")
	seen = s.await(t, group, "the edit is taken", has[incident.PlanEdited])
	s.awaitComment(t, asked, "is closed and not merged")
	s.awaitClosed(t, asked)
	s.awaitCheck(t, asked, "success", "approved by alice, and taken in a commit of the engine's own")

	review("bob", number, "/approve second")
	review("bob", number, "/approve first")
	s.await(t, group, "who wrote the edit does not count, and the first step runs by the votes that it had", func(v sight) bool {
		return has[incident.StepEnded](v) && strings.Contains(v.pull.GetBody(), "changed this step in pull request")
	})
	review("alice", number, "/approve second")
	seen = s.await(t, group, "it is merged", sight.merged)
	edited, _ := find[incident.PlanEdited](seen)
	if len(edited.Authors) != 1 || edited.Authors[0].Login != "bob" || len(edited.Votes) != 1 || edited.Votes[0].By.Login != "alice" || len(edited.Changed) != 1 || edited.Changed[0] != "second" {
		t.Errorf("the edit is %+v", edited)
	}
	if !strings.Contains(edited.Diff, "-\t\texec: command: [\"false\"]\n+\t\texec: command: [\"true\"]\n") {
		t.Errorf("its diff is\n%s", edited.Diff)
	}
	s.verify(t, 1)
}

// editor is bob, who edits plans.
type editor struct {
	scene *scene
	meddler
	plan string // the directory, with a slash at its end
}

func (e editor) push(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(e.dir, filepath.FromSlash(file)), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	e.git(t, e.dir, "add", "-A")
	e.git(t, e.dir, "commit", "--quiet", "-m", "Change "+filepath.Base(file))
	e.git(t, e.dir, "push", "--quiet", "--force", "origin", "edit/second")
}

func (e editor) propose(t *testing.T) int {
	t.Helper()
	c, err := e.scene.world.client("bob")
	if err != nil {
		t.Fatal(err)
	}
	p, _, err := c.PullRequests.Create(t.Context(), demoOwner, demoName, &github.NewPullRequest{Title: github.String("Another command"), Head: github.String("edit/second"), Base: &e.branch})
	if err != nil {
		t.Fatal(err)
	}
	return p.GetNumber()
}

// awaitCheck waits until the latest check of a pull request's head has a conclusion and says something.
func (s *scene) awaitCheck(t *testing.T, number int, conclusion, says string) {
	t.Helper()
	c, err := s.world.client("carol")
	if err != nil {
		t.Fatal(err)
	}
	name := incident.RollupName
	waitFor(t, "the check says "+says, func() bool {
		p, _, err := c.PullRequests.Get(t.Context(), demoOwner, demoName, number)
		if err != nil {
			t.Fatal(err)
		}
		runs, _, err := c.Checks.ListCheckRunsForRef(t.Context(), demoOwner, demoName, p.GetHead().GetSHA(), &github.ListCheckRunsOptions{CheckName: &name})
		if err != nil {
			t.Fatal(err)
		}
		return runs.GetTotal() > 0 && runs.CheckRuns[0].GetConclusion() == conclusion && strings.Contains(runs.CheckRuns[0].GetOutput().GetSummary(), says)
	})
}

// awaitClosed waits until a pull request is closed, and demands that it was not merged.
func (s *scene) awaitClosed(t *testing.T, number int) {
	t.Helper()
	c, err := s.world.client("carol")
	if err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the pull request is closed", func() bool {
		p, _, err := c.PullRequests.Get(t.Context(), demoOwner, demoName, number)
		if err != nil {
			t.Fatal(err)
		}
		if p.GetMerged() {
			t.Fatal("the edit was merged")
		}
		return p.GetState() == "closed"
	})
}
