package main

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/pullbook/pullbook/runbooks/starter"
	"github.com/pullbook/pullbook/schema"
)

func initCommand() *cobra.Command {
	var f initFlags
	cmd := &cobra.Command{
		Use:   "init [directory]",
		Short: "Begin a ledger: policy, a first runbook and its test, what vets pull requests",
		Long: `Init writes the first files of a ledger into a directory, without one into this one:
pullbook.cue with a policy, a first runbook with its stories, the workflow that vets pull
requests, CODEOWNERS, a place for the keys that sign, and the schema for editors. What it
writes passes pullbook vet and pullbook test.

With --actions there are also the workflows that do what pullbook serve does, on GitHub
Actions: then no server is needed.

A file that is there already is never written over: then nothing is written at all.`,
		Example: `  pullbook init ops --team acme/sre
  pullbook init ops --team acme/sre --actions`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runInit(cmd, repository(args), f)
		},
	}
	cmd.Flags().StringVar(&f.team, "team", "acme/sre", "team (org/slug) that commands incidents and approves steps")
	cmd.Flags().BoolVar(&f.actions, "actions", false, "for a ledger without a server: GitHub Actions advance its incidents")
	cmd.Flags().StringVar(&f.pin, "pin", builtFrom(), "commit of github.com/pullbook/pullbook whose actions the workflows use (default: what this program was built from)")
	return cmd
}

type initFlags struct {
	team, pin string
	actions   bool
}

// files are the ledger's first files.
func (f initFlags) files() (map[string]string, error) {
	switch {
	case !regexp.MustCompile(`^[A-Za-z0-9-]+/[A-Za-z0-9_.-]+$`).MatchString(f.team):
		return nil, usageError{fmt.Errorf("--team %q is no team such as acme/sre", f.team)}
	case !f.actions:
		return starter.Files(f.team)
	case f.pin == "":
		return nil, usageError{withHint(errors.New("this program does not know which commit it was built from"), "--pin takes the 40 digits of a commit of github.com/pullbook/pullbook")}
	case !regexp.MustCompile(`^[0-9a-f]{40}$`).MatchString(f.pin):
		return nil, usageError{fmt.Errorf("--pin %q is no commit: it has 40 hex digits, so that nobody can move it", f.pin)}
	}
	return starter.WithActions(f.team, f.pin)
}

// builtFrom is the commit that this program was built from, or nothing where it was not built from one.
func builtFrom() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Path != "github.com/pullbook/pullbook" {
		return ""
	}
	commit, clean := "", true
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			commit = s.Value
		case "vcs.modified":
			clean = s.Value == "false"
		}
	}
	if !clean {
		return ""
	}
	return commit
}

func runInit(cmd *cobra.Command, dir string, f initFlags) error {
	files, err := f.files()
	if err != nil {
		return err
	}
	files["schema/runbook.cue"] = string(schema.Runbook())
	names := slices.Sorted(maps.Keys(files))
	for _, name := range names {
		_, err := os.Lstat(filepath.Join(dir, filepath.FromSlash(name)))
		if err == nil {
			return withHint(fmt.Errorf("%s is there already, so nothing was written", filepath.Join(dir, name)), "name a new directory, or move the file away")
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	for _, name := range names {
		if err := writeNew(filepath.Join(dir, filepath.FromSlash(name)), files[name]); err != nil {
			return err
		}
		fmt.Fprintln(cmd.OutOrStdout(), filepath.Join(dir, name))
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "pullbook: %d files written; README.md among them says what is left to do\n", len(names))
	return nil
}

// writeNew writes a file that must not be there. What begins with #! can be run.
func writeNew(name, text string) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
		return err
	}
	mode := fs.FileMode(0o666)
	if strings.HasPrefix(text, "#!") {
		mode = 0o777
	}
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}
