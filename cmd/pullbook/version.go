package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/pullbook/pullbook/schema"
)

func versionCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "version",
		Short:   "Print the versions of the engine, of CUE and of the runbook schema",
		Example: "  pullbook version --json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			v := versions()
			if asJSON {
				return json.NewEncoder(cmd.OutOrStdout()).Encode(v)
			}
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "pullbook %s\ncue %s\nschema %s\ngo %s\n", v["pullbook"], v["cue"], v["schema"], v["go"])
			return err
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print as JSON")
	return cmd
}

// versions are what an incident records: with other versions the same runbook might mean something else.
func versions() map[string]string {
	sum := sha256.Sum256(schema.Runbook())
	v := map[string]string{"pullbook": "(devel)", "cue": "unknown", "go": runtime.Version(), "schema": "sha256:" + hex.EncodeToString(sum[:8])}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return v
	}
	if info.Main.Version != "" {
		v["pullbook"] = info.Main.Version
	}
	for _, dep := range info.Deps {
		if dep.Path == "cuelang.org/go" {
			v["cue"] = dep.Version
		}
	}
	return v
}
