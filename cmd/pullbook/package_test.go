package main

import (
	"bytes"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/pullbook/pullbook/engine/cueval"
	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/journal"
	"github.com/pullbook/pullbook/engine/runbook"
)

// packaged is a ledger with a runbook that is a directory, what it imports, and what it does not.
func packaged() map[string]string {
	return map[string]string{
		"cue.mod/module.cue": "module: \"ops.acme.example\"\nlanguage: version: \"v0.17.0\"\n",
		"runbooks/db/main.cue": `package db

import "ops.acme.example/snippets/people"

title: "Ask \(people.whom)"
alert: _
match: labels: service: people.service
steps: first: {people.#Ask, #what: "for \(alert.labels.service)"}
`,
		"runbooks/db/more.cue":       "package db\n\nsteps: second: {needs: [\"first\"], manual: task: title}\n",
		"runbooks/db/more_test.cue":  "this is no CUE",
		"snippets/people/people.cue": "package people\n\nimport \"ops.acme.example/snippets/deep/names\"\n\nwhom: names.whom\nservice: \"db\"\n",
		"snippets/people/ask.cue":    "package people\n\n#Ask: {#what: string, manual: task: \"Ask \\(#what)\"}\n",
		"snippets/deep/names/n.cue":  "package names\n\nwhom: \"Alice\"\n",
		"snippets/deep/other.cue":    "package other {{{",
		"runbooks/broken.cue":        "import \"ops.acme.example/snippets/nowhere\"\n\ntitle: nowhere.title\nsteps: a: manual: task: \"x\"\n",
	}
}

// TestPackages: an alert opens a runbook that is a directory and imports packages. Its frozen plan holds all files that it
// is made of and no others, and makes the same plan alone; after a restart the incident goes on with it.
func TestPackages(t *testing.T) {
	t.Parallel()
	s := newScene(t, stage{files: packaged()})
	s.serve(t)
	group := s.raise(t, alarm{Name: "Slow", Labels: map[string]string{"service": "db"}})
	seen := s.await(t, group, "a person is asked", func(v sight) bool { return strings.Contains(v.pull.GetBody(), "/done first") })
	opened, _ := find[incident.Opened](seen)
	if opened.Runbook != "runbooks/db" || !strings.Contains(strings.Join(opened.Problems, "\n"), "snippets/nowhere") {
		t.Errorf("opened %s with %q", opened.Runbook, opened.Problems)
	}
	src := runbook.Source{Runbook: opened.Runbook, Files: map[string][]byte{}}
	var plan []byte
	for name, data := range s.ledgerFiles(t, seen, group) {
		name, frozen := strings.CutPrefix(name, journal.PlanDir(opened.ID.Dir()))
		switch {
		case name == "plan.json":
			plan = data
		case frozen && name != "schema.cue":
			src.Files[name] = data
		}
	}
	want := []string{"cue.mod/module.cue", "pullbook.cue", "runbooks/db/main.cue", "runbooks/db/more.cue", "snippets/deep/names/n.cue",
		"snippets/people/ask.cue", "snippets/people/people.cue"}
	if got := slices.Sorted(maps.Keys(src.Files)); !slices.Equal(got, want) {
		t.Errorf("frozen are %q", got)
	}
	if ps := cueval.Vet(src); len(ps) > 0 || !bytes.Contains(plan, []byte(`"title": "Ask Alice"`)) {
		t.Errorf("the frozen plan alone: %v\n%s", ps, plan)
	}
	s.restart()
	for _, step := range []string{"first", "second"} {
		s.await(t, group, "a person is asked for "+step, func(v sight) bool { return strings.Contains(v.pull.GetBody(), "/done "+step) })
		if err := s.world.comment(t.Context(), "alice", seen.pull.GetNumber(), "/done "+step); err != nil {
			t.Fatal(err)
		}
	}
	s.await(t, group, "the incident is merged", func(v sight) bool { return v.pull.MergedAt != nil })
	s.verify(t, 1)
}
