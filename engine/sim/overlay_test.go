//go:build mutant

package sim

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestMutations builds the simulation once for each mutation, with the changed files laid over the sources, and lets the test find it that
// it names, or looks for a seed: near the one that is known, and then from the first on.
func TestMutations(t *testing.T) {
	known := knownSeeds()
	for _, m := range mutations() {
		t.Run(m.name, func(t *testing.T) {
			binary := m.build(t)
			at, is := known[m.name]
			if m.test != "" {
				if !m.hunted(t, binary, 0, 1) {
					t.Errorf("not found by %s", m.test)
				}
				return
			}
			if is && m.hunted(t, binary, at-min(at, near), 2*near) {
				return
			}
			if !m.hunted(t, binary, 0, *most) {
				t.Errorf("not found within %d seeds, nor near seed %d, which found it once", *most, at)
			}
		})
	}
}

// near is how far from a seed that is known another one is looked for: what is drawn for a world changes with the simulation.
const near = 16

// hunted reports whether one of some seeds finds the mutation that a binary has.
func (m mutation) hunted(t *testing.T, binary string, from, count uint64) bool {
	test := strings.ReplaceAll(cmp.Or(m.test, "TestSeeds"), "/", "$/^")
	out, err := exec.CommandContext(t.Context(), binary, "-test.run", "^"+test+"$", "-test.v", "-test.timeout", "0", "-until-found",
		"-from", fmt.Sprint(from), "-seeds", fmt.Sprint(count)).CombinedOutput()
	found := foundBy.Find(out)
	var exit *exec.ExitError
	switch {
	case err == nil:
		return false
	case !errors.As(err, &exit) || found == nil:
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("%s: %.250s", m.name, found)
	return true
}

var foundBy = regexp.MustCompile(`seed \d+[: ][^\n]*`)

// build makes a test binary of the simulation with the mutation.
func (m mutation) build(t *testing.T) string {
	dir := t.TempDir()
	laid := map[string]string{}
	for _, name := range []string{"hubs_test.go", "eval_test.go", "linear_test.go", "old_test.go"} { // what they import takes ten times as long to build
		path, err := filepath.Abs(name)
		if err != nil {
			t.Fatal(err)
		}
		laid[path] = "" // it is not there
	}
	for i, e := range m.edits {
		path, err := filepath.Abs(filepath.Join("..", e.file))
		if err != nil {
			t.Fatal(err)
		}
		from := path
		if laid[path] != "" {
			from = laid[path]
		}
		text, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		laid[path] = filepath.Join(dir, fmt.Sprintf("%d.go", i))
		if err := os.WriteFile(laid[path], []byte(strings.Replace(string(text), e.from, e.to, 1)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	overlay, err := json.Marshal(map[string]any{"Replace": laid})
	if err != nil {
		t.Fatal(err)
	}
	file, binary := filepath.Join(dir, "overlay.json"), filepath.Join(dir, "sim.test")
	if err := os.WriteFile(file, overlay, 0o600); err != nil {
		t.Fatal(err)
	}
	build := exec.CommandContext(context.WithoutCancel(t.Context()), "go", "test", "-c", "-vet", "off", "-overlay", file, "-ldflags", "-s -w", "-o", binary, ".")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return binary
}
