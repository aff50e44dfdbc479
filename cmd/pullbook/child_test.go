package main

import (
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/pullbook/pullbook/engine/gitstore"
	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/runbook"
)

// parentRunbook opens another runbook behind a gate and uses what that put out.
const parentRunbook = `title: "Move the traffic"
match: labels: service: "kin"
alert: _
steps: {
	drain: {
		risk: "read"
		exec: command: ["sh", "-c", "echo drained"]
	}
	failover: {
		needs: ["drain"]
		title: "Fail over"
		approval: {from: ["acme/sre"], count: 1}
		runbook: {name: "db_failover", with: region: "eu"}
		output: {incident: string, end: string, steps: logs: errors: int}
	}
	tell: {
		risk: "read"
		exec: {command: ["sh", "-c", "echo $ERRORS errors, $END"], env: {ERRORS: "\(failover.output.steps.logs.errors)", END: failover.output.end}}
	}
}
`

// childRunbook has a step whose output the parent wants, and a gate of its own.
const childRunbook = `title: "Fail over to \(inputs.region)"
severity: "sev2"
inputs: region: "eu" | "us"
alert: _
steps: {
	logs: {
		risk: "read"
		exec: command: ["sh", "-c", "echo '{\"errors\": 3}'"]
		output: errors: int
	}
	move: {
		title: "Move to \(inputs.region), \(logs.output.errors) errors"
		approval: {from: ["acme/sre"], count: 1}
		exec: command: ["sh", "-c", "echo moved"]
		undo: approval: {from: ["acme/sre"], count: 1}
		undo: exec: command: ["sh", "-c", "echo moved back"]
	}
	settle: {needs: ["move"], manual: task: "See whether it has settled"}
}
`

func kinFiles() map[string]string {
	return map[string]string{"runbooks/kin.cue": parentRunbook, "runbooks/db_failover.cue": childRunbook}
}

// kin is a scene with the groups of a parent and the slot of its child.
type kin struct {
	*scene
	group string
	child string
}

// askForChild raises the alert and waits for the gate of the step that opens the other runbook.
func askForChild(t *testing.T, s *scene) kin {
	t.Helper()
	k := kin{scene: s, group: s.raise(t, alarm{Name: "Kin", Labels: map[string]string{"service": "kin"}})}
	opened, _ := find[incident.Opened](k.await(t, k.group, "the gate of failover opens", func(v sight) bool { return count[incident.GateOpened](v) > 0 }))
	k.child = incident.ChildSlot(runbook.AttemptKey(string(opened.ID), "failover", 1))
	return k
}

func (k kin) approve(t *testing.T, who string, seen sight, step string) {
	t.Helper()
	if err := k.world.review(t.Context(), who, seen.pull.GetNumber(), "/approve "+step); err != nil {
		t.Fatal(err)
	}
}

func (k kin) say(t *testing.T, who string, seen sight, words string) {
	t.Helper()
	if err := k.world.comment(t.Context(), who, seen.pull.GetNumber(), words); err != nil {
		t.Fatal(err)
	}
}

// awaitGate waits until the child has opened its nth gate.
func (k kin) awaitGate(t *testing.T, n int) sight {
	t.Helper()
	return k.awaitSlot(t, k.child, "a gate of the child opens", func(v sight) bool { return count[incident.GateOpened](v) >= n })
}

// TestChild plays a runbook that opens another one: the child is approved on its own pull request, what it put out is used
// by the parent's next step, each links to the other, and both verify.
func TestChild(t *testing.T) {
	t.Parallel()
	s := newScene(t, stage{files: kinFiles()})
	s.serve(t)
	k := askForChild(t, s)
	page := s.gatePage(t, s.see(t, k.group), "failover")
	for _, want := range []string{`"name": "db_failover"`, `"region": "eu"`, `"path": "runbooks/db_failover.cue"`, `"path": "pullbook.cue"`} {
		if !strings.Contains(page, want) {
			t.Errorf("the gate page does not hold %s:\n%s", want, page)
		}
	}
	k.approve(t, "alice", s.see(t, k.group), "failover")
	child := k.awaitGate(t, 1)
	parent := s.await(t, k.group, "the parent shows its child", func(v sight) bool {
		return strings.Contains(v.pull.GetBody(), child.pull.GetHTMLURL()) && strings.Contains(v.pull.GetBody(), "waits for people")
	})
	if !strings.Contains(child.pull.GetBody(), parent.pull.GetHTMLURL()) {
		t.Errorf("the child does not link to its parent:\n%s", child.pull.GetBody())
	}
	k.approve(t, "bob", child, "move")
	k.awaitSlot(t, k.child, "a person is asked", func(v sight) bool { return v.started("settle") })
	k.say(t, "bob", child, "/done settle")
	seen := s.await(t, k.group, "the parent is merged", sight.merged)
	child = s.awaitSlot(t, k.child, "the child is merged", sight.merged)
	checkKin(t, seen, child)
	s.verify(t, 2)
}

func checkKin(t *testing.T, parent, child sight) {
	t.Helper()
	failover, _ := parent.ended("failover")
	opened, _ := find[incident.Opened](child)
	if want := `{"incident":"` + string(opened.ID) + `","end":"resolved","steps":{"logs":{"errors":3}}}`; string(failover.Output) != want {
		t.Errorf("the step put out %s, want %s", failover.Output, want)
	}
	if tell, _ := parent.ended("tell"); tell.Conclusion != runbook.Succeeded {
		t.Errorf("tell ended as %q: %s", tell.Conclusion, tell.Error)
	}
	first, _ := find[incident.Opened](parent)
	if p := opened.Parent; p == nil || p.Incident != first.ID || p.Step != "failover" || !slices.Equal(p.Runbooks, []string{"runbooks/kin.cue"}) {
		t.Errorf("the child says of its parent %+v", opened.Parent)
	}
	if named, _ := find[incident.ChildOpened](parent); string(named.Inputs) != `{"region":"eu"}` {
		t.Errorf("the parent says that it gave %s", named.Inputs)
	}
	if opened.Commit != first.Commit || opened.Alert.Digest() != first.Alert.Digest() || !strings.Contains(string(opened.Inputs), `"eu"`) {
		t.Errorf("the child was opened at %s for %s with %s", opened.Commit, opened.Alert.Name, opened.Inputs)
	}
}

// TestChildIsCalledOff cancels a parent while its child runs: the child takes back what it did behind a gate of its own,
// and the parent waits for its end.
func TestChildIsCalledOff(t *testing.T) {
	t.Parallel()
	s := newScene(t, stage{files: kinFiles()})
	s.serve(t)
	k := askForChild(t, s)
	k.approve(t, "alice", s.see(t, k.group), "failover")
	k.approve(t, "bob", k.awaitGate(t, 1), "move")
	k.awaitSlot(t, k.child, "the child has moved", func(v sight) bool { return v.started("settle") })
	k.say(t, "alice", s.see(t, k.group), "/cancel wrong region")
	child := k.awaitGate(t, 2)
	if r, ok := find[incident.Recalled](child); !ok || r.Deed == nil || r.Deed.By.Login != "alice" {
		t.Errorf("the child was called off by %+v", r)
	}
	if count[incident.Ended](s.see(t, k.group)) > 0 {
		t.Error("the parent has ended before its child")
	}
	k.approve(t, "bob", child, "move_undo")
	parent := s.await(t, k.group, "the parent is merged", sight.merged)
	s.awaitSlot(t, k.child, "the child is merged", sight.merged)
	if failover, _ := parent.ended("failover"); failover.Conclusion != runbook.Cancelled {
		t.Errorf("the step ended as %q: %s", failover.Conclusion, failover.Error)
	}
	s.verify(t, 2)
}

// TestChildOpensOnce kills the engine at moments between the intent of a step and the opening of its incident, and just
// after, also together with its inbox: in the end there is exactly one.
func TestChildOpensOnce(t *testing.T) {
	for name, m := range map[string]orderMoment{"after the intent": {push: 1}, "before the opening": {push: 2, before: true},
		"after the opening": {push: 2}, "after the intent, inbox lost": {push: 1, lost: true}, "after the opening, inbox lost": {push: 2, lost: true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t, stage{files: kinFiles()})
			arm, killed := s.killAt(t, m)
			s.serve(t)
			k := askForChild(t, s)
			arm()
			k.approve(t, "alice", s.see(t, k.group), "failover")
			k.say(t, "bob", k.awaitGate(t, 1), "/cancel enough")
			s.awaitSlot(t, k.child, "the child is merged", sight.merged)
			seen := s.await(t, k.group, "the step has ended", func(v sight) bool { _, over := v.ended("failover"); return over })
			branches := s.pullBranches(t)
			if len(branches) != 2 || count[incident.ChildOpened](seen) != 1 || !killed() {
				t.Errorf("there are pull requests of %v, and %d children are recorded; killed: %t", branches, count[incident.ChildOpened](seen), killed())
			}
		})
	}
}

// orderMoment is when an engine is killed that opens a child.
type orderMoment struct {
	push   int32 // counted from when it is armed: the intent, then the child's opening
	before bool  // the hub never sees it
	lost   bool  // the inbox is lost too
}

// killAt kills the engine once, after it was armed.
func (s *scene) killAt(t *testing.T, m orderMoment) (arm func(), killed func() bool) {
	t.Helper()
	var armed, done atomic.Bool
	var pushes atomic.Int32
	kill := func(r *http.Request) bool {
		if !armed.Load() || !isPush(r) || pushes.Add(1) != m.push {
			return false
		}
		if m.lost {
			s.restartWithoutInbox(t)
		} else {
			s.restart()
		}
		done.Store(true)
		return true
	}
	s.hooks.after.set(func(r *http.Request) { _ = !m.before && kill(r) })
	s.hooks.before.set(func(r *http.Request) bool { return m.before && kill(r) })
	return func() { armed.Store(true) }, done.Load
}

// restartWithoutInbox kills the engine with SIGKILL and starts it again with nothing but git and the hub.
func (s *scene) restartWithoutInbox(t *testing.T) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.signal(syscall.SIGKILL)
	found, err := filepath.Glob(filepath.Join(s.world.dir, "engine", "inbox.sqlite*"))
	if err != nil || len(found) == 0 {
		t.Errorf("find the inbox: %v, %v", found, err)
	}
	for _, file := range found {
		if err := os.Remove(file); err != nil {
			t.Error(err)
		}
	}
	s.start()
}

// lostRunbook gives its child a value that only shows when it runs.
const lostRunbook = `title: "Move somewhere"
match: labels: service: "lost"
alert: _
steps: {
	where: {risk: "read", exec: command: ["sh", "-c", "echo '{\"region\": \"mars\"}'"], output: region: string}
	failover: {
		approval: {from: ["acme/sre"], count: 1}
		runbook: {name: "db_failover", with: region: where.output.region}
	}
}
`

// TestChildCannotOpen orders a child whose inputs do not fit: the step fails and says why, and there is no child.
func TestChildCannotOpen(t *testing.T) {
	t.Parallel()
	files := kinFiles()
	files["runbooks/lost.cue"] = lostRunbook
	s := newScene(t, stage{files: files})
	s.serve(t)
	group := s.raise(t, alarm{Name: "Lost", Labels: map[string]string{"service": "lost"}})
	seen := s.await(t, group, "the gate opens", func(v sight) bool { return count[incident.GateOpened](v) > 0 })
	if err := s.world.review(t.Context(), "alice", seen.pull.GetNumber(), "/approve failover"); err != nil {
		t.Fatal(err)
	}
	seen = s.await(t, group, "the step has ended", func(v sight) bool { _, over := v.ended("failover"); return over })
	ended, _ := seen.ended("failover")
	if want := `runbooks/db_failover.cue:3:9: inputs.region`; ended.Conclusion != runbook.Failed || !strings.Contains(ended.Error, want) || !strings.Contains(ended.Error, "mars") {
		t.Errorf("it ended as %q with %q, want %s", ended.Conclusion, ended.Error, want)
	}
	if branches := s.pullBranches(t); len(branches) != 1 {
		t.Errorf("there are pull requests of %v", branches)
	}
}

// TestChildIsGone deletes the branch of a child and kills the engine with its inbox: the child is not opened again, the
// parent says what is the matter, and a person's /cancel ends it.
func TestChildIsGone(t *testing.T) {
	t.Parallel()
	s := newScene(t, stage{files: kinFiles(), open: true})
	s.serve(t)
	k := askForChild(t, s)
	k.approve(t, "alice", s.see(t, k.group), "failover")
	child := k.awaitGate(t, 1)
	s.await(t, k.group, "the parent records its child", func(v sight) bool { return count[incident.ChildOpened](v) == 1 })
	m := newMeddler(t, s, child)
	m.git(t, m.dir, "push", "--quiet", "origin", ":refs/heads/"+m.branch)
	s.restartWithoutInbox(t)
	s.awaitHealth(t)
	parent := s.await(t, k.group, "the parent says that its child is gone", func(v sight) bool { return strings.Contains(v.pull.GetBody(), "its branch was deleted") })
	k.say(t, "alice", parent, "/cancel gone")
	parent = s.await(t, k.group, "the parent is merged", sight.merged)
	if failover, _ := parent.ended("failover"); failover.Conclusion != runbook.Cancelled || !strings.Contains(failover.Error, "branch was deleted") {
		t.Errorf("the step ended as %q: %s", failover.Conclusion, failover.Error)
	}
	if branches := s.pullBranches(t); len(branches) != 2 {
		t.Errorf("there are pull requests of %v", branches)
	}
}

// gatePage reads the page of a gate on an incident's branch.
func (s *scene) gatePage(t *testing.T, seen sight, step string) string {
	t.Helper()
	clone, err := gitstore.OpenClone(s.world.bareRepo())
	if err != nil {
		t.Fatal(err)
	}
	defer clone.Close()
	hash, err := gitstore.ParseHash(seen.pull.GetHead().GetSHA())
	if err != nil {
		t.Fatal(err)
	}
	head, err := clone.Commit(hash)
	if err != nil {
		t.Fatal(err)
	}
	opened, _ := find[incident.Opened](seen)
	entries, err := clone.Files(head.Tree, opened.ID.Dir()+"/gates")
	if err != nil {
		t.Fatal(err)
	}
	for path, f := range entries {
		if strings.HasSuffix(path, "/"+step+".md") {
			return string(f.Data)
		}
	}
	return ""
}
