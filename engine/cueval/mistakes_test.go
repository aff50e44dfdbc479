package cueval

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pullbook/pullbook/engine/runbook"
)

// around is the runbook into which each line of testdata/mistakes/*.txt is put as steps.
const around = `title: "t"
alert: _
_host: "h"
_last: logs: steps.logs.output.previous
#Restart: {#name: string, exec: command: ["restart", #name]}
steps: {
	logs: {exec: command: ["x"], output: {errors: int, previous: string, deep: a: string, list: [...{name: string}], m: [string]: {name: string}, open: {n: int, ...}}}
	%s
}
`

// TestMistakes vets one line at a time. Below each line of testdata/mistakes/*.txt stand its problems, indented; none
// means that the line is right. Lines that begin with -- are comments.
func TestMistakes(t *testing.T) {
	files, err := filepath.Glob("testdata/mistakes/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no mistakes: %v", err)
	}
	for _, name := range files {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txt"), func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			got := vetLines(string(text))
			if *update {
				if err := os.WriteFile(name, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if d := cmp.Diff(string(text), got); d != "" {
				t.Errorf("-want +got:\n%s", d)
			}
		})
	}
}

func vetLines(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if strings.HasPrefix(line, "\t") {
			continue // computed
		}
		fmt.Fprintln(&b, line)
		if line == "" || strings.HasPrefix(line, "--") {
			continue
		}
		src := runbook.Source{Runbook: "r.cue", Files: map[string][]byte{"r.cue": fmt.Appendf(nil, around, line)}}
		for _, p := range Vet(src) {
			fmt.Fprintf(&b, "\t%s\n", p)
		}
	}
	return b.String()
}
