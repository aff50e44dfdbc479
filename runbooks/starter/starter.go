// Package starter holds what `pullbook init` writes: a ledger with a policy, a first runbook and its stories, the workflow that
// vets pull requests, and what editors need.
//
// Words:
//
//   - A ledger's first files are those of the directory files, by the paths that they get. The schema comes besides. For a ledger
//     that no server serves, those of the directory actions come besides them or in their place.
//   - The pin is the commit of this project whose actions a ledger's workflows use.
//   - The team stands for acme/sre in them: who may command, who approves, who owns the files.
//
// Flow:
//
//	Files(team), WithActions(team, pin) ─ paths and texts ─ written by cmd/pullbook, none over another
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

//go:embed all:files all:actions
var files embed.FS

// What stands in the files for what whoever begins has of their own.
const (
	team = "acme/sre"
	pin  = "0000000000000000000000000000000000000000"
)

// Files returns the first files of a ledger by path, with a team (org/slug) in the place of the sample's.
func Files(own string) (map[string]string, error) {
	out := map[string]string{}
	return out, read("files", strings.NewReplacer(team, own), out)
}

// WithActions returns the first files of a ledger that no server serves: workflows advance its incidents. commit is the
// commit of this project whose actions they use, 40 hex digits.
func WithActions(own, commit string) (map[string]string, error) {
	out, err := Files(own)
	if err != nil {
		return nil, err
	}
	return out, read("actions", strings.NewReplacer(team, own, pin, commit), out)
}

// read adds the files of a directory to out.
func read(dir string, own *strings.Replacer, out map[string]string) error {
	err := fs.WalkDir(files, dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := files.ReadFile(name)
		if err != nil {
			return err
		}
		out[strings.TrimPrefix(name, dir+"/")] = own.Replace(string(data))
		return nil
	})
	if err != nil {
		return fmt.Errorf("read the first files of a ledger: %w", err)
	}
	return nil
}
