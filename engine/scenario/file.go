package scenario

import (
	"fmt"
	"strings"
)

// File is the tests of one runbook.
type File struct {
	Name  string // for places in messages
	head  []line // before the first case
	Cases []Case
}

// Case is one story.
type Case struct {
	Name  string
	Line  int // on which it begins, from 1
	title line
	lines []line
}

// what a line is.
type role int

const (
	remark    role = iota // a comment or nothing
	statement             // what happens, with the lines that belong to it
	expected              // what the engine did
)

// line is one statement, expectation or remark of a file.
type line struct {
	role role
	at   int    // from 1
	raw  string // without the end of the line; of a statement with all of its lines
	text string // of a statement: its words on one line, as JSON may break lines; of an expectation: what follows "> "
}

const (
	mark    = ">"
	caseIs  = "case "
	comment = "#"
)

// Parse reads a file of tests. An error names the file and the line.
func Parse(name string, text []byte) (File, error) {
	f := File{Name: name}
	names := map[string]int{}
	for i, raw := range strings.Split(strings.TrimSuffix(string(text), "\n"), "\n") {
		raw = strings.TrimSuffix(raw, "\r")
		l := read(raw)
		l.at = i + 1
		title, begins := strings.CutPrefix(l.text, caseIs)
		switch {
		case l.role == statement && begins:
			title = strings.TrimSpace(title)
			if before := names[title]; before > 0 {
				return f, fmt.Errorf("%s:%d: there is a case of this name on line %d", name, l.at, before)
			}
			names[title] = l.at
			f.Cases = append(f.Cases, Case{Name: title, Line: l.at, title: l})
		case raw != "" && (raw[0] == ' ' || raw[0] == '\t') && l.role == statement:
			if !f.continues(l) {
				return f, fmt.Errorf("%s:%d: begins with a space and continues no statement", name, l.at)
			}
		case l.role == expected && len(f.Cases) == 0:
			return f, fmt.Errorf("%s:%d: something is expected before the first case", name, l.at)
		default:
			*f.last() = append(*f.last(), l)
		}
	}
	if len(f.Cases) == 0 {
		return f, fmt.Errorf("%s: holds no case; one begins with a line such as `case The good way`", name)
	}
	return f, nil
}

func read(raw string) line {
	trimmed := strings.TrimSpace(raw)
	switch {
	case trimmed == "", strings.HasPrefix(raw, comment):
		return line{role: remark, raw: raw}
	case strings.HasPrefix(raw, mark):
		return line{role: expected, raw: raw, text: strings.TrimPrefix(strings.TrimPrefix(raw, mark), " ")}
	}
	return line{role: statement, raw: raw, text: trimmed}
}

// last is the list that the next line belongs to.
func (f *File) last() *[]line {
	if len(f.Cases) == 0 {
		return &f.head
	}
	return &f.Cases[len(f.Cases)-1].lines
}

// continues adds a line to the statement before it.
func (f *File) continues(l line) bool {
	lines := *f.last()
	if len(lines) == 0 || lines[len(lines)-1].role != statement {
		return false
	}
	s := &lines[len(lines)-1]
	s.raw += "\n" + l.raw
	s.text += " " + l.text
	return true
}

// With returns the file with cases as they went, in the order of its own.
func (f File) With(cases []Case) []byte {
	var b strings.Builder
	writeLines(&b, f.head)
	for _, c := range cases {
		b.WriteString(c.Text())
	}
	return []byte(strings.TrimRight(b.String(), "\n") + "\n")
}

// Text is the case as it stands in a file, its name included.
func (c Case) Text() string {
	var b strings.Builder
	b.WriteString(c.title.raw + "\n")
	writeLines(&b, c.lines)
	return b.String()
}

func writeLines(b *strings.Builder, lines []line) {
	for _, l := range lines {
		b.WriteString(l.raw + "\n")
	}
}

// blocks splits the lines of a case: statements that stand together, what was expected of them, and the remarks after that.
func (c Case) blocks() (out []block) {
	var b block
	for _, l := range c.lines {
		if l.role == statement && len(b.statements) > 0 && b.closed {
			out, b = append(out, b), block{}
		}
		switch l.role {
		case statement:
			b.before = append(b.before, l)
			b.statements = append(b.statements, l)
		case expected:
			b.closed = true
		case remark:
			b.closed = b.closed || len(b.statements) > 0 && l.raw == ""
			if b.closed {
				b.after = append(b.after, l)
			} else {
				b.before = append(b.before, l)
			}
		}
	}
	return append(out, b)
}

// block is statements that happen at one moment.
type block struct {
	before     []line // statements and the remarks between them
	statements []line
	after      []line // remarks
	closed     bool
}

// with is the block with what came of it.
func (b block) with(got []string) (out []line) {
	out = append(out, b.before...)
	for _, text := range got {
		out = append(out, line{role: expected, raw: strings.TrimRight(mark+" "+text, " "), text: text})
	}
	return append(out, b.after...)
}
