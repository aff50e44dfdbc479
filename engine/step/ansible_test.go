package step

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pullbook/pullbook/engine/runbook"
)

const playbook = `- hosts: all
  gather_facts: false
  tasks:
    - name: write
      ansible.builtin.copy:
        dest: "{{ target }}"
        content: "{{ inventory_hostname }} {{ note | default('none') }}\n"
        mode: "0600"
    - name: fail
      ansible.builtin.fail:
        msg: "told to"
      when: inventory_hostname in (broken | default([]))
      tags: [never, failing]
`

// play is a job that runs the playbook on two hosts that are this machine.
func play(t *testing.T, vars map[string]any) Job {
	t.Helper()
	if _, err := exec.LookPath("ansible-playbook"); err != nil {
		t.Skip("needs ansible-playbook: ", err)
	}
	j := job("ansible", map[string]any{"playbook": "ansible/site.yaml", "inventory": "ansible/hosts", "extraVars": vars})
	j = withFile(j, "ansible/site.yaml", playbook, false)
	return withFile(j, "ansible/hosts", "web-1 ansible_connection=local\nweb-2 ansible_connection=local\n", false)
}

func TestAnsible(t *testing.T) {
	t.Parallel()
	r := newRunner(t, map[string]string{"TOKEN": "s3cr3t-canary"})
	target := filepath.Join(t.TempDir(), "target")
	j := play(t, map[string]any{"target": target, "note": "from s3cr3t-canary"})
	set(&j, "limit", []string{"web-2"})
	set(&j, "secrets", []string{"TOKEN"})
	j.Rehearse = true
	got := r.Run(t.Context(), j, nil)
	expect(t, got, runbook.Succeeded, "")
	var is rehearsed
	if err := json.Unmarshal(got.Output, &is); err != nil || !is.Changes || is.Plan != "" || !strings.Contains(is.Text, "+web-2 from [redacted TOKEN]") {
		t.Errorf("rehearsed %+v, %v", is, err)
	}
	if _, err := os.Lstat(target); err == nil {
		t.Fatal("the rehearsal changed something")
	}
	j.Rehearse, j.HasOutput = false, true
	got = r.Run(t.Context(), j, nil)
	expect(t, got, runbook.Succeeded, "")
	if want := `{"changed":1,"hosts":{"web-2":{"ok":1,"changed":1,"failures":0,"unreachable":0,"skipped":0}}}`; string(got.Output) != want {
		t.Errorf("output %s", got.Output)
	}
	if text, err := os.ReadFile(target); err != nil || string(text) != "web-2 from s3cr3t-canary\n" {
		t.Errorf("wrote %q, %v", text, err)
	}
	if got.Facts["hosts"] != "1" || got.Facts["hosts_failed"] != "0" || !strings.Contains(got.Log, "PLAY RECAP") {
		t.Errorf("facts %v, log %q", got.Facts, got.Log)
	}
	got = r.Run(t.Context(), j, nil)
	expect(t, got, runbook.Succeeded, "")
	if !strings.Contains(string(got.Output), `"changed":0,"hosts"`) {
		t.Errorf("the second run put out %s", got.Output)
	}
}

// TestAnsibleTextIsNoTemplate: Ansible would run programs for what stands in braces.
func TestAnsibleTextIsNoTemplate(t *testing.T) {
	t.Parallel()
	r := newRunner(t, nil)
	dir := t.TempDir()
	canary, target := filepath.Join(dir, "canary"), filepath.Join(dir, "target")
	evil := "{{ lookup('ansible.builtin.pipe', 'touch " + canary + "') }} {% raw %} \" \\ \t ü 😀 !unsafe # x: y"
	j := play(t, map[string]any{"target": target, "note": evil, "deep": map[string]any{"list": []any{evil, 1, 2.5, true, nil}}})
	set(&j, "limit", []string{"web-1"})
	expect(t, r.Run(t.Context(), j, nil), runbook.Succeeded, "")
	if text, err := os.ReadFile(target); err != nil || string(text) != "web-1 "+evil+"\n" {
		t.Errorf("wrote %q, %v", text, err)
	}
	if _, err := os.Lstat(canary); err == nil {
		t.Error("the text ran")
	}
}

func TestAnsibleFailures(t *testing.T) {
	t.Parallel()
	r := newRunner(t, nil)
	j := play(t, map[string]any{"target": filepath.Join(t.TempDir(), "x"), "broken": []string{"web-2"}})
	set(&j, "tags", []string{"all", "failing"})
	got := r.Run(t.Context(), j, nil)
	expect(t, got, runbook.Failed, "failed on 1 of 2 hosts: web-2")
	if !strings.Contains(got.Log, "told to") {
		t.Errorf("log %q", got.Log)
	}
	set(&j, "limit", []string{"db-1"})
	expect(t, r.Run(t.Context(), j, nil), runbook.Failed, "exit status 1")
	set(&j, "limit", nil)
	set(&j, "playbook", "ansible/other.yaml")
	expect(t, r.Run(t.Context(), j, nil), runbook.Failed, "exit status 1")
	empty := withFile(job("ansible", map[string]any{"playbook": "p.yaml", "inventory": "hosts"}), "p.yaml", "- hosts: db\n  tasks: []\n", false)
	empty = withFile(empty, "hosts", "web-1 ansible_connection=local\n", false)
	expect(t, r.Run(t.Context(), empty, nil), runbook.Failed, "reached no host")
	away := withFile(job("ansible", map[string]any{"playbook": "p.yaml", "inventory": "hosts"}), "p.yaml", "- hosts: all\n  gather_facts: false\n  tasks: [{ansible.builtin.ping: }]\n", false)
	away = withFile(away, "hosts", "web-1 ansible_connection=ssh ansible_host=127.0.0.1 ansible_port=1 ansible_ssh_executable=/bin/false\n", false)
	expect(t, r.Run(t.Context(), away, nil), runbook.Failed, "failed on 1 of 1 hosts: web-1")
}

func TestAnsibleIsNotThere(t *testing.T) {
	j := play(t, nil)
	t.Setenv("PATH", t.TempDir())
	expect(t, newRunner(t, nil).Run(t.Context(), j, nil), runbook.Failed, "install ansible-core")
}
