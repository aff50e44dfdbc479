package main

import (
	"bytes"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestInitWorkflow lints the workflow that a new ledger has.
func TestInitWorkflow(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	root := rootCommand()
	root.SetArgs([]string{"init", dir})
	root.SetOut(&bytes.Buffer{})
	root.SetErr(&bytes.Buffer{})
	if err := root.ExecuteContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), "go", "tool", "actionlint", filepath.Join(dir, ".github", "workflows", "pullbook.yml")).CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
