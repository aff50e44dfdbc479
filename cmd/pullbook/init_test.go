package main

import (
	"bytes"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestInitWorkflow lints the workflows that a new ledger has, with a server and without one.
func TestInitWorkflow(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, args := range [][]string{{"init", filepath.Join(dir, "server")}, {"init", filepath.Join(dir, "actions"), "--actions", "--pin", strings.Repeat("1", 40)}} {
		root := rootCommand()
		root.SetArgs(args)
		root.SetOut(&bytes.Buffer{})
		root.SetErr(&bytes.Buffer{})
		if err := root.ExecuteContext(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	workflows, err := filepath.Glob(filepath.Join(dir, "*", ".github", "workflows", "*.yml"))
	if err != nil || len(workflows) != 4 {
		t.Fatalf("workflows %v, %v", workflows, err)
	}
	out, err := exec.CommandContext(t.Context(), "go", append([]string{"tool", "actionlint"}, workflows...)...).CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
