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

// others are runbooks that the lines can open.
func others() map[string][]byte {
	return map[string][]byte{
		"runbooks/failover.cue": []byte(`title: "Fail over"
inputs: {region: "eu" | "us", hosts: int | *1}
steps: {
	logs: {risk: "read", exec: command: ["logs"], output: errors: int}
	move: {needs: ["logs"], exec: command: ["move", inputs.region]}
}
`),
		"runbooks/broken.cue": []byte("title: \"t\"\nsteps: x: exec: comand: [\"x\"]\n"),
		"runbooks/back.cue":   []byte("title: \"t\"\nsteps: x: runbook: name: \"r\"\n"),
		"runbooks/ring.cue":   []byte("title: \"t\"\nsteps: x: runbook: name: \"gnir\"\n"),
		"runbooks/gnir.cue":   []byte("title: \"t\"\nsteps: x: runbook: name: \"ring\"\n"),
		"runbooks/one.cue":    []byte("title: \"t\"\nsteps: x: runbook: name: \"two\"\n"),
		"runbooks/two.cue":    []byte("title: \"t\"\nsteps: x: runbook: name: \"three\"\n"),
		"runbooks/three.cue":  []byte("title: \"t\"\nsteps: x: runbook: name: \"four\"\n"),
		"runbooks/four.cue":   []byte("title: \"t\"\nsteps: x: manual: task: \"x\"\n"),
	}
}

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
		src := runbook.Source{Runbook: "r.cue", Files: map[string][]byte{"r.cue": fmt.Appendf(nil, around, line)}, Others: others()}
		for _, p := range Vet(src) {
			fmt.Fprintf(&b, "\t%s\n", p)
		}
	}
	return b.String()
}
