package runbook

import (
	"path"
	"strings"
)

// Dir is the directory of a ledger that holds its runbooks. Each CUE file in it is one, and each directory in it that
// holds CUE files.
const Dir = "runbooks"

// IsRunbook reports whether a file of a ledger is a runbook, or part of one that is a directory. Tests and tools are no
// part of a CUE package.
func IsRunbook(file string) bool {
	dir := path.Dir(file)
	return strings.HasSuffix(file, ".cue") && !strings.HasSuffix(file, "_test.cue") && !strings.HasSuffix(file, "_tool.cue") &&
		(dir == Dir || path.Dir(dir) == Dir)
}

// PathOf is the path of the runbook that a file of a ledger belongs to: its own, or that of its directory.
func PathOf(file string) string {
	if dir := path.Dir(file); path.Dir(dir) == Dir {
		return dir
	}
	return file
}

// Find returns the path of the runbook that is called by its name or by its path, and false if files holds none.
func Find(files map[string][]byte, called string) (string, bool) {
	for _, wanted := range []string{called, path.Join(Dir, called+".cue"), path.Join(Dir, called)} {
		for file := range files {
			if IsRunbook(file) && PathOf(file) == wanted {
				return wanted, true
			}
		}
	}
	return called, false
}

// SourceOf is what a plan of the runbook at a path of a ledger is made of, with the other files at hand beside it.
func SourceOf(files map[string][]byte, runbook string) Source {
	src := Source{Runbook: runbook, Files: map[string][]byte{}, Others: files}
	for file, data := range files {
		if file == Organisation || IsRunbook(file) && PathOf(file) == runbook {
			src.Files[file] = data
		}
	}
	return src
}

// Organisation is the file of a ledger that holds for all of its runbooks.
const Organisation = "pullbook.cue"

// Of is the source of a plan that was loaded from it: with all files that the plan was made of, no others, and the values
// of all inputs. It makes the same plan, alone.
func (s Source) Of(p Plan) Source {
	out := Source{Runbook: s.Runbook, Files: map[string][]byte{}, Inputs: p.Inputs}
	for _, file := range p.Sources {
		data, ok := s.Files[file]
		if !ok {
			data = s.Others[file]
		}
		out.Files[file] = data
	}
	return out
}
