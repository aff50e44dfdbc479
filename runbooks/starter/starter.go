// Package starter holds what `pullbook init` writes: a ledger with a policy, a first runbook and its stories, the workflow that
// vets pull requests, and what editors need.
//
// Words:
//
//   - A ledger's first files are those of the directory files, by the paths that they get. The schema comes besides.
//   - The team stands for acme/sre in them: who may command, who approves, who owns the files.
//
// Flow:
//
//	Files(team) ─ paths and texts ─ written by cmd/pullbook, none over another
//
// The package writes nothing itself. That what it holds passes `vet`, `test`, actionlint and `cue vet` is a test of cmd/pullbook and of
// package cueval.
package starter

import (
	"embed"
	"fmt"
	"io/fs"
	"strings"
)

//go:embed all:files
var files embed.FS

// team is what stands in the files for the team of whoever begins.
const team = "acme/sre"

// Files returns the first files of a ledger by path, with a team (org/slug) in the place of the sample's.
func Files(own string) (map[string]string, error) {
	out := map[string]string{}
	err := fs.WalkDir(files, "files", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := files.ReadFile(name)
		if err != nil {
			return err
		}
		out[strings.TrimPrefix(name, "files/")] = strings.ReplaceAll(string(data), team, own)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the first files of a ledger: %w", err)
	}
	return out, nil
}
