package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/pullbook/pullbook/engine/audit"
)

func debtCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "debt [repository]",
		Short: "List the gates whose glass was broken and that nobody has reviewed",
		Long: `Debt lists what is owed across a ledger: every gate that one person opened by
/break-glass and that the people whom pullbook.cue names have not reviewed, in open
incidents and in those that were merged all the same. It reads a clone, bare or not,
with no server and no network; what it reads, audit verify proves.

Exit status: 0 nothing is owed, 1 something is, 2 wrong usage.`,
		Example: `  pullbook debt ops.git
  pullbook debt ops.git --json`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return runDebt(cmd, repository(args), asJSON) },
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print as JSON")
	return cmd
}

func runDebt(cmd *cobra.Command, path string, asJSON bool) error {
	clone, err := openClone(path)
	if err != nil {
		return err
	}
	defer clone.Close()
	debts, err := audit.Debts(clone, audit.Options{})
	if err != nil {
		return err
	}
	if asJSON {
		err = printJSON(cmd.OutOrStdout(), debts)
	} else {
		err = printDebts(cmd.OutOrStdout(), debts)
	}
	if err == nil && len(debts) > 0 {
		return toldError{1}
	}
	return err
}

func printDebts(w io.Writer, debts []audit.Debt) error {
	var b strings.Builder
	for _, d := range debts {
		where := "open"
		if d.Merged {
			where = "merged"
		}
		fmt.Fprintf(&b, "%s  %-6s  %s  %s: %s broke the glass: %q; owed: %s", d.Incident, where, d.At.Format("2006-01-02 15:04:05"), d.Step, d.By, d.Why, d.Owed)
		if d.Pull != "" {
			b.WriteString("  " + d.Pull)
		}
		b.WriteString("\n")
	}
	if len(debts) == 0 {
		b.WriteString("nothing is owed\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}
