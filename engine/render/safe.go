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

func inline(text string, limit int) string { return neutral(plain(text, limit), inLine) }

// place is where foreign text will stand, which decides how much of it has to be taken apart.
type place int

const (
	inBlock place = iota // within a fence: mentions and references, since mail and quoted replies lose the fence
	inTitle              // also what becomes a link; a title is no Markdown
	inLine               // also every mark of Markdown
)

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

// neutral takes one line of plain text apart where GitHub would make more of it than text.
func neutral(line string, at place) string {
	var b strings.Builder
	marker := -1 // of what would begin a block at the beginning of a line
	if at == inLine {
		marker = blockMark(line)
	}
	for i, c := range line {
		before, after := line[:i], line[i+utf8.RuneLen(c):]
		if at >= inTitle && c == '.' && endsFold(before, "www") {
			b.WriteString(zeroWidth)
		}
		if at == inLine {
			b.WriteString(escaped(c, i == marker))
		} else {
			b.WriteRune(c)
		}
		if c == '@' || c == '#' || c == '-' && endsFold(before, "gh") || at >= inTitle && c == ':' && beginsAddress(after) {
			b.WriteString(zeroWidth)
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

// blockMark returns the index of the character that would make a list, a heading or a table of the line; -1 for none.
func blockMark(line string) int {
	digits := len(line) - len(strings.TrimLeft(line, "0123456789"))
	rest := line[digits:]
	switch {
	case rest == "":
	case digits == 0 && strings.ContainsRune("+-=:", rune(rest[0])), digits > 0 && (rest[0] == '.' || rest[0] == ')'):
		return digits
	}
	return -1
}

func endsFold(s, suffix string) bool {
	return len(s) >= len(suffix) && strings.EqualFold(s[len(s)-len(suffix):], suffix)
}

// beginsAddress reports whether what follows a colon could be the rest of an address, or the name of an emoji.
func beginsAddress(s string) bool {
	return s != "" && (s[0] == '/' || s[0] >= 'a' && s[0] <= 'z' || s[0] >= 'A' && s[0] <= 'Z' || s[0] == '+' || s[0] == '-')
}

// code writes an identifier of ours (a step's name, a path, a digest) as a code span.
func code(text string) string {
	return "`" + strings.Map(func(c rune) rune {
		switch c {
		case '`':
			return '\''
		case '|':
			return '/'
		}
		return c
	}, plain(text, inlineLimit)) + "`"
}

// block is a fenced block of at most budget bytes. What is too long loses its beginning: the end of a log says most.
func block(info, text string, budget int) string {
	const cut = "[the beginning is left out]\n"
	if len(text) < budget {
		if whole := runbook.Fence(info, text); len(whole) <= budget {
			return whole
		}
	}
	out := ""
	for keep := min(len(text), budget-100); keep > 0; keep /= 2 { // fences and replaced characters may take more than they stand for
		if out = runbook.Fence(info, cut+tail(text, keep)); len(out) <= budget {
			break
		}
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

// bounded joins items until budget bytes are used, and says how many are left out. Items that are lines of their own, with no
// separator, are followed by a paragraph of its own, which ends a list and a table.
func bounded(items []string, sep string, budget int) string {
	var b strings.Builder
	for i, item := range items {
		if b.Len()+len(sep)+len(item) > budget {
			left := plural(len(items)-i, "more is", "more are") + " not shown here"
			if sep == "" {
				left = "\n" + left + ".\n"
			}
			b.WriteString(sep + left)
			break
		}
		if i > 0 {
			b.WriteString(sep)
		}
		b.WriteString(item)
	}
	return b.String()
}
