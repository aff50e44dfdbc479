package runbook

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"unicode"
)

// Since gives the steps of an edited plan the lines of the plan that was frozen first which are a part of them, or were: of these
// the hub knows who wrote them. before and after are the files of the two plans by path. A step that is as it was keeps its
// lines. One that was changed has besides those which it has now and which were there at first, such as a helper that it did not
// mean before; one that was added has these alone, and its other files with no lines of them.
func (p Plan) Since(first Plan, before, after map[string][]byte) Plan {
	if maps.EqualFunc(before, after, func(a, b []byte) bool { return string(a) == string(b) }) {
		return p
	}
	at := originsOf(before, after)
	p.Steps = slices.Clone(p.Steps)
	for i, s := range p.Steps {
		old, known := first.Step(s.Name)
		if known && same(old, s, before, after) {
			p.Steps[i].Lines = old.Lines
			continue
		}
		lines := Join(slices.Concat(old.Lines, at.of(s.Lines)))
		for _, l := range s.Lines {
			if !known && !slices.ContainsFunc(lines, func(o Lines) bool { return o.File == l.File }) {
				lines = append(lines, Lines{File: l.File, From: 1, To: 0})
			}
		}
		p.Steps[i].Lines = lines
	}
	return p
}

// Join orders ranges by file and line, each line once.
func Join(all []Lines) (out []Lines) {
	slices.SortFunc(all, func(a, b Lines) int { return cmp.Or(cmp.Compare(a.File, b.File), a.From-b.From) })
	for _, r := range all {
		if n := len(out); n > 0 && r.File == out[n-1].File && r.From <= out[n-1].To+1 {
			out[n-1].To = max(out[n-1].To, r.To)
			continue
		}
		out = append(out, r)
	}
	return out
}

// spot is a line of a file, counted from 1.
type spot struct {
	file string
	line int
}

// origins tells of lines of files which lines they were before: one that stayed is itself, as git's blame has it, and one that
// was taken away in one place and stands in another was moved, however it is indented now. What has neither letter nor digit
// comes from nobody.
type origins struct {
	stayed map[spot]Lines
	moved  map[spot]string    // their text
	gone   map[string][]Lines // by text
}

func originsOf(before, after map[string][]byte) origins {
	o := origins{map[spot]Lines{}, map[spot]string{}, map[string][]Lines{}}
	for file, now := range after {
		from, to := 0, 0
		for _, m := range script(linesIn(string(before[file])), linesIn(string(now))) {
			if m.sign != '+' {
				from++
			}
			if m.sign != '-' {
				to++
			}
			was := Lines{File: file, From: from, To: from}
			switch text := strings.TrimSpace(m.text); {
			case !strings.ContainsFunc(text, func(c rune) bool { return unicode.IsLetter(c) || unicode.IsDigit(c) }):
			case m.sign == ' ':
				o.stayed[spot{file, to}] = was
			case m.sign == '-':
				o.gone[text] = append(o.gone[text], was)
			default:
				o.moved[spot{file, to}] = text
			}
		}
	}
	return o
}

// of lists what lines were before.
func (o origins) of(lines []Lines) (were []Lines) {
	seen := map[string]bool{}
	for _, l := range lines {
		for line := l.From; line <= l.To; line++ {
			at := spot{l.File, line}
			if was, stayed := o.stayed[at]; stayed {
				were = append(were, was)
			}
			if text, moved := o.moved[at]; moved && !seen[text] {
				seen[text] = true
				were = append(were, o.gone[text]...)
			}
		}
	}
	return were
}
