//go:build mutant

package sim

import (
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

// TestMutations builds the simulation once for each mutation, with the changed files laid over the sources, and looks for the
// first seed that finds it.
func TestMutations(t *testing.T) {
	for _, m := range mutations() {
		t.Run(m.name, func(t *testing.T) {
			binary := m.build(t)
			out, err := exec.CommandContext(t.Context(), binary, "-test.run", "^TestSeeds$", "-test.v", "-until-found", "-seeds", fmt.Sprint(*most)).CombinedOutput()
			var exit *exec.ExitError
			switch {
			case err == nil:
				t.Errorf("not found within %d seeds", *most)
			case !errors.As(err, &exit):
				t.Fatal(err)
			default:
				t.Logf("found: %.250s", regexp.MustCompile(`seed \d+: [^\n]*`).Find(out))
			}
		})
	}
}

// build makes a test binary of the simulation with the mutation.
func (m mutation) build(t *testing.T) string {
	dir := t.TempDir()
	laid := map[string]string{}
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
	build := exec.CommandContext(context.WithoutCancel(t.Context()), "go", "test", "-c", "-overlay", file, "-o", binary, ".")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return binary
}
