package cueval

import (
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"

	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/errors"
	"cuelang.org/go/cue/token"

	"github.com/pullbook/pullbook/engine/runbook"
)

// syntaxProblems is the first error of a file: after it the parser guesses, and what it says of later lines is mostly said of the
// same mistake. What was read of the file may be nil.
func syntaxProblems(name string, text []byte, f *ast.File, err error) []runbook.Problem {
	e := errors.Errors(err)[0]
	p := problemAt(e.Position(), "", syntaxWords(e))
	if p.File == "" {
		p.File = name
	}
	lines := strings.Split(string(text), "\n")
	switch at := unclosed(f, lines); {
	case !utf8.Valid(text):
		p.Hint = "save the file as UTF-8"
	case atEnd(e) && at.IsValid():
		p.Text, p.Line, p.Column = "the brackets that open here are not closed", at.Line(), at.Column()
	case p.Line >= 1 && p.Line <= len(lines):
		before := lines[p.Line-1][:min(max(p.Column-1, 0), len(lines[p.Line-1]))]
		if p.Line > 1 && strings.TrimSpace(before) == "" && assigned().MatchString(lines[p.Line-2]) {
			p.Line-- // CUE takes what is assigned for another name of the next field
		}
		otherLanguage(&p, lines[p.Line-1])
	}
	return []runbook.Problem{p}
}

// assigned is a line in which a field is given its value as in most languages.
func assigned() *regexp.Regexp {
	return regexp.MustCompile(`^\s*"?([A-Za-z_][A-Za-z_0-9]*)"?\s*(=)[^=~:]*$`)
}

// otherLanguage moves a problem to what another language writes otherwise than CUE does, if that is what stands in its line.
func otherLanguage(p *runbook.Problem, line string) {
	var (
		comment = regexp.MustCompile(`^\s*(#)(?:[\s#!]|$)`)
		item    = regexp.MustCompile(`^\s*(-)\s`)
		bracket = regexp.MustCompile(`([A-Za-z_][A-Za-z_0-9]*)\s+\[[^][]*$`)
		lacking = regexp.MustCompile(`^\s*([A-Za-z_][A-Za-z_0-9]*)$`)
		word    = regexp.MustCompile(`^(and|or|not)\b`)
	)
	at := max(0, min(p.Column-1, len(line)))
	before, rest := strings.TrimRight(line[:at], " \t"), line[at:]
	is := func(at int, text, hint string) { p.Column, p.Text, p.Hint = at+1, text, hint }
	if m := comment.FindStringSubmatchIndex(line); m != nil {
		is(m[2], "# begins no comment", "a comment begins with //")
	} else if m := item.FindStringSubmatchIndex(line); m != nil {
		is(m[2], listText, listHint)
	} else if m := assigned().FindStringSubmatchIndex(line); m != nil {
		is(m[4], "= gives no field a value", fmt.Sprintf("a field is written %s: ...", line[m[2]:m[3]]))
	} else if m := lacking.FindStringSubmatch(before); m != nil && rest != "" {
		p.Hint = fmt.Sprintf("a field is written %s: ...", m[1])
	} else if m := bracket.FindStringSubmatchIndex(before); m != nil {
		is(m[2], "there is no : after "+line[m[2]:m[3]], fmt.Sprintf("a field is written %s: ...", line[m[2]:m[3]]))
	} else if strings.HasPrefix(rest, "=") {
		p.Hint = "== compares"
	} else if m := word.FindString(rest); m != "" {
		p.Hint = "write " + map[string]string{"and": "&&", "or": "||", "not": "!"}[m]
	}
}

// What is said of a list in YAML's way.
const (
	listText = "- begins no element of a list"
	listHint = "a list is written [a, b]"
)

// unclosed is the bracket that a file which ended too early most likely lacks the end of: the first that is closed in a line
// with another indentation than its own, or the last that is not closed at all.
func unclosed(f *ast.File, lines []string) (at token.Pos) {
	if f == nil {
		return at
	}
	indent := func(p token.Pos) string {
		if p.Line() > len(lines) {
			return "" // unreachable: the file was read from these lines
		}
		line := lines[p.Line()-1]
		return line[:len(line)-len(strings.TrimLeft(line, " \t"))]
	}
	odd := false
	ast.Walk(f, func(n ast.Node) bool {
		open, end := token.NoPos, token.NoPos
		switch x := n.(type) {
		case *ast.StructLit:
			open, end = x.Lbrace, x.Rbrace
		case *ast.ListLit:
			open, end = x.Lbrack, x.Rbrack
		}
		switch {
		case odd || !open.IsValid():
		case !end.IsValid():
			at = open
		case end.Line() != open.Line() && indent(end) != indent(open):
			at, odd = open, true
		}
		return true
	}, nil)
	return at
}
