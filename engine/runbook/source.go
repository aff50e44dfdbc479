package runbook

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
)

// Source is the text that a plan is made of. The same bytes give the same plan for ever.
type Source struct {
	Runbook string            `json:"runbook"` // path of the runbook among Files, for example runbooks/checkout.cue, or a directory of them
	Files   map[string][]byte `json:"files"`   // path in the ledger to content: the runbook (all files of one that is a directory), and pullbook.cue where there is one
	// Others are further files of the ledger by path: runbooks, pullbook.cue, cue.mod/module.cue and packages. Load looks among
	// them for what the runbook opens and imports; Plan.Sources says what it found. With these in Files the plan is the same
	// without Others.
	Others map[string][]byte `json:"others,omitempty"`
	// Inputs are the values of the runbook's inputs, a JSON object by name. An input that is not among them has its default.
	// Null or absent means that nobody has given any yet, as when a runbook is vetted: only then may one without a default be missing.
	Inputs json.RawMessage `json:"inputs,omitempty"`
	// Schema is the text that the files are held against: of a frozen plan, the one that was frozen with it. Empty is that of
	// the engine.
	Schema []byte `json:"schema,omitempty"`
}

// Digest tells sources apart: it is another one wherever any byte of them is.
func (s Source) Digest() (sum [sha256.Size]byte) {
	h := sha256.New()
	write := func(text []byte) { // a hash takes everything
		_, _ = h.Write(binary.LittleEndian.AppendUint64(nil, uint64(len(text))))
		_, _ = h.Write(text)
	}
	write([]byte(s.Runbook))
	write(s.Inputs)
	write(s.Schema)
	for _, files := range []map[string][]byte{s.Files, s.Others} {
		write([]byte(strconv.Itoa(len(files))))
		for _, name := range slices.Sorted(maps.Keys(files)) {
			write([]byte(name))
			write(files[name])
		}
	}
	return [sha256.Size]byte(h.Sum(sum[:0]))
}

// Query asks what a plan is at this moment.
type Query struct {
	Source Source           `json:"source"`
	Alert  json.RawMessage  `json:"alert"`           // the alert as schema.#Alert has it; null when there is none yet
	Ended  map[string]Ended `json:"ended,omitempty"` // by step: those that will not run again
	// Frozen is the plan that was made of the source, where one is at hand: it is not made again, so that no other engine makes
	// another one of it. Nil: it is made.
	Frozen *Plan `json:"frozen,omitempty"`
	// Words says that an output to be checked was written by a person: a text in it also stands for what it says as JSON, where
	// no text is wanted, and a field that the type does not declare is a mistake.
	Words bool `json:"words,omitempty"`
}

// OutputError says that what a step put out, or what a probe was answered, is not of the declared type.
type OutputError struct {
	Step    string
	Problem string // place, problem and hint on one line
	Wanted  string // the type as CUE, where a person wrote the output
}

func (e *OutputError) Error() string { return e.Problem }

// Ended is how a step came to its end, as far as the values of later steps depend on it.
type Ended struct {
	Conclusion Conclusion      `json:"conclusion,omitempty"` // empty when Skipped
	Skipped    bool            `json:"skipped,omitempty"`
	Output     json.RawMessage `json:"output,omitempty"`
	Happened   []string        `json:"happened,omitempty"` // of a template that is to be undone: the keys of the elements that succeeded, in order
}

// Equal reports whether two ends are the same for the values of later steps.
func (e Ended) Equal(other Ended) bool {
	return e.Conclusion == other.Conclusion && e.Skipped == other.Skipped && bytes.Equal(e.Output, other.Output) && slices.Equal(e.Happened, other.Happened)
}

// Problem is one mistake of an author, with the place that the author can open.
type Problem struct {
	File   string `json:"file"`
	Line   int    `json:"line"`   // from 1; 0 when the place is the whole file
	Column int    `json:"column"` // in bytes, from 1
	Path   string `json:"path,omitempty"`
	Text   string `json:"text"`           // one sentence, lower case, no period
	Hint   string `json:"hint,omitempty"` // what to write instead
	See    *See   `json:"see,omitempty"`  // another place that belongs to it
	// Missing is a directory of the ledger that is imported and that was not among the files at hand.
	Missing string `json:"missing,omitempty"`
}

// See is another place that a problem leads to, and what is there, such as "the rule is at".
type See struct {
	Words string `json:"words"`
	At    Spot   `json:"at"`
}

// Advice is the hint, with the other place that the problem leads to; empty where there is neither.
func (p Problem) Advice() string {
	if p.See == nil {
		return p.Hint
	}
	see := p.See.Words + " " + p.See.At.String()
	if p.Hint == "" {
		return see
	}
	return p.Hint + "; " + see
}

// String gives the place, the problem and the hint on one line, for example
// runbooks/disk.cue:5:6: steps.r.whne: unknown field "whne"; did you mean when?
func (p Problem) String() string {
	s := p.File
	if p.Line > 0 {
		s = fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column)
	}
	if p.Path != "" {
		s += ": " + p.Path
	}
	s += ": " + p.Text
	if advice := p.Advice(); advice != "" {
		s += "; " + advice
	}
	return s
}

// Route is the answer to which runbook an alert belongs to.
type Route struct {
	Runbook  string    `json:"runbook"`            // path, empty when none matches
	Why      string    `json:"why"`                // one sentence for the record
	Problems []Problem `json:"problems,omitempty"` // of runbooks that could not be asked because they are wrong
}
