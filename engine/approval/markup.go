package approval

import "strings"

// markup is HTML in a text whose content is not read: a comment, which nobody sees, or a block that is shown as it is.
type markup struct {
	until  string // what ends it; empty outside of one
	closes int    // where the last comment of the text ends, -1 if none does
}

// holds reports whether a line begins inside of HTML that is not read, and notes what it opens. end is where the line ends in
// the text. What a line opens holds from the next line on.
func (m *markup) holds(line string, end int) bool {
	held := m.until != ""
	if held {
		_, rest, over := strings.Cut(strings.ToLower(line), m.until)
		if !over {
			return true
		}
		m.until, line = "", " "+rest // what follows on the line can open another one, and is no beginning of a line
	}
	m.opens(line, end)
	return held
}

// opens notes what a line leaves open. As in CommonMark a comment at the beginning of a line goes on to its end or that of the
// text; elsewhere only one that is closed is a comment.
func (m *markup) opens(line string, end int) {
	if !strings.Contains(line, "<") {
		return
	}
	trimmed := strings.TrimLeft(line, " ")
	indent := len(line) - len(trimmed)
	if indent > 3 || strings.HasPrefix(trimmed, ">") {
		return // code, or a quote, in which nothing is read
	}
	for _, tag := range []string{"pre", "script", "style", "textarea"} {
		rest, is := strings.CutPrefix(strings.ToLower(trimmed), "<"+tag)
		if is && (rest == "" || strings.ContainsRune(" \t>", rune(rest[0]))) && !strings.Contains(rest, "</"+tag+">") {
			m.until = "</" + tag + ">"
			return
		}
	}
	plain := withoutCode(line)
	open := strings.LastIndex(plain, "<!--")
	if open < 0 || strings.Contains(plain[open:], "-->") {
		return
	}
	if strings.HasPrefix(trimmed, "<!--") || m.closes >= end {
		m.until = "-->"
	}
}

// withoutCode leaves out what stands between equal runs of backticks in a line.
func withoutCode(line string) string {
	var out strings.Builder
	for {
		before, rest, found := strings.Cut(line, "`")
		out.WriteString(before)
		if !found {
			return out.String()
		}
		inner := strings.TrimLeft(rest, "`")
		run := strings.Repeat("`", 1+len(rest)-len(inner))
		_, after, closed := strings.Cut(inner, run)
		if !closed {
			out.WriteString(inner) // backticks that nothing closes are only backticks
			return out.String()
		}
		line = after
	}
}
