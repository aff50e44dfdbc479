package cueval

import (
	"bytes"
	"maps"
	"slices"

	"cuelang.org/go/cue/format"

	"github.com/pullbook/pullbook/engine/runbook"
)

// unformatted says of each file that is a runbook's own, or is pullbook.cue, where it first differs from what `cue fmt` writes.
func unformatted(src runbook.Source) (remarks []runbook.Problem) {
	for _, name := range slices.Sorted(maps.Keys(src.Files)) {
		if name == organisationFile && src.Runbook != organisationFile {
			continue // it is said once, of itself
		}
		given := src.Files[name]
		want, err := format.Source(given)
		if err != nil || bytes.Equal(want, given) {
			continue // what cannot be parsed is a mistake
		}
		remarks = append(remarks, runbook.Problem{File: name, Line: differs(given, want), Column: 1,
			Text: "cue fmt would write this line, or what follows it, differently"})
	}
	return remarks
}

// differs is the first line, from 1, in which two texts differ that are not the same.
func differs(a, b []byte) int {
	line := 1
	for i := 0; i < min(len(a), len(b)) && a[i] == b[i]; i++ {
		if a[i] == '\n' {
			line++
		}
	}
	return min(line, max(1, bytes.Count(a, []byte("\n"))))
}
