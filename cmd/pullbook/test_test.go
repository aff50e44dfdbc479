package main

import (
	"bytes"
	"testing"
)

// TestShippedStories plays the tests of the runbooks that come along.
func TestShippedStories(t *testing.T) {
	t.Parallel()
	var out, notes bytes.Buffer
	root := rootCommand()
	root.SetArgs([]string{"test", "../../runbooks"})
	root.SetOut(&out)
	root.SetErr(&notes)
	if err := root.ExecuteContext(t.Context()); err != nil {
		t.Errorf("%v\n%s%s", err, out.String(), notes.String())
	}
}
