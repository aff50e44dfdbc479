// Package runbooks holds the runbooks that come with Pullbook: the triage runbook, which answers every alert that no
// other runbook claims, and the runbook of the demonstration; and the organisation of the demonstration, whose policy is
// a good one to begin with. All are written to be copied.
//
// The package only hands out their text. It does not evaluate, check or select: that is cueval's work.
package runbooks

import (
	"embed"
	"fmt"
	"io/fs"
)

//go:embed *.cue
var files embed.FS

// organisation is at the root of a ledger, and here beside the runbooks.
const organisation = "pullbook.cue"

// Organisation returns the text of the pullbook.cue that comes along.
func Organisation() []byte {
	text, err := files.ReadFile(organisation)
	if err != nil {
		panic(fmt.Sprintf("runbooks: an embedded file can be read: %v", err)) // unreachable: the build would have failed
	}
	return text
}

// Files returns the runbooks by the path that they have in a ledger, such as runbooks/triage.cue.
func Files() map[string][]byte {
	names, err := fs.Glob(files, "*.cue")
	if err != nil {
		panic(fmt.Sprintf("runbooks: a constant pattern is valid: %v", err)) // unreachable unless the pattern is changed
	}
	out := make(map[string][]byte, len(names))
	for _, name := range names {
		if name == organisation {
			continue
		}
		text, err := files.ReadFile(name)
		if err != nil {
			panic(fmt.Sprintf("runbooks: an embedded file can be read: %v", err)) // unreachable: the name came from the same file system
		}
		out["runbooks/"+name] = text
	}
	return out
}
