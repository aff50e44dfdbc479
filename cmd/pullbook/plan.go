package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/pullbook/pullbook/engine/cueval"
	"github.com/pullbook/pullbook/engine/forecast"
	"github.com/pullbook/pullbook/engine/incident"
	"github.com/pullbook/pullbook/engine/render"
	"github.com/pullbook/pullbook/engine/runbook"
)

// The formats of plan and graph.
const (
	formatText    = "text"
	formatJSON    = "json"
	formatMermaid = "mermaid"
	formatDOT     = "dot"
	formatSVG     = "svg"
)

type planFlags struct {
	alert, at, format, ledger string
	inputs, outputs           []string
	json                      bool
}

func planCommand() *cobra.Command {
	var f planFlags
	cmd := &cobra.Command{
		Use:   "plan <runbook>",
		Short: "See what a runbook would do for an alert: nothing is done",
		Long: `Plan says what would run, wait and be asked, of whom, in which order and not before
when, if every step ended well. Values are filled in as far as they are known: from the
alert, the inputs, and the outputs that you give with --output. What rests on an output
that is not given is said to be known later. Nothing runs and nobody is asked.

A step of a wave begins when those of the waves before have ended; times count only what
the runbook waits for.`,
		Example: `  pullbook plan checkout --alert alert.json
  pullbook plan checkout --alert alert.json --output errors=errors.json --output version=version.json
  pullbook plan checkout --format svg > checkout.svg`,
		Args: takes("<runbook>"),
		RunE: func(cmd *cobra.Command, args []string) error { return runPlan(cmd, args[0], f) },

		ValidArgsFunction: completeRunbook,
	}
	cmd.Flags().StringVar(&f.alert, "alert", "", "file with a generic alert (JSON), - for standard input; without it the incident is opened by hand")
	cmd.Flags().StringArrayVar(&f.outputs, "output", nil, "what a step puts out, as step=file with JSON; can be given many times")
	cmd.Flags().StringArrayVar(&f.inputs, "input", nil, "value of an input of the runbook, as name=value; can be given many times")
	cmd.Flags().StringVar(&f.at, "at", "", "when the incident opens, for example 2026-12-24T18:00:00Z (default: now)")
	cmd.Flags().StringVar(&f.format, "format", formatText, "text, json, mermaid or svg")
	cmd.Flags().BoolVar(&f.json, "json", false, "the same as --format json")
	cmd.Flags().StringVar(&f.ledger, "ledger", ".", "directory of the ledger that holds the runbook")
	completes(cmd, "output", completeOutput)
	completes(cmd, "format", cobra.FixedCompletions([]string{formatText, formatJSON, formatMermaid, formatSVG}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

func runPlan(cmd *cobra.Command, called string, f planFlags) error {
	if f.json {
		f.format = formatJSON
	}
	if err := oneOf(f.format, formatText, formatJSON, formatMermaid, formatSVG); err != nil {
		return err
	}
	at := time.Now()
	if f.at != "" {
		var err error
		if at, err = time.Parse(time.RFC3339, f.at); err != nil {
			return usageError{fmt.Errorf("--at %q is no time such as 2026-12-24T18:00:00Z", f.at)}
		}
	}
	q, err := f.question(cmd.InOrStdin())
	if err != nil {
		return err
	}
	src, l, err := sourceOf(f.ledger, called)
	if err != nil {
		return err
	}
	eval, err := evaluator()
	if err != nil {
		return err
	}
	defer eval.Close()
	src.Inputs = q.Source.Inputs
	plan, problems, err := l.load(cmd.Context(), eval, src)
	if err != nil {
		return err
	}
	if err := mistakes(cmd.OutOrStdout(), problems); err != nil {
		return err
	}
	if err := checkOutputs(cmd.Context(), eval, &q, src.Of(plan), plan); err != nil {
		return err
	}
	if plan, err = eval.Forecast(cmd.Context(), q); err != nil {
		return err
	}
	if f.alert == "" {
		fmt.Fprint(cmd.ErrOrStderr(), lacksAlert(plan))
	}
	return write(cmd.OutOrStdout(), forecast.Of(plan, at), f.format)
}

// lacksAlert says which steps cannot be worked out where no alert was given, and what gives one; empty if all can.
func lacksAlert(plan runbook.Plan) string {
	var steps []string
	for _, s := range plan.Steps {
		if s.Now.Status == runbook.StatusBroken {
			steps = append(steps, s.Name)
		}
	}
	if len(steps) == 0 {
		return ""
	}
	return fmt.Sprintf("pullbook: no alert was given, and without one that has what they refer to these steps cannot be worked out: %s\n"+
		"pullbook: hint: --alert takes a file with an alert, its labels and annotations\n", strings.Join(steps, ", "))
}

// question is what the flags give to the runbook.
func (f planFlags) question(stdin io.Reader) (q runbook.Query, err error) {
	var given []byte
	if f.alert != "" {
		if given, err = readAlert(stdin, f.alert); err != nil {
			return q, err
		}
	}
	alert, err := orderedAlert(given)
	if err != nil {
		return q, fmt.Errorf("%s: %w", f.alert, err)
	}
	if q.Alert, err = json.Marshal(alert); err != nil {
		return q, fmt.Errorf("write the alert: %w", err)
	}
	if q.Source.Inputs, err = inputsOf(f.inputs); err != nil {
		return q, err
	}
	if q.Source.Inputs == nil {
		q.Source.Inputs = json.RawMessage("{}")
	}
	q.Ended = map[string]runbook.Ended{}
	for _, one := range f.outputs {
		step, file, ok := strings.Cut(one, "=")
		if !ok || step == "" {
			return q, usageError{fmt.Errorf("--output %q is not of the form step=file", one)}
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return q, fmt.Errorf("read the output of %s: %w", step, err)
		}
		q.Ended[step] = runbook.Ended{Conclusion: runbook.Succeeded, Output: text}
	}
	return q, nil
}

// checkOutputs demands that what was given is what the steps declare, and leaves of it what they declare.
func checkOutputs(ctx context.Context, eval *cueval.Evaluator, q *runbook.Query, src runbook.Source, plan runbook.Plan) error {
	q.Source = src
	for name, end := range q.Ended {
		step, ok := plan.Step(name)
		if !ok || !step.HasOutput {
			return withHint(fmt.Errorf("--output %s: the runbook has no step of that name that puts something out", name), "pullbook graph shows the steps")
		}
		if step.Each || step.Rehearses != "" {
			continue // collected of its elements, or of the runner's own type
		}
		out, err := eval.Output(ctx, runbook.Query{Source: src, Alert: q.Alert}, name, end.Output)
		if err != nil {
			return fmt.Errorf("--output %s: %w", name, err)
		}
		end.Output = out
		q.Ended[name] = end
	}
	return nil
}

func write(out io.Writer, f forecast.Forecast, format string) error {
	text := ""
	switch format {
	case formatJSON:
		data, err := f.JSON()
		if err != nil {
			return err
		}
		text = string(data)
	case formatMermaid:
		text = f.Graph().Mermaid()
	case formatSVG:
		text = f.Graph().SVG()
	default:
		text = f.Text()
	}
	_, err := io.WriteString(out, text)
	return err
}

// sourceOf finds a runbook of a ledger on disk by its name or path.
func sourceOf(dir, called string) (runbook.Source, *shelf, error) {
	if strings.ContainsRune(called, os.PathSeparator) {
		if root, err := rootOf(called); err == nil {
			dir = root
		}
	}
	l, err := readShelf(dir)
	if err != nil {
		return runbook.Source{}, nil, err
	}
	name, err := l.find(called)
	if err != nil {
		return runbook.Source{}, nil, err
	}
	return runbook.SourceOf(l.files, name), l, nil
}

func oneOf(given string, allowed ...string) error {
	for _, a := range allowed {
		if given == a {
			return nil
		}
	}
	return usageError{fmt.Errorf("--format %q is none of %s", given, strings.Join(allowed, ", "))}
}

func graphCommand() *cobra.Command {
	var format, ledger string
	cmd := &cobra.Command{
		Use:   "graph <runbook>",
		Short: "Draw the steps of a runbook, and what comes after what",
		Long: `Graph draws a runbook as it stands, without an alert: as Mermaid, just as the pull
request of an incident shows it at its opening, as DOT for Graphviz, or as an SVG that
stands alone. Undo and finally steps are dashed; in Mermaid undo steps show when
something is undone.`,
		Example: `  pullbook graph checkout
  pullbook graph runbooks/checkout.cue --format svg > checkout.svg
  pullbook graph checkout --format dot | dot -Tpdf > checkout.pdf`,
		Args: takes("<runbook>"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := oneOf(format, formatMermaid, formatDOT, formatSVG); err != nil {
				return err
			}
			return runGraph(cmd, args[0], ledger, format)
		},
		ValidArgsFunction: completeRunbook,
	}
	cmd.Flags().StringVar(&format, "format", formatMermaid, "mermaid, dot or svg")
	cmd.Flags().StringVar(&ledger, "ledger", ".", "directory of the ledger that holds the runbook")
	completes(cmd, "format", cobra.FixedCompletions([]string{formatMermaid, formatDOT, formatSVG}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

func runGraph(cmd *cobra.Command, called, ledger, format string) error {
	src, l, err := sourceOf(ledger, called)
	if err != nil {
		return err
	}
	eval, err := evaluator()
	if err != nil {
		return err
	}
	defer eval.Close()
	plan, problems, err := l.load(cmd.Context(), eval, src)
	if err != nil {
		return err
	}
	if err := mistakes(cmd.OutOrStdout(), problems); err != nil {
		return err
	}
	empty, err := incident.Fold(nil)
	if err != nil {
		return errors.New("an incident in which nothing has happened cannot be drawn") // unreachable: no event contradicts another
	}
	text := ""
	switch format {
	case formatDOT:
		text = forecast.Graph(plan).DOT()
	case formatSVG:
		text = forecast.Graph(plan).SVG()
	default:
		text = render.Graph(plan, empty)
	}
	_, err = io.WriteString(cmd.OutOrStdout(), text)
	return err
}
