package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/pullbook/pullbook/runbooks/starter"
)

// TestInitWorkflow lints the workflows that a new ledger has, with a server and without one.
func TestInitWorkflow(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, args := range [][]string{{"init", filepath.Join(dir, "server")}, {"init", filepath.Join(dir, "actions"), "--actions", "--pin", strings.Repeat("1", 40)}} {
		root := rootCommand()
		root.SetArgs(args)
		root.SetOut(&bytes.Buffer{})
		root.SetErr(&bytes.Buffer{})
		if err := root.ExecuteContext(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	workflows, err := filepath.Glob(filepath.Join(dir, "*", ".github", "workflows", "*.yml"))
	if err != nil || len(workflows) != 4 {
		t.Fatalf("workflows %v, %v", workflows, err)
	}
	out, err := exec.CommandContext(t.Context(), "go", append([]string{"tool", "actionlint"}, workflows...)...).CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestRunsThatBringSomethingAreNotCancelled reads which runs of a new ledger have a concurrency group of their own: in the one of the
// others GitHub cancels all that wait but the newest, and what the action takes of an event is told nowhere else.
func TestRunsThatBringSomethingAreNotCancelled(t *testing.T) {
	t.Parallel()
	files, err := starter.WithActions("acme/sre", pinned)
	if err != nil {
		t.Fatal(err)
	}
	var w struct{ Concurrency struct{ Group string } }
	if err := yaml.Unmarshal([]byte(files[".github/workflows/pullbook-advance.yml"]), &w); err != nil {
		t.Fatal(err)
	}
	script, err := os.ReadFile(filepath.Join(actionsDir, "advance", "advance.sh"))
	events := regexp.MustCompile(`(?m)^  ([a-z_| ]+)\)$`).FindSubmatch(script)
	if err != nil || events == nil {
		t.Fatalf("which events the action takes: %v", err)
	}
	for event := range strings.SplitSeq(string(events[1]), " | ") {
		own := "github.event_name == '" + event + "' || "
		if event == "workflow_run" { // how one ended on the default branch, and not in a fork that calls a branch so
			own = "(github.event.workflow_run.head_branch == github.event.repository.default_branch && github.event.workflow_run.head_repository.full_name == github.repository)) && github.run_id"
		}
		if !strings.Contains(w.Concurrency.Group, own) {
			t.Errorf("a run for %s may be cancelled by a run that only looks: %s", event, w.Concurrency.Group)
		}
	}
}

// TestForksAreVetted: a job that is skipped passes a required check, and the fork of a stranger may have a branch of any name.
func TestForksAreVetted(t *testing.T) {
	t.Parallel()
	files, err := starter.WithActions("acme/sre", pinned)
	if err != nil {
		t.Fatal(err)
	}
	var w struct {
		Jobs map[string]struct{ If string }
	}
	if err := yaml.Unmarshal([]byte(files[".github/workflows/pullbook.yml"]), &w); err != nil {
		t.Fatal(err)
	}
	const own = "!startsWith(github.head_ref, 'incident/') || github.event.pull_request.head.repo.full_name != github.repository"
	if got := w.Jobs["runbooks"].If; got != "" && got != own {
		t.Errorf("the check of a pull request is skipped unless %s", got)
	}
}
