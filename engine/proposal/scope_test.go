package proposal

import (
	"strings"
	"testing"
)

// TestScopeOf: what changes may have broken, and nothing else of a large ledger.
func TestScopeOf(t *testing.T) {
	texts := map[string][]byte{
		"pullbook.cue":          []byte(`name: "x"`),
		"runbooks/a.cue":        []byte(`steps: s: runbook: name: "b"`),
		"runbooks/b.cue":        []byte(`steps: s: exec: command: ["./scripts/look"]`),
		"runbooks/c/one.cue":    []byte("package c\n"),
		"runbooks/c/two.cue":    []byte("package c\nsteps: s: terraform: dir: \"infra/disk\"\n"),
		"runbooks/d.cue":        []byte(`import "ops.example.org/snippets"`),
		"runbooks/e.cue":        []byte(`steps: s: manual: task: "look"`),
		"runbooks/f.cue":        []byte(`steps: s: approval: from: ["code:owners"]`),
		"runbooks/g.cue":        []byte(`steps: s: ansible: {playbook: "play.yml", files: ["ansible/roles"]}`),
		"runbooks/pullbook.cue": []byte(`steps: s: manual: task: "look"`),
	}
	for _, c := range []struct {
		changes string // paths; - before one that is gone, ! before one whose mode may have changed
		want    string
	}{
		{"runbooks/e.cue", "runbooks/d.cue runbooks/e.cue"}, // d may open it through a package
		{"runbooks/b.cue", "runbooks/a.cue runbooks/b.cue runbooks/d.cue"},
		{"-runbooks/gone.cue", "runbooks/d.cue"},
		{"runbooks/c/one.cue", "runbooks/c runbooks/d.cue"},
		{"pullbook.cue", "whole"},
		{"-cue.mod/module.cue", "whole"},
		{"snippets/x.cue", "whole"},
		{"scripts/look", ""},
		{"-scripts/look", "runbooks/b.cue runbooks/d.cue"},
		{"!scripts/look", "runbooks/b.cue runbooks/d.cue"},
		{"-infra/disk/main.tf", "runbooks/c runbooks/d.cue"},
		{"infra/disk/main.tf", "runbooks/c"}, // it may start a program now when it is planned
		{"infra/disk/run.sh infra/net/main.tf", ""},
		{"ansible/roles/disk/tasks/main.yml", "runbooks/g.cue"},
		{"ansible/roles/disk/library/m.py", ""},
		{"README.md docs/x.md", ""},
		{"-.github/CODEOWNERS", "runbooks/d.cue runbooks/f.cue"},
		{"docs/CODEOWNERS", "runbooks/d.cue runbooks/f.cue"},
		{"x/CODEOWNERS", ""},
		{"incidents/2026/11/22/x/plan/pullbook.cue", ""},
		{"", ""},
	} {
		var changes []Change
		for _, p := range strings.Fields(c.changes) {
			changes = append(changes, Change{Path: strings.TrimLeft(p, "-!"), Gone: p[0] == '-', Mode: p[0] == '!'})
		}
		s := ScopeOf(changes, texts)
		got := strings.Join(s.Runbooks, " ")
		if s.Whole {
			got = "whole"
		}
		if got != c.want || s.Why == "" || s.Nothing() != (c.want == "") {
			t.Errorf("%s: got %q, want %q: %s", c.changes, got, c.want, s.Why)
		}
	}
}

func TestOdd(t *testing.T) {
	for name, want := range map[string]bool{"runbooks/a.cue": false, "runbooks/ä b.cue": false, "a\x00.cue": true, `a\b.cue`: true, "C:x.cue": true, "a//b.cue": true,
		".git/x.cue": true, ".GITattributes/x.cue": true, "x\x00": false, "a/b./c.cue": true, "\xff.cue": true, strings.Repeat("a/", 60) + "b.cue": true} {
		if got := (Change{Path: name}).Odd(); got != want {
			t.Errorf("%q: %v", name, got)
		}
	}
}

// TestIncident: a fork may call its branches what it likes.
func TestIncident(t *testing.T) {
	for _, c := range []struct {
		p    Pull
		want bool
	}{{Pull{Branch: "incident/x"}, true}, {Pull{Branch: "incident/x", Fork: true}, false}, {Pull{Branch: "fix"}, false}} {
		if c.p.Incident() != c.want {
			t.Errorf("%+v", c.p)
		}
	}
}
