package main

import (
	"archive/zip"
	"bytes"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/google/go-github/v60/github"

	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/localhub"
	"github.com/pullbook/pullbook/engine/runbook"
)

// workflowRunbook runs a workflow, uses what it puts out, and runs it once more.
const workflowRunbook = `title: "Deploy the release before on \(alert.labels.host)"
match: labels: service: "shop"
alert: _
_deploy: {
	approval: {from: ["acme/sre"], count: 1}
	actions: {workflow: "deploy.yml", ref: "live", inputs: {environment: string, steps_back: 1, host: alert.labels.host}, key: "pullbook"}
	output: version: string
}
steps: {
	deploy: _deploy & {actions: inputs: environment: "canary"}
	tell: {
		risk: "read"
		exec: {command: ["sh", "-c", "test $VERSION = 1.4"], env: VERSION: deploy.output.version}
	}
	everywhere: _deploy & {needs: ["tell"], actions: inputs: environment: "production"}
}
`

const workflowFile = "on: {workflow_dispatch: {inputs: {environment: {}, steps_back: {}, host: {}, pullbook: {}}}}\n"

// archiveOf is a zip file with one file in it.
func archiveOf(t *testing.T, name string, content []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	w, err := z.Create(name)
	if err == nil {
		_, err = w.Write(content)
	}
	if err == nil {
		err = z.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// works are the runner of the hub and its workflow, at the branch live.
type works struct {
	*scene
	carol *github.Client
}

func newWorks(t *testing.T, s *scene) works {
	t.Helper()
	carol, err := s.world.client("carol")
	if err != nil {
		t.Fatal(err)
	}
	w := works{s, carol}
	main, _, err := carol.Git.GetRef(t.Context(), demoOwner, demoName, "heads/main")
	if err == nil {
		_, _, err = carol.Git.CreateRef(t.Context(), demoOwner, demoName, &github.Reference{Ref: github.String("refs/heads/live"), Object: main.Object})
	}
	if err == nil {
		_, err = s.world.hub.AddWorkflow(demoOwner+"/"+demoName, localhub.Workflow{Name: "Deploy", Path: ".github/workflows/deploy.yml", RunName: "Deploy ${{ inputs.pullbook }}"})
	}
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// change writes the workflow's file anew and returns its blob.
func (w works) change(t *testing.T, content string) (blob string) {
	t.Helper()
	const path = ".github/workflows/deploy.yml"
	at := &github.RepositoryContentGetOptions{Ref: "live"}
	file, _, _, err := w.carol.Repositories.GetContents(t.Context(), demoOwner, demoName, path, at)
	if err != nil {
		t.Fatal(err)
	}
	changed, _, err := w.carol.Repositories.UpdateFile(t.Context(), demoOwner, demoName, path,
		&github.RepositoryContentFileOptions{Message: github.String("Change it"), Content: []byte(content), SHA: file.SHA, Branch: github.String("live")})
	if err != nil {
		t.Fatal(err)
	}
	return changed.GetContent().GetSHA()
}

// drive does the runner's part.
func (w works) drive(t *testing.T, run int64, step localhub.RunStep) {
	t.Helper()
	for i := range step.Jobs {
		step.Jobs[i].Status, step.Jobs[i].Conclusion, step.Jobs[i].Started, step.Jobs[i].Completed = step.Status, step.Conclusion, time.Now(), time.Now()
	}
	if err := w.world.hub.DriveRun(demoOwner+"/"+demoName, run, localhub.By{Login: "alice", Base: w.world.url}, step); err != nil {
		t.Fatal(err)
	}
}

// approve approves the gate that is open for a page with some text on it, and returns what is seen when the run is dispatched.
func (w works) approve(t *testing.T, group, step, text string, runs int) (seen sight, run incident.RunDispatched) {
	t.Helper()
	seen = w.await(t, group, "the page of "+step+" shows "+text, func(v sight) bool {
		return count[incident.GateOpened](v) > 0 && strings.Contains(w.gatePage(t, v, step), text)
	})
	if err := w.world.review(t.Context(), "alice", seen.pull.GetNumber(), "/approve "+step); err != nil {
		t.Fatal(err)
	}
	seen = w.await(t, group, step+" is dispatched", func(v sight) bool { return count[incident.RunDispatched](v) == runs })
	for _, e := range seen.events {
		if d, ok := e.Data.(incident.RunDispatched); ok {
			run = d
		}
	}
	return seen, run
}

// TestWorkflows runs a workflow of the hub twice: the gate is bound to its file, a change of that asks again, the run is followed
// through a kill of the engine, and what it puts out is used; the second one brings rubbish, is tried again, and is stopped with
// the incident.
func TestWorkflows(t *testing.T) {
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("git is not installed")
	}
	t.Parallel()
	s := newScene(t, stage{files: map[string]string{"runbooks/shop.cue": workflowRunbook, ".github/workflows/deploy.yml": workflowFile}})
	w := newWorks(t, s)
	s.serve(t)
	group := s.raise(t, alarm{Name: "Shop", Labels: map[string]string{"service": "shop", "host": "web-1 $(reboot)"}})
	s.await(t, group, "the gate opens", func(v sight) bool { return count[incident.GateOpened](v) == 1 })
	blob := w.change(t, workflowFile+"# another\n")
	seen, first := w.approve(t, group, "deploy", blob, 1)
	number := seen.pull.GetNumber()
	if started, _ := find[incident.StepStarted](seen); started.Workflow != blob {
		t.Errorf("the intent names the file %s, and it is %s", started.Workflow, blob)
	}
	s.restart()
	s.awaitHealth(t)
	w.drive(t, first.Run, localhub.RunStep{Status: "in_progress"})
	w.drive(t, first.Run, localhub.RunStep{Status: "completed", Conclusion: "success", Jobs: []localhub.Job{{Name: "deploy", Log: "done ::set-output::x"}},
		Artifacts: []localhub.Artifact{{Name: outputArtifact, Zip: archiveOf(t, "output.json", []byte(`{"version": "1.4", "more": 1}`))}}})

	seen, second := w.approve(t, group, "everywhere", blob, 2)
	s.checkDeployed(t, seen, first)
	w.drive(t, second.Run, localhub.RunStep{Status: "completed", Conclusion: "success",
		Artifacts: []localhub.Artifact{{Name: outputArtifact, Zip: archiveOf(t, "output.json", []byte(`{"version": 14}`))}}})
	seen = s.await(t, group, "the rubbish is refused", func(v sight) bool { _, ok := v.ended("everywhere"); return ok })
	if got, _ := seen.ended("everywhere"); got.Conclusion != runbook.Failed || !strings.Contains(got.Error, "version") {
		t.Errorf("it ended %q: %s", got.Conclusion, got.Error)
	}
	if err := s.world.comment(t.Context(), "bob", number, "/retry everywhere"); err != nil {
		t.Fatal(err)
	}
	s.await(t, group, "the gate asks again", func(v sight) bool { return count[incident.GateOpened](v) >= 4 })
	_, third := w.approve(t, group, "everywhere", "round 2", 3)
	if err := s.world.comment(t.Context(), "alice", number, "/cancel enough"); err != nil {
		t.Fatal(err)
	}
	seen = s.await(t, group, "it is merged", sight.merged)
	stopped, _, err := w.carol.Actions.GetWorkflowRunByID(t.Context(), demoOwner, demoName, third.Run)
	if err != nil || stopped.GetConclusion() != "cancelled" || !strings.HasPrefix(stopped.GetDisplayTitle(), "Deploy ") {
		t.Errorf("the third run is %q as %q: %v", stopped.GetDisplayTitle(), stopped.GetConclusion(), err)
	}
	s.verify(t, 1)
}

// checkDeployed checks how the first run is recorded.
func (s *scene) checkDeployed(t *testing.T, seen sight, run incident.RunDispatched) {
	t.Helper()
	ended, _ := seen.ended("deploy")
	if ended.Conclusion != runbook.Succeeded || string(ended.Output) != `{"version":"1.4"}` || ended.Facts["url"] != run.URL || ended.Facts["run_attempt"] != "1" || ended.Evidence == "" {
		t.Errorf("deploy ended as %+v", ended)
	}
	if told, _ := seen.ended("tell"); told.Conclusion != runbook.Succeeded {
		t.Errorf("what it put out is not there: %q %s", told.Conclusion, told.Error)
	}
}
