package cueval

import "testing"

// TestUnformatted: what cue fmt would write differently is remarked on its first line, is no mistake, and is left out as long
// as there are mistakes.
func TestUnformatted(t *testing.T) {
	const good = "title: \"x\"\nsteps: a: manual: task: \"t\"\n"
	for name, c := range map[string]struct {
		file, text string
		line       int // 0: nothing is remarked
	}{
		"formatted":         {"runbooks/a.cue", good, 0},
		"spaces":            {"runbooks/a.cue", "title:   \"x\"\nsteps: a: manual: task: \"t\"\n", 1},
		"indented":          {"runbooks/a.cue", "title: \"x\"\nsteps: {\n  a: manual: task: \"t\"\n}\n", 3},
		"empty lines after": {"runbooks/a.cue", good + "\n\n", 3},
		"no end of line":    {"runbooks/a.cue", good[:len(good)-1], 1},
		"with a mistake":    {"runbooks/a.cue", "titel:   \"x\"\nsteps: a: manual: task: \"t\"\n", 0},
		"broken":            {"runbooks/a.cue", "title:   \"x\"\nsteps: [\n", 0},
		"organisation":      {organisationFile, "command: [\"alice\"]\n\n\nname:  \"acme\"\n", 3},
	} {
		files := map[string][]byte{c.file: []byte(c.text)}
		got := (&texts{}).checkup(files, c.file)
		if c.line == 0 {
			if len(got.Remarks) > 0 {
				t.Errorf("%s: %v", name, got.Remarks)
			}
			continue
		}
		if len(got.Problems) > 0 || len(got.Remarks) != 1 || got.Remarks[0].File != c.file || got.Remarks[0].Line != c.line {
			t.Errorf("%s: problems %v, remarks %v, want one on line %d", name, got.Problems, got.Remarks, c.line)
		}
	}
	of := (&texts{}).checkup(map[string][]byte{organisationFile: []byte("name:  \"acme\"\n"), "runbooks/a.cue": []byte(good)}, "runbooks/a.cue")
	if len(of.Remarks) > 0 {
		t.Errorf("a runbook answers for pullbook.cue: %v", of.Remarks)
	}
}
