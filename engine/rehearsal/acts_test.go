package rehearsal

import (
	"strings"
	"testing"
)

// TestActs finds what acts in a rehearsal, with its line, and nothing in what only looks like it.
func TestActs(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ kind, file, text, place string }{
		{"ansible", "a.yml", "- check_mode: true\n", ""},
		{"ansible", "a.yml", "- when: not ansible_check_mode\n", ""},
		{"ansible", "a.yml", "- name: about check_mode\n", ""},
		{"ansible", "a.yml", "- block:\n  - check_mode: [false]\n", "a.yml:2 says check_mode"},
		{"ansible", "a.yml", "a: 1\n---\n- {check_mode: False}\n", "a.yml:3 says check_mode"},
		{"ansible", "a", "- check_mode: off\n", "a:1 says check_mode"},
		{"ansible", "a.yml", "- x: 1\n  \"check\\x5fmode\": false\n", "a.yml:2 says check_mode"},
		{"ansible", "a.yml", "- always_run: true\n", "a.yml:1 says always_run"},
		{"ansible", "a.yml", "\n- {{ broken }}: check_mode\n  x: [\n", "a.yml:2 says check_mode"},
		{"ansible", "library/m.py", "check_mode = False", ""},
		{"terraform", "main.tf", "\ndata \"external\" \"x\" {}\n", `main.tf:2 has data "external"`},
		{"terraform", "main.tf", "data /* a */ external x {}\n", `main.tf:1 has data "external"`},
		{"terraform", "main.tofu", "\ndata\t\"external\" \"x\" {}\n", `main.tofu:2 has data "external"`},
		{"terraform", "main.tf.json", `{"data": {"external": {"x": {}}}}`, `main.tf.json:1 has data "external"`},
		{"terraform", "main.tf", "data \"local_file\" \"external\" {}\n", ""},
		{"terraform", "notes.md", "data \"external\"", ""},
		{"exec", "a.yml", "- check_mode: false\n", ""},
	} {
		act, found := Acts(c.kind, c.file, []byte(c.text))
		if found != (c.place != "") || !strings.Contains(act.Text, c.place) || found && act.Hint == "" {
			t.Errorf("%s %s %q: %+v, want %q", c.kind, c.file, c.text, act, c.place)
		}
	}
}
