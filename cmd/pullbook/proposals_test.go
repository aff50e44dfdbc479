package main

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/google/go-github/v60/github"

	"github.com/pullbook/pullbook/engine/incident"
)

// author is a person with a clone of the ledger.
type author struct {
	meddler
	scene *scene
}

func newAuthor(t *testing.T, s *scene) author {
	t.Helper()
	home := t.TempDir()
	a := author{scene: s, meddler: meddler{dir: filepath.Join(home, "ops"),
		env: append(os.Environ(), "HOME="+home, "GIT_CONFIG_NOSYSTEM=1", "GIT_TERMINAL_PROMPT=0")}}
	url := strings.Replace(s.world.url, "http://", "http://bob:"+s.world.tokens["bob"]+"@", 1) + "/" + demoOwner + "/" + demoName + ".git"
	a.git(t, home, "clone", "--quiet", url, a.dir)
	a.git(t, a.dir, "config", "user.name", "Bob")
	a.git(t, a.dir, "config", "user.email", "bob@acme.test")
	return a
}

// push commits a file, or takes it away, and pushes the branch.
func (a author) push(t *testing.T, branch, file, text string) {
	t.Helper()
	path := filepath.Join(a.dir, filepath.FromSlash(file))
	if text == "" {
		a.git(t, a.dir, "rm", "--quiet", file)
	} else {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	a.git(t, a.dir, "add", "-A")
	a.git(t, a.dir, "commit", "--quiet", "-m", "Change "+file)
	a.git(t, a.dir, "push", "--quiet", "origin", "HEAD:refs/heads/"+branch)
}

// propose opens a pull request for a branch of its own, from the default branch.
func (a author) propose(t *testing.T, branch, file, text string) int {
	t.Helper()
	a.git(t, a.dir, "switch", "--quiet", "-c", branch, "origin/main")
	a.push(t, branch, file, text)
	c, err := a.scene.world.client("bob")
	if err != nil {
		t.Fatal(err)
	}
	p, _, err := c.PullRequests.Create(t.Context(), demoOwner, demoName, &github.NewPullRequest{Title: github.String("Change " + file), Head: &branch, Base: github.String("main")})
	if err != nil {
		t.Fatal(err)
	}
	return p.GetNumber()
}

// checked waits until the head of a pull request has a finished check, and returns it with its annotations.
func (a author) checked(t *testing.T, number int) (*github.CheckRun, []*github.CheckRunAnnotation) {
	t.Helper()
	c, err := a.scene.world.client("bob")
	if err != nil {
		t.Fatal(err)
	}
	name := incident.RollupName
	var run *github.CheckRun
	waitFor(t, "the pull request is checked", func() bool {
		p, _, err := c.PullRequests.Get(t.Context(), demoOwner, demoName, number)
		if err != nil {
			t.Fatal(err)
		}
		runs, _, err := c.Checks.ListCheckRunsForRef(t.Context(), demoOwner, demoName, p.GetHead().GetSHA(), &github.ListCheckRunsOptions{CheckName: &name})
		if err != nil {
			t.Fatal(err)
		}
		if runs.GetTotal() == 0 || runs.CheckRuns[0].GetStatus() != "completed" {
			return false
		}
		if runs.GetTotal() > 1 {
			t.Errorf("the head of pull request %d was checked %d times", number, runs.GetTotal())
		}
		run = runs.CheckRuns[0]
		return true
	})
	notes, _, err := c.Checks.ListCheckRunAnnotations(t.Context(), demoOwner, demoName, run.GetID(), &github.ListOptions{PerPage: 100})
	if err != nil {
		t.Fatal(err)
	}
	return run, notes
}

// again asks for a check once more, as the hub's button does, and waits for the next one.
func (a author) again(t *testing.T, number int, run *github.CheckRun) {
	t.Helper()
	c, err := a.scene.world.client("bob")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Checks.ReRequestCheckRun(t.Context(), demoOwner, demoName, run.GetID()); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the pull request is checked once more", func() bool {
		next, _ := a.checked(t, number)
		return next.GetID() != run.GetID()
	})
}

// TestProposals: a person's pull request gets the check that incidents have. A mistake makes it red, on the author's line; a fix
// makes it green, and only then can it be merged. What breaks runbooks that it does not change counts as well, and what incidents
// recorded is nobody's to change. An engine that was killed checks what was opened meanwhile, and nothing twice.
func TestProposals(t *testing.T) {
	t.Parallel()
	s := newScene(t, stage{files: map[string]string{"runbooks/gated.cue": gated, "runbooks/uses.cue": "title: \"Uses\"\nsteps: s: {risk: \"read\", exec: {command: [\"true\"], files: [\"data/list\"]}}\n", "data/list": "a\n"}})
	var writes atomic.Int32
	s.hooks.after.set(func(r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/check-runs") && r.Method == http.MethodPost && s.fromEngine(r) {
			writes.Add(1)
		}
	})
	s.serve(t)
	a := newAuthor(t, s)

	wrong := a.propose(t, "wrong", "runbooks/new.cue", "title: \"New\"\nsteps: {\n\task: {manual: {tsak: \"look\"}}\n}\n")
	run, notes := a.checked(t, wrong)
	if run.GetConclusion() != "failure" || run.GetOutput().GetTitle() != "1 mistake" || len(notes) != 1 {
		t.Fatalf("the check is %s, %q, with %d annotations", run.GetConclusion(), run.GetOutput().GetTitle(), len(notes))
	}
	if n := notes[0]; n.GetPath() != "runbooks/new.cue" || n.GetStartLine() != 3 || n.GetAnnotationLevel() != "failure" || n.GetMessage() != "unknown field \"tsak\"\ndid you mean task?" {
		t.Errorf("annotation %+v", n)
	}
	a.push(t, "wrong", "runbooks/new.cue", "title: \"New\"\nsteps: {\n\task: {manual: {task: \"look\"}}\n}\n")
	if run, notes = a.checked(t, wrong); run.GetConclusion() != "success" || run.GetOutput().GetTitle() != "1 runbook vetted, no mistakes" || len(notes) != 0 {
		t.Errorf("the check is %s, %q, with %d annotations", run.GetConclusion(), run.GetOutput().GetTitle(), len(notes))
	}

	words := a.propose(t, "words", "README.md", "# Ops\n")
	if run, _ = a.checked(t, words); run.GetConclusion() != "success" || run.GetOutput().GetTitle() != "Nothing to vet" {
		t.Errorf("the check of words is %s, %q", run.GetConclusion(), run.GetOutput().GetTitle())
	}
	a.again(t, words, run)

	past := a.propose(t, "past", "incidents/2026/11/22/20261122-k3jq5zabcd/report.md", "# All went well\n")
	if run, notes = a.checked(t, past); run.GetConclusion() != "failure" || len(notes) != 1 || notes[0].GetPath() != "incidents/2026/11/22/20261122-k3jq5zabcd/report.md" ||
		!strings.Contains(notes[0].GetMessage(), "git restore --source=origin/main... --staged --worktree incidents ") {
		t.Errorf("the check of a changed history is %s, %v", run.GetConclusion(), notes)
	}

	s.end(syscall.SIGKILL)
	gone := a.propose(t, "gone", "data/list", "")
	policy := a.propose(t, "policy", "pullbook.cue", plainPolicy+"people: alice: lgoin: \"alice\"\n")
	s.mu.Lock()
	s.start()
	s.mu.Unlock()
	s.awaitHealth(t)
	if run, notes = a.checked(t, gone); run.GetConclusion() != "failure" || len(notes) != 1 || notes[0].GetPath() != "runbooks/uses.cue" || notes[0].GetStartLine() != 2 {
		t.Errorf("the check of a file that is gone is %s, %v", run.GetConclusion(), notes)
	}
	if run, notes = a.checked(t, policy); run.GetConclusion() != "failure" || len(notes) == 0 || notes[0].GetPath() != "pullbook.cue" {
		t.Errorf("the check of the policy is %s, %v", run.GetConclusion(), notes)
	}
	a.checked(t, wrong)
	a.checked(t, words)
	if n := writes.Load(); n != 7 {
		t.Errorf("%d checks were published, want one for each of 6 heads, and one for what was asked for once more", n)
	}
}
