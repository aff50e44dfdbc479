package step

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pullbook/pullbook/engine/runbook"
)

const configuration = `terraform {
  backend "local" {}
}
variable "size" { type = number }
variable "note" { default = "none" }
resource "terraform_data" "disk" {
  input            = { size = var.size, note = var.note }
  triggers_replace = [var.size]
}
output "size" { value = terraform_data.disk.output.size }
output "note" { value = terraform_data.disk.output.note }
output "token" {
  value     = "s3cr3t-of-the-state"
  sensitive = true
}
`

// tofu is a job on a configuration whose state lies in a file of the test.
func tofu(t *testing.T, r *Runner, vars map[string]any) Job {
	t.Helper()
	if _, err := exec.LookPath("tofu"); err != nil {
		t.Skip("needs tofu: ", err)
	}
	if r.cfg.KeepDir == "" {
		r.cfg.KeepDir = filepath.Join(t.TempDir(), "kept")
	}
	j := withFile(job("terraform", map[string]any{"dir": "infra/disk", "vars": vars,
		"backendConfig": map[string]string{"path": filepath.Join(t.TempDir(), "state.json")}}), "infra/disk/main.tf", configuration, false)
	j.Keep = "incident/a"
	return j
}

// rehearse runs the rehearsal of a job and returns the job as it is afterwards.
func rehearse(t *testing.T, r *Runner, j Job) (Job, rehearsed) {
	t.Helper()
	j.Rehearse, j.Rehearsal = true, nil
	got := r.Run(t.Context(), j, nil)
	expect(t, got, runbook.Succeeded, "")
	var is rehearsed
	if err := json.Unmarshal(got.Output, &is); err != nil {
		t.Fatal(err)
	}
	j.Rehearse, j.Rehearsal = false, got.Output
	return j, is
}

func TestTerraform(t *testing.T) {
	t.Parallel()
	r := newRunner(t, nil)
	j := tofu(t, r, map[string]any{"size": 10, "note": "from \"${path.cwd}\" %{ if true }\n"})
	j.HasOutput = true
	expect(t, r.Run(t.Context(), j, nil), runbook.Failed, "was not rehearsed")

	j, is := rehearse(t, r, j)
	if !is.Changes || len(is.Plan) != 64 || !strings.Contains(is.Text, "terraform_data.disk will be created") || !strings.Contains(is.Text, "1 to add") {
		t.Errorf("rehearsed %+v", is)
	}
	kept := filepath.Join(r.shelf("incident/a"), is.Plan)
	if info, err := os.Stat(kept); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the plan is kept as %v, %v", info, err)
	}
	got := r.Run(t.Context(), j, nil)
	expect(t, got, runbook.Succeeded, "")
	var out map[string]any
	if err := json.Unmarshal(got.Output, &out); err != nil {
		t.Fatal(err)
	}
	// No text of a variable was taken for a template, and nothing sensitive came out.
	if len(out) != 2 || out["size"] != 10.0 || out["note"] != "from \"${path.cwd}\" %{ if true }\n" || got.Facts["plan_sha256"] != is.Plan ||
		!strings.Contains(got.Log, "Apply complete") || strings.Contains(got.Log, "s3cr3t-of-the-state") {
		t.Errorf("output %s, facts %v, log %q", got.Output, got.Facts, got.Log)
	}
	// The same plan is not carried out twice: the state is another one now.
	expect(t, r.Run(t.Context(), j, nil), runbook.Failed, "exit status 1")
	j, is = rehearse(t, r, j)
	if is.Changes || !strings.Contains(is.Text, "No changes") {
		t.Errorf("rehearsed again %+v", is)
	}
	expect(t, r.Run(t.Context(), j, nil), runbook.Succeeded, "")
}

// TestTerraformPlanIsTheApprovedOne: a plan that is lost or was changed is not applied, nor is another one.
func TestTerraformPlanIsTheApprovedOne(t *testing.T) {
	t.Parallel()
	r := newRunner(t, nil)
	j, is := rehearse(t, r, tofu(t, r, map[string]any{"size": 1}))
	kept := filepath.Join(r.shelf("incident/a"), is.Plan)
	plan, err := os.ReadFile(kept)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(kept, append(plan, 'x'), 0o600); err != nil {
		t.Fatal(err)
	}
	expect(t, r.Run(t.Context(), j, nil), runbook.Failed, "was changed where it is kept")
	if err := os.WriteFile(kept, plan, 0o600); err != nil {
		t.Fatal(err)
	}
	elsewhere := j
	elsewhere.Keep = "incident/b"
	expect(t, r.Run(t.Context(), elsewhere, nil), runbook.Failed, "is not kept by this runner any more")
	for _, forged := range []string{`{"plan": "../../../etc/passwd"}`, `{}`, `{"plan": "` + strings.Repeat("a/", 32) + `"}`, `[]`} {
		forge := j
		forge.Rehearsal = json.RawMessage(forged)
		expect(t, r.Run(t.Context(), forge, nil), runbook.Failed, "/retry")
	}
	if err := r.Forget("incident/a"); err != nil {
		t.Fatal(err)
	}
	expect(t, r.Run(t.Context(), j, nil), runbook.Failed, "make another one with /retry")
	r.cfg.KeepDir = ""
	j.Rehearse = true
	expect(t, r.Run(t.Context(), j, nil), runbook.Failed, "no directory for what it keeps")
}

func TestTerraformRefused(t *testing.T) {
	t.Parallel()
	r := newRunner(t, map[string]string{"TOKEN": "s3cr3t-canary"})
	j := tofu(t, r, map[string]any{"size": 1})
	j.Rehearse = true
	with := func(path string, value any) Job {
		k := j
		set(&k, path, value)
		return k
	}
	expect(t, r.Run(t.Context(), with("backendConfig", nil), nil), runbook.Failed, "in the step's own directory")
	expect(t, r.Run(t.Context(), with("backendConfig", map[string]string{"path": "state"}), nil), runbook.Failed, "in the step's own directory")
	expect(t, r.Run(t.Context(), with("binary", "no-such-tofu"), nil), runbook.Failed, "install no-such-tofu")
	expect(t, r.Run(t.Context(), with("vars", map[string]any{"size": "big"}), nil), runbook.Failed, "exit status 1")
	expect(t, r.Run(t.Context(), with("dir", "infra"), nil), runbook.Failed, "has no backend")
	bare := withFile(job("terraform", map[string]any{"dir": "x"}), "x/main.tf", `resource "terraform_data" "a" {}`, false)
	bare.Rehearse, bare.Keep = true, "incident/a"
	expect(t, r.Run(t.Context(), bare, nil), runbook.Failed, "its state would be lost")
	broken := withFile(job("terraform", map[string]any{"dir": "x"}), "x/main.tf", `resource {`, false)
	broken.Rehearse, broken.Keep = true, "incident/a"
	expect(t, r.Run(t.Context(), broken, nil), runbook.Failed, "exit status 1")
	// A secret that comes into the plan does not come out of the step.
	secret := with("secrets", []string{"TOKEN"})
	set(&secret, "vars", map[string]any{"size": 1, "note": "s3cr3t-canary"})
	got := r.Run(t.Context(), secret, nil)
	expect(t, got, runbook.Succeeded, "")
	if all := fmt.Sprintf("%s %s", got.Output, got.Log); strings.Contains(all, "s3cr3t-canary") || !strings.Contains(string(got.Output), "[redacted TOKEN]") {
		t.Errorf("outcome %s", all)
	}
	none := job("exec", map[string]any{"command": []string{"true"}})
	none.Rehearse = true
	expect(t, r.Run(t.Context(), none, nil), runbook.Failed, "cannot be rehearsed")
}

func TestTerraformWorkspace(t *testing.T) {
	t.Parallel()
	r := newRunner(t, nil)
	j := tofu(t, r, nil)
	set(&j, "workspace", "staging")
	set(&j, "varFiles", []string{"infra/staging.tfvars"})
	j = withFile(j, "infra/staging.tfvars", "size = 5\n", false)
	j, _ = rehearse(t, r, j)
	j.HasOutput = true
	got := r.Run(t.Context(), j, nil)
	expect(t, got, runbook.Succeeded, "")
	if !strings.Contains(string(got.Output), `"size":5`) || !strings.Contains(got.Log, "$ tofu workspace") {
		t.Errorf("output %s, log %q", got.Output, got.Log)
	}
}
