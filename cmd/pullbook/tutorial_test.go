package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestTutorial does what runbooks/README.md says, from an empty directory, as a new author would: it writes the files, runs
// the commands and compares what they print, and plays the stories. UPDATE_SCRIPTS=1 writes what was printed into the page.
func TestTutorial(t *testing.T) {
	t.Parallel()
	const page = "../../runbooks/README.md"
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	bin, a := t.TempDir(), desk{dir: t.TempDir()}
	if err := os.Symlink(exe, filepath.Join(bin, "pullbook")); err != nil {
		t.Fatal(err)
	}
	a.path = bin + string(os.PathListSeparator) + os.Getenv("PATH")
	blocks := 0
	got := regexp.MustCompile("(?sm)^```(cue|story|console)( [^\n]+)?\n(.*?)^```$").ReplaceAllStringFunc(string(text), func(block string) string {
		blocks++
		head, body, _ := strings.Cut(strings.TrimSuffix(block, "```"), "\n")
		kind, file, _ := strings.Cut(strings.TrimPrefix(head, "```"), " ")
		switch kind {
		case "console":
			body = a.console(t, body)
		default:
			body = a.file(t, kind, file, body)
		}
		return head + "\n" + body + "```"
	})
	if blocks < 20 {
		t.Fatalf("the page has %d blocks to try", blocks)
	}
	a.sh(t, "pullbook vet && pullbook test", true)
	if got == string(text) {
		return
	}
	if os.Getenv("UPDATE_SCRIPTS") == "" {
		t.Fatalf("what is printed is not what the page says; look, then UPDATE_SCRIPTS=1:\n%s", got)
	}
	if err := os.WriteFile(page, []byte(got), 0o644); err != nil {
		t.Fatal(err)
	}
}

// desk is a directory in which somebody works.
type desk struct{ dir, path string }

// file writes a file of the page. A story is played, and comes back with what the engine did.
func (a desk) file(t *testing.T, kind, name, text string) string {
	t.Helper()
	path := filepath.Join(a.dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	if kind != "story" {
		return text
	}
	a.sh(t, "pullbook test --update "+name, true)
	played, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(played)
}

// console runs the commands of a block, each after "$ ", and puts what they print behind them.
func (a desk) console(t *testing.T, text string) string {
	t.Helper()
	var out strings.Builder
	for line := range strings.Lines(text) {
		if command, ok := strings.CutPrefix(line, "$ "); ok {
			fmt.Fprintf(&out, "%s%s", line, a.sh(t, command, false))
		}
	}
	return out.String()
}

// took is how long something took, which the page rounds.
var took = regexp.MustCompile(` in [0-9.]+m?s`)

func (a desk) sh(t *testing.T, command string, good bool) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "sh", "-c", command)
	cmd.Dir = a.dir
	cmd.Env = append(os.Environ(), "PATH="+a.path)
	out, err := cmd.CombinedOutput()
	if good && err != nil {
		t.Fatalf("%s: %v\n%s", command, err, out)
	}
	return took.ReplaceAllString(string(out), " in 0.1s")
}
