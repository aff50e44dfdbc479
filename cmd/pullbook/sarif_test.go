package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pullbook/pullbook/engine/runbook"
)

// TestSARIF holds what is printed against the schema of SARIF 2.1.0. Columns count UTF-16 units there, and bytes here.
func TestSARIF(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a b.cue")
	if err := os.WriteFile(path, []byte("title: \"t\"\nsteps: \"ä€😀\": x: 1\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	found := []finding{
		{Problem: runbook.Problem{File: "runbooks/a b.cue", Line: 2, Column: strings.Index("steps: \"ä€😀\": x: 1", "x") + 1, Path: "steps.x", Text: "is wrong", Hint: "make it right"}, disk: path},
		{Problem: runbook.Problem{File: "pullbook.cue", Text: "is wrong as a whole"}, disk: "nowhere"},
	}
	for _, some := range [][]finding{found, nil} {
		log := sarifLog(some)
		if err := log.Validate(); err != nil {
			t.Fatal(err)
		}
		if len(log.Runs) != 1 || len(log.Runs[0].Results) != len(some) {
			t.Fatalf("%+v", log.Runs)
		}
		if len(some) == 0 {
			continue
		}
		at := log.Runs[0].Results[0].Locations[0].PhysicalLocation
		if *at.ArtifactLocation.URI != "runbooks/a%20b.cue" || *at.Region.StartLine != 2 || *at.Region.StartColumn != 16 {
			t.Errorf("%+v, %+v", at.ArtifactLocation, at.Region)
		}
	}
}

// TestExcerpt: the mark stands below the place whatever stands before it, and a long line is cut around it.
func TestExcerpt(t *testing.T) {
	long := strings.Repeat("a ", 100) + "here " + strings.Repeat("z", 200)
	for _, c := range []struct {
		line       string
		at         int
		text, mark string
	}{
		{"\ta: \"x\\\"y\" // z", 4, "\ta: \"x\\\"y\" // z", "\t   ^^^^^^"},
		{"ä: {b: 1}", 5, "ä: {b: 1}", "    ^"},
		{"x: \x1b[31m", 0, "x: �[31m", "^"},
		{"a: {", 3, "a: {", "   ^"},
		{long, 200, "…" + long[160:280] + "…", strings.Repeat(" ", 41) + "^^^^"},
	} {
		if text, mark := excerpt(c.line, c.at); text != c.text || mark != c.mark {
			t.Errorf("%q at %d gives\n%s\n%s\nwant\n%s\n%s", c.line, c.at, text, mark, c.text, c.mark)
		}
	}
}
