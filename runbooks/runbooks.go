// Package runbooks holds the runbooks that come with Pullbook, to be copied on a team's first day: README.md lists them.
// Among them are the triage runbook, which answers every alert that no other runbook claims, and the runbook of the
// demonstration. The organisation that comes along is that of the demonstration; its policy is a good one to begin with.
//
//	runbooks/NAME.cue      a runbook, in a ledger runbooks/NAME.cue
//	runbooks/scripts/NAME  a program that steps run as ./scripts/NAME, in a ledger scripts/NAME, executable
//	runbooks/pullbook.cue  the organisation, in a ledger at its root
//
// The package only hands out their text. It does not evaluate, check or select: that is cueval's work.
package runbooks

import (
	"embed"
	"fmt"
	"io/fs"
	"path"
)

//go:embed *.cue scripts
var files embed.FS

// organisation is at the root of a ledger, and here beside the runbooks.
const organisation = "pullbook.cue"

// Organisation returns the text of the pullbook.cue that comes along.
func Organisation() []byte { return read(organisation) }

// Files returns the runbooks of the demonstration by the path that they have in a ledger, such as runbooks/triage.cue.
func Files() map[string][]byte {
	out := map[string][]byte{}
	for _, name := range []string{"triage.cue", "checkout.cue"} {
		out["runbooks/"+name] = read(name)
	}
	return out
}

// Library returns all runbooks and the programs that they run, by the path that they have in a ledger: runbooks/NAME.cue and
// scripts/NAME. The programs begin with #! and have to be executable there.
func Library() map[string][]byte {
	out := map[string][]byte{}
	for _, pattern := range []string{"*.cue", "scripts/*"} {
		names, err := fs.Glob(files, pattern)
		if err != nil {
			panic(fmt.Sprintf("runbooks: a constant pattern is valid: %v", err)) // unreachable unless the pattern is changed
		}
		for _, name := range names {
			switch {
			case name == organisation:
			case path.Ext(name) == ".cue":
				out["runbooks/"+name] = read(name)
			default:
				out[name] = read(name)
			}
		}
	}
	return out
}

func read(name string) []byte {
	text, err := files.ReadFile(name)
	if err != nil {
		panic(fmt.Sprintf("runbooks: an embedded file can be read: %v", err)) // unreachable: the build would have failed
	}
	return text
}
