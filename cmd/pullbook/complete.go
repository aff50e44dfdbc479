package main

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/pullbook/pullbook/engine/runbook"
)

// completionTime bounds how long a shell waits for a suggestion.
const completionTime = 2 * time.Second

// completeRunbook suggests the names of the ledger's runbooks as the first argument.
func completeRunbook(cmd *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	if strings.Contains(begun, "/") {
		return []string{"cue"}, cobra.ShellCompDirectiveFilterFileExt
	}
	l, err := readShelf(ledgerFlag(cmd))
	if err != nil {
		return nil, cobra.ShellCompDirectiveDefault
	}
	var names []string
	for file := range l.files {
		if name := runbook.NameOf(runbook.PathOf(file)); runbook.IsRunbook(file) && strings.HasPrefix(name, begun) && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, cobra.ShellCompDirectiveNoFileComp
}

// completeOutput suggests the steps of the runbook that put something out, and then files.
func completeOutput(cmd *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
	if strings.Contains(begun, "=") || len(args) == 0 {
		return nil, cobra.ShellCompDirectiveDefault
	}
	ctx, cancel := context.WithTimeout(context.Background(), completionTime)
	defer cancel()
	src, l, err := sourceOf(ledgerFlag(cmd), args[0])
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	eval, err := evaluator()
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	defer eval.Close()
	plan, problems, err := l.load(ctx, eval, src)
	if err != nil || len(problems) > 0 {
		return nil, cobra.ShellCompDirectiveError
	}
	var names []string
	for _, step := range plan.Steps {
		if step.HasOutput && strings.HasPrefix(step.Name, begun) {
			names = append(names, step.Name+"=\t"+step.Title)
		}
	}
	return names, cobra.ShellCompDirectiveNoSpace | cobra.ShellCompDirectiveNoFileComp
}

func ledgerFlag(cmd *cobra.Command) string {
	if f := cmd.Flags().Lookup("ledger"); f != nil {
		return f.Value.String()
	}
	return "."
}

// completes tells shells what can follow. A mistake here is one of the program.
func completes(cmd *cobra.Command, flag string, suggest cobra.CompletionFunc) {
	if err := cmd.RegisterFlagCompletionFunc(flag, suggest); err != nil {
		panic("pullbook: " + err.Error()) // unreachable: the flag was added above
	}
}
