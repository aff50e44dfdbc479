package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/pullbook/pullbook/engine"
	"github.com/pullbook/pullbook/engine/cueval"
	"github.com/pullbook/pullbook/engine/intake"
	"github.com/pullbook/pullbook/engine/proposal"
	"github.com/pullbook/pullbook/engine/runbook"
)

// vetFlags are what `pullbook vet` is told besides paths.
type vetFlags struct {
	format string
	rules  []string
}

func vetCommand() *cobra.Command {
	var f vetFlags
	cmd := &cobra.Command{
		Use:   "vet [path...]",
		Short: "Check runbooks: every mistake with its place, the problem and a hint",
		Long: `Vet checks runbooks against the schema, the policy of the ledger's pullbook.cue, their own
graph and each other, and looks for the files that they name and for secrets in clear. A path is a
runbook, a directory of runbooks, a pullbook.cue or a ledger; without one it is the directory
runbooks. pullbook.cue, what runbooks import and what they name are looked for beside the runbooks
and in the directory above.

A file that cue fmt would write differently is remarked upon, once its mistakes are mended; that is no mistake.

With --rules it also says which alerting rules of Prometheus no runbook answers.

Exit status: 0 all good, 1 there are mistakes, 2 wrong usage. Mistakes go to standard output in the
format that was asked for, and their number to standard error.`,
		Example: `  pullbook vet
  pullbook vet runbooks/checkout.cue
  pullbook vet --rules alerts.yml
  pullbook vet --format sarif runbooks >pullbook.sarif`,
		RunE: func(cmd *cobra.Command, args []string) error { return runVet(cmd, args, f) },
	}
	cmd.Flags().StringVar(&f.format, "format", "text", "how to print mistakes: text, json, github (workflow commands) or sarif")
	cmd.Flags().StringArrayVar(&f.rules, "rules", nil, "a file of Prometheus alerting rules, for which there should be runbooks; may be repeated")
	return cmd
}

// vetWall bounds the check of one runbook. It is longer than what the engine gives an evaluation: that a machine is busy is
// no mistake of an author.
const vetWall = 10 * time.Second

func runVet(cmd *cobra.Command, args []string, f vetFlags) error {
	print, ok := map[string]func(io.Writer, []finding) error{"text": printText, "json": printList, "github": printCommands, "sarif": printSARIF}[f.format]
	if !ok {
		return usageError{fmt.Errorf("--format is text, json, github or sarif, not %q", f.format)}
	}
	if len(args) == 0 {
		args = []string{"runbooks"}
	}
	ledgers, err := ledgersOf(args)
	if err != nil {
		return err
	}
	rules, err := readRules(f.rules)
	if err != nil {
		return err
	}
	exe, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find the program to evaluate runbooks with: %w", err)
	}
	eval := cueval.New(cueval.Config{Child: []string{exe, evalChild}, Wall: vetWall})
	var found []finding
	checked := 0
	for _, l := range ledgers {
		some, n, err := l.vet(cmd.Context(), eval, rules)
		if err != nil {
			return err
		}
		if n == 0 && len(some) == 0 && !slices.Contains(l.scope.Runbooks, runbook.Organisation) {
			return withHint(fmt.Errorf("%s holds no runbook", l.asked()), "a runbook is a file that ends in .cue")
		}
		found, checked = append(found, some...), checked+n
	}
	if err := print(cmd.OutOrStdout(), found); err != nil {
		return fmt.Errorf("print the mistakes: %w", err)
	}
	return verdict(cmd.ErrOrStderr(), found, checked)
}

// verdict counts what was found. Only mistakes make it an error.
func verdict(w io.Writer, found []finding, checked int) error {
	mistakes, remarks := 0, ""
	for _, f := range found {
		if !f.remark {
			mistakes++
		}
	}
	if n := len(found) - mistakes; n > 0 {
		remarks = fmt.Sprintf(", %d %s", n, plural(n, "remark", "remarks"))
	}
	if mistakes > 0 {
		fmt.Fprintf(w, "pullbook: %d %s%s\n", mistakes, plural(mistakes, "mistake", "mistakes"), remarks)
		return toldError{1}
	}
	fmt.Fprintf(w, "pullbook: %d %s, no mistakes%s\n", checked, plural(checked, "runbook", "runbooks"), remarks)
	return nil
}

func readRules(paths []string) (rules []runbook.AlertRule, err error) {
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, withHint(fmt.Errorf("read the rules: %w", err), "--rules takes a file, and may be repeated")
		}
		some, err := intake.Rules(filepath.ToSlash(path), text)
		if err != nil {
			return nil, withHint(err, "a file of rules begins with groups:")
		}
		rules = append(rules, some...)
	}
	return rules, nil
}

// vet checks what was asked for of one ledger.
func (l ledgerDir) vet(ctx context.Context, eval *cueval.Evaluator, rules []runbook.AlertRule) ([]finding, int, error) {
	f, err := engine.Vet(ctx, eval, l, engine.Vetting{Scope: l.scope, Rules: rules, Loose: l.loose})
	if err != nil {
		return nil, 0, err
	}
	var out []finding
	for _, p := range f.Problems {
		disk := l.onDisk(p.File)
		if slices.ContainsFunc(rules, func(r runbook.AlertRule) bool { return r.At.File == p.File && r.At.Line == p.Line }) {
			disk = filepath.FromSlash(p.File)
		}
		out = append(out, l.finding(p, disk))
	}
	for _, dir := range l.misnamed() {
		if !slices.ContainsFunc(f.Problems, func(p runbook.Problem) bool { return p.File == dir }) {
			out = append(out, l.finding(runbook.Problem{File: dir, Text: "is a directory, and what ends in .cue is a file"}, l.onDisk(dir)))
		}
	}
	for _, p := range f.Remarks {
		one := l.finding(p, l.onDisk(p.File))
		one.remark = true
		out = append(out, one)
	}
	return out, f.Runbooks, nil
}

// misnamed are the directories among all runbooks that are called as files are.
func (l ledgerDir) misnamed() (dirs []string) {
	below, err := os.ReadDir(l.dir)
	if err != nil || !l.scope.Whole {
		return nil // what cannot be read has been reported
	}
	for _, e := range below {
		if e.IsDir() && strings.HasSuffix(e.Name(), ".cue") {
			dirs = append(dirs, runbook.Dir+"/"+e.Name())
		}
	}
	return dirs
}

// asked is the directory that was to be vetted: that of one runbook, or of all.
func (l ledgerDir) asked() string {
	if len(l.scope.Runbooks) == 1 {
		return l.onDisk(l.scope.Runbooks[0])
	}
	return l.dir
}

// finding names the files of a problem as they are called here.
func (l ledgerDir) finding(p runbook.Problem, disk string) finding {
	p.File = filepath.ToSlash(disk)
	if p.See != nil {
		see := *p.See
		see.At.File = filepath.ToSlash(l.onDisk(see.At.File))
		p.See = &see
	}
	return finding{Problem: p, disk: disk}
}

// ledgersOf turns arguments into what is to be vetted of which directories. What is named twice is vetted once.
func ledgersOf(args []string) (out []ledgerDir, err error) {
	for _, arg := range args {
		dir, scope, err := meant(arg)
		if err != nil {
			return nil, err
		}
		i := slices.IndexFunc(out, func(l ledgerDir) bool { return l.dir == dir })
		if i < 0 {
			i = len(out)
			l, err := openLedgerDir(dir)
			if err != nil {
				return nil, err
			}
			out = append(out, l)
		}
		have := &out[i].scope
		have.Whole = have.Whole || scope.Whole
		for _, name := range scope.Runbooks {
			if !slices.Contains(have.Runbooks, name) {
				have.Runbooks = append(have.Runbooks, name)
			}
		}
	}
	return out, nil
}

// meant is the directory of runbooks that an argument is about, and what of it.
func meant(arg string) (dir string, scope proposal.Scope, err error) {
	arg = named(arg)
	info, err := os.Stat(arg)
	if os.IsNotExist(err) {
		return "", scope, withHint(fmt.Errorf("there is no file or directory %s here", arg), "name a runbook, or a directory that holds runbooks")
	}
	if err != nil {
		return "", scope, err
	}
	arg = filepath.Clean(arg)
	dir, base := filepath.Dir(arg), filepath.Base(arg)
	switch {
	case info.IsDir() && strings.HasSuffix(base, ".cue"):
		return "", scope, withHint(fmt.Errorf("%s is a directory, and what ends in .cue is a file", arg), "a runbook of several files is a directory such as "+strings.TrimSuffix(arg, ".cue"))
	case !info.IsDir() && base == runbook.Organisation:
		return filepath.Join(dir, runbook.Dir), proposal.Scope{Runbooks: []string{base}}, nil
	case !info.IsDir() && !strings.HasSuffix(base, ".cue"):
		return "", scope, withHint(fmt.Errorf("%s is no runbook", arg), "a runbook is a file that ends in .cue")
	case !info.IsDir(), filepath.Base(dir) == runbook.Dir:
		return dir, proposal.Scope{Runbooks: []string{runbook.Dir + "/" + base}}, nil
	}
	if below, err := os.Stat(filepath.Join(arg, runbook.Dir)); err == nil && below.IsDir() {
		arg = filepath.Join(arg, runbook.Dir)
	}
	return arg, proposal.Scope{Whole: true}, nil
}

func plural(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}
