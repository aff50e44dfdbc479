package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rogpeppe/go-internal/diff"
	"github.com/spf13/cobra"

	"github.com/pullbook/pullbook/engine/cueval"
	"github.com/pullbook/pullbook/engine/runbook"
	"github.com/pullbook/pullbook/engine/scenario"
)

// testEnding is how files of tests are called: runbooks/NAME.test holds those of runbooks/NAME.cue.
const testEnding = ".test"

type testFlags struct {
	update   bool
	verbose  bool
	incident string // whose story is written
	ledger   string // a clone that holds it
}

func testCommand() *cobra.Command {
	var f testFlags
	cmd := &cobra.Command{
		Use:   "test [path...]",
		Short: "Run the tests of runbooks: stories as text, in which nothing happens",
		Long: `Test plays the stories of runbooks/NAME.test with the runbook beside it and the engine's
real decisions: an alert comes in, steps end, people approve, time passes. What the
engine did is compared with the lines that begin with ">"; what differs is printed.
A path is a file of tests, a runbook or a directory; without one it is runbooks.

--update writes what the engine did into the files: read the difference before you
commit it. --from-incident writes the story of an incident that really happened to
standard output, as it would go now, from a clone of the ledger.

runbooks/testing.md says what a story can say.

Exit status: 0 all passed, 1 something differs, 2 wrong usage.`,
		Example: `  pullbook test
  pullbook test runbooks/checkout.test --update
  pullbook test --from-incident 20261122-k3jq5zabcd >> runbooks/checkout.test`,
		RunE: func(cmd *cobra.Command, args []string) error { return runTest(cmd, args, f) },
	}
	cmd.Flags().BoolVar(&f.update, "update", false, "write what the engine did into the files")
	cmd.Flags().BoolVarP(&f.verbose, "verbose", "v", false, "name every case")
	cmd.Flags().StringVar(&f.incident, "from-incident", "", "write the story of this incident")
	cmd.Flags().StringVar(&f.ledger, "ledger", ".", "clone of the ledger that holds the incident")
	return cmd
}

// trial is one case with what it needs, and how it went.
type trial struct {
	suite *suite
	of    scenario.Case
	went  scenario.Case
	err   error
}

// suite is one file of tests.
type suite struct {
	path   string
	file   scenario.File
	config scenario.Config
	trials []*trial
}

func runTest(cmd *cobra.Command, args []string, f testFlags) error {
	if len(args) == 0 {
		args = []string{runbook.Dir}
	}
	if f.incident != "" {
		return recordIncident(cmd, args, f)
	}
	files, err := testFiles(args)
	if err != nil {
		return err
	}
	begun := time.Now()
	eval, err := evaluator()
	if err != nil {
		return err
	}
	defer eval.Close()
	suites, problems, err := readSuites(cmd.Context(), eval, files)
	if err != nil {
		return err
	}
	if err := mistakes(cmd.OutOrStdout(), problems); err != nil {
		return err
	}
	if err := play(cmd.Context(), suites); err != nil {
		return err
	}
	failed, cases, rewritten := 0, 0, 0
	for _, s := range suites {
		cases += len(s.trials)
		if f.update {
			changed, err := s.rewrite()
			if err != nil {
				return err
			}
			rewritten += changed
		}
		failed += s.report(cmd, f)
	}
	took := fmt.Sprintf("%d %s of %d %s in %.1fs", cases, plural(cases, "case", "cases"), len(suites), plural(len(suites), "file", "files"), time.Since(begun).Seconds())
	if failed > 0 {
		fmt.Fprintf(cmd.ErrOrStderr(), "pullbook: %s, %d failed\n", took, failed)
		return toldError{1}
	}
	if rewritten > 0 {
		took += fmt.Sprintf(", %d rewritten", rewritten)
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "pullbook: %s, all passed\n", took)
	return nil
}

// testFiles lists the files of tests that arguments name, each once.
func testFiles(args []string) (out []string, err error) {
	for _, arg := range args {
		arg = named(arg)
		info, err := os.Stat(arg)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, withHint(fmt.Errorf("there is no file or directory %s here", arg), "name a file of tests, a runbook, or a directory of runbooks")
		}
		if err != nil {
			return nil, err
		}
		ending := filepath.Ext(arg)
		if !info.IsDir() && ending != ".cue" && ending != testEnding {
			return nil, withHint(fmt.Errorf("%s is neither a file of tests nor a runbook", arg), "the tests of NAME.cue are in NAME"+testEnding+" beside it")
		}
		found := []string{strings.TrimSuffix(strings.TrimSuffix(filepath.Clean(arg), ".cue"), testEnding) + testEnding}
		if info.IsDir() && !isRunbookDir(arg) {
			if found, err = filepath.Glob(filepath.Join(arg, "*"+testEnding)); err != nil {
				return nil, err
			}
			if len(found) == 0 {
				return nil, withHint(fmt.Errorf("%s holds no tests", arg), "the tests of NAME.cue are in NAME"+testEnding+" beside it")
			}
		}
		if _, err := os.Stat(found[0]); errors.Is(err, fs.ErrNotExist) {
			return nil, withHint(fmt.Errorf("%s has no tests", arg), fmt.Sprintf("they are in %s, and begin with a line such as: case The good way", found[0]))
		}
		for _, name := range found {
			if !slices.Contains(out, name) {
				out = append(out, name)
			}
		}
	}
	return out, nil
}

// readSuites reads files of tests and the runbooks that they are of. A runbook with mistakes has no tests to run.
func readSuites(ctx context.Context, eval *cueval.Evaluator, files []string) (suites []*suite, problems []runbook.Problem, err error) {
	memo, shelves := scenario.Remember(eval), map[string]*shelf{}
	found, wrong := make([][]runbook.Problem, len(files)), make([]error, len(files))
	var loads sync.WaitGroup
	for i, name := range files {
		s, l, err := readSuite(name, shelves)
		if err != nil {
			loads.Wait()
			return nil, nil, err
		}
		s.config.Eval = memo
		suites = append(suites, s)
		loads.Go(func() { s.config.Plan, found[i], wrong[i] = l.load(ctx, eval, s.config.Source) })
	}
	loads.Wait()
	return suites, slices.Concat(found...), errors.Join(wrong...)
}

func readSuite(name string, shelves map[string]*shelf) (*suite, *shelf, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, nil, err
	}
	s := &suite{path: name}
	if s.file, err = scenario.Parse(name, text); err != nil {
		return nil, nil, err
	}
	root, err := rootOf(name)
	if err != nil {
		return nil, nil, err
	}
	l := shelves[root]
	if l == nil {
		if l, err = readShelf(root); err != nil {
			return nil, nil, err
		}
		shelves[root] = l
	}
	called, err := l.find(runbook.NameOf(strings.TrimSuffix(name, testEnding)))
	if err != nil {
		return nil, nil, err
	}
	s.config = scenario.Config{Source: runbook.SourceOf(l.files, called), Alert: orderedAlert}
	for _, c := range s.file.Cases {
		s.trials = append(s.trials, &trial{suite: s, of: c})
	}
	return s, l, nil
}

// play runs all cases, as many at a time as there are processors.
func play(ctx context.Context, suites []*suite) error {
	work := make(chan *trial)
	var done sync.WaitGroup
	for range runtime.NumCPU() {
		done.Go(func() {
			for t := range work {
				t.went, t.err = t.suite.file.Run(ctx, t.suite.config, t.of)
			}
		})
	}
	for _, s := range suites {
		for _, t := range s.trials {
			work <- t
		}
	}
	close(work)
	done.Wait()
	return ctx.Err()
}

// rewrite writes what the engine did into the file. A case that cannot be played stays as it is.
func (s *suite) rewrite() (changed int, err error) {
	var went []scenario.Case
	for _, t := range s.trials {
		if t.err == nil && t.went.Text() != t.of.Text() {
			changed++
		}
		went = append(went, t.went)
		if t.err == nil {
			t.of = t.went
		}
	}
	if changed == 0 {
		return 0, nil
	}
	return changed, os.WriteFile(s.path, s.file.With(went), 0o644)
}

// report prints what differs, and returns how many cases failed.
func (s *suite) report(cmd *cobra.Command, f testFlags) (failed int) {
	out := cmd.OutOrStdout()
	said := map[string]bool{} // what stands before the first case is wrong in every case
	for _, t := range s.trials {
		switch want, got := t.of.Text(), t.went.Text(); {
		case t.err != nil:
			if text := t.err.Error(); !said[text] {
				said[text] = true
				fmt.Fprintln(out, text)
			}
		case want != got:
			fmt.Fprintf(out, "%s:%d: %s: what happened is not what is expected\n%s", s.path, t.of.Line, t.of.Name, diff.Diff("expected", []byte(want), "got", []byte(got)))
		default:
			if f.verbose {
				fmt.Fprintf(out, "%s:%d: %s: passed\n", s.path, t.of.Line, t.of.Name)
			}
			continue
		}
		failed++
	}
	return failed
}
