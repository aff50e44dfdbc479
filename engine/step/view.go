package step

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// view is a text read in another way, without white space, that knows where each of its bytes came from.
type view struct {
	text     string
	from, to []int // by byte of text: the stretch of the original that it stands for
}

// span translates a stretch of the view into one of the original.
func (w view) span(from, to int, name string) span {
	return span{from: w.from[from], to: w.to[to-1], name: name}
}

// appendAll appends every place of a needle, overlapping ones included.
func (w view) appendAll(spans []span, n needle) []span {
	for at := 0; ; at++ {
		i := strings.Index(w.text[at:], n.text)
		if i < 0 {
			return spans
		}
		at += i
		spans = append(spans, w.span(at, at+len(n.text), n.name))
	}
}

// viewing builds a view.
type viewing struct {
	text     []byte
	from, to []int
}

// add appends what the stretch of the original stands for, unless it is white space.
func (b *viewing) add(s string, from, to int) {
	if r, size := utf8.DecodeRuneInString(s); size == len(s) && unicode.IsSpace(r) {
		return
	}
	for i := range len(s) {
		b.text = append(b.text, s[i])
		b.from = append(b.from, from)
		b.to = append(b.to, to)
	}
}

func (b *viewing) view() view { return view{text: string(b.text), from: b.from, to: b.to} }

// read makes a view with a decoder: given the rest of the text, it returns what an escape at its start stands for and how
// long the escape is, or zero if there is none.
func read(text string, escape func(rest string) (string, int)) view {
	b := viewing{
		text: make([]byte, 0, len(text)),
		from: make([]int, 0, len(text)),
		to:   make([]int, 0, len(text)),
	}
	for i := 0; i < len(text); {
		s, n := escape(text[i:])
		if n == 0 {
			_, n = utf8.DecodeRuneInString(text[i:])
			s = text[i : i+n]
		}
		b.add(s, i, i+n)
		i += n
	}
	return b.view()
}

func plainView(text string) view {
	return read(text, func(string) (string, int) { return "", 0 })
}

// percentView undoes the escapes of URLs.
func percentView(text string) view {
	return read(text, func(rest string) (string, int) {
		if len(rest) < 3 || rest[0] != '%' {
			return "", 0
		}
		n, err := strconv.ParseUint(rest[1:3], 16, 8)
		if err != nil {
			return "", 0
		}
		return string([]byte{byte(n)}), 3
	})
}

// backslashView undoes the escapes of strings in JSON and of their like in Go, C and shells.
func backslashView(text string) view { return read(text, backslash) }

func backslash(rest string) (string, int) {
	if len(rest) < 2 || rest[0] != '\\' {
		return "", 0
	}
	switch rest[1] {
	case 'n', 'r', 't', 'f', 'v':
		return " ", 2 // white space, and dropped as such
	case 'b', 'a':
		return "", 2 // a control, which clean drops from plain text
	case 'u':
		return unicodeEscape(rest)
	case 'x':
		n, ok := hexDigits(rest, 2, 2)
		if !ok {
			return "", 0
		}
		return string([]byte{byte(n)}), 4
	}
	r, size := utf8.DecodeRuneInString(rest[1:])
	return string(r), 1 + size
}

func unicodeEscape(rest string) (string, int) {
	n, ok := hexDigits(rest, 2, 4)
	if !ok {
		return "", 0
	}
	if strings.HasPrefix(rest[6:], `\u`) {
		if low, ok := hexDigits(rest, 8, 4); ok {
			if r := utf16.DecodeRune(rune(n), rune(low)); r != utf8.RuneError {
				return string(r), 12
			}
		}
	}
	return string(rune(n)), 6
}

// hexDigits reads the given number of digits at a place of s.
func hexDigits(s string, at, count int) (uint64, bool) {
	if len(s) < at+count {
		return 0, false
	}
	n, err := strconv.ParseUint(s[at:at+count], 16, 32)
	return n, err == nil
}
