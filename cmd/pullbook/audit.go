package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/pullbook/pullbook/engine/audit"
	"github.com/pullbook/pullbook/engine/gitstore"
	"github.com/pullbook/pullbook/engine/incident"
)

func auditCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "audit",
		Short: "Verify and read the history of a ledger, offline",
		Long:  `Audit works on any clone of a ledger, bare or not, with no server and no network.`,
	}
	cmd.AddCommand(auditVerifyCommand(), auditLogCommand())
	return cmd
}

type auditFlags struct {
	incident, trust string
	json            bool
}

func (f *auditFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.incident, "incident", "", "only this incident, for example 20261122-k3jq5zabcd")
	cmd.Flags().BoolVar(&f.json, "json", false, "print as JSON")
}

func auditVerifyCommand() *cobra.Command {
	var f auditFlags
	cmd := &cobra.Command{
		Use:   "verify [repository]",
		Short: "Prove that nothing in the history was added, changed or left out",
		Long: `Verify checks signatures over the raw bytes, the hash chain, the sequence, every
digest, that every gated step was started behind its approvals, and that merges
changed nothing but their incident. It names the first commit that is wrong.

Trust does not come from the ledger: --trust names a key that you brought yourself,
as a file in the format of allowed_signers or as a fingerprint. Without it the best
answer is "self-consistent; signer not independently trusted".

Exit status: 0 nothing is wrong, 1 something is, 2 wrong usage.`,
		Example: `  pullbook audit verify ops.git --trust SHA256:Wm0...
  git clone --bare https://github.com/acme/ops.git && pullbook audit verify ops.git`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return runVerify(cmd, repository(args), f) },
	}
	f.add(cmd)
	cmd.Flags().StringVar(&f.trust, "trust", "", "trusted key: a fingerprint (SHA256:...) or a file of allowed signers")
	return cmd
}

func repository(args []string) string {
	if len(args) == 0 {
		return "."
	}
	return args[0]
}

func (f *auditFlags) options() (audit.Options, error) {
	var o audit.Options
	if f.incident != "" {
		id, err := incident.ParseID(f.incident)
		if err != nil {
			return o, usageError{err}
		}
		o.Incident = id
	}
	var err error
	switch {
	case f.trust == "":
	case strings.HasPrefix(f.trust, "SHA256:"):
		o.Trust, err = audit.TrustKey(f.trust)
	default:
		var data []byte
		if data, err = os.ReadFile(f.trust); err == nil {
			o.Trust, err = audit.TrustFile(data)
		}
	}
	if err != nil {
		return o, withHint(fmt.Errorf("--trust: %w", err), "bring the key from outside the ledger: a fingerprint SHA256:... or a file of allowed signers")
	}
	return o, nil
}

func openClone(path string) (*gitstore.Clone, error) {
	clone, err := gitstore.OpenClone(path)
	if err != nil {
		return nil, withHint(err, "name a clone of the ledger, bare or not")
	}
	return clone, nil
}

func runVerify(cmd *cobra.Command, path string, f auditFlags) error {
	o, err := f.options()
	if err != nil {
		return err
	}
	clone, err := openClone(path)
	if err != nil {
		return err
	}
	defer clone.Close()
	report := audit.Verify(clone, o)
	if f.json {
		err = printJSON(cmd.OutOrStdout(), report)
	} else {
		err = printReport(cmd.OutOrStdout(), report)
	}
	if err == nil && !report.OK() {
		return toldError{1}
	}
	return err
}

func printJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

func printReport(w io.Writer, r audit.Report) error {
	var b strings.Builder
	for _, i := range r.Incidents {
		end := string(i.End)
		if end == "" {
			end = "open"
		}
		if i.Rehearsal {
			end += ", a rehearsal"
		}
		fmt.Fprintf(&b, "%s  %-9s  %d commits, %d events, %d approvals\n", i.ID, end, i.Commits, i.Events, i.Votes)
	}
	for _, finding := range r.Findings {
		fmt.Fprintf(&b, "WRONG: %s\n", finding)
	}
	fmt.Fprintf(&b, "%s %.10s: %d commits, signed by %s\n", r.Branch, r.Tip, r.Commits, strings.Join(r.Keys, ", "))
	fmt.Fprintln(&b, r.Verdict())
	_, err := io.WriteString(w, b.String())
	return err
}

func auditLogCommand() *cobra.Command {
	var f auditFlags
	cmd := &cobra.Command{
		Use:   "log [repository]",
		Short: "Print what happened, as a person would tell it",
		Long: `Log prints one line an event, in the order of time: when (UTC), in which incident,
who, and what. It reads; to prove what it reads, verify first.`,
		Example: `  pullbook audit log ops.git
  pullbook audit log ops.git --incident 20261122-k3jq5zabcd --json`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return runLog(cmd, repository(args), f) },
	}
	f.add(cmd)
	return cmd
}

func runLog(cmd *cobra.Command, path string, f auditFlags) error {
	o, err := f.options()
	if err != nil {
		return err
	}
	clone, err := openClone(path)
	if err != nil {
		return err
	}
	defer clone.Close()
	lines, err := audit.Log(clone, o)
	if err != nil {
		return err
	}
	if f.json {
		return printJSON(cmd.OutOrStdout(), lines)
	}
	var b strings.Builder
	for _, l := range lines {
		fmt.Fprintf(&b, "%s  %s  %-10s  %s\n", l.At.Format("2006-01-02 15:04:05"), l.Incident, l.Who, l.What)
	}
	_, err = io.WriteString(cmd.OutOrStdout(), b.String())
	return err
}
