package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	gh "github.com/google/go-github/v60/github"

	"github.com/pullbook/pullbook/engine"
	"github.com/pullbook/pullbook/engine/github"
	"github.com/pullbook/pullbook/engine/localhub"
	"github.com/pullbook/pullbook/engine/runbook"
	"github.com/pullbook/pullbook/engine/step"
)

// TestWorkflowsPort meets what can go wrong between a gate and the end of a run, on a hub without an engine.
func TestWorkflowsPort(t *testing.T) {
	t.Parallel()
	s := newScene(t, stage{files: map[string]string{".github/workflows/deploy.yml": workflowFile}})
	w := newWorks(t, s)
	key, err := os.ReadFile(filepath.Join(s.world.dir, "app.pem"))
	if err != nil {
		t.Fatal(err)
	}
	client, err := github.New(t.Context(), github.Config{BaseURL: s.world.url + "/api/v3", AppID: demoAppID, Key: key, Owner: demoOwner, Repo: demoName})
	if err != nil {
		t.Fatal(err)
	}
	p := portTest{t, w, workflowsPort{client}, runbook.Workflow{File: "deploy.yml", Ref: "live", Key: "pullbook"}}
	old := p.pin("")
	blob := w.change(t, workflowFile+"# another\n")
	if got := p.dispatch(old, "a/deploy/1"); !strings.Contains(got.Refused, "its file at live is the blob "+blob) {
		t.Errorf("another file: %+v", got)
	}
	first := p.dispatch(blob, "a/deploy/1").Run.ID
	if again := p.dispatch(blob, "a/deploy/1").Run.ID; first == 0 || again != first {
		t.Errorf("one key has the runs %d and %d", first, again)
	}
	second := p.dispatch(blob, "a/deploy/11").Run.ID
	if found, err := p.port.Find(t.Context(), p.query(0, blob, "a/deploy/11")); err != nil || found.ID != second || second == first {
		t.Errorf("%+v, %v", found, err)
	}
	if found, err := p.port.Find(t.Context(), p.query(0, blob, "a/deploy/2")); err != nil || found.ID != 0 {
		t.Errorf("%+v, %v", found, err)
	}
	p.ends(first, blob)
	p.cancelled(second, blob)
	if gone, err := p.port.Run(t.Context(), p.query(999_999, blob, "")); err != nil || !gone.Gone {
		t.Errorf("%+v, %v", gone, err)
	}
	if _, err := w.carol.Actions.DisableWorkflowByFileName(t.Context(), demoOwner, demoName, "deploy.yml"); err != nil {
		t.Fatal(err)
	}
	p.pin("the workflow deploy.yml of acme/ops is disabled manually")
	if got := p.dispatch(blob, "a/deploy/3"); got.Refused == "" {
		t.Errorf("a disabled workflow was dispatched: %+v", got)
	}
	if _, _, err := w.carol.Repositories.DeleteFile(t.Context(), demoOwner, demoName, ".github/workflows/deploy.yml",
		&gh.RepositoryContentFileOptions{Message: gh.String("Drop it"), SHA: &blob, Branch: gh.String("live")}); err != nil {
		t.Fatal(err)
	}
	p.pin("there is no workflow deploy.yml at live of acme/ops")
}

type portTest struct {
	*testing.T
	works
	port     workflowsPort
	workflow runbook.Workflow
}

func (p portTest) query(run int64, blob, key string) engine.RunQuery {
	return engine.RunQuery{Workflow: p.workflow, Key: key, Run: run, Blob: blob, HasOutput: true}
}

func (p portTest) pin(problem string) (blob string) {
	p.Helper()
	pin, err := p.port.Pin(p.Context(), p.workflow)
	if err != nil || pin.Problem != problem || (pin.Blob == "") != (problem != "") {
		p.Errorf("%+v, %v, want %q", pin, err, problem)
	}
	return pin.Blob
}

func (p portTest) dispatch(blob, key string) step.Dispatched {
	p.Helper()
	got, err := p.port.Dispatch(p.Context(), step.Dispatch{Workflow: p.workflow, Blob: blob, Key: key, Inputs: map[string]string{"host": "web-1"}})
	if err != nil {
		p.Error(err)
	}
	return got
}

// outcome is what is said of a run that has ended.
func (p portTest) outcome(run int64, blob string) runbook.Outcome {
	p.Helper()
	got, err := p.port.Run(p.Context(), p.query(run, blob, ""))
	if err != nil || got.Outcome == nil {
		p.Fatalf("%+v, %v", got, err)
	}
	return *got.Outcome
}

// ends drives a run to a good end, which leaves one thing after the other, and is run again by hand.
func (p portTest) ends(run int64, blob string) {
	p.Helper()
	if got, err := p.port.Run(p.Context(), p.query(run, blob, "")); err != nil || got.Status != "queued" || got.Outcome != nil || got.Runs != 1 {
		p.Errorf("%+v, %v", got, err)
	}
	done := localhub.RunStep{Status: "completed", Conclusion: "success"}
	for _, test := range []struct {
		archive []byte
		why     string
	}{
		{nil, "succeeded, but it left no artifact pullbook-output"},
		{[]byte("no zip"), "it is no zip file"},
		{archiveOf(p.T, "../output.json", []byte("{}")), "leads out of it"},
		{archiveOf(p.T, "output.txt", []byte("{}")), "holds no output.json"},
		{archiveOf(p.T, "output.json", []byte(`{"version": "1.4"}`)), ""},
	} {
		if done.Artifacts = nil; test.archive != nil {
			done.Artifacts = []localhub.Artifact{{Name: outputArtifact, Zip: test.archive}}
		}
		p.drive(p.T, run, done)
		o := p.outcome(run, blob)
		if (o.Conclusion == runbook.Succeeded) != (test.why == "") || !strings.Contains(o.Error, test.why) {
			p.Errorf("%q: %q %s", test.why, o.Conclusion, o.Error)
		}
		if _, err := p.carol.Actions.RerunWorkflowByID(p.Context(), demoOwner, demoName, run); err != nil {
			p.Fatal(err)
		}
	}
	p.drive(p.T, run, localhub.RunStep{Status: "completed", Conclusion: "failure"})
	if o := p.outcome(run, blob); o.Conclusion != runbook.Failed || o.Facts["run_attempt"] != "6" || !strings.Contains(o.Error, `ended as "failure"`) || !strings.Contains(o.Log, "attempt 6") {
		p.Errorf("%+v", o)
	}
	if o := p.outcome(run, "b10b"); o.Conclusion != runbook.Failed || !strings.Contains(o.Error, "and b10b was agreed to") {
		p.Errorf("another file than was agreed to: %+v", o)
	}
}

// cancelled stops a run, twice.
func (p portTest) cancelled(run int64, blob string) {
	p.Helper()
	for range 2 {
		if err := p.port.Cancel(p.Context(), p.query(run, blob, "")); err != nil {
			p.Error(err)
		}
	}
	if o := p.outcome(run, blob); o.Conclusion != runbook.Cancelled || !strings.Contains(o.Error, "was cancelled") {
		p.Errorf("%+v", o)
	}
}
