package main

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/pullbook/pullbook/engine/incident"
)

// ownAction is where a reusable workflow has checked out its own commit, in which the actions are.
const ownAction = "./.pullbook-program/.github/actions/"

// offered is what an action or a reusable workflow takes and gives.
type offered struct {
	Description, Type string
	Default           any
	Required          bool
}

// reusable is one of this project's workflows that others call.
type reusable struct {
	On struct {
		Call struct {
			Inputs, Outputs, Secrets map[string]offered
		} `yaml:"workflow_call"`
	}
	Permissions map[string]string
	Jobs        map[string]struct {
		Environment string
		Timeout     int `yaml:"timeout-minutes"`
		Outputs     map[string]string
		Steps       []struct {
			ID, Uses, Run string
			With          map[string]any
		}
	}
}

// TestReusableWorkflows holds each reusable workflow against the action that it is a job for: it takes and gives the same, in the
// same words, hands everything over, runs its own commit, and may do no more than the action says.
func TestReusableWorkflows(t *testing.T) {
	t.Parallel()
	// What an action takes that the workflow does not, or has from elsewhere, and the other way round.
	but := map[string][]string{"vet": nil, "open": {"token"}, "step": {"file"},
		"advance": {"app-key", "signing-key", "ledger", "secrets-dir", "private-networks", "environment"}}
	for name, differ := range but {
		var w reusable
		var on struct{ On map[string]any }
		var a struct{ Inputs, Outputs map[string]offered }
		path := filepath.Join("..", "..", ".github", "workflows", name+".yml")
		text, err := os.ReadFile(path)
		for _, into := range []any{&w, &on} {
			if err == nil {
				err = yaml.Unmarshal(text, into)
			}
		}
		action, more := os.ReadFile(filepath.Join(actionsDir, name, "action.yml"))
		if more == nil {
			more = yaml.Unmarshal(action, &a)
		}
		job, ok := w.Jobs[name]
		if err != nil || more != nil || len(on.On) != 1 || !ok || len(w.Jobs) != 1 || job.Timeout == 0 {
			t.Fatalf("%s: %v, %v, %+v", name, err, more, w)
		}
		steps := job.Steps
		last, own := steps[len(steps)-1], steps[len(steps)-2]
		if last.Uses != ownAction+name || !strings.HasPrefix(own.Uses, "actions/checkout@") || own.With["repository"] != "${{ job.workflow_repository }}" ||
			!strings.HasPrefix(fmt.Sprint(own.With["ref"]), "${{ job.workflow_sha || 'this-hub-") || own.With["path"] != ".pullbook-program" || own.With["persist-credentials"] != false {
			t.Errorf("%s does not run its own commit's action: %+v", name, steps)
		}
		if len(steps) > 2 && (len(steps) != 4 || steps[1].Run != "rm -rf -- .pullbook-program" || steps[0].With["persist-credentials"] != false) { // what the caller has there is not followed
			t.Errorf("%s: %+v", name, steps)
		}
		sameOffer(t, name, differ, a.Inputs, w.On.Call.Inputs, func(key string) bool { return last.With[key] == "${{ inputs."+key+" }}" })
		if len(a.Outputs) > 1 {
			sameOffer(t, name, nil, a.Outputs, w.On.Call.Outputs, func(key string) bool { return job.Outputs[key] == "${{ steps."+last.ID+".outputs."+key+" }}" })
		}
		may := map[string]string{}
		if name == "vet" {
			may["contents"] = "read"
		}
		if !reflect.DeepEqual(w.Permissions, may) && len(w.Permissions)+len(may) > 0 {
			t.Errorf("%s may %v", name, w.Permissions)
		}
		if name == "advance" && (job.Environment != "${{ inputs.environment }}" || w.On.Call.Inputs["environment"].Default != "pullbook") {
			t.Errorf("the keys are not those of an environment: %+v", w)
		}
	}
}

// sameOffer compares what an action has with what its workflow has, but for what differs; handed says whether a value is passed on.
func sameOffer(t *testing.T, name string, differ []string, action, workflow map[string]offered, handed func(string) bool) {
	t.Helper()
	for key := range workflow {
		if _, there := action[key]; !there && !slices.Contains(differ, key) {
			t.Errorf("%s: the action has no %s", name, key)
		}
	}
	for key, a := range action {
		if slices.Contains(differ, key) {
			continue
		}
		w, there := workflow[key]
		if !there || a.Description != w.Description || fmt.Sprint(a.Default) != fmt.Sprint(w.Default) && !w.Required || !handed(key) {
			t.Errorf("%s: %s is %+v in the action and %+v in the workflow", name, key, a, w)
		}
	}
}

// callers are the workflows of a ledger that has jobs of this project in the place of steps.
var callers = map[string]string{
	".github/workflows/pullbook-advance.yml": `name: pullbook-advance
on: {repository_dispatch: {types: [pullbook]}, workflow_dispatch: {}}
permissions: {}
jobs:
  vet:
    permissions: {contents: read}
    uses: pullbook/pullbook/.github/workflows/vet.yml@` + pinned + `
  advance:
    needs: vet
    uses: pullbook/pullbook/.github/workflows/advance.yml@` + pinned + `
    with: {app-id: "${{ vars.PULLBOOK_APP_ID }}", installation-id: "${{ vars.PULLBOOK_INSTALLATION_ID }}"}
    secrets: inherit
  step:
    needs: [vet, advance]
    uses: pullbook/pullbook/.github/workflows/step.yml@` + pinned + `
    with: {output: '{"mistakes": "${{ needs.vet.outputs.mistakes }}", "stories": "${{ needs.vet.outputs.stories }}", "open": "${{ needs.advance.outputs.open }}"}'}
`,
	".github/workflows/build.yml": `name: build
on: {issue_comment: {types: [created]}}
permissions: {}
jobs:
  incident:
    uses: pullbook/pullbook/.github/workflows/open.yml@` + pinned + `
    with: {ledger: acme/ops, job: compile}
    secrets: {token: "${{ secrets.LEDGER_TOKEN }}"}
`,
}

// TestReusableWorkflowsRun calls the reusable workflows from a ledger's own: one vets, advances and reports, and the job of another
// one makes an alert. What lies where the actions are checked out is not followed.
func TestReusableWorkflowsRun(t *testing.T) {
	t.Parallel()
	s, f := newNoServer(t, callers)
	f.secrets = append(f.secrets, "LEDGER_TOKEN="+s.world.tokens["carol"])
	outside := f.path("outside/kept")
	f.write("outside/kept", "kept", 0o600)
	if err := os.Symlink(filepath.Dir(outside), f.path("ledger/.pullbook-program")); err != nil {
		t.Fatal(err)
	}
	f.open([]byte(`{"name": "Down", "labels": {"service": "nothing"}}`))
	got, err := os.ReadFile(f.path("artifact/output.json"))
	if err != nil || string(got) != `{"mistakes": "0", "stories": "none", "open": "1"}` {
		t.Errorf("the report is %s, %v", got, err)
	}
	if _, err := os.Stat(outside); err != nil {
		t.Errorf("a link in the checkout was followed: %v", err)
	}
	if err := s.world.comment(t.Context(), "bob", 1, "the build has failed"); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the failed job is an incident", func() bool { return len(s.branches(t)) == 3 })
	f.idle()
	jobs, _ := f.bill()
	if at := slices.IndexFunc(s.allOpened(t), func(o incident.Opened) bool {
		return o.Alert.Name == "JobFailed" && o.Alert.Labels["job"] == "compile" // the workflow is the called one here, and the caller's on GitHub
	}); at < 0 || jobs != 3 {
		t.Errorf("of %d workflows the incidents are %+v", jobs, s.allOpened(t))
	}
}

// allOpened is how each open incident began.
func (s *scene) allOpened(t *testing.T) (out []incident.Opened) {
	t.Helper()
	for _, branch := range s.pullBranches(t) {
		if opened, ok := find[incident.Opened](s.seeSlot(t, strings.TrimPrefix(branch, incident.BranchPrefix))); ok {
			out = append(out, opened)
		}
	}
	return out
}
