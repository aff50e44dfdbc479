package render

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/pullbook/pullbook/engine/runbook"
)

const (
	zeroWidth   = "\u200b"
	inlineLimit = 300 // characters of foreign text within a sentence
)

// Safe makes foreign text fit for a place within a line of Markdown: one line of at most 300 characters that mentions
// nobody, links nowhere, formats nothing and holds no control or bidirectional character.
//
// GitHub finds mentions and references in the rendered text, where a backslash is gone already; therefore a zero-width
// space parts what would be one (@ # GH- and the beginnings of addresses).
func Safe(text string) string { return inline(text, inlineLimit) }

func inline(text string, limit int) string { return neutral(plain(text, limit), true) }

// plain makes one line of at most limit characters that cannot steer a terminal.
func plain(text string, limit int) string {
	var b strings.Builder
	count, space := 0, false
	for _, c := range text {
		if unicode.IsSpace(c) {
			space = count > 0
			continue
		}
		if count+1 >= limit {
			b.WriteString("…")
			break
		}
		if space {
			b.WriteByte(' ')
			count++
			space = false
		}
		b.WriteRune(visible(c))
		count++
	}
	return b.String()
}

// visible replaces what has no shape of its own, except the joiners that scripts and emoji are written with.
func visible(c rune) rune {
	const nonJoiner, joiner = '\u200c', '\u200d'
	if unicode.IsGraphic(c) || c == nonJoiner || c == joiner {
		return c
	}
	return unicode.ReplacementChar
}

// neutral parts what GitHub would link or mention in one line of plain text; with escapes, Markdown is escaped as well.
func neutral(line string, escapes bool) string {
	var b strings.Builder
	start := 0 // of a marker that would begin a block at the beginning of a line
	if escapes {
		start = blockMark(line)
	}
	for i, c := range line {
		before, after := line[:i], line[i+utf8.RuneLen(c):]
		switch {
		case c == '@' || c == '#':
			b.WriteString(string(c) + zeroWidth)
		case c == '-' && endsFold(before, "gh"), c == ':' && (strings.HasPrefix(after, "//") || beginsShortcode(after)):
			if escapes && i == 0 {
				b.WriteByte('\\')
			}
			b.WriteString(string(c) + zeroWidth)
		case c == '.' && endsFold(before, "www"):
			b.WriteString(zeroWidth + ".")
		case escapes:
			b.WriteString(escaped(c, i == start-1))
		default:
			b.WriteRune(c)
		}
	}
	return b.String()
}

// escaped writes one character so that it stands for itself in Markdown, also within a table and within HTML.
func escaped(c rune, marker bool) string {
	switch {
	case c == '&':
		return "&amp;"
	case c == '<':
		return "&lt;"
	case c == '>':
		return "&gt;"
	case marker || strings.ContainsRune("\\`*_[]~|!$", c):
		return `\` + string(c)
	}
	return string(c)
}

// blockMark returns where the character ends that would make a list, a heading or a table of the line; 0 for none.
func blockMark(line string) int {
	if line == "" {
		return 0
	}
	if strings.ContainsRune("+-=:", rune(line[0])) {
		return 1
	}
	digits := len(line) - len(strings.TrimLeft(line, "0123456789"))
	if digits > 0 && digits < len(line) && (line[digits] == '.' || line[digits] == ')') {
		return digits + 1
	}
	return 0
}

func endsFold(s, suffix string) bool {
	return len(s) >= len(suffix) && strings.EqualFold(s[len(s)-len(suffix):], suffix)
}

// beginsShortcode reports whether what follows a colon could be an emoji's name or the rest of an address.
func beginsShortcode(s string) bool {
	return s != "" && (s[0] >= 'a' && s[0] <= 'z' || s[0] >= 'A' && s[0] <= 'Z' || s[0] == '+' || s[0] == '-')
}

// code writes an identifier of ours (a step's name, a path, a digest) as a code span.
func code(text string) string {
	return "`" + strings.NewReplacer("`", "'", "|", "/").Replace(plain(text, inlineLimit)) + "`"
}

// block is a fenced block of at most budget bytes. What is too long loses its beginning: the end of a log says most.
func block(info, text string, budget int) string {
	const cut = "[the beginning is left out]\n"
	out := runbook.Fence(info, text)
	for keep := min(len(text), budget); len(out) > budget && keep > 0; keep /= 2 {
		out = runbook.Fence(info, cut+tail(text, keep))
	}
	return out
}

// tail returns at most n bytes from the end, beginning at a line where there is one.
func tail(text string, n int) string {
	if len(text) <= n {
		return text
	}
	text = text[len(text)-n:]
	if i := strings.IndexByte(text, '\n'); i >= 0 && i < len(text)/2 {
		return text[i+1:]
	}
	for text != "" && !utf8.RuneStart(text[0]) {
		text = text[1:]
	}
	return text
}

// bounded joins items until budget bytes are used, and says how many are left out.
func bounded(items []string, sep string, budget int) string {
	var b strings.Builder
	for i, item := range items {
		if b.Len()+len(sep)+len(item) > budget {
			b.WriteString(sep + plural(len(items)-i, "more is", "more are") + " not shown here")
			break
		}
		if i > 0 {
			b.WriteString(sep)
		}
		b.WriteString(item)
	}
	return b.String()
}
