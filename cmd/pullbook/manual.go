package main

import (
	"fmt"
	"os"
	"runtime/debug"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

func manCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "man <directory>",
		Short: "Write the manual pages of all commands",
		Long: `Man writes one manual page for each command into a directory, from the same text
that --help prints.`,
		Example: `  pullbook man /usr/local/share/man/man1
  pullbook man /tmp/man && man -l /tmp/man/pullbook-plan.1`,
		Args: takes("<directory>"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := os.MkdirAll(args[0], 0o777); err != nil {
				return err
			}
			root := cmd.Root()
			root.DisableAutoGenTag = true // a page says nothing of the day on which it was written
			at := builtAt()
			keepAngles(root)
			header := &doc.GenManHeader{Section: "1", Date: &at, Source: "pullbook " + versions()["pullbook"], Manual: "Pullbook"}
			if err := doc.GenManTree(root, header, args[0]); err != nil {
				return fmt.Errorf("write the manual pages: %w", err)
			}
			return nil
		},
	}
}

// keepAngles escapes what stands in angle brackets, such as <runbook>: the pages are made by way of Markdown, in which that
// would be a tag, and left out.
func keepAngles(cmd *cobra.Command) {
	cmd.Use = strings.NewReplacer("<", `\<`, ">", `\>`).Replace(cmd.Use)
	for _, c := range cmd.Commands() {
		keepAngles(c)
	}
}

// builtAt is the time of the commit that the program was built from, so that the same program writes the same pages.
func builtAt() time.Time {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if at, err := time.Parse(time.RFC3339, s.Value); s.Key == "vcs.time" && err == nil {
				return at
			}
		}
	}
	return time.Unix(0, 0).UTC()
}
