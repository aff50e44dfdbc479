package main

import (
	"context"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/google/go-github/v60/github"

	"github.com/pullbook/pullbook/engine/incident"
)

// TestFrozen: on a hub that lets people push to incidents' branches, whatever somebody does to a branch freezes its
// incident. Nothing runs, although the gate is approved, and the pull request says why. Whoever may gives the branch back to
// the engine by a review of what the branch holds, and it goes on to its end: verify has nothing to find.
func TestFrozen(t *testing.T) {
	t.Parallel()
	s := newScene(t, stage{open: true, files: map[string]string{"runbooks/gated.cue": gated}})
	w := newWatch(s)
	s.serve(t)
	defer s.verify(t, 4)
	t.Run("all", func(t *testing.T) { s.freezes(t, w) })
}

func (s *scene) freezes(t *testing.T, w *watch) {
	for _, c := range []struct {
		name, says string
		meddle     func(meddler, *testing.T)
	}{
		{"a commit by a person", "is not the engine's", meddler.commit},
		{"an unsigned commit in the engine's name", "is not the engine's", meddler.impersonate},
		{"the branch is moved back", "deleted, moved back or rewritten by somebody else", meddler.moveBack},
		{"the branch is rewritten", "moved back or rewritten by somebody else", meddler.rewrite},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			group, seen := s.openGate(t, c.name)
			m := newMeddler(t, s, seen)
			c.meddle(m, t)
			head := s.await(t, group, "the pull request says why", func(v sight) bool {
				return strings.Contains(v.pull.GetBody(), "**Frozen.**") && strings.Contains(v.pull.GetBody(), c.says)
			}).pull.GetHead().GetSHA()
			s.awaitComment(t, seen.pull.GetNumber(), "**Frozen.**")
			s.awaitFailedCheck(t, head)
			if err := s.world.review(t.Context(), "alice", seen.pull.GetNumber(), "/approve change"); err != nil {
				t.Fatal(err)
			}
			w.awaitLooks(t, seen.pull.GetNumber())
			if now := s.see(t, group).pull; now.GetHead().GetSHA() != head || now.MergedAt != nil {
				t.Errorf("the frozen branch went on from %s to %s", head, now.GetHead().GetSHA())
			}
			s.thaw(t, group, seen.pull.GetNumber())
		})
	}
}

// thaw gives the branch back: not by a comment, nor by somebody who may not, but by a review of somebody who may. Then the
// gate is approved, and the incident comes to its end.
func (s *scene) thaw(t *testing.T, group string, number int) {
	t.Helper()
	if err := s.world.comment(t.Context(), "bob", number, "/thaw it was me"); err != nil {
		t.Fatal(err)
	}
	s.awaitComment(t, number, "`/thaw <reason>` is said in a review")
	for login, says := range map[string]string{"bob": "/thaw", "alice": "It was a slip.\n\n/thaw a slip"} {
		if err := s.world.review(t.Context(), login, number, says); err != nil {
			t.Fatal(err)
		}
	}
	s.await(t, group, "the branch is the engine's again", func(v sight) bool {
		return has[incident.Thawed](v) && v.pull.GetState() == "open" && !strings.Contains(v.pull.GetBody(), "**Frozen.**")
	})
	if err := s.world.review(t.Context(), "alice", number, "/approve change"); err != nil {
		t.Fatal(err)
	}
	s.await(t, group, "it is merged", sight.merged)
}

// TestThawAfterRestart: what was done to branches while no engine ran is missed when it is back, and the branch is restored
// as the engine had left it.
func TestThawAfterRestart(t *testing.T) {
	t.Parallel()
	s := newScene(t, stage{open: true, files: map[string]string{"runbooks/gated.cue": gated}})
	s.serve(t)
	s.noticesMeanwhile(t, func() { s.end(syscall.SIGTERM) }, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.start()
	})
}

// noticesMeanwhile moves the branch of an incident back and deletes that of another one between the end of the engine that serves and
// the begin of the next one. That one freezes both, says so, and goes on when they are given back.
func (s *scene) noticesMeanwhile(t *testing.T, end, begin func()) {
	t.Helper()
	var groups []string
	var numbers []int
	var meddlers []meddler
	for _, name := range []string{"moved", "deleted"} {
		group, seen := s.openGate(t, name)
		groups, numbers, meddlers = append(groups, group), append(numbers, seen.pull.GetNumber()), append(meddlers, newMeddler(t, s, seen))
	}
	end()
	meddlers[0].moveBack(t)
	meddlers[1].git(t, meddlers[1].dir, "push", "--quiet", "origin", ":refs/heads/"+meddlers[1].branch)
	begin()
	s.awaitHealth(t)
	for i, group := range groups {
		s.awaitComment(t, numbers[i], "**Frozen.**")
		s.thaw(t, group, numbers[i])
	}
	s.verify(t, 2)
}

// TestBranchDeleted: a branch that a person deleted is missed, although the hub closes its pull request as well: the pull
// request and the check on its last head say so, and it is not opened again until a person says so.
func TestBranchDeleted(t *testing.T) {
	t.Parallel()
	s := newScene(t, stage{open: true, files: map[string]string{"runbooks/gated.cue": gated}})
	s.serve(t)
	group, seen := s.openGate(t, "deleted")
	m := newMeddler(t, s, seen)
	m.git(t, m.dir, "push", "--quiet", "origin", ":refs/heads/"+m.branch)
	s.awaitComment(t, seen.pull.GetNumber(), "**Frozen.**")
	s.awaitFailedCheck(t, seen.pull.GetHead().GetSHA())
	s.thaw(t, group, seen.pull.GetNumber())
	s.verify(t, 1)
}

// openGate raises an alert and waits until people are asked.
func (s *scene) openGate(t *testing.T, name string) (group string, seen sight) {
	t.Helper()
	group = s.raise(t, alarm{Name: name, Labels: map[string]string{"service": "gated"}})
	return group, s.await(t, group, "the gate opens", func(v sight) bool {
		return has[incident.GateOpened](v) && strings.Contains(v.pull.GetBody(), "/approve change")
	})
}

// TestForeignCommitTakenBack: when the person who pushed takes the commit away, the branch is the engine's again, and the
// incident goes on where it stood.
func TestForeignCommitTakenBack(t *testing.T) {
	t.Parallel()
	s := newScene(t, stage{open: true, files: map[string]string{"runbooks/gated.cue": gated}})
	s.serve(t)
	group, seen := s.openGate(t, "taken back")
	m := newMeddler(t, s, seen)
	m.commit(t)
	frozen := func(v sight) bool { return strings.Contains(v.pull.GetBody(), "**Frozen.**") }
	s.await(t, group, "it is frozen", frozen)
	m.moveBack(t)
	s.await(t, group, "it is not frozen any more", func(v sight) bool { return !frozen(v) })
	if err := s.world.review(t.Context(), "alice", seen.pull.GetNumber(), "/approve change"); err != nil {
		t.Fatal(err)
	}
	s.await(t, group, "it is merged", sight.merged)
	s.verify(t, 1)
}

// TestCopiedBranch: commits that the engine has signed, pushed by a person as another incident's branch, are no second
// incident. The engine looks at branches in the order in which it is told of them, so when it has looked at the original
// three times since, it has looked at the copy.
func TestCopiedBranch(t *testing.T) {
	t.Parallel()
	s := newScene(t, stage{open: true, files: map[string]string{"runbooks/gated.cue": gated}})
	var copied atomic.Int32
	w := newWatch(s)
	count := s.hooks.after.get()
	s.hooks.after.set(func(r *http.Request) {
		count(r)
		if r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/pulls") && s.fromEngine(r) {
			copied.Add(1)
		}
	})
	s.serve(t)
	group, seen := s.openGate(t, "copied")
	m := newMeddler(t, s, seen)
	m.git(t, m.dir, "push", "--quiet", "origin", "HEAD~1:refs/heads/incident/copy")
	w.awaitLooks(t, seen.pull.GetNumber())
	if n := copied.Load(); n != 1 {
		t.Errorf("the engine opened %d pull requests, want 1", n)
	}
	if err := s.world.review(t.Context(), "alice", seen.pull.GetNumber(), "/approve change"); err != nil {
		t.Fatal(err)
	}
	s.await(t, group, "it is merged", sight.merged)
}

// watch counts the engine's looks at pull requests.
type watch struct {
	scene *scene
	looks map[string]*atomic.Int32 // by the path of the reviews
}

func newWatch(s *scene) *watch {
	w := &watch{s, map[string]*atomic.Int32{}}
	for _, n := range []string{"1", "2", "3", "4"} {
		w.looks["/api/v3/repos/acme/ops/pulls/"+n+"/reviews"] = &atomic.Int32{}
	}
	s.hooks.after.set(func(r *http.Request) {
		if n := w.looks[r.URL.Path]; n != nil && r.Method == http.MethodGet && s.fromEngine(r) {
			n.Add(1)
		}
	})
	return w
}

// awaitLooks waits until a look that began after the call is over: the engine looks at one incident at a time, so the
// beginning of a third look shows the end of the second.
func (w *watch) awaitLooks(t *testing.T, number int) {
	t.Helper()
	n := w.looks["/api/v3/repos/acme/ops/pulls/"+string(rune('0'+number))+"/reviews"]
	before := n.Load()
	waitFor(t, "the engine has looked again", func() bool { return n.Load() >= before+3 })
}

func (s *scene) awaitComment(t *testing.T, number int, says string) {
	t.Helper()
	c, err := s.world.client("carol")
	if err != nil {
		t.Fatal(err)
	}
	waitFor(t, "a comment says "+says, func() bool {
		comments, _, err := c.Issues.ListComments(t.Context(), demoOwner, demoName, number, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range comments {
			if strings.Contains(m.GetBody(), says) {
				return true
			}
		}
		return false
	})
}

func (s *scene) awaitFailedCheck(t *testing.T, sha string) {
	t.Helper()
	c, err := s.world.client("carol")
	if err != nil {
		t.Fatal(err)
	}
	name := incident.RollupName
	waitFor(t, "the check fails", func() bool {
		runs, _, err := c.Checks.ListCheckRunsForRef(t.Context(), demoOwner, demoName, sha, &github.ListCheckRunsOptions{CheckName: &name})
		if err != nil {
			t.Fatal(err)
		}
		return runs.GetTotal() > 0 && runs.CheckRuns[0].GetConclusion() == "failure"
	})
}

// meddler is bob with a clone of the ledger, on an incident's branch.
type meddler struct {
	dir    string
	branch string
	env    []string
}

func newMeddler(t *testing.T, s *scene, v sight) meddler {
	t.Helper()
	home := t.TempDir()
	m := meddler{dir: filepath.Join(home, "ops"), branch: v.pull.GetHead().GetRef(),
		env: append(os.Environ(), "HOME="+home, "GIT_CONFIG_NOSYSTEM=1", "GIT_TERMINAL_PROMPT=0")}
	url := strings.Replace(s.world.url, "http://", "http://bob:"+s.world.tokens["bob"]+"@", 1) + "/" + demoOwner + "/" + demoName + ".git"
	m.git(t, home, "clone", "--quiet", "--branch", m.branch, url, m.dir)
	m.git(t, m.dir, "config", "user.name", "Bob")
	m.git(t, m.dir, "config", "user.email", "bob@acme.test")
	return m
}

func (m meddler) git(t *testing.T, dir string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), "git", args...)
	cmd.Dir, cmd.Env = dir, m.env
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

func (m meddler) commit(t *testing.T) {
	m.git(t, m.dir, "commit", "--quiet", "--allow-empty", "-m", "Just a small fix")
	m.git(t, m.dir, "push", "--quiet", "origin", m.branch)
}

// impersonate commits what an engine could have written, under its name, without its key.
func (m meddler) impersonate(t *testing.T) {
	m.git(t, m.dir, "-c", "user.name=pullbook", "-c", "user.email="+principal, "commit", "--quiet", "--allow-empty", "-m", "change: approved")
	m.git(t, m.dir, "push", "--quiet", "origin", m.branch)
}

// moveBack takes the latest commit that bob has away.
func (m meddler) moveBack(t *testing.T) {
	m.git(t, m.dir, "push", "--quiet", "--force", "origin", "HEAD~1:refs/heads/"+m.branch)
}

// rewrite puts a commit of a person in the place of the gate's.
func (m meddler) rewrite(t *testing.T) {
	m.git(t, m.dir, "reset", "--quiet", "--soft", "HEAD~1")
	m.git(t, m.dir, "commit", "--quiet", "-m", "The gate, in my own words")
	m.git(t, m.dir, "push", "--quiet", "--force", "origin", m.branch)
}
