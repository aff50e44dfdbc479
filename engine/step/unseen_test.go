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

// TestFilesThatAct finds what acts in a rehearsal, and nothing in what only looks like it.
func TestFilesThatAct(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		file, text string
		acts       bool
	}{
		{"a.yml", "- check_mode: true\n", false},
		{"a.yml", "- when: not ansible_check_mode\n", false},
		{"a.yml", "- name: about check_mode\n", false},
		{"a.yml", "- block:\n  - check_mode: [false]\n", true},
		{"a.yml", "a: 1\n---\n- {check_mode: False}\n", true},
		{"a", "- check_mode: off\n", true},
		{"a.yml", "- {{ broken }}: check_mode\n  x: [\n", true},
		{"main.tf", "data \"external\" \"x\" {}\n", true},
		{"main.tf", "data /* a */ external x {}\n", true},
		{"main.tofu", "\ndata\t\"external\" \"x\" {}\n", true},
		{"main.tf.json", `{"data": {"external": {"x": {}}}}`, true},
		{"main.tf", "data \"local_file\" \"external\" {}\n", false},
		{"notes.md", "data \"external\"", false},
	} {
		a := &attempt{job: Job{Files: map[string]FileData{c.file: {Data: []byte(c.text)}}}}
		check := a.inCheckMode
		if !strings.HasSuffix(c.file, ".yml") && c.file != "a" {
			check = a.plansOnly
		}
		if err := check(); (err != nil) != c.acts {
			t.Errorf("%s %q: %v", c.file, c.text, err)
		}
	}
}
