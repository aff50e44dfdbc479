package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/pullbook/pullbook/engine/cueval"
	"github.com/pullbook/pullbook/engine/runbook"
)

func vetCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "vet [path...]",
		Short: "Check runbooks: every mistake with its place, the problem and a hint",
		Long: `Vet checks runbooks against the schema, the policy of the ledger's pullbook.cue,
and their own graph. A path is a runbook or a directory of runbooks; without one it
is the directory runbooks. pullbook.cue is looked for in the directory above.

Exit status: 0 all good, 1 there are mistakes, 2 wrong usage.`,
		Example: `  pullbook vet
  pullbook vet runbooks/checkout.cue
  pullbook vet --json runbooks`,
		RunE: func(cmd *cobra.Command, args []string) error { return runVet(cmd, args, asJSON) },
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the mistakes as a JSON list")
	return cmd
}

func runVet(cmd *cobra.Command, args []string, asJSON bool) error {
	if len(args) == 0 {
		args = []string{"runbooks"}
	}
	files, err := runbookFiles(args)
	if err != nil {
		return err
	}
	problems := []runbook.Problem{}
	for _, path := range files {
		src, err := readSource(path)
		if err != nil {
			return err
		}
		problems = append(problems, cueval.Vet(src)...)
	}
	if asJSON {
		enc := json.NewEncoder(cmd.OutOrStdout())
		enc.SetIndent("", "  ")
		if err := enc.Encode(problems); err != nil {
			return err
		}
	} else {
		for _, p := range problems {
			fmt.Fprintln(cmd.OutOrStdout(), p)
		}
	}
	if len(problems) > 0 {
		fmt.Fprintf(cmd.ErrOrStderr(), "pullbook: %d %s\n", len(problems), plural(len(problems), "mistake", "mistakes"))
		return toldError{1}
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "pullbook: %d %s, no mistakes\n", len(files), plural(len(files), "runbook", "runbooks"))
	return nil
}

// runbookFiles lists the runbooks that the arguments name, sorted within each argument.
func runbookFiles(args []string) ([]string, error) {
	var out []string
	for _, arg := range args {
		info, err := os.Stat(arg)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, withHint(fmt.Errorf("there is no %s", arg), "name a runbook, or a directory that holds runbooks")
		}
		if err != nil {
			return nil, err
		}
		if !info.IsDir() {
			out = append(out, arg)
			continue
		}
		found, err := filepath.Glob(filepath.Join(arg, "*.cue"))
		if err != nil {
			return nil, err
		}
		if len(found) == 0 {
			return nil, withHint(fmt.Errorf("%s holds no runbook", arg), "a runbook is a file that ends in .cue")
		}
		found = slices.DeleteFunc(found, func(path string) bool { return filepath.Base(path) == "pullbook.cue" })
		slices.Sort(found)
		out = append(out, found...)
	}
	return out, nil
}

// readSource reads a runbook and the ledger's pullbook.cue, which lies in the directory of the runbook or above it.
func readSource(path string) (runbook.Source, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return runbook.Source{}, err
	}
	name := filepath.ToSlash(filepath.Clean(path))
	src := runbook.Source{Runbook: name, Files: map[string][]byte{name: data}}
	dir := filepath.Dir(path)
	for _, org := range []string{filepath.Join(dir, "pullbook.cue"), filepath.Join(dir, "..", "pullbook.cue")} {
		data, err := os.ReadFile(org)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return src, err
		}
		src.Files["pullbook.cue"] = data
		break
	}
	src.Others, err = othersOf(src, dir)
	return src, err
}

// othersOf reads the runbooks beside one, which it may open. They are known by the paths that they have in a ledger.
func othersOf(src runbook.Source, dir string) (map[string][]byte, error) {
	found, err := filepath.Glob(filepath.Join(dir, "*.cue"))
	if err != nil {
		return nil, err
	}
	others := map[string][]byte{}
	for _, path := range found {
		data, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		others["runbooks/"+filepath.Base(path)] = data
	}
	if org, ok := src.Files["pullbook.cue"]; ok {
		others["pullbook.cue"] = org
	}
	return others, nil
}

func plural(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}
