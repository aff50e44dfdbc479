package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	gogithub "github.com/google/go-github/v60/github"

	"github.com/pullbook/pullbook/engine"
	"github.com/pullbook/pullbook/engine/gitstore"
	"github.com/pullbook/pullbook/engine/incident"
)

// reads counts what the engine reads of the hub: every GET, every question in GraphQL, every fetch. Tokens are counted apart.
type reads struct {
	mu    sync.Mutex
	calls map[string]int
	wrote []string
}

func (r *reads) note(req *http.Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	line := req.Method + " " + req.URL.Path
	switch {
	case req.Method == http.MethodGet, strings.HasSuffix(req.URL.Path, "/graphql"), strings.HasSuffix(req.URL.Path, "git-upload-pack"):
		r.calls[line]++
	default:
		r.wrote = append(r.wrote, line)
	}
}

func (r *reads) sum() (n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, some := range r.calls {
		n += some
	}
	return n
}

// countReads counts from here on.
func (s *scene) countReads() *reads {
	r := &reads{calls: map[string]int{}}
	s.hooks.before.set(func(req *http.Request) bool {
		if s.fromEngine(req) {
			r.note(req)
		}
		return false
	})
	return r
}

// manyOpen is how many incidents are open while runs with nothing due are counted.
const manyOpen = 100

// TestNothingDueCostsThreeReads leaves the note of a run that has looked at a hundred open incidents, and counts what the next
// run reads. That a run leaves such a note of real ones is in TestAdvance.
func TestNothingDueCostsThreeReads(t *testing.T) {
	t.Parallel()
	s := newScene(t, stage{open: true})
	s.openMany(t)
	svc := s.reaching(t)
	seen, err := svc.glance(t.Context(), time.Now(), time.Now())
	if err != nil || seen.quiet() || len(seen.awake) != manyOpen {
		t.Fatalf("without a note: %d awake, %v", len(seen.awake), err)
	}
	due := time.Now().Add(time.Hour)
	s.leaveNote(t, svc, seen, due)
	r := s.countReads()
	idle := s.mustAdvance(t, "--installation-id", fmt.Sprint(demoInstallation))
	if len(idle.out.Done) != 0 || len(idle.out.Open) != manyOpen || !strings.Contains(idle.summary, "waits for alice 99") {
		t.Errorf("with nothing due: %d done, %d open\n%s", len(idle.out.Done), len(idle.out.Open), idle.summary)
	}
	t.Logf("with %d open incidents and nothing due it took %s without the network, read %v and wrote %v", manyOpen, idle.cpu.Round(time.Millisecond), r.calls, r.wrote)
	if r.sum() > 3 || len(r.wrote) > 1 { // the token is made, not read
		t.Errorf("with nothing due it read %v and wrote %v", r.calls, r.wrote)
	}
	if late, err := svc.glance(t.Context(), time.Now(), due); err != nil || len(late.awake) != manyOpen {
		t.Errorf("when the timers are due %d are awake: %v", len(late.awake), err)
	}
	if err := s.world.comment(t.Context(), "bob", 7, "what is this?"); err != nil {
		t.Fatal(err)
	}
	if told, err := svc.glance(t.Context(), time.Now(), time.Now()); err != nil || len(told.awake) != 1 {
		t.Errorf("after a comment %v are awake: %v", told.awake, err)
	}
}

// openMany makes the branches and pull requests of many incidents, without anything in them.
func (s *scene) openMany(t *testing.T) {
	t.Helper()
	dir := t.TempDir()
	git := func(args ...string) {
		cmd := exec.Command("git", append([]string{"-C", dir}, args...)...)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
	}
	at, err := url.Parse(s.world.url + "/" + demoOwner + "/" + demoName + ".git")
	if err != nil {
		t.Fatal(err)
	}
	at.User = url.UserPassword("carol", s.world.tokens["carol"])
	git("clone", "-q", at.String(), ".")
	git("-c", "user.name=c", "-c", "user.email=c@acme.test", "commit", "-q", "--allow-empty", "-m", "something")
	push := []string{"push", "-q", "origin"}
	for i := range manyOpen {
		push = append(push, fmt.Sprintf("HEAD:refs/heads/%s2026-11-22-many-%010d", incident.BranchPrefix, i))
	}
	git(push...)
	c, err := s.world.client("carol")
	if err != nil {
		t.Fatal(err)
	}
	for i := range manyOpen {
		title, head, base := "One of many", fmt.Sprintf("%s2026-11-22-many-%010d", incident.BranchPrefix, i), "main"
		if _, _, err := c.PullRequests.Create(t.Context(), demoOwner, demoName, &gogithub.NewPullRequest{Title: &title, Head: &head, Base: &base}); err != nil {
			t.Fatal(err)
		}
	}
}

// reaching is a service in this process that has asked for nothing yet.
func (s *scene) reaching(t *testing.T) *service {
	t.Helper()
	dir := s.world.dir
	svc := &service{log: slog.New(slog.DiscardHandler), settings: settings{hubAPI: s.world.url + "/api/v3", repo: demoOwner + "/" + demoName, appID: demoAppID,
		installation: demoInstallation, appKey: filepath.Join(dir, "app.pem"), signingKey: filepath.Join(dir, "signing_key"), limits: "off"}}
	if err := svc.reach(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(svc.close)
	return svc
}

// leaveNote takes the ledger and gives it back with the note that everything which was seen rests until due.
func (s *scene) leaveNote(t *testing.T, svc *service, seen *glance, due time.Time) {
	t.Helper()
	note := restNote{Program: programDigest(), Signers: seen.survey.File, Heads: headsDigest(seen.heads), Members: map[string]string{}}
	for i, branch := range seen.awake {
		note.Incidents = append(note.Incidents, restEntry{Until: due.Add(time.Hour), Talk: seen.survey.Talk[branch], Due: due, Rest: engine.Rest{Branch: branch, Head: seen.heads[branch].String(),
			Standing: engine.Standing{ID: incident.ID(branch), Title: "One of many", Headline: fmt.Sprintf("It waits for alice %d", i)}}})
	}
	text, err := json.Marshal(note)
	if err != nil {
		t.Fatal(err)
	}
	signers, err := gitstore.ParseAllowedSigners([]byte(svc.signer.AllowedLine(principal)))
	if err != nil {
		t.Fatal(err)
	}
	tenure, err := svc.store.TakeLease(t.Context(), gitstore.LeaseRequest{Holder: "before", For: advanceLease, Signers: signers})
	if err == nil {
		err = errors.Join(tenure.Leave(text), tenure.Release(t.Context()))
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestAdvanceMissesABranch deletes the branch of an incident between two runs: the second one knows from the first that there
// was one, and asks for it back.
func TestAdvanceMissesABranch(t *testing.T) {
	t.Parallel()
	s := newScene(t, stage{open: true})
	s.startToy(t)
	opened := s.mustAdvance(t, "--alert", s.checkoutAlert(t))
	s.mustAdvance(t)
	c, err := s.world.client("carol")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Git.DeleteRef(t.Context(), demoOwner, demoName, "heads/"+opened.out.Open[0].ID.Branch()); err != nil {
		t.Fatal(err)
	}
	missed := s.mustAdvance(t)
	if len(missed.out.Open) != 1 || !strings.Contains(missed.out.Open[0].Headline, "/thaw") {
		t.Errorf("after the branch was deleted: %+v", missed.out)
	}
	again := s.mustAdvance(t)
	if len(again.out.Open) != 1 || again.out.Open[0].Headline != missed.out.Open[0].Headline {
		t.Errorf("a run later: %+v", again.out)
	}
}

func TestSummaryIsOnlyText(t *testing.T) {
	t.Parallel()
	s := summary{Done: []deed{{"2026-11-22-a-0123456789", "`@acme/sre` <img src=x> | [a](javascript:b)\n# big"}}, Failed: []string{"hub x: <script> @alice ![a](http://b)\n## h"},
		Open: []engine.Standing{{Title: "<b>@bob</b>\n# t"}}}
	got := s.markdown()
	for _, bad := range []string{"<img", "<script", "<b>", "[a](", "![", "\n# ", "\n## h", " @alice", "`@acme"} {
		if strings.Contains(got, bad) {
			t.Errorf("%q is in\n%q", bad, got)
		}
	}
}
