package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/localhub"
	"github.com/pullbook/pullbook/runbooks/starter"
)

// pinned is the commit at which the workflows under test use this project's actions. The runner finds them in this tree.
const pinned = "1111111111111111111111111111111111111111"

// forge runs workflows for the events of a hub, as GitHub Actions does, with nektos/act in its self-hosted mode. It has of
// GitHub: which workflow an event starts by its name and activity, the file of which branch, that a workflow's end is an
// event, and one job at a time in a concurrency group. It has not: environments and their branches, permissions of tokens,
// caches, artifacts.
type forge struct {
	t      *testing.T
	scene  *scene
	act    string
	dir    string // a clone of the ledger, and what act needs
	events chan event

	mu      sync.Mutex
	ran     []job
	busy    int
	secrets []string
}

// event is something that happened at the hub.
type event struct {
	name, action string
	of           string // the workflow that ended, or is to run
	run          int64  // that a dispatch asks for
	body         []byte
}

// job is one that ran.
type job struct {
	workflow, cause string
	took            time.Duration
	failed          bool
	log             string
}

// triggers are the part of a workflow's file that says what starts it. What else an event may have, such as the times of a
// schedule, starts nothing here.
type triggers struct {
	Name string               `yaml:"name"`
	On   map[string]yaml.Node `yaml:"on"`
}

type filter struct {
	Types     []string `yaml:"types"`
	Workflows []string `yaml:"workflows"`
}

func newForge(t *testing.T, s *scene) *forge {
	t.Helper()
	act, err := exec.LookPath("act")
	if err != nil {
		t.Skip("act is not installed")
	}
	f := &forge{t: t, scene: s, act: act, dir: t.TempDir(), events: make(chan event, 1000)}
	f.run(nil, "git", "clone", "-q", s.world.bareRepo(), filepath.Join(f.dir, "ledger"))
	f.actions()
	for name, file := range map[string]string{"PULLBOOK_APP_KEY": "app.pem", "PULLBOOK_SIGNING_KEY": "signing_key"} {
		text, err := os.ReadFile(filepath.Join(s.world.dir, file))
		if err != nil {
			t.Fatal(err)
		}
		f.secrets = append(f.secrets, name+"="+string(text))
	}
	server := &http.Server{Handler: http.HandlerFunc(f.take)}
	go server.Serve(s.world.hooks) //nolint:errcheck // it ends with ErrServerClosed
	t.Cleanup(func() { server.Close() })
	done := make(chan struct{})
	go func() { defer close(done); f.work() }()
	t.Cleanup(func() { <-done }) // the test's context has ended by then
	return f
}

// actions copies this project's actions to where act finds them, and puts something in the place of those that fetch from
// GitHub: the cache has the program.
func (f *forge) actions() {
	root := filepath.Join("..", "..")
	f.run(nil, "cp", "-R", filepath.Join(root, ".github"), f.path("pullbook/.github"))
	for _, name := range []string{"go.mod", "go.sum"} {
		f.run(nil, "cp", filepath.Join(root, name), f.path("pullbook/"+name))
	}
	for _, name := range []string{"cmd", "engine", "runbooks", "schema"} {
		f.write("pullbook/"+name+"/part.go", "package part\n", 0o600)
	}
	f.write("program", `#!/bin/bash
[ "$1" != advance ] || set -- "$@" --limits off --private-networks --linger 1s
exec -a pullbook `+os.Args[0]+` "$@"
`, 0o700)
	f.write("cache/action.yml", `name: cache
inputs: {path: {}, key: {}}
outputs: {cache-hit: {value: "true"}}
runs:
  using: composite
  steps:
    - shell: bash
      env: {TO: "${{ inputs.path }}"}
      run: mkdir -p "$TO" && ln -sf `+f.path("program")+` "$TO/pullbook"
`, 0o600)
	f.write("upload/action.yml", `name: upload
inputs: {name: {}, path: {}, if-no-files-found: {}, retention-days: {}}
runs:
  using: composite
  steps:
    - shell: bash
      env: {NAME: "${{ inputs.name }}", FROM: "${{ inputs.path }}"}
      run: test "$NAME" = pullbook-output && cp -- "$FROM" `+f.path("artifact/output.json")+"\n", 0o600)
	f.write("checkout/action.yml", `name: checkout
inputs: {repository: {}, ref: {}, path: {}, persist-credentials: {}, sparse-checkout: {}}
runs:
  using: composite
  steps:
    - shell: bash
      env: {REF: "${{ inputs.ref }}", TO: "${{ inputs.path }}"}
      run: case $REF in this-hub-*) mkdir -p "$TO"; find "$TO/" -mindepth 1 -delete; cp -R `+f.path("pullbook")+`/. "$TO" ;; *) exit 1 ;; esac
`, 0o600)
	f.write("go/action.yml", "name: go\nruns: {using: composite, steps: [{shell: bash, run: exit 1}]}\n", 0o600)
}

func (f *forge) path(name string) string {
	path := filepath.Join(f.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		f.t.Fatal(err)
	}
	return path
}

func (f *forge) write(name, text string, mode os.FileMode) {
	if err := os.WriteFile(f.path(name), []byte(text), mode); err != nil {
		f.t.Fatal(err)
	}
}

func (f *forge) run(env []string, name string, args ...string) {
	f.t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		f.t.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
}

// take gets the hub's webhooks.
func (f *forge) take(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	var what struct {
		Action string
		Run    struct {
			ID          int64
			Name, Event string
		} `json:"workflow_run"`
	}
	if err == nil {
		err = json.Unmarshal(body, &what)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	e := event{name: r.Header.Get("X-GitHub-Event"), action: what.Action, of: what.Run.Name, body: body}
	if e.name == "workflow_run" && e.action == "requested" {
		e = event{name: what.Run.Event, of: what.Run.Name, run: what.Run.ID, body: []byte("{}")}
	}
	f.happen(e)
}

func (f *forge) happen(e event) {
	f.mu.Lock()
	f.busy++
	f.mu.Unlock()
	f.events <- e
}

// idle waits until every workflow has ended.
func (f *forge) idle() {
	f.t.Helper()
	waitFor(f.t, "every workflow has ended", func() bool {
		f.mu.Lock()
		defer f.mu.Unlock()
		return f.busy == 0
	})
}

// work starts what events start, one after another.
func (f *forge) work() {
	for {
		select {
		case <-f.t.Context().Done():
			return
		case e := <-f.events:
			files, _ := filepath.Glob(filepath.Join(f.tree(e), ".github", "workflows", "*.yml"))
			for _, file := range files {
				if f.starts(file, e) {
					f.job(file, e)
				}
			}
			f.mu.Lock()
			f.busy--
			f.mu.Unlock()
		}
	}
}

// tree is where the workflows for an event are: the default branch's, and for a review those of the pull request.
func (f *forge) tree(e event) string {
	at := filepath.Join(f.dir, "ledger")
	var of struct {
		Pull struct{ Head struct{ Ref string } } `json:"pull_request"`
	}
	if e.name != "pull_request_review" || json.Unmarshal(e.body, &of) != nil || of.Pull.Head.Ref == "" {
		return at
	}
	merge := filepath.Join(f.dir, fmt.Sprintf("merge-%d", time.Now().UnixNano()))
	if out, err := exec.CommandContext(f.t.Context(), "git", "clone", "-q", "--branch", of.Pull.Head.Ref, f.scene.world.bareRepo(), merge).CombinedOutput(); err != nil {
		f.t.Errorf("%v\n%s", err, out)
	}
	return merge
}

// starts reports whether a workflow runs for an event.
func (f *forge) starts(file string, e event) bool {
	text, err := os.ReadFile(file)
	var w triggers
	if err == nil {
		err = yaml.Unmarshal(text, &w)
	}
	on, there := w.On[e.name]
	if there && e.run != 0 {
		there = w.Name == e.of
	}
	var only filter
	if there && on.Kind == yaml.MappingNode {
		err = on.Decode(&only)
	}
	if err != nil {
		f.t.Errorf("read %s: %v", file, err)
	}
	return there && (len(only.Types) == 0 || slices.Contains(only.Types, e.action)) && (len(only.Workflows) == 0 || slices.Contains(only.Workflows, e.of))
}

// job runs one workflow, and tells of its end.
func (f *forge) job(file string, e event) {
	payload := f.path(fmt.Sprintf("event-%d.json", time.Now().UnixNano()))
	if err := os.WriteFile(payload, e.body, 0o600); err != nil {
		f.t.Error(err)
	}
	name := strings.TrimSuffix(filepath.Base(file), ".yml")
	cmd := exec.CommandContext(f.t.Context(), f.act, e.name, "-W", file, "-e", payload, "-P", "ubuntu-latest=-self-hosted",
		"--local-repository", "pullbook/pullbook@"+pinned+"="+f.path("pullbook"),
		"--local-repository", "actions/cache@5a3ec84eff668545956fd18022155c47e93e2684="+f.path("cache"),
		"--local-repository", "actions/checkout@11bd71901bbe5b1630ceea73d27597364c9af683="+f.path("checkout"), // of another repository than the ledger
		"--local-repository", "actions/setup-go@d35c59abb061a4a6fb18e82ac0862c26744d6ab5="+f.path("go"),
		"--local-repository", "actions/upload-artifact@ea165f8d65b6e75b540449e92b4886f43607fa02="+f.path("upload"),
		"--env", "GITHUB_API_URL="+f.scene.world.url+"/api/v3", "--env", "GITHUB_REPOSITORY="+demoOwner+"/"+demoName,
		"--var", fmt.Sprintf("PULLBOOK_APP_ID=%d", demoAppID), "--var", fmt.Sprintf("PULLBOOK_INSTALLATION_ID=%d", demoInstallation))
	cmd.Dir = filepath.Join(filepath.Dir(file), "..", "..")
	cmd.Env = append(os.Environ(), "HOME="+f.dir, "XDG_CACHE_HOME="+f.path("home/cache"))
	if e.name != "pull_request_review" { // GitHub gives no secret of the environment to what runs off the default branch
		cmd.Env = append(cmd.Env, f.secrets...)
		for _, secret := range f.secrets {
			name, _, _ := strings.Cut(secret, "=")
			cmd.Args = append(cmd.Args, "-s", name)
		}
	}
	began := time.Now()
	out, err := cmd.CombinedOutput()
	conclusion := "success"
	switch {
	case !bytes.Contains(out, []byte("Set up job")):
		conclusion = "skipped"
	case err != nil:
		conclusion = "failure"
	}
	if conclusion != "skipped" {
		f.mu.Lock()
		f.ran = append(f.ran, job{name, e.name, time.Since(began), err != nil, string(out)})
		f.mu.Unlock()
	}
	switch {
	case e.run != 0: // the hub tells of its end
		f.finish(e.run, conclusion)
	case e.name != "workflow_run":
		f.happen(event{name: "workflow_run", action: "completed", of: name, body: fmt.Appendf(nil, `{"action": "completed", "repository": {"full_name": "acme/ops", "default_branch": "main"}, "workflow_run": {"name": %q, "conclusion": %q}}`, name, conclusion)})
	}
}

// finish ends a run of the hub with what its job uploaded.
func (f *forge) finish(run int64, conclusion string) {
	done := localhub.RunStep{Status: "completed", Conclusion: conclusion}
	if text, err := os.ReadFile(f.path("artifact/output.json")); err == nil {
		done.Artifacts = []localhub.Artifact{{Name: outputArtifact, Zip: archiveOf(f.t, "output.json", text)}}
	}
	works{scene: f.scene}.drive(f.t, run, done)
}

// bill is how many minutes the jobs cost: each is rounded up.
func (f *forge) bill() (jobs, minutes int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, j := range f.ran {
		minutes += int(math.Ceil(j.took.Minutes()))
		if j.failed {
			f.t.Errorf("%s, started by %s, failed:\n%s", j.workflow, j.cause, j.log)
		}
	}
	return len(f.ran), minutes
}

// newNoServer is a scene whose engine is the workflows that init writes, with those of more besides or in their place.
func newNoServer(t *testing.T, more map[string]string) (*scene, *forge) {
	t.Helper()
	return noServer(t, stage{files: more})
}

func noServer(t *testing.T, with stage) (*scene, *forge) {
	t.Helper()
	files, err := starter.WithActions(demoOwner+"/sre", pinned)
	if err != nil {
		t.Fatal(err)
	}
	st := with
	st.files = map[string]string{}
	for _, name := range []string{"pullbook-advance.yml", "pullbook-review.yml"} {
		st.files[".github/workflows/"+name] = strings.Replace(files[".github/workflows/"+name], "[pullbook-review, pullbook]", "[pullbook-review, pullbook, deploy]", 1)
	}
	maps.Copy(st.files, with.files)
	s := newScene(t, st)
	return s, newForge(t, s)
}

// open sends an alert as the action does.
func (f *forge) open(alert []byte) {
	f.t.Helper()
	f.run([]string{"LEDGER=" + demoOwner + "/" + demoName, "TOKEN=" + f.scene.world.tokens["carol"], "ALERT=" + string(alert),
		"GITHUB_API_URL=" + f.scene.world.url + "/api/v3"}, "bash", filepath.Join(actionsDir, "open", "open.sh"))
	waitFor(f.t, "the alert is at work", func() bool { return len(f.scene.branches(f.t)) == 2 })
	f.idle()
}

// TestNoServer plays the demonstration's incident from alert to merge with nothing but workflows.
func TestNoServer(t *testing.T) {
	t.Parallel()
	s, f := newNoServer(t, nil)
	s.startToy(t)
	alert, err := os.ReadFile(s.checkoutAlert(t))
	if err != nil {
		t.Fatal(err)
	}
	f.open(alert)
	const pull = 1
	if err := s.world.review(t.Context(), "alice", pull, "/approve rollback"); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the service is rolled back", func() bool { return s.effect.Load() == 1 })
	f.idle()
	if err := s.world.comment(t.Context(), "bob", pull, "/done confirm"); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the incident is merged", func() bool { return len(s.branches(t)) == 1 })
	f.idle()
	s.verify(t, 1)
	if n := s.effect.Load(); n != 1 {
		t.Errorf("the service was rolled back %d times", n)
	}
	jobs, minutes := f.bill()
	t.Logf("without a server the incident took %d jobs, %d billed job-minutes", jobs, minutes)
}

// TestWorkflowsWithoutServer lets a step run a workflow whose job reports with the action step, after one that a person skips by a
// button: the runner, the engine and the step are all workflows.
func TestWorkflowsWithoutServer(t *testing.T) {
	t.Parallel()
	s, f := newNoServer(t, map[string]string{
		"runbooks/shop.cue": `title: "Deploy"
match: labels: service: "shop"
steps: broken: {risk: "read", exec: command: ["sh", "-c", "exit 3"]}
steps: deploy: {
	approval: {from: ["acme/sre"], count: 1}
	actions: {workflow: "deploy.yml", ref: "main", key: "pullbook"}
	output: version: string
}
steps: tell: {
	risk: "read"
	exec: {command: ["sh", "-c", "test $VERSION = 1.4"], env: VERSION: steps.deploy.output.version}
}
`,
		".github/workflows/deploy.yml": `name: deploy
run-name: Deploy ${{ inputs.pullbook }}
on: {workflow_dispatch: {inputs: {pullbook: {type: string}}}}
permissions: {}
jobs:
  deploy:
    runs-on: ubuntu-latest
    steps:
      - uses: pullbook/pullbook/.github/actions/step@` + pinned + `
        with: {output: '{"version": "1.4"}'}
`})
	if _, err := s.world.hub.AddWorkflow(demoOwner+"/"+demoName, localhub.Workflow{Name: "deploy", Path: ".github/workflows/deploy.yml", RunName: "Deploy ${{ inputs.pullbook }}"}); err != nil {
		t.Fatal(err)
	}
	alert := []byte(`{"name": "Shop", "labels": {"service": "shop"}}`)
	f.open(alert)
	read, err := orderedAlert(alert)
	if err != nil {
		t.Fatal(err)
	}
	s.press(t, s.await(t, read.Group, "a step has failed", func(v sight) bool { return len(endings(v, "broken")) == 1 }), "bob", "broken", "skip")
	seen := s.await(t, read.Group, "it is skipped by a button", func(v sight) bool { return has[incident.StepSkipped](v) })
	if skipped, _ := find[incident.StepSkipped](seen); skipped.Deed.Via != incident.ViaButton || skipped.Deed.By.Login != "bob" {
		t.Errorf("the button is recorded as %+v", skipped.Deed)
	}
	f.idle()
	if err := s.world.review(t.Context(), "alice", 1, "/approve deploy"); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the incident is merged", func() bool { return len(s.branches(t)) == 1 })
	f.idle()
	s.verify(t, 1)
	if jobs, minutes := f.bill(); jobs != minutes {
		t.Errorf("%d jobs took %d minutes", jobs, minutes)
	}
}
