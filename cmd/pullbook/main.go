// Pullbook is a runbook engine driven by pull requests: every incident is a pull request, every approval a review, and
// the merged, signed history the audit log. This package holds flags, configuration and wiring, one file a subcommand;
// it decides nothing.
//
// Exit status of every subcommand: 0 when it did what was asked, 1 when the answer is no or something failed, 2 when the
// command line is wrong. Progress and errors go to standard error, answers to standard output.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/pullbook/pullbook/engine/cueval"
)

// evalChild is the hidden subcommand that evaluates one CUE request in a process of its own.
const evalChild = "eval-child"

func main() { os.Exit(run()) }

func run() int {
	if len(os.Args) == 2 && os.Args[1] == evalChild {
		return cueval.Child(os.Stdin, os.Stdout)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return execute(ctx, rootCommand(), os.Stderr)
}

// execute runs a command and prints its error as pullbook: error, hint.
func execute(ctx context.Context, root *cobra.Command, stderr io.Writer) int {
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	var told toldError
	if errors.As(err, &told) {
		return told.status
	}
	fmt.Fprintf(stderr, "pullbook: %v\n", err)
	var hint hintError
	if errors.As(err, &hint) {
		fmt.Fprintf(stderr, "pullbook: hint: %s\n", hint.hint)
	}
	var usage usageError
	if errors.As(err, &usage) {
		return 2
	}
	return 1
}

func rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "pullbook",
		Short: "A runbook engine driven by pull requests",
		Long: `Pullbook opens a pull request for each alert, runs the steps of a runbook as commits
and check runs, takes approvals as reviews, and leaves a signed history that anyone
can verify offline.

Exit status: 0 done, 1 the answer is no or something failed, 2 wrong usage.`,
		SilenceErrors: true, SilenceUsage: true,
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usageError{fmt.Errorf("%w (see %s --help)", err, cmd.CommandPath())}
	})
	root.AddCommand(demoCommand(), serveCommand(), advanceCommand(), openCommand(), vetCommand(), auditCommand(), whyCommand(), debtCommand(), hubCommand(), versionCommand())
	root.AddCommand(initCommand(), planCommand(), graphCommand(), testCommand(), rehearseCommand(), manCommand())
	for _, cmd := range root.Commands() {
		checkArgs(cmd)
	}
	return root
}

// checkArgs makes wrong arguments a matter of usage, so that the exit status says so.
func checkArgs(cmd *cobra.Command) {
	if check := cmd.Args; check != nil {
		cmd.Args = func(cmd *cobra.Command, args []string) error {
			if err := check(cmd, args); err != nil {
				return usageError{fmt.Errorf("%w (see %s --help)", err, cmd.CommandPath())}
			}
			return nil
		}
	}
	for _, sub := range cmd.Commands() {
		checkArgs(sub)
	}
}

// takes is what a command demands that has so many arguments, with what each is called in its usage.
func takes(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) == len(names) {
			return nil
		}
		return fmt.Errorf("%s takes %s, and got %d %s", cmd.Name(), strings.Join(names, " and "), len(args), plural(len(args), "argument", "arguments"))
	}
}

// usageError is a wrong command line.
type usageError struct{ error }

// toldError ends the program with a status after everything has been said.
type toldError struct{ status int }

func (e toldError) Error() string { return fmt.Sprintf("exit status %d", e.status) }

// hintError is an error with advice on its own line.
type hintError struct {
	error
	hint string
}

func (e hintError) Unwrap() error { return e.error }

func (e usageError) Unwrap() error { return e.error }

func withHint(err error, hint string) error { return hintError{err, hint} }
