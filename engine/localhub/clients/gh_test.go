package clients

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pullbook/pullbook/engine/localhub"
)

// person is somebody at a shell that has been set up as README.md says.
type person struct {
	w     *world
	token string
	home  string
	dir   string
}

func (w *world) person(login, dir string) person {
	w.t.Helper()
	need(w.t, "gh")
	return person{w, login + "-token", w.t.TempDir(), dir}
}

func (p person) environ() []string {
	return environ(p.home, "GH_HOST=github.localhost", "GH_TOKEN="+p.token, "http_proxy=http://"+p.w.address, "GH_NO_UPDATE_NOTIFIER=1", "NO_COLOR=1")
}

// try runs gh and returns all that it printed.
func (p person) try(args ...string) (string, error) {
	cmd := exec.CommandContext(p.w.t.Context(), "gh", args...)
	cmd.Dir, cmd.Env = p.dir, p.environ()
	out, err := cmd.CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

// gh runs gh, which must succeed and say all of what is wanted.
func (p person) gh(want []string, args ...string) string {
	p.w.t.Helper()
	out, err := p.try(args...)
	if err != nil {
		p.w.t.Errorf("gh %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	for _, text := range want {
		if !strings.Contains(out, text) {
			p.w.t.Errorf("gh %s does not say %q:\n%s", strings.Join(args, " "), text, out)
		}
	}
	return out
}

// fails runs gh, which must fail and say what is wanted.
func (p person) fails(want string, args ...string) {
	p.w.t.Helper()
	if out, err := p.try(args...); err == nil || !strings.Contains(out, want) {
		p.w.t.Errorf("gh %s: %v\n%s\nwant a failure with %q", strings.Join(args, " "), err, out, want)
	}
}

// From a pull request to its merge, as two people at their shells.
func TestGHPullRequest(t *testing.T) {
	w := newWorld(t)
	bob := w.person("bob", w.clone())
	w.commit(bob.dir, "one", "one.txt")
	w.mustGit(bob.dir, "push", "-q", "-u", "origin", "one")
	// The clone's address is another name of the hub: gh has to be told which repository is meant.
	w.mustGit(bob.dir, "remote", "set-url", "origin", "http://github.localhost/acme/ops.git")
	bob.gh([]string{"http://github.localhost/acme/ops/pull/1"}, "pr", "create", "--title", "Change one", "--body", "See **one**.", "--base", "main")
	bob.fails("Can not approve your own pull request", "pr", "review", "1", "--approve")

	alice := w.person("alice", t.TempDir())
	on := []string{"-R", "acme/ops"}
	alice.gh([]string{"1\tChange one\tone\tOPEN"}, append(on, "pr", "list")...)
	alice.gh([]string{"title:\tChange one", "author:\tbob", "additions:\t1", "See **one**."}, append(on, "pr", "view", "1")...)
	alice.gh([]string{"diff --git a/one.txt b/one.txt", "+one.txt"}, append(on, "pr", "diff", "1")...)
	alice.gh([]string{"From: T <t@example.org>", "Subject: [PATCH] Add one.txt"}, append(on, "pr", "diff", "1", "--patch")...)
	alice.fails("no checks reported on the 'one' branch", append(on, "pr", "checks", "1")...)
	w.check(w.mustGit(bob.dir, "rev-parse", "one"), "pullbook", "success")
	alice.gh([]string{"pullbook\tpass"}, append(on, "pr", "checks", "1")...)
	alice.gh(nil, append(on, "pr", "review", "1", "--approve", "--body", "Fine.")...)
	alice.gh([]string{"http://github.localhost/acme/ops/pull/1#issuecomment-"}, append(on, "pr", "comment", "1", "--body", "Well done.")...)
	alice.gh([]string{"author:\talice", "Fine.", "Well done.", "status:\tapproved"}, append(on, "pr", "view", "1", "--comments")...)
	alice.gh(nil, append(on, "pr", "merge", "1", "--merge")...)
	alice.gh([]string{"already merged"}, append(on, "pr", "merge", "1", "--merge")...)
	alice.gh([]string{"1\tChange one\tone\tMERGED"}, append(on, "pr", "list", "--state", "merged")...)

	var got struct {
		State    string
		MergedBy struct{ Login string }
		Reviews  []struct{ State string }
	}
	out := alice.gh(nil, append(on, "pr", "view", "1", "--json", "state,mergedBy,reviews")...)
	if err := json.Unmarshal([]byte(out), &got); err != nil || got.State != "MERGED" || got.MergedBy.Login != "alice" || len(got.Reviews) != 1 || got.Reviews[0].State != "APPROVED" {
		t.Errorf("in the end: %v\n%s", err, out)
	}
	if log := w.mustGit(w.clone(), "log", "-1", "--format=%s"); log != "Merge pull request #1 from acme/one" {
		t.Errorf("main: %s", log)
	}
}

// check reports a check run as the App.
func (w *world) check(sha, name, conclusion string) {
	w.t.Helper()
	var token struct{ Token string }
	w.asApp(appID, "POST", "/app/installations/700/access_tokens", nil, &token)
	run := map[string]string{"name": name, "head_sha": sha, "status": "completed", "conclusion": conclusion}
	w.send(token.Token, "POST", "/repos/acme/ops/check-runs", run, nil)
}

func TestGHOtherCommands(t *testing.T) {
	w := newWorld(t)
	dir := w.branches("one", "two", "three")
	w.openPull("bob", "one")
	w.openPull("alice", "two")
	w.check(w.mustGit(dir, "rev-parse", "two"), "pullbook", "failure")
	alice := w.person("alice", dir)
	w.mustGit(dir, "remote", "set-url", "origin", "http://x-access-token:alice-token@github.localhost/acme/ops.git")

	alice.gh([]string{"github.localhost", "Logged in to github.localhost as alice"}, "auth", "status", "--hostname", "github.localhost")
	alice.gh([]string{"name:\tacme/ops", "description:\tRunbooks", "# Ops"}, "repo", "view")
	alice.gh([]string{`"login":"alice"`}, "api", "user")
	all := alice.gh(nil, "api", "--paginate", "repos/{owner}/{repo}/branches?per_page=1", "--jq", ".[].name")
	if diff := cmp.Diff([]string{"main", "one", "three", "two"}, strings.Fields(all)); diff != "" {
		t.Errorf("branches (-want +got):\n%s", diff)
	}
	alice.gh([]string{`"viewer":{"login":"alice"}`}, "api", "graphql", "-f", "query={viewer{login}}")
	alice.gh([]string{"HTTP/1.1 200 OK", "X-Github-Request-Id"}, "api", "-i", "rate_limit")
	alice.fails("HTTP 404", "api", "repos/acme/none")
	alice.gh([]string{"#2  Change two", "Created by you"}, "pr", "status")
	alice.gh([]string{"1\tChange one"}, "pr", "list", "--author", "bob")
	alice.gh([]string{"2\tChange two"}, "pr", "list", "--search", "two")
	alice.fails("pullbook\tfail", "pr", "checks", "2")
	alice.gh([]string{"Edited title"}, "api", "-X", "PATCH", "repos/{owner}/{repo}/pulls/2", "-f", "title=Edited title", "--jq", ".title")
	alice.gh(nil, "label", "create", "ready", "--color", "00ff00")
	alice.gh([]string{"ready"}, "label", "list")
	alice.gh(nil, "pr", "edit", "2", "--title", "Again", "--add-label", "ready", "--add-assignee", "@me")
	alice.gh([]string{"title:\tAgain", "labels:\tready", "assignees:\talice"}, "pr", "view", "2")
	alice.gh([]string{"2\tAgain"}, "pr", "list", "--label", "ready")
	alice.gh(nil, "pr", "close", "2")
	alice.gh(nil, "pr", "reopen", "2")
}

// A workflow that somebody dispatches is a run that gh lists; the test plays the runner.
func TestGHRuns(t *testing.T) {
	w := newWorld(t)
	alice := w.person("alice", w.clone())
	w.mustGit(alice.dir, "remote", "set-url", "origin", "http://github.localhost/acme/ops.git")
	if _, err := w.hub.AddWorkflow("acme/ops", localhub.Workflow{Name: "Restart", Path: ".github/workflows/restart.yml"}); err != nil {
		t.Fatal(err)
	}
	if out := alice.gh(nil, "run", "list"); out != "" && !strings.Contains(out, "no runs found") {
		t.Errorf("before any run: %s", out)
	}
	alice.gh([]string{"Restart\tactive"}, "workflow", "list")
	alice.gh(nil, "workflow", "run", "restart.yml", "--ref", "main")
	alice.gh([]string{"queued\t\tRestart\tRestart\tmain\tworkflow_dispatch"}, "run", "list")
	var runs []struct{ DatabaseID int64 }
	if err := json.Unmarshal([]byte(alice.gh(nil, "run", "list", "--json", "databaseId")), &runs); err != nil || len(runs) != 1 {
		t.Fatalf("runs: %v %v", runs, err)
	}
	step := localhub.RunStep{Status: "completed", Conclusion: "success"}
	if err := w.hub.DriveRun("acme/ops", runs[0].DatabaseID, localhub.By{Login: "alice"}, step); err != nil {
		t.Fatal(err)
	}
	alice.gh([]string{"completed\tsuccess\tRestart"}, "run", "list", "--workflow", "restart.yml")
	alice.gh([]string{"Restart"}, "run", "view", strconv.FormatInt(runs[0].DatabaseID, 10))
}

// gh checks a pull request out by git, through the same proxy.
func TestGHChecksOut(t *testing.T) {
	w := newWorld(t)
	w.branches("one")
	w.openPull("bob", "one")
	alice := w.person("alice", w.clone())
	w.mustGit(alice.dir, "remote", "set-url", "origin", "http://x-access-token:alice-token@github.localhost/acme/ops.git")
	alice.gh(nil, "pr", "checkout", "1")
	if got := w.mustGit(alice.dir, "symbolic-ref", "--short", "HEAD"); got != "one" {
		t.Errorf("on branch %s", got)
	}
	alice.dir = t.TempDir()
	alice.gh(nil, "repo", "clone", "acme/open")
	if _, err := os.Stat(filepath.Join(alice.dir, "open", "x")); err != nil {
		t.Error(err)
	}
}

// The block of README.md does what it says.
func TestGHAsTheReadmeSays(t *testing.T) {
	w := newWorld(t)
	alice := w.person("alice", t.TempDir())
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(readme), "```sh\nexport http_proxy=http://127.0.0.1:8490\n")
	block, _, ended := strings.Cut(rest, "```")
	if !found || !ended {
		t.Fatal("README.md has no block about gh")
	}
	cmd := exec.CommandContext(t.Context(), "sh", "-eux", "-c", "export http_proxy="+w.url+"\n"+block)
	cmd.Dir, cmd.Env = alice.dir, environ(alice.home, "GH_NO_UPDATE_NOTIFIER=1")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{"http://github.localhost/acme/ops/pull/1", "title:\tSay hello", "+Hello", "Say hello, alice"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("the block does not say %q:\n%s", want, out)
		}
	}
}
