package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/pullbook/pullbook/engine/audit"
	"github.com/pullbook/pullbook/engine/gitstore"
	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/runbook"
	"github.com/pullbook/pullbook/engine/scenario"
)

// recordIncident writes the story of an incident, played with the runbook as it is now.
func recordIncident(cmd *cobra.Command, args []string, f testFlags) error {
	id, err := incident.ParseID(f.incident)
	if err != nil {
		return usageError{err}
	}
	if len(args) > 1 || f.update {
		return usageError{fmt.Errorf("--from-incident takes one directory of runbooks, and no --update")}
	}
	clone, err := gitstore.OpenClone(f.ledger)
	if err != nil {
		return withHint(err, "--ledger names a clone of the ledger")
	}
	defer clone.Close()
	records, err := audit.Records(clone, audit.Options{Incident: id})
	if err != nil {
		return err
	}
	r := records[0]
	text, err := scenario.Record("What happened in "+string(id), r.Plan, r.Events)
	if err != nil {
		return err
	}
	played, err := playRecord(cmd, args[0], r.State.Opened.Runbook, text)
	if err != nil {
		fmt.Fprintf(cmd.OutOrStdout(), "%s", text)
		return withHint(fmt.Errorf("the story cannot be played: %w", err), "what happened is written all the same; what the engine does today is not")
	}
	fmt.Fprint(cmd.OutOrStdout(), played.Text())
	return nil
}

func playRecord(cmd *cobra.Command, dir, called string, text []byte) (played scenario.Case, err error) {
	file, err := scenario.Parse("story", text)
	if err != nil {
		return played, err
	}
	root, err := rootOf(dir)
	if err != nil {
		return played, err
	}
	l, err := readShelf(root)
	if err != nil {
		return played, err
	}
	name, err := l.find(runbook.NameOf(called))
	if err != nil {
		return played, err
	}
	eval, err := evaluator()
	if err != nil {
		return played, err
	}
	defer eval.Close()
	c := scenario.Config{Eval: scenario.Remember(eval), Source: runbook.SourceOf(l.files, name), Alert: orderedAlert}
	var problems []runbook.Problem
	if c.Plan, problems, err = l.load(cmd.Context(), eval, c.Source); err != nil || len(problems) > 0 {
		return played, errorOf(problems, err)
	}
	return file.Run(cmd.Context(), c, file.Cases[0])
}

// errorOf is what keeps a runbook from being used.
func errorOf(problems []runbook.Problem, err error) error {
	if err == nil && len(problems) > 0 {
		err = fmt.Errorf("%s", problems[0])
	}
	return err
}
