package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/pullbook/pullbook/engine/cueval"
)

func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == evalChild { // the engine under test evaluates runbooks in this binary
		os.Exit(cueval.Child(os.Stdin, os.Stdout))
	}
	testscript.Main(m, map[string]func(){"pullbook": main})
}

// TestScripts runs the command line as a person would, one script a story. -update is UPDATE_SCRIPTS=1. Besides the
// commands of testscript there are await and get.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		UpdateScripts:       os.Getenv("UPDATE_SCRIPTS") != "",
		Cmds:                map[string]func(*testscript.TestScript, bool, []string){"await": await, "get": get},
	})
}

// await FILE REGEXP NAME waits until a line of the file matches, and keeps what the group in it matched in the environment.
func await(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: await file regexp name")
	}
	want := regexp.MustCompile(args[1])
	deadline := time.Now().Add(30 * time.Second)
	for {
		text, err := os.ReadFile(ts.MkAbs(args[0]))
		if err != nil && !os.IsNotExist(err) {
			ts.Fatalf("%v", err)
		}
		if m := want.FindSubmatch(text); m != nil {
			ts.Setenv(args[2], string(m[1]))
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("%s holds no %s, only:\n%s", args[0], args[1], text)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// get URL REGEXP demands that a GET is answered 200 with a body that matches.
func get(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: get url regexp")
	}
	resp, err := http.Get(args[0])
	ts.Check(err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	ts.Check(err)
	if got := fmt.Sprintf("%d %s", resp.StatusCode, body); resp.StatusCode != http.StatusOK || !regexp.MustCompile(args[1]).Match(body) {
		ts.Fatalf("%s answered %s", args[0], got)
	}
}
