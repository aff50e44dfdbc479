package proposal

import (
	"bytes"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/pullbook/pullbook/engine/codeowners"
	"github.com/pullbook/pullbook/engine/rehearsal"
	"github.com/pullbook/pullbook/engine/runbook"
)

// Change is a file that a proposal changes. One that is moved is two: gone from one path, and there at another.
type Change struct {
	Path string
	Gone bool // it is not there any more
	Mode bool // it may have become executable, or stopped to be
}

// Odd reports whether the name of a CUE file is none that a ledger can hold: of plain words, none of which is git's own or
// means another one on some system.
func (c Change) Odd() bool {
	if !strings.HasSuffix(c.Path, ".cue") {
		return false
	}
	for word := range strings.SplitSeq(c.Path, "/") {
		odd := func(r rune) bool {
			return !unicode.IsGraphic(r) || r == utf8.RuneError || strings.ContainsRune(`\\:`, r)
		}
		if word == "" || len(word) > 255 || strings.HasPrefix(strings.ToLower(word), ".git") || strings.HasPrefix(strings.ToLower(word), "git~") ||
			strings.HasSuffix(word, ".") || strings.HasSuffix(word, " ") || strings.ContainsFunc(word, odd) {
			return true
		}
	}
	return len(c.Path) > 4096 || strings.Count(c.Path, "/") > 48
}

// Scope is what has to be vetted.
type Scope struct {
	Whole    bool     // the whole ledger
	Runbooks []string // paths, sorted; those that are there
	Why      string   // one sentence for people
}

// Nothing reports whether there is nothing to vet.
func (s Scope) Nothing() bool { return !s.Whole && len(s.Runbooks) == 0 }

// ScopeOf says what changes may have broken. The texts are the ledger's runbooks, pullbook.cue and cue.mod with the changes in
// them. In doubt a runbook is in the scope: one that names a file or a runbook in any way may mean it.
func ScopeOf(changes []Change, texts map[string][]byte) Scope {
	there := map[string]bool{}
	for file := range texts {
		if runbook.IsRunbook(file) {
			there[runbook.PathOf(file)] = true
		}
	}
	in, named, texted := map[string]bool{}, [][]byte{}, []string{}
	for _, c := range changes {
		switch {
		case c.Recorded():
		case runbook.IsRunbook(c.Path):
			book := runbook.PathOf(c.Path)
			in[book] = there[book]
			named = append(named, []byte(`"`+runbook.NameOf(book)+`"`)) // as runbook: name has it
		case strings.HasSuffix(c.Path, ".cue"):
			return Scope{Whole: true, Why: fmt.Sprintf("%s holds for every runbook", c.Path)}
		case slices.Contains(codeowners.Places(), c.Path): // whoever asks the owners may find nobody any more
			named = append(named, []byte(runbook.CodeOwners))
		case c.Gone || c.Mode:
			named = append(named, namesOf(c.Path)...)
		default:
			texted = append(texted, c.Path)
		}
	}
	for file, text := range texts {
		if runbook.IsRunbook(file) && (mayName(text, named) || slices.ContainsFunc(texted, func(p string) bool { return rehearses(text, p) })) {
			in[runbook.PathOf(file)] = true
		}
	}
	maps.DeleteFunc(in, func(_ string, there bool) bool { return !there })
	s := Scope{Runbooks: slices.Sorted(maps.Keys(in))}
	switch n := len(s.Runbooks); n {
	case 0:
		s.Why = "no runbook depends on what is changed"
	case 1:
		s.Why = s.Runbooks[0] + " is changed, or depends on what is"
	default:
		s.Why = fmt.Sprintf("%d runbooks are changed, or depend on what is", n)
	}
	return s
}

// namesOf is how a runbook may name a file, or a directory that it lies in.
func namesOf(file string) (names [][]byte) {
	for p := file; p != "."; p = path.Dir(p) {
		names = append(names, []byte(`"`+p+`"`), []byte(`"./`+p+`"`))
	}
	return names
}

// mayName reports whether a runbook has one of the names in it. What a package names is not among the texts.
func mayName(text []byte, names [][]byte) bool {
	return len(names) > 0 && (bytes.Contains(text, []byte("import")) ||
		slices.ContainsFunc(names, func(n []byte) bool { return bytes.Contains(text, n) }))
}

// rehearses reports whether a runbook may have a step that is rehearsed with a file: what is in the file matters then. One that
// has it from a package alone is left to the runner, which looks into the file again.
func rehearses(text []byte, file string) bool {
	return mayName(text, namesOf(file)) && slices.ContainsFunc(rehearsal.Kinds(), func(kind string) bool {
		return rehearsal.Looks(kind, file) && bytes.Contains(text, []byte(kind))
	})
}
