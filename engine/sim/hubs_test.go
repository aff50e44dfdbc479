package sim

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pullbook/pullbook/engine/approval"
	"github.com/pullbook/pullbook/engine/github"
	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/localhub"
)

// deed is one thing that somebody does on a hub.
type deed struct {
	what   string // push, review, dismiss, edit, close, reopen, delete, comment; of the engine: pull, check, merge, publish
	who    string
	branch string
	commit string // by its name in the script
	after  string // of a push: where the branch is believed to be; empty: nowhere
	text   string
	state  approval.ReviewState
	n      int // of the review, from 0
}

// hubScript is what is done on both hubs, one after the other.
func hubScript() []deed {
	const one, two = "incident/one", "incident/two"
	on := func(commit, who string, state approval.ReviewState, text string) deed {
		return deed{what: "review", who: who, branch: one, commit: commit, state: state, text: text}
	}
	return []deed{
		{what: "pull", branch: one},                                          // there is no such branch
		{what: "push", branch: one, commit: "a"},                             //
		{what: "push", branch: one, commit: "x"},                             // it must not be there, and is
		{what: "pull", branch: one},                                          //
		{what: "pull", branch: one},                                          // the one that is open is returned
		{what: "push", branch: one, commit: "b", after: "a"},                 // the head of the pull request moves
		{what: "push", branch: one, commit: "y", after: "a"},                 // stale
		on("a", "alice", approval.Approved, "/approve s0"),                   // on an older commit
		on("b", "bob", approval.ChangesRequested, "no"),                      //
		on("b", "alice", approval.Commented, "hm"),                           //
		{what: "dismiss", branch: one, n: 2},                                 // a comment cannot be dismissed
		{what: "dismiss", branch: one, n: 1},                                 //
		{what: "dismiss", branch: one, n: 1},                                 // twice
		{what: "edit", branch: one, who: "alice", n: 0, text: "/approve s1"}, //
		{what: "comment", branch: one, who: "bob", text: "/ack"},             //
		{what: "publish", branch: one, text: "of the engine"},                //
		{what: "merge", branch: one, commit: "b"},                            // the required check is missing
		{what: "check", branch: one, commit: "a", text: "success"},
		{what: "merge", branch: one, commit: "b"}, // it is on another commit
		{what: "close", branch: one},
		{what: "push", branch: one, commit: "c", after: "b"}, // the head of a closed pull request stays
		{what: "pull", branch: one},                          // another one beside the closed one
		{what: "reopen", branch: one, n: 1},                  // not beside one that is open
		{what: "check", branch: one, commit: "c", text: "failure"},
		{what: "merge", branch: one, commit: "c"},
		{what: "check", branch: one, commit: "c", text: "success"},
		{what: "merge", branch: one, commit: "b"}, // the head has moved
		{what: "merge", branch: one, commit: "c"},
		{what: "reopen", branch: one, n: 2}, // it is merged
		{what: "delete", branch: one},
		{what: "push", branch: two, commit: "d"},
		{what: "pull", branch: two},
		{what: "delete", branch: two},       // and with it the pull request is closed
		{what: "reopen", branch: two, n: 3}, // not without its branch
		{what: "push", branch: two, commit: "d"},
		{what: "reopen", branch: two, n: 3},
		{what: "check", branch: two, commit: "d", text: "success"},
		{what: "merge", branch: two, commit: "d"},
	}
}

// port is what the engine asks a hub, as the simulation and package github answer it.
type port interface {
	Look(ctx context.Context, q incident.HubQuery) (incident.HubView, error)
	OpenPull(ctx context.Context, p incident.NewPull) (incident.Pull, error)
	Publish(ctx context.Context, p incident.Publication) error
	Merge(ctx context.Context, m incident.MergeRequest) error
}

// stage is one of the two hubs, with what people do on it.
type stage struct {
	port    port
	people  func(d deed, id string, pull int, review int64) error // pull and review are those that it is about
	push    func(d deed, parent, old string) (id string, err error)
	commits map[string]string // by name in the script
	pulls   map[string]int    // the latest of each branch
	inside  func(func())      // how a port is asked
}

// play does one deed, and tells what came of it and how everything is then. Ids and the words of refusals are each hub's own.
func (s *stage) play(ctx context.Context, d deed) string {
	var err error
	s.inside(func() { err = s.act(ctx, d) })
	out := "done"
	if err != nil {
		out = "refused"
	}
	for _, branch := range []string{"incident/one", "incident/two"} {
		s.inside(func() { out += "\n" + s.shown(ctx, branch) })
	}
	return out
}

func (s *stage) act(ctx context.Context, d deed) error {
	pull := s.pulls[d.branch]
	switch d.what {
	case "push":
		id, err := s.push(d, s.commits["main"], s.commits[d.after])
		if err == nil {
			s.commits[d.commit] = id
		}
		return err
	case "pull":
		p, err := s.port.OpenPull(ctx, incident.NewPull{Branch: d.branch, Title: "t", Body: "b"})
		if err == nil {
			s.pulls[d.branch] = p.Number
		}
		return err
	case "check":
		return s.port.Publish(ctx, incident.Publication{Pull: pull, Check: &incident.CheckRun{Name: incident.RollupName, Commit: s.commits[d.commit], ExternalID: d.text,
			Status: "completed", Conclusion: d.text, Title: "t", Summary: "s", Started: time.Unix(1, 0), Completed: time.Unix(2, 0)}})
	case "publish":
		return s.port.Publish(ctx, incident.Publication{Pull: pull, Comment: &d.text})
	case "merge":
		return s.port.Merge(ctx, incident.MergeRequest{Pull: pull, Head: s.commits[d.commit], Title: "t", Message: "m"})
	case "reopen":
		return s.port.Publish(ctx, incident.Publication{Pull: d.n, Reopen: true})
	}
	view, err := s.port.Look(ctx, incident.HubQuery{Branch: d.branch, Pull: pull})
	if err != nil {
		return err
	}
	review := int64(0)
	slices.SortFunc(view.Reviews, func(a, b approval.Review) int { return int(a.ID - b.ID) })
	if d.n < len(view.Reviews) {
		review = view.Reviews[d.n].ID
	}
	return s.people(d, s.commits[d.commit], pull, review)
}

// shown is what the engine sees of a branch's pull request.
func (s *stage) shown(ctx context.Context, branch string) string {
	view, err := s.port.Look(ctx, incident.HubQuery{Branch: branch})
	if err != nil || view.Pull == nil {
		return fmt.Sprintf("%s: nothing, %t", branch, err == nil)
	}
	name := func(id string) string {
		for name, has := range s.commits {
			if has == id {
				return name
			}
		}
		return "unknown"
	}
	p := view.Pull
	out := fmt.Sprintf("%s: %d open %t merged %t head %s %s", branch, p.Number, p.Open, p.Merged, name(p.Head), p.Title)
	slices.SortFunc(view.Reviews, func(a, b approval.Review) int { return int(a.ID - b.ID) })
	for _, r := range view.Reviews {
		out += fmt.Sprintf("\n  %s %s on %s %q edited %t bot %t", r.By.Login, r.State, name(r.Commit), r.Body, r.Edited, r.By.Bot)
	}
	for _, c := range view.Comments {
		out += fmt.Sprintf("\n  %q own %t edited %t", c.Body, c.Own, c.Edited)
	}
	return out
}

// simulated is the simulation's own hub.
func simulated() *stage {
	w := newWorld(1, Options{Clean: true})
	w.calm = true // what is new shows at once
	p := &process{w: w, name: "A1", machine: &machine{store: newStore(w)}, pending: map[string]*pending{}, looked: map[string]*testimony{}}
	w.allowance = nil
	p.newPurse()
	s := &stage{port: hubPort{p}, commits: map[string]string{"main": w.remote.heads[mainBranch]}, pulls: map[string]int{}}
	s.inside = func(do func()) { p.spawn(&task{after: func() {}}, func(context.Context, *task) { do() }) }
	s.push = func(d deed, parent, old string) (string, error) {
		if old != "" {
			parent = old
		}
		made := (&commit{parent: parent, files: map[string][]byte{d.commit: []byte("x")}, message: d.commit, by: signedByEngine, at: w.now}).named()
		if err := w.remote.push(d.branch, old, []*commit{made}); err != nil {
			return "", err
		}
		w.forge.moved(d.branch, made.id)
		return made.id, nil
	}
	s.people = func(d deed, id string, number int, about int64) error {
		pr, err := w.forge.pull(number)
		if err != nil {
			return err
		}
		i := slices.IndexFunc(pr.reviews, func(r *review) bool { return r.id == about })
		switch d.what {
		case "review":
			w.forge.review(pr, w.forge.person(d.who), d.state, id, d.text)
		case "comment":
			w.forge.comment(pr, w.forge.person(d.who), d.text)
		case "dismiss":
			return w.forge.dismiss(pr.reviews[i])
		case "edit":
			pr.reviews[i].body, pr.reviews[i].edited = d.text, true
		case "close":
			return w.forge.setState(pr, false)
		case "delete":
			return w.forge.deleteBranch(d.branch)
		}
		return nil
	}
	return s
}

// localHub is localhub, asked by package github, with people who use its API and git.
func localHub(t *testing.T) *stage {
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("git is not installed")
	}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	pemKey := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})
	var users []localhub.SeedUser
	for i, login := range []string{"alice", "bob", "carol"} {
		users = append(users, localhub.SeedUser{Login: login, ID: int64(101 + i), Token: login + "-token"})
	}
	write := map[string]string{"contents": "write", "pull_requests": "write", "checks": "write", "issues": "write", "members": "read"}
	hub, err := localhub.Open(localhub.Config{Dir: t.TempDir(), Seed: localhub.Seed{
		Users: users, Organizations: []localhub.SeedOrganization{{Login: "acme", ID: 201, Owners: []string{"alice", "bob", "carol"}}},
		Apps:          []localhub.SeedApp{{ID: 7, Slug: "pullbook", Owner: "acme", Key: string(pemKey), Permissions: write}},
		Installations: []localhub.SeedInstallation{{ID: 700, App: "pullbook", Account: "acme", Repositories: []string{"acme/ops"}}},
		Repositories:  []localhub.SeedRepository{{Name: "acme/ops", Private: true, RequiredChecks: []string{incident.RollupName}, Files: map[string]string{"README.md": "# Ops\n"}}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(hub.Handler())
	t.Cleanup(func() {
		server.Close()
		if err := hub.Close(); err != nil {
			t.Error(err)
		}
	})
	client, err := github.New(t.Context(), github.Config{BaseURL: server.URL + "/api/v3", AppID: 7, Key: pemKey, Owner: "acme", Repo: "ops"})
	if err != nil {
		t.Fatal(err)
	}
	c := clone{t: t, made: map[string]string{}, dir: filepath.Join(t.TempDir(), "ops"), url: strings.Replace(server.URL, "://", "://alice:alice-token@", 1) + "/acme/ops.git"}
	c.git("", "clone", "-q", c.url, c.dir)
	main, _ := c.git(c.dir, "rev-parse", "HEAD")
	s := &stage{port: client, push: c.push, commits: map[string]string{"main": main}, pulls: map[string]int{}, inside: func(do func()) { do() }}
	s.people = func(d deed, id string, pull int, review int64) error {
		return speak(t, server.URL, d, id, pull, review)
	}
	return s
}

// clone is a clone that pushes as the engine does: by compare-and-swap.
type clone struct {
	t        *testing.T
	dir, url string
	made     map[string]string // commits by name: one that is pushed again is the same
}

func (c clone) git(dir string, args ...string) (string, error) {
	cmd := exec.CommandContext(c.t.Context(), "git", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_TERMINAL_PROMPT=0", "LC_ALL=C",
		"GIT_AUTHOR_NAME=T", "GIT_AUTHOR_EMAIL=t@example.org", "GIT_COMMITTER_NAME=T", "GIT_COMMITTER_EMAIL=t@example.org")
	out, err := cmd.CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

func (c clone) push(d deed, parent, old string) (string, error) {
	if old != "" {
		parent = old
	}
	ref, again := "refs/heads/"+d.branch, c.made[d.commit]
	if again != "" {
		_, err := c.git(c.dir, "push", "-q", "--force-with-lease="+ref+":"+old, c.url, again+":"+ref)
		return again, err
	}
	for _, args := range [][]string{{"checkout", "-q", "--detach", parent}, {"commit", "-q", "--allow-empty", "-m", d.commit}} {
		if out, err := c.git(c.dir, args...); err != nil {
			c.t.Fatalf("git %v: %v\n%s", args, err, out)
		}
	}
	id, err := c.git(c.dir, "rev-parse", "HEAD")
	if err != nil {
		return "", err
	}
	c.made[d.commit] = id
	_, err = c.git(c.dir, "push", "-q", "--force-with-lease="+ref+":"+old, c.url, id+":"+ref)
	return id, err
}

// speak is a person who uses the API of the hub.
func speak(t *testing.T, url string, d deed, id string, pull int, review int64) error {
	path := fmt.Sprintf("/pulls/%d", pull)
	who, method, body := d.who, http.MethodPost, map[string]any{}
	switch d.what {
	case "review":
		event := map[approval.ReviewState]string{approval.Approved: "APPROVE", approval.ChangesRequested: "REQUEST_CHANGES", approval.Commented: "COMMENT"}[d.state]
		path, body = path+"/reviews", map[string]any{"event": event, "body": d.text, "commit_id": id}
	case "comment":
		path, body = fmt.Sprintf("/issues/%d/comments", pull), map[string]any{"body": d.text}
	case "dismiss":
		who, method, path, body = "carol", http.MethodPut, fmt.Sprintf("%s/reviews/%d/dismissals", path, review), map[string]any{"message": "no"}
	case "edit":
		method, path, body = http.MethodPut, fmt.Sprintf("%s/reviews/%d", path, review), map[string]any{"body": d.text}
	case "close":
		who, method, body = "carol", http.MethodPatch, map[string]any{"state": "closed"}
	case "delete":
		who, method, path, body = "carol", http.MethodDelete, "/git/refs/heads/"+d.branch, nil
	}
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(t.Context(), method, url+"/api/v3/repos/acme/ops"+path, bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+who+"-token")
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode >= 300 {
		return fmt.Errorf("%s %s: %s", method, path, answer.Status)
	}
	return nil
}

// TestHubsAgree holds the simulated hub against localhub: the same script gives the same answers.
func TestHubsAgree(t *testing.T) {
	small, large := simulated(), localHub(t)
	for i, d := range hubScript() {
		want, got := large.play(t.Context(), d), small.play(t.Context(), d)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("after deed %d (%+v) the hubs differ (-localhub +simulated):\n%s", i, d, diff)
		}
	}
}
