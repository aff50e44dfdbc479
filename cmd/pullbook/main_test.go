package main

import (
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/pullbook/pullbook/engine/cueval"
)

func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == evalChild { // the engine under test evaluates runbooks in this binary
		os.Exit(cueval.Child(os.Stdin, os.Stdout))
	}
	testscript.Main(m, map[string]func(){"pullbook": main})
}

// TestScripts runs the command line as a person would, one script a story. -update is UPDATE_SCRIPTS=1.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		UpdateScripts:       os.Getenv("UPDATE_SCRIPTS") != "",
	})
}
