package step

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pullbook/pullbook/engine/runbook"
)

// TestRehearsalOfTaskOutsideCheckMode: a task that leaves check mode does not run before somebody approved it.
func TestRehearsalOfTaskOutsideCheckMode(t *testing.T) {
	t.Parallel()
	r := newRunner(t, nil)
	for name, says := range map[string]string{"false": "check_mode: false", "no": "check_mode: no", "template": `check_mode: "{{ not true }}"`,
		"always": "always_run: true", "quoted": `"check\x5fmode": false`, "flow": "vars: {a: b}\n      check_mode: !!bool false"} {
		target := filepath.Join(t.TempDir(), "target")
		play(t, nil) // skips where there is no ansible
		j := job("ansible", map[string]any{"playbook": "ansible/site.yaml", "inventory": "ansible/hosts", "extraVars": map[string]any{"target": target}})
		j = withFile(j, "ansible/hosts", "web-1 ansible_connection=local\n", false)
		j = withFile(j, "ansible/roles/a/tasks/main.yml", "- name: x\n  check_mode: true\n  ansible.builtin.debug: {}\n", false)
		j = withFile(j, "ansible/site.yaml", strings.Replace(playbook, "- name: write\n", "- name: write\n      "+says+"\n", 1), false)
		j.Rehearse = true
		expect(t, r.Run(t.Context(), j, nil), runbook.Failed, "the rehearsal would do more than look: ansible/site.yaml")
		if _, err := os.Lstat(target); err == nil {
			t.Errorf("%s: the rehearsal wrote the file", name)
		}
	}
}
