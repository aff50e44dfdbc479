package approval

import "strings"

// fence is an open block of code.
type fence struct {
	mark   string // the run of backticks or tildes that opened it
	in     string // what it stands in: nothing, ">" for a quote, "-" for a list
	indent int    // in a list: columns by which its lines are indented
	deep   bool   // it stands in several quotes and lists: which of them a line belongs to is not followed
}

// fenceIn returns the block of code that a line opens, if it does.
func fenceIn(line string) fence {
	c := containers(line)
	mark, info := markOf(c.rest)
	if mark == "" || mark[0] == '`' && strings.Contains(info, "`") { // the latter is code inside a line
		return fence{}
	}
	if c.in != "-" {
		c.indent = 0
	}
	return fence{mark, c.in, c.indent, c.depth > 1}
}

// holds reports whether the line can still belong to what the block stands in.
func (f fence) holds(line string) bool {
	switch f.in {
	case ">":
		return strings.HasPrefix(strings.TrimLeft(line, " "), ">")
	case "-":
		return strings.Trim(line, " \t") == "" || indentOf(line) >= f.indent
	}
	return true
}

// closedBy reports whether the line is the end of the block: the same mark, at least as long, and nothing else.
func (f fence) closedBy(line string) bool {
	rest := line
	if f.in != "" {
		rest = containers(strings.TrimLeft(line, " \t")).rest
	}
	mark, info := markOf(rest)
	return mark != "" && mark[0] == f.mark[0] && len(mark) >= len(f.mark) && strings.Trim(info, " \t") == ""
}

// markOf splits a line that begins with at least three backticks or tildes, indented by at most three spaces, into these
// and the rest.
func markOf(line string) (mark, info string) {
	trimmed := strings.TrimLeft(line, " ")
	if len(line)-len(trimmed) > 3 {
		return "", ""
	}
	for _, c := range []byte{'`', '~'} {
		if n := runOf(trimmed, c); n >= 3 {
			return trimmed[:n], trimmed[n:]
		}
	}
	return "", ""
}

// contained is a line behind the marks of the quotes and lists that it begins.
type contained struct {
	rest   string
	in     string // the outermost: nothing, ">" for a quote, "-" for a list
	depth  int    // how many there are
	indent int    // columns before what the outermost list holds
}

// containers takes the marks of quotes and lists from the beginning of a line.
func containers(line string) contained {
	c := contained{rest: line}
	for {
		trimmed := strings.TrimLeft(c.rest, " ")
		kind, width := markerOf(trimmed)
		if kind == "" || len(c.rest)-len(trimmed) > 3 {
			return c
		}
		if c.depth++; c.in == "" {
			c.in = kind
		}
		behind := trimmed[width:]
		at := columns(line[:len(line)-len(behind)])
		text := strings.TrimLeft(behind, " \t")
		begins := columns(line[:len(line)-len(text)])
		holds := at + 1 // the column at which what it holds begins
		switch c.rest = behind; {
		case kind == "-" && text == "":
			c.rest = ""
		case kind == "-" && begins-at <= 4:
			c.rest, holds = text, begins
		case behind != text:
			c.rest = behind[1:]
		}
		if kind == "-" && c.indent == 0 {
			c.indent = holds
		}
	}
}

// markerOf recognises ">", "-", "*", "+", "1." and "1)" at the beginning of a line; behind all but the first stands a space, or nothing,
// and a number has at most nine digits.
func markerOf(s string) (kind string, width int) {
	if strings.HasPrefix(s, ">") {
		return ">", 1
	}
	digits := len(s) - len(strings.TrimLeft(s, "0123456789"))
	after := s[digits:]
	if digits > 9 || after == "" || len(after) > 1 && after[1] != ' ' && after[1] != '\t' {
		return "", 0
	}
	switch {
	case digits == 0 && strings.ContainsRune("-*+", rune(after[0])), digits > 0 && strings.ContainsRune(".)", rune(after[0])):
		return "-", digits + 1
	}
	return "", 0
}

// goesOn reports whether a line has the mark of a list and yet belongs to the paragraph above it, where there is one: a list that
// interrupts a paragraph begins with an item that is not empty, and with the number 1. An empty one with a hyphen underlines it.
func goesOn(line string) bool {
	trimmed := strings.TrimLeft(line, " ")
	kind, width := markerOf(trimmed)
	if kind != "-" || trimmed[0] == '-' {
		return false
	}
	number := strings.TrimLeft(trimmed[:width-1], "0")
	return strings.Trim(trimmed[width:], " \t") == "" || width > 1 && number != "1"
}
